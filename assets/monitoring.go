package assets

import "embed"

// Monitoring holds the Grafana dashboard below "grafana/" and, below
// "prometheus/", the alert rules, their tests and an example of a scrape.
//
//go:embed grafana/*.json prometheus/*.yml
var Monitoring embed.FS
