package doctor

import (
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

func goodCanary() CanarySeen {
	at := func(s int) api.Time { return api.Time{Time: time.Unix(int64(1000+s), 0)} }
	j := api.Job{ID: "j", State: job.Done, Phase: "done", Attempts: []api.Attempt{{Assigned: at(0), Accepted: at(1), Started: at(2)}},
		Outputs: []api.Output{{State: job.OutputStored, Source: "qm/p/2/canary_00001_.png", Path: "canary_00001_.png", SeenAt: at(3), StoredAt: at(4)}}}
	return CanarySeen{Deployment: "h200", Worker: api.Worker{Driver: "comfyui", URL: "https://gpu.example/h200"}, End: ended, Job: j, GaveUp: time.Minute, Here: true, OnShare: true, InFolder: true, SameBytes: true, Place: "/outputs/qmtui-canary/canary_00001_.png"}
}

// canaryCases breaks one thing on the way of a canary after another.
func canaryCases() []ruled {
	with := func(judge func(CanarySeen) Result, break_ func(*CanarySeen)) Result {
		o := goodCanary()
		break_(&o)
		return judge(o)
	}
	nothing := func(*CanarySeen) {}
	stop := func(why string) func(*CanarySeen) {
		return func(o *CanarySeen) { o.Stop, o.Job = why, api.Job{} }
	}
	fail := func(code string, taken bool) func(*CanarySeen) {
		return func(o *CanarySeen) {
			o.Job.Outputs, o.Job.State, o.Job.ErrorDetail = nil, job.Failed, &api.Error{Code: code, Message: "it says " + code}
			if !taken {
				o.Job.Attempts = []api.Attempt{{}}
			}
		}
	}
	cut := func(how ending) func(*CanarySeen) {
		return func(o *CanarySeen) {
			o.End, o.Job = how, api.Job{State: job.Submitting, Phase: "waiting for a GPU", Attempts: []api.Attempt{{}}}
		}
	}
	fruitless := func(code, outputs string) func(*CanarySeen) {
		return func(o *CanarySeen) {
			fail(code, true)(o)
			o.Worker.System = &job.System{Argv: []string{"main.py"}, OutputDirectory: outputs}
		}
	}
	way := func(driver, way string) func(*CanarySeen) {
		return func(o *CanarySeen) { o.Worker.Driver, o.Worker.Way, o.Worker.WayWhy = driver, way, "it said so" }
	}
	a, w, s, d := judgeCanaryAccepted, judgeCanaryWay, judgeCanaryShare, judgeCanaryDelivered
	return []ruled{
		{"healthy", with(a, nothing), "accepted"},
		{"only its file tells", with(a, func(o *CanarySeen) { o.Job.Attempts[0].Accepted = api.Time{} }), "accepted"},
		{"paused", with(a, stop("paused")), "halted"},
		{"no manager", with(a, stop("no_manager")), "no_manager"},
		{"no active", with(a, stop("no_active")), "no_active"},
		{"no such", with(a, stop("no_such")), "no_such"},
		{"no", with(a, stop("not_agreed")), "not_agreed"},
		{"full queue", with(a, func(o *CanarySeen) { o.Sent = &job.Error{Message: "too many"} }), "not_sent"},
		{"share away", with(a, func(o *CanarySeen) {
			o.Held, o.Job = &job.Warning{Code: "share_not_mounted", Message: "it is away", Hint: "mount it"}, api.Job{}
		}), "held"},
		{"wrong key", with(a, fail("endpoint_or_key", false)), "key"},
		{"refused", with(a, fail("worker_refused", false)), "refused"},
		{"nobody", with(a, cut(tooLong)), "unanswered"},
		{"nobody, and the manager gave up", with(a, fail("accept_timeout", false)), "unanswered"},
		{"stopped", with(a, cut(interrupted)), "interrupted"},
		{"cancelled by somebody", with(a, func(o *CanarySeen) { cut(ended)(o); o.Job.State = job.Cancelled }), "interrupted"},
		{"manager ended", with(a, cut(managerLeft)), "manager_left"},
		{"taken at the first try, not at the second", with(a, func(o *CanarySeen) { o.Job.Attempts = append(o.Job.Attempts, api.Attempt{N: 2}) }), "accepted"},

		{"held by the platform", with(w, way("verda", "async")), "async"},
		{"turned down", with(w, way("verda", "plain")), "plain"},
		{"not known", with(w, way("verda", "")), "undecided"},

		{"healthy", with(s, nothing), "came"},
		{"manager elsewhere", with(s, func(o *CanarySeen) { o.Here, o.OnShare = false, false }), "came"},
		{"never", with(s, fail("never_appeared", true)), "never"},
		{"container disk", with(s, fruitless("never_appeared", "")), "no_output_directory"},
		{"a clone", with(s, fruitless("no_files", "/mnt/sfs/outputs")), "elsewhere"},
		{"a clone, by somebody who does not tell", with(s, fail("no_files", true)), "elsewhere"},
		{"a clone, on a replica that does not answer", with(s, fruitless("never_appeared", "/mnt/sfs/outputs")), "never"},
		{"not sent a second time", with(s, func(o *CanarySeen) {
			fail("", true)(o)
			o.Job.ErrorDetail, o.Job.State, o.End = nil, job.Queued, onceEnough
			o.Job.Attempts[0].Error = &api.Error{Code: "replica_vanished", Message: "it is gone"}
			o.Job.Attempts = append(o.Job.Attempts, api.Attempt{N: 2})
		}), "never"},
		{"stopped in mid-render", with(s, func(o *CanarySeen) { o.Job.Outputs, o.Job.State, o.End = nil, job.Running, interrupted }), "stopped"},
		{"given up", with(s, func(o *CanarySeen) { o.Job.Outputs = nil }), "never"},
		{"broke", with(s, fail("execution_error", true)), "broke"},
		{"other mount", with(s, func(o *CanarySeen) { o.OnShare = false }), "unseen"},
		{"late", with(s, func(o *CanarySeen) { o.Job.Outputs[0].SeenAt.Time = o.Job.Outputs[0].SeenAt.Add(time.Minute) }), "late"},
		{"not taken", with(s, fail("endpoint_or_key", false)), "not_reached"},

		{"healthy", with(d, nothing), "delivered"},
		{"taken away again", with(d, func(o *CanarySeen) { o.Tidied = true }), "delivered"},
		{"manager elsewhere", with(d, func(o *CanarySeen) { o.Here, o.InFolder = false, false }), "delivered"},
		{"not copied", with(d, func(o *CanarySeen) {
			o.Job.Outputs[0].State, o.Job.Warnings = job.OutputWhole, []job.Warning{{Message: "not writable"}}
		}), "not_delivered"},
		{"other mount", with(d, func(o *CanarySeen) { o.InFolder = false }), "other_place"},
		{"other bytes", with(d, func(o *CanarySeen) { o.SameBytes = false }), "other_bytes"},
		{"nothing came", with(d, func(o *CanarySeen) { o.Job.Outputs = nil }), "not_reached"},
	}
}
