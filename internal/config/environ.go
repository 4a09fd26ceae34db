package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

const (
	// EnvPrefix begins every environment name of qmtui.
	EnvPrefix = "QMTUI_"
	// EnvFile names the configuration file.
	EnvFile = EnvPrefix + "CONFIG"

	envDeployment = EnvPrefix + "DEPLOYMENT_"
)

// orchestrated are names that Kubernetes and Docker links make by themselves
// for a service that is called qmtui.
var orchestrated = regexp.MustCompile(`^QMTUI_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT|PORT_\d+_(TCP|UDP)(_.*)?|NAME|ENV_.*)$`)

// environment is the variables by name. An empty one counts as not set, as
// compose files pass them.
type environment map[string]string

func newEnvironment(pairs []string) environment {
	env := environment{}
	for _, p := range pairs {
		if name, value, ok := strings.Cut(p, "="); ok && value != "" {
			env[name] = value
		}
	}
	return env
}

func (e environment) get(name string) string { return e[name] }

// ours lists the QMTUI_ names that set a key, sorted.
func (l *loader) ours() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		if strings.HasPrefix(name, EnvPrefix) && name != EnvFile && !orchestrated.MatchString(name) && !slices.Contains(l.opt.KnownEnv, name) {
			names = append(names, name)
		}
	}
	return names
}

// environ applies QMTUI_SECTION_KEY and QMTUI_DEPLOYMENT_<NAME>_KEY.
func (l *loader) environ() {
	names := l.ours()
	if l.src.File == "" {
		l.newDeployments(names)
	}
	known := map[string]string{}
	for _, f := range l.cfg.fields() {
		if env := l.envNameOf(f); env != "" {
			known[env] = f.key
		}
	}
	for _, name := range names {
		if key, ok := known[name]; ok {
			l.setText(key, l.env[name], Origin{Kind: FromEnv, Name: name})
			continue
		}
		hint := "the nearest is " + nearest(name, slices.Sorted(maps.Keys(known)))
		l.add(CodeUnknownKey, "", Origin{Kind: FromEnv, Name: name}, cut(name)+" sets no known key", hint)
	}
}

// envNameOf is the environment name of any field; a deployment has no name for its name.
func (l *loader) envNameOf(f field) string {
	if f.section != "deployment" {
		return f.envName()
	}
	if f.name == "name" {
		return ""
	}
	for i := range l.cfg.Deployments {
		if d := &l.cfg.Deployments[i]; strings.HasPrefix(f.key, deploymentKey(i)+".") {
			return envDeployment + envWord(d.Name) + "_" + strings.ToUpper(f.name)
		}
	}
	return ""
}

// newDeployments: without a file, QMTUI_DEPLOYMENT_<NAME>_URL makes a deployment.
func (l *loader) newDeployments(names []string) {
	for _, name := range names {
		word, ok := strings.CutPrefix(name, envDeployment)
		if word, ok2 := strings.CutSuffix(word, "_URL"); ok && ok2 && word != "" && !l.hasDeployment(word) {
			l.cfg.Deployments = append(l.cfg.Deployments, NewDeployment(deploymentName(word)))
		}
	}
}

func (l *loader) hasDeployment(word string) bool {
	return slices.ContainsFunc(l.cfg.Deployments, func(d Deployment) bool { return envWord(d.Name) == word })
}

// envWord is a deployment's name inside an environment name: h200-spot is H200_SPOT.
func envWord(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }

// deploymentName is the way back.
func deploymentName(word string) string {
	return strings.ToLower(strings.ReplaceAll(word, "_", "-"))
}
