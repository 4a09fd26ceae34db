package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// finishQuiet concludes from the share alone that a worker has ended: every
// file the graph promises is whole, or, where the graph does not tell their
// number, each node has written and the folder has been quiet for Settle.
func finishQuiet(v View, j job.Job) []job.Fact {
	a := j.Current()
	if a.State != job.Running {
		return nil
	}
	trace := v.Traces[a.PromptID]
	t := tally(j, a.N, trace.Settling)
	if t.Short || t.Half > 0 || t.There == 0 {
		return nil
	}
	if !t.Open && len(trace.Settling) == 0 {
		return []job.Fact{v.fact(j, a.N, job.Finished, job.ByPrefix)}
	}
	if quiet := v.age(latest(lastMove(a, trace), v.Sighted)) - v.Policy.Settle; v.Sighted.IsZero() || quiet < 0 || v.unseen(quiet) {
		return nil
	}
	return []job.Fact{v.fact(j, a.N, job.Finished, job.ByTime)}
}

// lastMove is when anything was last heard of the attempt or its folder.
func lastMove(a job.Attempt, t Trace) time.Time {
	if last := a.LastEvidence(); last.After(t.Moved) {
		return last
	}
	return t.Moved
}

// completeStored ends a rendered attempt once every file that will come is
// stored, and a queued one that late files of an earlier attempt have
// satisfied, so that no GPU is paid for twice.
func completeStored(v View, j job.Job) []job.Fact {
	a := j.Current()
	if a.State == job.Queued {
		return completeByLateFiles(v, j, a)
	}
	if a.State != job.Rendered {
		return nil
	}
	trace := v.Traces[a.PromptID]
	t := tally(j, a.N, trace.Settling)
	if t.Half > 0 || t.There > t.Stored {
		return nil
	}
	if over := v.age(latest(a.When(job.Finished), trace.Moved)) - v.Policy.missingGrace(); t.Short && (v.blind() || over < 0 || v.unseen(over)) {
		return nil
	}
	return v.conclude(j, a, t)
}

// conclude ends a rendered attempt: done, done with a warning, or lost when
// the worker's success has left nothing at all.
func (v View) conclude(j job.Job, a job.Attempt, t Tally) []job.Fact {
	if t.Stored == 0 {
		f := v.fact(j, a.N, job.Expired, job.ByTime)
		f.Error = &job.Error{Code: "no_files", Class: job.Internal,
			Message: "the worker on " + a.Deployment + " reported success, but no file came to the share",
			Hint:    `check that its arguments have --output-directory on the same share: "qmtui workers list", then "qmtui doctor"`}
		return []job.Fact{f}
	}
	done := v.fact(j, a.N, job.Completed, job.ByManager)
	if !t.Short {
		return []job.Fact{done}
	}
	return []job.Fact{v.note(j, "partial",
		fmt.Sprintf("%d of %d expected files came", t.Stored, max(t.Expected, t.Stored+1)),
		"the delivered ones are listed with the job; retry it to render again"), done}
}

func completeByLateFiles(v View, j job.Job, a job.Attempt) []job.Fact {
	for n := 1; n < a.N; n++ {
		before, _ := j.Attempt(n)
		t := tally(j, n, nil)
		if before.State == job.Cancelled || !a.Automatic || t.Short || t.Half > 0 || t.There == 0 || t.Stored < t.There {
			continue
		}
		return []job.Fact{v.note(j, "late_files",
			fmt.Sprintf("the files of attempt %d came late, so attempt %d was not sent", n, a.N), ""),
			v.fact(j, a.N, job.Completed, job.ByManager)}
	}
	return nil
}

// noteLateFiles says so when files of a job that was given up have come and
// been delivered all the same. Its state stays: no edge points down.
func noteLateFiles(v View, j job.Job) []job.Fact {
	a := j.Current()
	if a.State != job.Lost && a.State != job.Failed {
		return nil
	}
	late := slices.ContainsFunc(j.OutputsOf(a.N), func(o job.Output) bool { return o.StoredAt.After(a.EndedAt()) })
	told := slices.ContainsFunc(j.Warnings, func(w job.Warning) bool { return w.Code == "came_late" })
	if !late || told {
		return nil
	}
	return []job.Fact{v.note(j, "came_late", "files came after the job had been given up, and were delivered", "look at its outputs before you retry it")}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
