package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
)

func settingsCases() []ruled {
	problem := func(code string) config.Problems {
		return config.Problems{{Code: code, Key: "queue.mode", File: "/q.toml", Line: 3, Message: "queue.mode is odd", Hint: "mend it"}}
	}
	cfg := func(change func(*config.Config)) config.Config {
		c := config.Default()
		c.Deployments = []config.Deployment{config.NewDeployment("h200")}
		c.Deployments[0].URL = "https://containers.example/h200"
		change(&c)
		return c
	}
	waits := func(cold, render time.Duration, change func(*config.Config)) Result {
		return judgeWaits(SettingsSeen{Config: cfg(change), Cold: map[string]time.Duration{"h200": cold}, Render: map[string]time.Duration{"h200": render}})
	}
	same := func(*config.Config) {}
	return []ruled{
		{"healthy", judgeConfig(SettingsSeen{})[0], "good"},
		{"wrong", judgeConfig(SettingsSeen{Problems: problem(config.CodeValue)})[0], "problem"},
		{"no secret, no manager", judgeConfig(SettingsSeen{Problems: problem(config.CodeSecretMissing)})[0], "problem"},
		{"no secret, manager", judgeConfig(SettingsSeen{Problems: problem(config.CodeSecretMissing), Manager: true})[0], "secret"},
		{"nothing odd", judgeAdvice(SettingsSeen{}), "none"},
		{"odd", judgeAdvice(SettingsSeen{Advice: problem("open_to_network")}), "odd"},
		{"every file is open to the manager", judgeOwnFiles(SettingsSeen{Who: Who{UID: 990, State: true}}), "readable"},
		{"a key is closed", judgeOwnFiles(SettingsSeen{Who: Who{UID: 990, GID: 990, State: true}, Unreadable: map[string]string{"deployment[0].key_file": "/etc/qmtui/serverless.key"}}), "unreadable"},
		{"fair", judgeMode(cfg(same)), "fair"},
		{"fifo", judgeMode(cfg(func(c *config.Config) { c.Queue.Mode = "fifo" })), "fifo"},
		{"tagged", judgeTags(cfg(same)), "tagged"},
		{"untagged", judgeTags(cfg(func(c *config.Config) { c.Tag.Prefix = false })), "untagged"},
		{"polled", judgeEvidence(cfg(same)), "polls"},
		{"not polled", judgeEvidence(cfg(func(c *config.Config) { c.Deployments[0].Keepalive = 0 })), "silent"},
		{"none", judgeEvidence(config.Default()), "none"},
		{"healthy", waits(5*time.Minute, time.Minute, same), "enough"},
		{"nothing measured", waits(0, 0, same), "enough"},
		{"cold", waits(20*time.Minute, 0, same), "cold"},
		{"render", waits(0, time.Hour, same), "render"},
		{"tight", waits(0, 0, func(c *config.Config) { c.Queue.AcceptTimeout = config.Duration(5 * time.Minute) }), "tight"},
		{"tight, but measured", waits(time.Minute, 0, func(c *config.Config) { c.Queue.AcceptTimeout = config.Duration(5 * time.Minute) }), "enough"},
	}
}

func goodWorker() WorkerSeen {
	now := time.Date(2026, 10, 1, 10, 0, 0, 0, time.UTC)
	return WorkerSeen{Name: "h200", Asked: true, Known: true, Now: now, At: now, Date: now, DateAt: now, NodesKnown: true, Prompts: 6, Carries: true, Report: job.Deployment{Nodes: 887, NodesAt: now.Add(-time.Minute)},
		System: &job.System{Version: "0.8.0", Argv: []string{"main.py", "--output-directory", "/mnt/sfs/outputs", "--input-directory", "/mnt/sfs/inputs"}, OutputDirectory: "/mnt/sfs/outputs"}}
}

func TestHealthyWorkerRaisesNoAlarm(t *testing.T) {
	for _, r := range judgeWorker(goodWorker()) {
		if r.Verdict != OK || r.Subject != "h200" {
			t.Errorf("%s: %s %s", r.Name, r.Code, r.Reason)
		}
	}
}

// workerCases tries the judges of a deployment; case 3 of the field is the one
// without --output-directory.
func workerCases() []ruled {
	with := func(judge func(WorkerSeen) Result, break_ func(*WorkerSeen)) Result {
		o := goodWorker()
		sys := *o.System
		o.System = &sys
		break_(&o)
		return judge(o)
	}
	fails := func(code string, class job.Class) func(*WorkerSeen) {
		return func(o *WorkerSeen) { o.Error = &job.Error{Code: code, Class: class, Message: "it says so"} }
	}
	heard := func(d job.Deployment) func(*WorkerSeen) {
		return func(o *WorkerSeen) { o.Asked, o.Report, o.WhyNotAsked = false, d, "it may be asleep" }
	}
	nothing := func(*WorkerSeen) {}
	old := goodWorker().Now.Add(-3 * time.Hour)
	carries := func(argv ...string) func(*WorkerSeen) {
		return func(o *WorkerSeen) { o.Carries, o.System.Argv = true, argv }
	}
	learned := func(all ...job.Learned) func(*WorkerSeen) { return func(o *WorkerSeen) { o.Report.Learned = all } }
	a, dir, in, ver, mod, clk := judgeAnswer, judgeOutputDirectory, judgeInputDirectory, judgeVersion, judgeModels, judgeWorkerClock
	return []ruled{
		{"healthy", with(a, nothing), "answers"},
		{"404", with(a, fails("endpoint_or_key", job.Unavailable)), "key"},
		{"it answers doctor, and refused the manager", with(a, func(o *WorkerSeen) { o.Report.Stopped = &job.Stopped{Code: "endpoint_or_key", Message: "401"} }), "refused"},
		{"not asked, and refused the manager", with(a, heard(job.Deployment{State: job.WarmthFailing, At: old, Stopped: &job.Stopped{Code: "endpoint_or_key", Message: "401", Hint: "mend the key"}})), "refused"},
		{"nobody", with(a, fails("unreachable", job.Unavailable)), "unreachable"},
		{"503", with(a, fails("busy", job.Unavailable)), "errors"},
		{"500", with(a, fails("server_error", job.Unavailable)), "errors"},
		{"not asked, never heard of", with(a, heard(job.Deployment{})), "not_known"},
		{"not asked, warm", with(a, heard(job.Deployment{State: job.WarmthWarm, At: old})), "asleep"},
		{"not asked, no manager", with(a, func(o *WorkerSeen) { o.Asked, o.Known, o.WhyNotAsked = false, false, "it may be asleep" }), "not_known"},
		{"not asked, failing", with(a, heard(job.Deployment{State: job.WarmthFailing, At: old, Because: "502"})), "failing"},
		{"not asked, failing with an error", with(a, heard(job.Deployment{State: job.WarmthFailing, At: old, Error: &job.Error{Message: "404"}})), "failing"},
		{"takes and does not run", with(a, heard(job.Deployment{At: old, Error: &job.Error{Code: "dead_worker", Message: "3 wait and none runs"}})), "stuck"},

		{"healthy", with(dir, nothing), "set"},
		{"heard of", with(dir, func(o *WorkerSeen) { o.Asked, o.At = false, old }), "set"},
		{"missing", with(dir, func(o *WorkerSeen) { o.System.OutputDirectory, o.System.Argv = "", []string{"main.py"} }), "missing"},
		{"base", with(dir, func(o *WorkerSeen) {
			o.System.OutputDirectory, o.System.Argv = "", []string{"main.py", "--base-directory=/m"}
		}), "set"},
		{"another replica writes elsewhere", with(dir, func(o *WorkerSeen) {
			o.Report.Error = &job.Error{Code: "replicas_differ", Message: "/a and /b"}
		}), "differ"},
		{"on this machine", with(dir, func(o *WorkerSeen) {
			o.System.OutputDirectory, o.System.Argv, o.MachineIsLocal = "", []string{"main.py"}, true
		}), "unproven"},
		{"on this machine, with the share as its own folder", with(dir, func(o *WorkerSeen) {
			o.System.OutputDirectory, o.System.Argv, o.MachineIsLocal, o.OnShare = "", []string{"main.py"}, true, true
		}), "local"},
		{"on this machine, and the manager saw its files get lost", with(dir, func(o *WorkerSeen) {
			o.System.OutputDirectory, o.System.Argv, o.MachineIsLocal = "", []string{"main.py"}, true
			o.Report.Stopped = &job.Stopped{Code: "no_output_directory", Message: "nothing is sent"}
		}), "missing"},
		{"the manager saw its files come", with(dir, func(o *WorkerSeen) {
			o.System.OutputDirectory, o.System.Argv = "", []string{"main.py"}
			o.Report.System, o.Report.SystemAt, o.Report.Delivers = o.System, o.Now.Add(-time.Minute), o.Now.Add(-90*time.Second)
		}), "delivers"},
		{"files came before it was started without", with(dir, func(o *WorkerSeen) {
			o.System.OutputDirectory, o.System.Argv = "", []string{"main.py"}
			o.Report.System, o.Report.Delivers = &job.System{Argv: []string{"main.py", "--output-directory", "/mnt"}, OutputDirectory: "/mnt"}, o.Now.Add(-time.Second)
		}), "missing"},
		{"the manager saw its files go elsewhere", with(dir, func(o *WorkerSeen) {
			o.Report.Stopped = &job.Stopped{Code: "other_volume", Message: "nothing is sent"}
		}), "elsewhere"},
		{"tells no argv", with(dir, func(o *WorkerSeen) { o.System.OutputDirectory, o.System.Argv = "", nil }), "not_known"},
		{"never asked", with(dir, func(o *WorkerSeen) { o.System = nil }), "not_known"},

		{"no assets", with(judgeAssets, nothing), "off"},
		{"assets", with(judgeAssets, func(o *WorkerSeen) { o.System.Argv = append(o.System.Argv[:1:1], "--enable-assets") }), "on"},
		{"never asked", with(judgeAssets, func(o *WorkerSeen) { o.System = nil }), "not_known"},

		{"nothing is brought", with(in, func(o *WorkerSeen) { o.Carries = false }), "off"},
		{"there", with(in, carries("main.py", "--input-directory", "/mnt/sfs/inputs")), "set"},
		{"there in one word", with(in, carries("main.py", "--input-directory=/mnt/sfs/inputs")), "set"},
		{"base", with(in, carries("main.py", "--base-directory", "/mnt/sfs")), "set"},
		{"missing", with(in, carries("main.py", "--input-directory-of-mine")), "missing"},
		{"on this machine", with(in, func(o *WorkerSeen) { carries("main.py")(o); o.MachineIsLocal = true }), "local"},
		{"tells no argv", with(in, carries()), "not_known"},
		{"never asked", with(in, func(o *WorkerSeen) { o.Carries, o.System = true, nil }), "not_known"},

		{"healthy", with(ver, nothing), "known"},
		{"newer", with(ver, func(o *WorkerSeen) { o.System.Version = "1.0" }), "known"},
		{"odd", with(ver, func(o *WorkerSeen) { o.System.Version = "nightly" }), "known"},
		{"old", with(ver, func(o *WorkerSeen) { o.System.Version = "0.3.40" }), "old"},
		{"never asked", with(ver, func(o *WorkerSeen) { o.System = nil }), "not_known"},

		{"healthy", with(mod, nothing), "there"},
		{"no nodes", with(mod, func(o *WorkerSeen) { o.NoNodes = true }), "empty"},
		{"models", with(mod, func(o *WorkerSeen) { o.Models = []string{"wan.safetensors"} }), "models"},
		{"classes", with(mod, func(o *WorkerSeen) { o.Classes = []string{"SaveGLB"} }), "classes"},
		{"not asked", with(mod, func(o *WorkerSeen) { o.NodesKnown, o.WhyNotAsked = false, "it may be asleep" }), "not_known"},

		{"healthy", with(clk, nothing), "agrees"},
		{"skewed", with(clk, func(o *WorkerSeen) { o.Date = o.Date.Add(time.Minute) }), "skewed"},
		{"no date", with(clk, func(o *WorkerSeen) { o.Date = time.Time{} }), "not_known"},

		{"healthy", with(judgeSaves, nothing), "good"},
		{"no manager", with(judgeSaves, func(o *WorkerSeen) { o.Known = false }), "not_known"},
		{"a class with its own inputs", with(judgeSaves, learned(job.Learned{Class: "Show Text"}, job.Learned{Class: "Flat Saver", Plain: true})), "turns"},
		{"a class that saves nothing", with(judgeSaves, learned(job.Learned{Class: "Show Text"})), "nothing"},

		{"healthy", with(judgeSilent, nothing), "none"},
		{"no manager", with(judgeSilent, func(o *WorkerSeen) { o.Known = false }), "not_known"},
		{"nodes were read", with(judgeNodes, nothing), "read"},
		{"nodes were not", with(judgeNodes, func(o *WorkerSeen) { o.Report.NodesAt = time.Time{} }), "unread"},
		{"nobody knows of nodes", with(judgeNodes, func(o *WorkerSeen) { o.Known = false }), "not_known"},
		{"one is silent", with(judgeSilent, func(o *WorkerSeen) { o.Report.Silent = 1 }), "silent"},
		{"three are", with(judgeSilent, func(o *WorkerSeen) { o.Report.Silent = 3 }), "silent"},
	}
}

func TestMayAsk(t *testing.T) {
	asleep, always := config.NewDeployment("a"), config.NewDeployment("b")
	always.ScaleToZero = false
	for _, c := range []struct {
		name string
		d    config.Deployment
		r    job.Deployment
		want bool
	}{
		{"never sleeps", always, job.Deployment{}, true},
		{"renders now", asleep, job.Deployment{State: job.WarmthWarm, InFlight: 1}, true},
		{"was warm", asleep, job.Deployment{State: job.WarmthWarm}, false},
		{"is starting", asleep, job.Deployment{State: job.Warming, InFlight: 1}, false},
		{"not known", asleep, job.Deployment{}, false},
	} {
		if got, why := MayAsk(c.d, c.r); got != c.want || (why == "") != got {
			t.Errorf("%s: %v %q", c.name, got, why)
		}
	}
}

// What the manager knows of a deployment comes to the judges also when the
// deployment is not asked, and the finding names the classes.
func TestDoctorNamesLearnedClasses(t *testing.T) {
	d := config.NewDeployment("h200")
	k := known{workers: map[string]api.Worker{"h200": {Name: "h200", Silent: 2, Released: 2, Learned: []job.Learned{{Class: "Flat Saver", Plain: true}, {Class: "Show Text"}}}}}
	said := map[string]Result{}
	for _, r := range (Visit{}).workerStage(k, d).run(t.Context()) {
		said[r.Name] = r
	}
	if r := said["save-nodes"]; r.Verdict != Warn || r.Subject != "h200" || !strings.HasSuffix(r.Reason, ": Flat Saver") || !strings.Contains(r.Next, "[[save_node]]") {
		t.Errorf("save nodes: %+v", r)
	}
	if r := said["silent-attempts"]; r.Verdict != Warn || r.Reason != "on h200 2 attempts in flight give no sign; their slots are used for other jobs" {
		t.Errorf("silent attempts: %+v", r)
	}
}
