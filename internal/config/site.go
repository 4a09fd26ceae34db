package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Environment names of the site that qmtui comes from. They are understood
// when there is no file, and by ImportEnv.
const (
	siteEndpoint = "SERVERLESS_ENDPOINT"
	siteActive   = "SERVERLESS_ACTIVE"
	siteKey      = "SERVERLESS_API_KEY"
	siteSecret   = "VERDA_CLIENT_SECRET"
	siteMode     = "QUEUE_MODE"
	siteTimeout  = "JOB_TIMEOUT" // seconds

	sitePlain = "default" // the deployment of SERVERLESS_ENDPOINT itself
)

// siteKeys are the names that stand for one key, as they are.
var siteKeys = map[string]string{
	"OUTPUTS_PATH":    "users.outputs",
	"INPUTS_PATH":     "users.inputs",
	"SFS_OUTPUT_DIR":  "share.outputs",
	"MAX_QUEUE_DEPTH": "queue.max_depth",
	"VERDA_CLIENT_ID": "verda.client_id",
}

// siteModes are the site's queue modes in our words.
var siteModes = map[string]string{"fifo": "fifo", "fair": "fair", "round_robin": "fair", "priority": "fair"}

// site takes over the site's names; false when there are none.
func (l *loader) site() bool {
	before := len(l.src.origins) + len(l.problems)
	for _, name := range slices.Sorted(maps.Keys(siteKeys)) {
		l.siteValue(name, siteKeys[name], l.env[name])
	}
	l.siteValue(siteTimeout, "queue.run_timeout", seconds(l.env[siteTimeout]))
	l.siteQueueMode()
	if l.env[siteSecret] != "" {
		l.siteValue(siteSecret, "verda.client_secret_env", siteSecret)
	}
	l.siteDeployments()
	return len(l.src.origins)+len(l.problems) > before
}

func (l *loader) siteValue(name, key, text string) {
	if text != "" {
		l.setText(key, text, Origin{Kind: FromEnv, Name: name})
	}
}

// seconds gives a bare number its unit.
func seconds(text string) string {
	if text != "" && strings.Trim(text, "0123456789.") == "" {
		return text + "s"
	}
	return text
}

func (l *loader) siteQueueMode() {
	text := l.env[siteMode]
	mode, ok := siteModes[strings.ToLower(strings.ReplaceAll(text, "-", "_"))]
	if text != "" && !ok {
		mode = text // Validate names the allowed words
	}
	l.siteValue(siteMode, "queue.mode", mode)
}

// siteDeployments makes one of each SERVERLESS_ENDPOINT_<NAME>, and one of
// SERVERLESS_ENDPOINT unless it only repeats the address of another.
func (l *loader) siteDeployments() {
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		if word, ok := strings.CutPrefix(name, siteEndpoint+"_"); ok && word != "" {
			l.siteDeployment(deploymentName(word), name)
			seen[l.env[name]] = true
		}
	}
	if url := l.env[siteEndpoint]; url != "" && !seen[url] {
		l.siteDeployment(sitePlain, siteEndpoint)
	}
	if len(l.cfg.Deployments) > 0 {
		l.siteActivate()
	}
}

func (l *loader) siteDeployment(name, env string) {
	key := deploymentKey(len(l.cfg.Deployments))
	l.cfg.Deployments = append(l.cfg.Deployments, NewDeployment(name))
	l.src.origins[key+".name"] = Origin{Kind: FromEnv, Name: env}
	l.siteValue(env, key+".url", l.env[env])
	if l.env[siteKey] != "" {
		l.siteValue(siteKey, key+".key_env", siteKey)
	}
}

// siteActivate: SERVERLESS_ACTIVE names the deployment; without it the one
// with the address of SERVERLESS_ENDPOINT is active.
func (l *loader) siteActivate() {
	want, from := deploymentName(l.env[siteActive]), siteActive
	if want == "" {
		want, from = l.siteEndpointName(), siteEndpoint
	}
	for i, d := range l.cfg.Deployments {
		if d.Name == want {
			l.siteValue(from, deploymentKey(i)+".active", "true")
			return
		}
	}
	if from == siteActive {
		l.add(CodeValue, "", Origin{Kind: FromEnv, Name: siteActive}, fmt.Sprintf("%s names no deployment, got %s", siteActive, quoteShort(want)), "use one of "+strings.Join(l.deploymentNames(), ", "))
	}
}

func (l *loader) siteEndpointName() string {
	for _, d := range l.cfg.Deployments {
		if d.URL == l.env[siteEndpoint] {
			return d.Name
		}
	}
	return ""
}

func (l *loader) deploymentNames() []string {
	var names []string
	for _, d := range l.cfg.Deployments {
		names = append(names, d.Name)
	}
	return names
}
