package engine

import "github.com/comfyume/qmtui/internal/job"

// withdrawWanted carries out a wanted cancel. What may be running is withdrawn
// at once and interrupted by its prompt id; a worker may finish it all the
// same, so the job says what becomes of late files.
func withdrawWanted(v View, j job.Job) []job.Fact {
	a := j.Current()
	if j.Want != job.WantCancel || a.State.Terminal() || a.State == job.Rendered {
		return nil
	}
	facts := []job.Fact{v.fact(j, a.N, job.Withdrawn, job.ByManager)}
	if a.State.InFlight() {
		facts = append(facts, v.note(j, "cancelled_in_flight",
			"it was cancelled after it had been sent to a worker, which may finish it all the same",
			"files that still come are kept aside in the user's folder for cancelled jobs"))
	}
	return facts
}

// doubtForgotten admits that a POST, intended by an earlier process, may or
// may not have been sent. It is never sent again under that prompt id: the
// folder and the wire are asked instead.
func doubtForgotten(v View, j job.Job) []job.Fact {
	a := j.Current()
	if a.State != job.Submitting || v.Posting[a.PromptID] || !a.When(job.Unanswered).IsZero() {
		return nil
	}
	f := v.fact(j, a.N, job.Unanswered, job.ByManager)
	f.Error = &job.Error{Code: "restarted_while_submitting", Class: job.Unavailable, Transient: true,
		Message: "the manager stopped while it was sending the prompt, so nobody knows whether it arrived",
		Hint:    "wait: its folder is being watched, and it is tried again when nothing comes"}
	return []job.Fact{f}
}
