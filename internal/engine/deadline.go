package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// expireOverdue gives up an attempt that has been silent for too long. Each
// wait has its own bound and its own code. Where files would be the sign, the
// share must be in sight: what is given up is paid for again. An attempt with
// whole files never expires: it is finished with what there is.
func expireOverdue(v View, j job.Job) []job.Fact {
	a := j.Current()
	w, ok := v.waiting(j)
	over := v.age(w.since) - w.bound
	if !ok || over < 0 || w.code != "accept_timeout" && (v.blind() || v.unseen(over)) {
		return nil
	}
	if t := tally(j, a.N, v.Traces[a.PromptID]); t.There > 0 {
		return []job.Fact{v.fact(j, a.N, job.Finished, job.ByTime)}
	}
	f := v.fact(j, a.N, job.Expired, job.ByTime)
	if why := v.Traces[a.PromptID].Blocked; why != "" {
		f.Error = notLookedAt(why)
		return []job.Fact{f}
	}
	f.Error = &job.Error{Code: w.code, Class: job.Unavailable, Transient: true,
		Message: fmt.Sprintf("%s for %s on %s", w.what, v.Now.Sub(w.since).Round(time.Second), a.Deployment), Hint: w.hint}
	return []job.Fact{f}
}

// wait is what an attempt waits for, since when and for how long.
type wait struct {
	since            time.Time
	bound            time.Duration
	code, what, hint string
}

// The margins by which the usual delay of a first sign must be exceeded: a
// prompt that nobody confirmed may never have arrived, one that was accepted did.
const (
	unconfirmedMargin = 20 * time.Second
	acceptedMargin    = time.Minute
)

func (v View) waiting(j job.Job) (wait, bool) {
	a, p := j.Current(), v.Policy
	d := v.Deployments[a.Deployment]
	since, silent := v.silentSince(j)
	switch unanswered := a.When(job.Unanswered); {
	case a.State == job.Submitting && unanswered.IsZero():
		// The POST itself is bound by AcceptTimeout; this is the net below it.
		return wait{a.When(job.Assigned), p.AcceptTimeout + p.DoubtTimeout, "accept_timeout", "no server accepted the prompt",
			`look at the deployment with "qmtui workers list"`}, true
	case !silent, a.State == job.Accepted && v.behindARun(j):
		return wait{}, false
	case a.State == job.Submitting:
		return wait{since, d.giveUp(unconfirmedMargin, p.DoubtTimeout), "never_appeared", "the prompt was sent, nobody answered, and no sign of it appeared",
			"it is tried again under a new prompt id while retries are left"}, true
	case a.State == job.Accepted:
		return wait{since, d.giveUp(acceptedMargin, p.EvidenceTimeout), "never_appeared", "the prompt was accepted and no sign of it appeared",
			`the replica may have been taken away, or it writes elsewhere: run "qmtui doctor"`}, true
	}
	return wait{since, p.RunTimeout, "run_timeout",
		"the run has shown no sign of life", "the replica may have been taken away in mid-render; raise queue.run_timeout for longer renders"}, true
}

// behindARun reports a prompt that may wait behind a run that was begun before
// it was sent, however long that lasts: it was accepted and costs nothing yet.
func (v View) behindARun(j job.Job) bool {
	a := j.Current()
	return slices.ContainsFunc(v.Jobs, func(k *job.Job) bool {
		b := k.Current()
		return b.Deployment == a.Deployment && b.State == job.Running && b.When(job.Assigned).Before(a.When(job.Assigned))
	})
}
