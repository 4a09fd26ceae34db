package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// heard completes a fact from the fleet and adds what follows from it.
func (l *loop) heard(f job.Fact) []job.Fact {
	f.At = stamp(f.At)
	facts := []job.Fact{f}
	if f.Kind == job.Acknowledged && len(f.Dropped) > 0 {
		facts = append(facts, job.Fact{Job: f.Job, Kind: job.Noted, At: f.At, Evidence: f.Evidence, Warning: &job.Warning{
			Code: "nodes_dropped", At: f.At,
			Message: "the server will not run the output node(s) " + strings.Join(f.Dropped, ", "),
			Hint:    "the others run; look at the node errors of the workflow",
		}})
	}
	if f.Kind == job.Finished || f.Kind == job.Broke {
		l.share.Nudge(l.promptOf(f))
		l.reconsiderNamed(f)
	}
	return facts
}

// reconsiderNamed asks again whose the files are that a history names, once it
// is recorded: orphans, what stands beside them, and files that waited for a word.
func (l *loop) reconsiderNamed(f job.Fact) {
	l.reconsider = true
	if !slices.ContainsFunc(f.Files, func(p job.Path) bool { return !p.Tagged() }) {
		return
	}
	for _, p := range f.Reused { // it stands there as it was delivered, and is not told again
		d, found, err := l.ledger.Delivered(p)
		if _, newer := l.unclaimed[p]; err == nil && found && !newer {
			l.unclaimed[p] = unclaimed{Sighting: job.Sighting{Path: p, Size: d.Size, Mark: job.MarkWhole, At: f.At, Modified: d.Modified}}
		}
	}
	open, err := l.ledger.Orphans(job.OrphanOpen)
	l.logError("list orphans", err)
	for _, o := range open {
		if _, newer := l.unclaimed[o.Path]; newer { // than what is shown as an orphan
			continue
		}
		if slices.ContainsFunc(f.Files, func(p job.Path) bool { return stem(p) == stem(o.Path) }) {
			l.unclaimed[o.Path] = unclaimed{Sighting: job.Sighting{Path: o.Path, Size: o.Size, Mark: job.MarkWhole, At: f.At, Modified: o.Modified}}
		}
	}
}

// reconsidered asks again about files whose owner was not decided: after news,
// and every second, since writers end in silence too.
func (l *loop) reconsidered(now time.Time) []job.Fact {
	if len(l.unclaimed) == 0 || !l.reconsider && now.Sub(l.asked) < time.Second {
		return nil
	}
	l.asked, l.reconsider = now, false
	var facts []job.Fact
	for _, p := range slices.Sorted(maps.Keys(l.unclaimed)) {
		facts = append(facts, l.saw(l.unclaimed[p].Sighting)...)
	}
	return facts
}

func (l *loop) promptOf(f job.Fact) string {
	if j := l.jobs[f.Job]; j != nil {
		a, _ := j.Attempt(f.Attempt)
		return a.PromptID
	}
	return f.PromptID
}

// stamp gives a fact its time: UTC, without the monotonic part that does not
// survive the ledger.
func stamp(t time.Time) time.Time {
	if t.IsZero() {
		t = time.Now()
	}
	return t.UTC().Round(0)
}

// saw turns a sighting into facts about the attempt it belongs to. What belongs
// to none becomes an orphan.
func (l *loop) saw(s job.Sighting) []job.Fact {
	s.At = stamp(s.At)
	if u, ok := l.unclaimed[s.Path]; ok && u.Size == s.Size && u.Modified.Equal(s.Modified) {
		s.At = u.At // it was seen before
	}
	if orphan, ok := l.decided(s); ok {
		return l.decidedElsewhere(s, orphan)
	}
	known, ignore := l.attributed(s)
	delete(l.unclaimed, s.Path)
	o := known.owner
	switch {
	case ignore:
		return nil
	case !known.known && known.wait:
		if _, file := sightingKinds[s.Mark]; file {
			l.unclaimed[s.Path] = unclaimed{s, known.candidates}
		}
		return nil
	case !known.known || !l.reopen(o.job):
		l.orphan(s, known.candidates)
		return nil
	}
	id := job.NewOutputID(o.promptID, s.Path)
	if j := l.jobs[o.job]; j.Closed && slices.ContainsFunc(j.Outputs, func(x job.Output) bool { return x.ID == id && x.State == job.OutputVanished }) {
		l.release(o.job)
		l.orphan(s, []job.ID{o.job}) // what it was given up for is over
		return nil
	}
	if s.PromptID == "" {
		l.adoptOrphan(s.Path, o)
	}
	f := job.Fact{Job: o.job, Attempt: o.attempt, At: s.At, Evidence: o.evidence}
	switch s.Mark {
	case job.MarkHostile:
		if s.More > 0 {
			return []job.Fact{warned(f, &job.Warning{Code: "hostile_file", At: s.At, Message: fmt.Sprintf("%d more names below %s are no plain files and were not touched", s.More, s.Path),
				Hint: "look at them on the share; only plain files are delivered"})}
		}
		return []job.Fact{warned(f, &job.Warning{Code: "hostile_file", At: s.At, Message: fmt.Sprintf("%s is %s and was not touched", s.Path, s.Reason),
			Hint: "look at it on the share; only plain files are delivered"})}
	case job.MarkBlocked:
		return l.blocked(o, s, f)
	}
	if a, _ := l.jobs[o.job].Attempt(o.attempt); s.Mark == job.MarkStarted || s.Mark == job.MarkSeen {
		l.skew = clockSkew(s.Modified, a.When(job.Assigned), s.At)
		if assigned := a.When(job.Assigned); s.Mark == job.MarkStarted && !s.Modified.IsZero() && s.At.Sub(assigned) < promptMarker {
			l.clock = l.clock.observe(s.Modified, assigned, s.At)
		}
	}
	l.trace(o.promptID, id, s)
	kind, ok := sightingKinds[s.Mark]
	if !ok {
		return nil
	}
	if s.Mark == job.MarkWhole || s.Mark == job.MarkSettling {
		l.writtenAgain(l.jobs[o.job], id, s)
		if s.PromptID == "" {
			l.versions[id] = s.Modified
		}
	}
	if f.Kind = kind; kind != job.Started {
		f.Output = &job.Output{ID: id, Node: s.Node, Source: s.Path, Size: s.Size, Evidence: o.evidence}
		if s.PromptID == "" && !s.Modified.IsZero() {
			f.Output.Modified = s.Modified.UTC().Round(0)
		}
	}
	return []job.Fact{f}
}

// decidedElsewhere says on a job that a person has given its file to somebody,
// or thrown it away, before anything named the job.
func (l *loop) decidedElsewhere(s job.Sighting, orphan job.Orphan) []job.Fact {
	delete(l.unclaimed, s.Path)
	known, ignore := l.attributed(s)
	if ignore || !known.known || !l.reopen(known.owner.job) {
		return nil
	}
	what := "discarded"
	if orphan.State == job.OrphanAssigned {
		what = "assigned to " + orphan.User
	}
	return []job.Fact{warned(job.Fact{Job: known.owner.job, At: s.At, Evidence: known.owner.evidence}, &job.Warning{Code: "decided_elsewhere", At: s.At,
		Message: fmt.Sprintf("%s is a file of this job, and %s had %s it before that was known", s.Path, orphan.By, what),
		Hint:    "it is not delivered a second time; if that was a mistake, copy it from there or retry the job"})}
}

// blocked says that something of the attempt stands on the share and cannot
// be looked at. It is a sign that a worker began, and a reason not to render
// again what may well be there.
func (l *loop) blocked(o owner, s job.Sighting, f job.Fact) []job.Fact {
	if s.More > 0 {
		return []job.Fact{warned(f, &job.Warning{Code: "not_looked_at", At: s.At, Message: fmt.Sprintf("%d more places below %s cannot be looked at", s.More, s.Path),
			Hint: "what is there stays on the share"})}
	}
	t := l.traceOf(o.promptID)
	t.Blocked = fmt.Sprintf("%s %s", s.Path, s.Reason)
	l.traces[o.promptID] = t
	note := warned(f, &job.Warning{Code: "not_looked_at", At: s.At, Message: t.Blocked,
		Hint: `what is there stays on the share; let user id and mode of the workers' files fit: "qmtui doctor"`})
	f.Kind = job.Started
	return []job.Fact{f, note}
}

// warned makes a fact about the whole job that people should see.
func warned(f job.Fact, w *job.Warning) job.Fact {
	f.Attempt, f.Kind, f.Warning = 0, job.Noted, w
	return f
}

var sightingKinds = map[job.Mark]job.Kind{
	job.MarkStarted: job.Started, job.MarkSeen: job.Seen, job.MarkSettling: job.Seen, job.MarkWhole: job.Whole,
}

func (l *loop) traceOf(promptID string) Trace {
	if t, ok := l.traces[promptID]; ok {
		return t
	}
	return Trace{Settling: map[job.OutputID]int64{}, Starts: map[job.OutputID]bool{}}
}

// trace remembers what the ledger does not keep.
func (l *loop) trace(promptID string, id job.OutputID, s job.Sighting) {
	t := l.traceOf(promptID)
	if s.Mark != job.MarkSettling && s.Mark != job.MarkVanished {
		t.Moved = latest(t.Moved, s.At)
	}
	if delete(t.Settling, id); s.Mark == job.MarkSettling {
		t.Settling[id] = s.Size
	}
	if s.Mark == job.MarkStarted {
		t.Starts[id] = true
	}
	l.traces[promptID] = t
}
