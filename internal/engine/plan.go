package engine

import (
	"github.com/comfyume/qmtui/internal/job"
)

// Plan decides what follows from a view. It reads no clock, does no I/O and
// changes nothing; the loop records what it returns and then acts on it. An
// empty plan means that there is nothing to do until something is seen or
// time passes.
func Plan(v View) []job.Fact {
	var facts []job.Fact
	for _, j := range v.Jobs {
		facts = append(facts, v.planJob(*j)...)
	}
	return append(facts, v.schedule()...)
}

// rule is one policy for one job: the facts it decides on, none to pass.
type rule func(View, job.Job) []job.Fact

// rules in the order in which they are asked; the first that decides anything
// has the job for this round, and the loop asks again after recording.
var rules = []rule{
	withdrawWanted,
	doubtForgotten,
	settleOutputs,
	finishQuiet,
	completeStored,
	expireOverdue,
	completeLost,
	noteMissing,
	renewLost,
	closeSettled,
}

func (v View) planJob(j job.Job) []job.Fact {
	for _, r := range rules {
		if facts := r(v, j); len(facts) > 0 {
			return facts
		}
	}
	return nil
}

// fact starts a fact about attempt n of j, decided by the loop.
func (v View) fact(j job.Job, n int, k job.Kind, e job.Evidence) job.Fact {
	return job.Fact{Job: j.ID, Attempt: n, Kind: k, At: v.Now, Evidence: e}
}

// note is a warning on the job.
func (v View) note(j job.Job, code, message, hint string) job.Fact {
	f := v.fact(j, 0, job.Noted, job.ByManager)
	f.Warning = &job.Warning{Code: code, Message: message, Hint: hint, At: v.Now}
	return f
}
