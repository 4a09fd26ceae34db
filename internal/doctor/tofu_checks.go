package doctor

import (
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/config"
)

// The checks of infrastructure code. Nothing in it is ever run: the files are
// parsed, and values that only a run could know stay unknown.
var (
	tofuRead = &Check{Name: "tf", Looks: "*.tf and *.tf.json of --tf DIR and of local modules that they call, with *.tfvars: verda_container, datacrunch_container, verda_container_scaling",
		Rulings: []Ruling{
			{"read", OK, "deployments were found", ""},
			{"empty", Warn, "there is no deployment in it", "give the folder that has the verda_container resources with --tf"},
			{"broken", Fail, "it cannot be read, or is not HCL", "run tofu validate there"},
		}}
	tofuOutput = &Check{Name: "tf-output-directory", Looks: "entrypoint_overrides and env of each deployment: --output-directory below a shared volume", Cases: []int{3},
		Rulings: []Ruling{
			{"shared", OK, "it writes below a shared volume", ""},
			{"missing", Fail, "the command line has no --output-directory: results go to the container's own disk and vanish", `add "--output-directory", "<mount path of the shared volume>/outputs" to entrypoint_overrides.cmd`},
			{"own_disk", Fail, "--output-directory is not below the mount of a shared volume", "put it below the mount_path of a volume_mounts entry of type shared"},
			{"image", Warn, "the command line is the image's own and cannot be seen here", "set entrypoint_overrides with --output-directory, or see the check output-directory while the worker is awake"},
			{"unknown", Skip, "the command line depends on values that only a run knows", ""},
		}}
	tofuHealth = &Check{Name: "tf-health", Looks: "healthcheck of each deployment: enabled, a path that is one and that ComfyUI answers with 200, the exposed port",
		Rulings: []Ruling{
			{"good", OK, "ComfyUI answers it with 200", ""},
			{"not_found", Fail, "ComfyUI answers the path with something else than 200 (recorded: /health is a 404), so no replica becomes healthy", `set healthcheck.path = "/system_stats"`},
			{"not_path", Fail, "it is no path: it must begin with a slash and have no scheme, query, fragment or space", `set healthcheck.path = "/system_stats"`},
			{"port", Fail, "it asks another port than the one that is exposed", "set healthcheck.port to exposed_port"},
			{"off", Warn, "there is no health check: a replica gets prompts before ComfyUI listens", `add healthcheck = { enabled = "true", port = "8188", path = "/system_stats" }`},
			{"default", Warn, "no path is given, and the platform's usual one, /health, is a 404 at ComfyUI", `set healthcheck.path = "/system_stats"`},
			{"strange", Warn, "it is a path that ComfyUI itself does not have", "see that the image answers it with 200 as soon as prompts can come"},
			{"unknown", Skip, "it depends on values that only a run knows", ""},
		}}
	tofuConcurrency = &Check{Name: "tf-concurrency", Looks: "scaling.concurrent_requests_per_replica",
		Rulings: []Ruling{
			{"one", OK, "it is 1", ""},
			{"several", Warn, "it is not 1: a replica that renders is given further prompts instead of a second replica being started", "set concurrent_requests_per_replica = 1"},
			{"unknown", Skip, "it depends on values that only a run knows", ""},
		}}
	tofuScaleDown = &Check{Name: "tf-scale-down", Looks: "scaling.scale_down_policy.delay_seconds against the longest render that was measured, else against four minutes",
		Rulings: []Ruling{
			{"longer", OK, "it is longer than the longest render", ""},
			{"never", OK, "min_replica_count keeps a replica", ""},
			{"shorter", Warn, "it is shorter: the platform counts messages and not renders, and only the manager's polls keep a rendering replica", "set scale_down_policy.delay_seconds above the longest render"},
			{"kills", Fail, "it is shorter, and keepalive is off for it here: renders are killed", "set scale_down_policy.delay_seconds above the longest render, and keepalive"},
			{"unknown", Skip, "it depends on values that only a run knows", ""},
		}}
	tofuWaits = &Check{Name: "tf-waits", Looks: "scaling.queue_message_ttl_seconds and deadline_seconds against the longest cold start that was measured, else against ten minutes", Cases: []int{7},
		Rulings: []Ruling{
			{"enough", OK, "a prompt may wait longer than a machine needs to start", ""},
			{"dropped", Warn, "the platform drops a prompt before a machine has started", "set queue_message_ttl_seconds, and deadline_seconds where it is set, above the longest cold start"},
			{"unknown", Skip, "it depends on values that only a run knows", ""},
		}}
)

// Tofu is one deployment as infrastructure code has it.
type Tofu struct {
	Name string // of the deployment, else of the resource
	At   string // file:line

	Command        []string // entrypoint and cmd
	Overridden     bool     // entrypoint_overrides is enabled
	CommandUnknown bool     // some word is
	Env            []string // values of plain variables
	EnvUnknown     bool
	Shared         []string // mount paths of shared volumes
	MountsUnknown  bool

	Health        bool   // a healthcheck block is there and enabled
	HealthPath    string // empty for none
	HealthPort    string
	HealthUnknown bool
	Exposed       string

	Concurrency int // -1 when unknown
	ScaleDown   int // seconds; -1 when unknown
	MinReplicas int // -1 when unknown
	QueueTTL    int // seconds; -1 when unknown
	Deadline    int // seconds; -1 when unknown or not set
}

// TofuSeen is a deployment with what is known of its renders.
type TofuSeen struct {
	Tofu
	Longest  time.Duration // render that was measured; zero when nobody measured
	Coldest  time.Duration // cold start that was measured; zero when nobody measured
	InConfig bool          // the configuration has it
	Polled   bool          // with a keepalive
}

func judgeTofu(o TofuSeen) []Result {
	all := []Result{judgeTofuOutput(o.Tofu), judgeTofuHealth(o.Tofu), judgeTofuConcurrency(o.Tofu), judgeTofuScaleDown(o), judgeTofuWaits(o)}
	for i := range all {
		all[i] = all[i].about(o.Name)
		all[i].Reason += " (" + o.At + ")"
	}
	return all
}

func judgeTofuOutput(o Tofu) Result {
	c := tofuOutput
	dir, found := outputDirectory(append(slices.Clone(o.Command), o.Env...))
	switch {
	case found && dir == "":
		return c.say("unknown", "--output-directory of %s is not known before a run", o.Name)
	case found && !o.MountsUnknown && !belowAny(dir, o.Shared):
		return c.say("own_disk", "%s writes to %s, which is on no shared volume", o.Name, dir)
	case found:
		return c.say("shared", "%s writes to %s", o.Name, dir)
	case o.CommandUnknown || o.EnvUnknown:
		return c.say("unknown", "the command line of %s is not known before a run", o.Name)
	case !o.Overridden:
		return c.say("image", "%s runs the image's own command line", o.Name)
	}
	return c.say("missing", "%s runs without --output-directory", o.Name)
}

// outputDirectory finds the value of --output-directory among words, each of
// which may be a whole shell line. The value is empty when it is not a plain word.
func outputDirectory(words []string) (dir string, found bool) {
	var all []string
	for _, w := range words {
		all = append(all, strings.Fields(w)...)
	}
	for i, w := range all {
		w = strings.Trim(w, `"'`)
		v, is := strings.CutPrefix(w, "--output-directory=")
		if !is && w == "--output-directory" {
			if is = true; i+1 < len(all) {
				v = all[i+1]
			}
		}
		if is {
			dir, found = strings.Trim(v, `"';`), true
		}
	}
	if strings.ContainsAny(dir, "$`") || dir == unknownWord {
		dir = ""
	}
	return dir, found
}

// belowAny reports whether a path is one of the mounts, or below it.
func belowAny(p string, mounts []string) bool {
	return slices.ContainsFunc(mounts, func(m string) bool { return inside(path.Clean(p), path.Clean(m)) })
}

// comfyPaths are those that ComfyUI 0.8.0 was recorded to answer with 200 to a
// plain GET, with and without /api.
var comfyPaths = []string{"/", "/system_stats", "/prompt", "/queue", "/features", "/object_info", "/models", "/embeddings", "/extensions", "/history", "/users", "/settings"}

// wellKnown are health paths of other servers, which ComfyUI answers with 404.
var wellKnown = []string{"/health", "/healthz", "/healthcheck", "/health_check", "/ready", "/readyz", "/live", "/livez", "/ping", "/status"}

func judgeTofuHealth(o Tofu) Result {
	c, p := tofuHealth, o.HealthPath
	bare := strings.TrimPrefix(strings.TrimSuffix(p, "/"), "/api")
	switch {
	case o.HealthUnknown:
		return c.say("unknown", "the health check of %s is not known before a run", o.Name)
	case !o.Health:
		return c.say("off", "%s has no health check", o.Name)
	case p == "":
		return c.say("default", "the health check of %s names no path", o.Name)
	case !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "?# \t\n") || strings.HasPrefix(p, "//"):
		return c.say("not_path", "the health path of %s is %q", o.Name, p)
	case o.HealthPort != "" && o.Exposed != "" && o.HealthPort != o.Exposed:
		return c.say("port", "the health check of %s asks port %s, and %s is exposed", o.Name, o.HealthPort, o.Exposed)
	case slices.Contains(wellKnown, bare):
		return c.say("not_found", "the health path of %s is %s, which ComfyUI answers with 404", o.Name, p)
	case p == "/" || slices.Contains(comfyPaths, bare):
		return c.say("good", "the health check of %s asks %s", o.Name, p)
	}
	return c.say("strange", "the health path of %s is %s, which ComfyUI itself does not have", o.Name, p)
}

func judgeTofuConcurrency(o Tofu) Result {
	c := tofuConcurrency
	switch o.Concurrency {
	case 1:
		return c.say("one", "%s takes one message a replica", o.Name)
	case -1:
		return c.say("unknown", "concurrent_requests_per_replica of %s is not known before a run", o.Name)
	}
	return c.say("several", "%s takes %d messages a replica at once", o.Name, o.Concurrency)
}

// usualRender is the longest that videos took at the first site, warm.
const usualRender = 4 * time.Minute

func judgeTofuScaleDown(o TofuSeen) Result {
	c := tofuScaleDown
	longest, source := o.Longest, "the longest that was measured"
	if longest == 0 {
		longest, source = usualRender, "usual for videos; nothing was measured yet"
	}
	delay := time.Duration(o.ScaleDown) * time.Second
	switch {
	case o.MinReplicas > 0:
		return c.say("never", "%s keeps %d replicas", o.Name, o.MinReplicas)
	case o.ScaleDown < 0:
		return c.say("unknown", "the scale-down delay of %s is not known before a run", o.Name)
	case delay > longest:
		return c.say("longer", "%s scales down after %s without a message; renders take up to %s, %s", o.Name, delay, longest, source)
	case o.Polled || !o.InConfig:
		return c.say("shorter", "%s scales down after %s without a message, but renders take up to %s, %s", o.Name, delay, longest, source)
	}
	return c.say("kills", "%s scales down after %s without a message, renders take up to %s (%s), and nothing polls it", o.Name, delay, longest, source)
}

// usualCold is what machines with large models took to start at the first site.
const usualCold = 10 * time.Minute

func judgeTofuWaits(o TofuSeen) Result {
	c := tofuWaits
	coldest, source := o.Coldest, "the longest that was measured"
	if coldest == 0 {
		coldest, source = usualCold, "usual for large models; nothing was measured yet"
	}
	for _, bound := range []struct {
		name    string
		seconds int
	}{{"queue_message_ttl_seconds", o.QueueTTL}, {"deadline_seconds", o.Deadline}} {
		if d := time.Duration(bound.seconds) * time.Second; bound.seconds >= 0 && d <= coldest && o.MinReplicas <= 0 {
			return c.say("dropped", "%s of %s is %s, and a cold start takes up to %s, %s", bound.name, o.Name, d, coldest, source)
		}
	}
	if o.QueueTTL < 0 {
		return c.say("unknown", "how long a prompt may wait for %s is not known before a run", o.Name)
	}
	return c.say("enough", "a prompt may wait %s for %s; a cold start takes up to %s, %s", time.Duration(o.QueueTTL)*time.Second, o.Name, coldest, source)
}

func (v Visit) tofuStage(k known) stage {
	return stage{name: "infrastructure code", checks: []*Check{tofuRead, tofuOutput, tofuHealth, tofuConcurrency, tofuScaleDown, tofuWaits}, run: func(context.Context) []Result {
		found, err := ReadTofu(v.TF)
		if err != nil {
			return []Result{tofuRead.say("broken", "%v", err)}
		}
		if len(found) == 0 {
			return []Result{tofuRead.say("empty", "no deployment is in %s", v.TF)}
		}
		all := []Result{tofuRead.say("read", "%d deployments are in %s", len(found), v.TF)}
		for _, t := range found {
			all = append(all, judgeTofu(v.seeTofu(k, t))...)
		}
		return all
	}}
}

func (v Visit) seeTofu(k known, t Tofu) TofuSeen {
	o := TofuSeen{Tofu: t}
	for _, d := range v.Config.Deployments {
		if runsAs(d, t.Name) {
			o.InConfig, o.Polled = true, d.Keepalive > 0
			o.Longest, o.Coldest = longestOf(k.workers[d.Name].Warm), longestOf(k.workers[d.Name].Cold)
		}
	}
	return o
}

// runsAs reports that a deployment of the configuration is the one of that
// name on the platform: its own name, or the end of its address.
func runsAs(d config.Deployment, name string) bool {
	return d.Name == name || strings.HasSuffix(strings.TrimRight(d.URL, "/"), "/"+name)
}
