package assets

import "embed"

// Monitoring holds the Grafana dashboard below "grafana/" and, below
// "prometheus/", the alert rules, their tests and an example of a scrape; below
// "loki/" what takes the logs to Loki.
//
//go:embed grafana/*.json prometheus/*.yml loki/*.yaml
var Monitoring embed.FS
