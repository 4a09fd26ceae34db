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
	return CanarySeen{Deployment: "h200", Driver: "comfyui", Job: j, GaveUp: time.Minute, Here: true, OnShare: true, InFolder: true, SameBytes: true, Place: "/outputs/qmtui-canary/canary_00001_.png"}
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
	a, s, d := judgeCanaryAccepted, judgeCanaryShare, judgeCanaryDelivered
	return []ruled{
		{"healthy", with(a, nothing), "accepted"},
		{"only its file tells", with(a, func(o *CanarySeen) { o.Job.Attempts[0].Accepted = api.Time{} }), "accepted"},
		{"paused", with(a, stop("paused")), "halted"},
		{"no manager", with(a, stop("no_manager")), "no_manager"},
		{"no active", with(a, stop("no_active")), "no_active"},
		{"no", with(a, stop("not_agreed")), "not_agreed"},
		{"full queue", with(a, func(o *CanarySeen) { o.Sent = &job.Error{Message: "too many"} }), "not_sent"},
		{"refused", with(a, fail("endpoint_or_key", false)), "refused"},
		{"nobody", with(a, func(o *CanarySeen) { o.Job = api.Job{Phase: "waiting for a GPU", Attempts: []api.Attempt{{}}} }), "unanswered"},

		{"healthy", with(s, nothing), "came"},
		{"manager elsewhere", with(s, func(o *CanarySeen) { o.Here, o.OnShare = false, false }), "came"},
		{"never", with(s, fail("never_appeared", true)), "never"},
		{"given up", with(s, func(o *CanarySeen) { o.Job.Outputs = nil }), "never"},
		{"broke", with(s, fail("execution_error", true)), "broke"},
		{"other mount", with(s, func(o *CanarySeen) { o.OnShare = false }), "unseen"},
		{"late", with(s, func(o *CanarySeen) { o.Job.Outputs[0].SeenAt.Time = o.Job.Outputs[0].SeenAt.Add(time.Minute) }), "late"},
		{"not taken", with(s, fail("endpoint_or_key", false)), "not_reached"},

		{"healthy", with(d, nothing), "delivered"},
		{"manager elsewhere", with(d, func(o *CanarySeen) { o.Here, o.InFolder = false, false }), "delivered"},
		{"not copied", with(d, func(o *CanarySeen) {
			o.Job.Outputs[0].State, o.Job.Warnings = job.OutputWhole, []job.Warning{{Message: "not writable"}}
		}), "not_delivered"},
		{"other mount", with(d, func(o *CanarySeen) { o.InFolder = false }), "other_place"},
		{"other bytes", with(d, func(o *CanarySeen) { o.SameBytes = false }), "other_bytes"},
		{"nothing came", with(d, func(o *CanarySeen) { o.Job.Outputs = nil }), "not_reached"},
	}
}
