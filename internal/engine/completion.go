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
	t := tally(j, a.N, trace)
	if t.Short || t.Half > 0 || t.There == 0 {
		return nil
	}
	if v.owesFile(j, a) {
		return nil
	}
	t.Open = t.Open || mayWriteMore(j)
	if !t.Open && len(trace.Settling) == 0 {
		return []job.Fact{v.fact(j, a.N, job.Finished, job.ByPrefix)}
	}
	if quiet := v.age(latest(lastMove(a, trace), v.Sighted)) - v.pause(j, a, t); v.Sighted.IsZero() || quiet < 0 || v.unseen(quiet) {
		return nil
	}
	return []job.Fact{v.fact(j, a.N, job.Finished, job.ByTime)}
}

// mayWriteMore reports a job with nodes that look as if they wrote outside its
// own folder while nothing of theirs is expected: the files there do not tell
// whether its run has ended, its history does.
func mayWriteMore(j job.Job) bool {
	return j.Places != nil && !slices.ContainsFunc(j.Expect, func(x job.Expected) bool { return x.Outside })
}

// owesFile reports an attempt with a node of a class that was seen to write
// outside its own folder, as long as no such file of it is known.
func (v View) owesFile(j job.Job, a job.Attempt) bool {
	for _, class := range j.Strangers {
		if v.Learned[a.Deployment][class].Plain {
			return !slices.ContainsFunc(j.OutputsOf(a.N), func(o job.Output) bool { return !o.Source.Tagged() })
		}
	}
	return false
}

const (
	// openPause is the pause, in quiet periods, after which an attempt counts as
	// ended whose number of files nobody knows; pace is how many times the longest
	// pause between two of its files it must last.
	openPause, pace = 3, 3
	// singlePause is that pause where one server answers: its history says when
	// the run has ended, so that time decides only when it cannot be had.
	singlePause = 5 * time.Minute
)

// pause is how long the folder of an attempt must be quiet before it counts as
// ended. It grows with the pace at which files came.
func (v View) pause(j job.Job, a job.Attempt, t Tally) time.Duration {
	if !t.Open {
		return v.Policy.Settle
	}
	if v.Deployments[a.Deployment].Single {
		return max(singlePause, openPause*v.Policy.Settle)
	}
	var seen []time.Time
	for _, o := range j.OutputsOf(a.N) {
		if o.SeenAt.After(v.Sighted) { // before that, the time is not when it came
			seen = append(seen, o.SeenAt)
		}
	}
	slices.SortFunc(seen, time.Time.Compare)
	longest := time.Duration(0)
	for i := 1; i < len(seen); i++ {
		longest = max(longest, seen[i].Sub(seen[i-1]))
	}
	return max(openPause*v.Policy.Settle, pace*longest)
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
	t := tally(j, a.N, trace)
	if t.Half > 0 || t.There > t.Stored {
		return nil
	}
	if t.Short && slices.ContainsFunc(a.Files, func(p job.Path) bool { _, ok := v.Undecided[p]; return ok }) {
		return nil // a file of it stands there, and may still be found to be its own
	}
	// What may stand anywhere is found by the scan of the share, later than histories tell.
	unfound := t.Stored == 0 && slices.Contains(a.Places, "")
	if over := v.age(latest(a.When(job.Finished), trace.Moved)) - v.Policy.missingGrace(); (t.Short || unfound) && (v.blind() || over < 0 || v.unseen(over)) {
		return nil
	}
	return v.conclude(j, a, t)
}

// conclude ends a rendered attempt: done; broken off, when no history told of
// its success and files are missing; done with a warning; or lost when the
// worker's success has left nothing at all.
func (v View) conclude(j job.Job, a job.Attempt, t Tally) []job.Fact {
	done := v.fact(j, a.N, job.Completed, job.ByManager)
	short := t.Short || t.Broken > 0
	elsewhere := slices.ContainsFunc(j.Warnings, func(w job.Warning) bool { return w.Code == "decided_elsewhere" })
	expired := v.fact(j, a.N, job.Expired, job.ByTime)
	message := fmt.Sprintf("%d of %d expected files came", t.Stored, max(t.Expected, t.Stored+1))
	switch {
	case !short && t.Stored > 0, t.Stored == 0 && elsewhere:
		return []job.Fact{done}
	case t.Stored == 0 && v.trying(j, a):
		return nil // that shows whether another attempt helps
	case t.Stored == 0:
		expired.Error = v.noFiles(j, a)
		return []job.Fact{expired}
	case !a.Heard() && v.Policy.Partial != PartialAccept:
		expired.Error = &job.Error{Code: "broken_off", Class: job.Unavailable, Transient: true,
			Message: "the render was broken off: " + message,
			Hint:    "the replica was probably taken away; what came is delivered, and it is tried again while retries are left"}
		return []job.Fact{expired}
	}
	return []job.Fact{v.note(j, "partial", message, "the delivered ones are listed with the job; retry it to render again"), done}
}

func completeByLateFiles(v View, j job.Job, a job.Attempt) []job.Fact {
	for n := 1; n < a.N; n++ {
		before, _ := j.Attempt(n)
		t := tally(j, n, Trace{})
		if before.State == job.Cancelled || !a.Automatic || t.Short || t.Half > 0 || t.Broken > 0 || t.There == 0 || t.Stored < t.There {
			continue
		}
		return []job.Fact{v.note(j, "late_files",
			fmt.Sprintf("the files of attempt %d came late, so attempt %d was not sent", n, a.N), ""),
			v.fact(j, a.N, job.Completed, job.ByManager)}
	}
	return nil
}

// noteMissing says of a job that is done which file a history named that has not
// come: the history was heard after the end had been concluded from the share.
func noteMissing(v View, j job.Job) []job.Fact {
	a := j.Current()
	told := slices.ContainsFunc(j.Warnings, func(w job.Warning) bool { return w.Code == "partial" })
	if a.State != job.Done || told || len(a.Files) == 0 || v.blind() {
		return nil
	}
	over := v.age(latest(a.HeardAt(), v.Traces[a.PromptID].Moved)) - v.Policy.missingGrace()
	if over < 0 || v.unseen(over) {
		return nil
	}
	for _, p := range a.Files {
		_, undecided := v.Undecided[p]
		if undecided || !ownFile(a, p) || slices.ContainsFunc(j.Outputs, func(o job.Output) bool { return o.Source == p }) {
			continue
		}
		if _, disputed := v.Disputed[p]; disputed {
			return []job.Fact{v.note(j, "partial", p.String()+" stands on the share, and several jobs may have written it",
				`an admin decides whose it is: "qmtui outputs orphans", then "qmtui outputs assign"`)}
		}
		return []job.Fact{v.note(j, "partial", p.String()+", which the worker reported, did not become a file of this job",
			"it writes elsewhere, or another job writes to the same path; the delivered files are listed with the job; retry it to render again")}
	}
	return nil
}

// completeLost ends a lost job as done when all its files have come and been
// delivered after all; of others it says what came.
func completeLost(v View, j job.Job) []job.Fact {
	a := j.Current()
	if a.State != job.Lost && a.State != job.Failed {
		return nil
	}
	t := tally(j, a.N, v.Traces[a.PromptID])
	late := slices.ContainsFunc(j.OutputsOf(a.N), func(o job.Output) bool { return o.StoredAt.After(a.EndedAt()) })
	complete := a.State == job.Lost && !t.Short && t.Half == 0 && t.Broken == 0 && t.Stored > 0 && t.Stored == t.There
	switch told := slices.ContainsFunc(j.Warnings, func(w job.Warning) bool { return w.Code == "came_late" }); {
	case late && complete:
		return []job.Fact{v.note(j, "came_late", "all files came after the job had been given up, so that it is done after all", ""),
			v.fact(j, a.N, job.Completed, job.ByManager)}
	case late && !told:
		return []job.Fact{v.note(j, "came_late", "files came after the job had been given up, and were delivered", "look at its outputs before you retry it")}
	}
	return nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
