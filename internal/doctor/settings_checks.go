package doctor

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/config"
)

// The checks of what the configuration says.
var (
	settingsGood = &Check{Name: "config", Looks: "every value of the configuration (as qmtui config check)",
		Rulings: []Ruling{
			{"good", OK, "it is good", ""},
			{"problem", Fail, "a value is wrong", "mend it; qmtui config check lists all problems"},
			{"secret", Warn, "a secret is not in this shell's environment, and a manager runs", "nothing, if the manager was started with it; else set it where the manager is started"},
		}}
	settingsAdvice = &Check{Name: "advice", Looks: "what the configuration allows and is probably not meant", Cases: []int{11},
		Rulings: []Ruling{
			{"none", OK, "there is nothing odd", ""},
			{"odd", Warn, "something is odd", "see qmtui config check"},
		}}
	settingsFiles = &Check{Name: "config-files", Looks: "the configuration and the files of secrets that it names: whether the manager's user may read them, or the owner of the state folder when no manager runs", Cases: []int{11},
		Rulings: []Ruling{
			{"readable", OK, "that user may read all of them", ""},
			{"unreadable", Fail, "that user may not read one of them: the manager does not start, or works without the secret", "chgrp it to the group of the manager's user, and chmod 0640 it"},
		}}
	settingsFair = &Check{Name: "queue-mode", Looks: "queue.mode", Cases: []int{12},
		Rulings: []Ruling{
			{"fair", OK, "users are charged measured GPU time", ""},
			{"fifo", Warn, "first come, first served: one user's videos starve everyone", `set queue.mode = "fair"`},
		}}
	settingsTags = &Check{Name: "tagging", Looks: "tag.prefix and tag.metadata", Cases: []int{1, 4, 9, 16},
		Rulings: []Ruling{
			{"tagged", OK, "every output names its job by its path", ""},
			{"untagged", Warn, "prompts are sent without a folder of their own: two workers can overwrite each other's files, and a cached node writes nothing", "set tag.prefix = true"},
		}}
	settingsEvidence = &Check{Name: "keepalive", Looks: "keepalive of each deployment: polls that bring evidence and keep a rendering replica busy", Cases: []int{1, 15},
		Rulings: []Ruling{
			{"polls", OK, "every deployment is polled while jobs are in flight", ""},
			{"silent", Warn, "a deployment is never polled: it can be scaled down in mid-render, and an execution error shows only as a time-out", `set keepalive = "5s"`},
			{"none", Skip, "there is no deployment", ""},
		}}
	settingsWaits = &Check{Name: "time-outs", Looks: "queue.accept_timeout and run_timeout against measured cold starts and renders", Cases: []int{1, 7},
		Rulings: []Ruling{
			{"enough", OK, "they are longer than what was measured", ""},
			{"cold", Fail, "cold starts take longer than accept_timeout: jobs are given up while their machine starts", "lengthen queue.accept_timeout"},
			{"render", Fail, "renders take longer than run_timeout", "lengthen queue.run_timeout"},
			{"tight", Warn, "accept_timeout is under ten minutes, which large models need to start", `set queue.accept_timeout = "15m"`},
		}}
)

// SettingsSeen is the configuration, judged.
type SettingsSeen struct {
	Problems config.Problems
	Advice   config.Problems
	Manager  bool // one answers
	// Unreadable are files that the manager's user may not read, by key.
	Unreadable map[string]string
	Who        Who
	Config     config.Config
	// Cold and Render are the longest that were measured, per deployment name.
	Cold, Render map[string]time.Duration
}

func judgeSettings(o SettingsSeen) []Result {
	return append(judgeConfig(o), judgeAdvice(o), judgeOwnFiles(o), judgeMode(o.Config), judgeTags(o.Config), judgeEvidence(o.Config), judgeWaits(o))
}

func judgeConfig(o SettingsSeen) []Result {
	c := settingsGood
	var out []Result
	for _, p := range o.Problems {
		code := "problem"
		if p.Code == config.CodeSecretMissing && o.Manager {
			code = "secret"
		}
		r := c.say(code, "%s", problemWords(p))
		if p.Hint != "" && code == "problem" {
			r.Next = p.Hint
		}
		out = append(out, r)
	}
	if out == nil {
		return []Result{c.say("good", "every value of the configuration is good")}
	}
	return out
}

// problemWords is a problem without its code and hint.
func problemWords(p *config.Problem) string {
	bare := *p
	bare.Hint = ""
	return strings.TrimPrefix(bare.Error(), p.Code+": ")
}

func judgeAdvice(o SettingsSeen) Result {
	c := settingsAdvice
	if len(o.Advice) == 0 {
		return c.say("none", "there is nothing odd in the configuration")
	}
	p := o.Advice[0]
	r := c.say("odd", "%s%s", problemWords(p), more(len(o.Advice)-1))
	if p.Hint != "" {
		r.Next = p.Hint
	}
	return r
}

func judgeOwnFiles(o SettingsSeen) Result {
	keys := slices.Sorted(maps.Keys(o.Unreadable))
	if len(keys) == 0 {
		return settingsFiles.say("readable", "%s may read every file that the configuration names", o.Who)
	}
	path := o.Unreadable[keys[0]]
	return settingsFiles.say("unreadable", "%s may not read %s (%s)%s", o.Who, path, keys[0], more(len(keys)-1)).
		next("chgrp %d %s && chmod 0640 %s", o.Who.GID, path, path)
}

func judgeMode(cfg config.Config) Result {
	if cfg.Queue.Mode == "fifo" {
		return settingsFair.say("fifo", "queue.mode is fifo: one user's long jobs hold up everyone")
	}
	return settingsFair.say("fair", "users are charged measured GPU time")
}

func judgeTags(cfg config.Config) Result {
	if !cfg.Tag.Prefix {
		return settingsTags.say("untagged", "tag.prefix is off: outputs are told apart by metadata or by guessing only")
	}
	return settingsTags.say("tagged", "every output names its job by its path")
}

func judgeEvidence(cfg config.Config) Result {
	c := settingsEvidence
	var silent []string
	for _, d := range cfg.Deployments {
		if d.Keepalive <= 0 {
			silent = append(silent, d.Name)
		}
	}
	switch {
	case len(cfg.Deployments) == 0:
		return c.say("none", "there is no deployment")
	case len(silent) > 0:
		return c.say("silent", "keepalive is off for %s", few(silent))
	}
	return c.say("polls", "every deployment is polled while jobs are in flight")
}

func judgeWaits(o SettingsSeen) Result {
	c, q := settingsWaits, o.Config.Queue
	accept, run := time.Duration(q.AcceptTimeout), time.Duration(q.RunTimeout)
	if name, d := longest(o.Cold); d > accept {
		return c.say("cold", "a cold start of %s took %s, and queue.accept_timeout is %s", name, d.Round(time.Second), q.AcceptTimeout)
	}
	if name, d := longest(o.Render); d > run {
		return c.say("render", "a render on %s took %s, and queue.run_timeout is %s", name, d.Round(time.Second), q.RunTimeout)
	}
	asleep := slices.ContainsFunc(o.Config.Deployments, func(d config.Deployment) bool { return d.ScaleToZero && !isLocalURL(d.URL) })
	if _, measured := longest(o.Cold); asleep && measured == 0 && accept < 10*time.Minute {
		return c.say("tight", "queue.accept_timeout is %s, and no cold start was measured yet", q.AcceptTimeout)
	}
	return c.say("enough", "queue.accept_timeout %s and run_timeout %s are longer than what was measured", q.AcceptTimeout, q.RunTimeout)
}

// longest is the greatest of the durations; of equal ones the first by name.
func longest(m map[string]time.Duration) (name string, d time.Duration) {
	for n, x := range m {
		if x > d || x == d && x > 0 && n < name {
			name, d = n, x
		}
	}
	return name, d
}
