package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// Fate is what became of a file that a history of a job named and that did not
// become the job's.
type Fate struct {
	Path job.Path
	// Job is the one that it was delivered to; empty for none. Old says that the
	// file had been delivered before the attempt was sent, or that it stands in the
	// folder of that job: the attempt did not write it.
	Job job.ID
	Old bool
	// Orphan is the state of the orphan that it is, empty for none; By and User say
	// who settled it, and whose it became.
	Orphan, By, User string
}

// maxFates bounds for how many files of a history is asked what became of them.
const maxFates = 8

// fates says of jobs whose worker has ended, and that have no file, what became of
// the first of the files that a history named and of which that is known.
func (l *loop) fates() map[job.ID]Fate {
	var out map[job.ID]Fate
	for _, j := range l.order {
		a := j.Current()
		if a.State != job.Rendered || slices.ContainsFunc(j.OutputsOf(a.N), func(o job.Output) bool { return o.State == job.OutputStored }) {
			continue
		}
		for _, p := range a.Files[:min(len(a.Files), maxFates)] {
			if f, ok := l.fate(p, *j, a.When(job.Assigned)); ok {
				if out == nil {
					out = map[job.ID]Fate{}
				}
				out[j.ID] = f
				break
			}
		}
	}
	return out
}

func (l *loop) fate(p job.Path, j job.Job, assigned time.Time) (Fate, bool) {
	if id, ok := strings.CutPrefix(string(p), "qm/"); ok {
		id, _, _ = strings.Cut(id, "/")
		o, known := l.byPrompt(id)
		return Fate{Path: p, Job: o.job, Old: true}, known && o.job != j.ID
	}
	if o, err := l.ledger.Orphan(orphanID(p)); err == nil && o.Job == "" && !o.SeenAt.Before(assigned) {
		return Fate{Path: p, Orphan: o.State, By: o.By, User: o.User}, true
	}
	if at, ok := l.sources[p]; ok && at.job != j.ID {
		o, _ := l.jobs[at.job].Output(at.output)
		if o.State != job.OutputStored {
			return Fate{}, false
		}
		return Fate{Path: p, Job: at.job, Old: !o.DeliveredAt().IsZero() && o.DeliveredAt().Before(assigned)}, true
	}
	d, found, err := l.ledger.Delivered(p)
	return Fate{Path: p, Job: d.Job, Old: d.At.Before(assigned)}, err == nil && found && d.Job != j.ID
}

// found is the end of an attempt that has no file although one stands or stood on
// the share; nil when none is known of.
func (v View) found(j job.Job, a job.Attempt) *job.Error {
	again := !a.Heard() || v.delivers(a.Deployment)
	for _, o := range j.OutputsOf(a.N) {
		switch o.State {
		case job.OutputAbandoned:
			return &job.Error{Code: "half_file", Class: job.Unavailable, Transient: again, Message: o.Source.String() + " never became complete",
				Hint: "its worker was stopped, or its disk was full, while it wrote; what there is of it stays on the share; retry the job"}
		case job.OutputVanished:
			return &job.Error{Code: "source_vanished", Class: job.Unavailable, Transient: again, Message: o.Source.String() + " was removed or written again before it could be copied",
				Hint: "see who cleans or writes there, and retry the job"}
		}
	}
	if why := v.Traces[a.PromptID].Blocked; why != "" {
		return notLookedAt(why)
	}
	for _, w := range j.Warnings {
		if w.Code == "hostile_file" && w.At.After(a.When(job.Assigned)) {
			return &job.Error{Code: w.Code, Class: job.Internal, Message: w.Message, Hint: w.Hint}
		}
	}
	f, ok := v.Fates[j.ID]
	switch file := f.Path.String(); {
	case !ok:
		return nil
	case f.Orphan == job.OrphanOpen:
		return undecidedFile(f.Path, "nothing tells whose it is")
	case f.Orphan == job.OrphanAssigned:
		return &job.Error{Code: "decided_elsewhere", Class: job.Conflict, Message: fmt.Sprintf("%s assigned %s to %s before it was known whose it is", f.By, file, f.User),
			Hint: `if that was a mistake: "qmtui outputs unassign"; or retry the job`}
	case f.Orphan == job.OrphanDiscarded:
		return &job.Error{Code: "decided_elsewhere", Class: job.Conflict, Message: fmt.Sprintf("%s discarded %s before it was known whose it is", f.By, file),
			Hint: "retry the job to render it again"}
	case f.Old:
		return &job.Error{Code: "no_files", Class: job.Internal, Transient: again,
			Message: fmt.Sprintf("the worker on %s reported %s, and no newer %s came to the share than the one that job %s wrote", a.Deployment, count(len(a.Files), "file"), file, f.Job),
			Hint:    `it answered from its cache, or it writes elsewhere: change an input, such as the seed; check its --output-directory: "qmtui workers list"`}
	}
	return &job.Error{Code: "file_elsewhere", Class: job.Conflict, Transient: again,
		Message: fmt.Sprintf("%s was delivered to job %s, which writes to the same path", f.Path, f.Job),
		Hint:    "save under another name, or have its node's inputs described with [[save_node]], so that each job is given a folder of its own; then retry the job"}
}

// undecidedFile is the end of an attempt whose file waits for an admin.
func undecidedFile(p job.Path, why string) *job.Error {
	return &job.Error{Code: "file_undecided", Class: job.Conflict, Message: fmt.Sprintf("%s stands on the share, and %s", p, why),
		Hint: `an admin decides whose it is: "qmtui outputs orphans", then "qmtui outputs assign"`}
}

// notLookedAt is the end of an attempt whose files cannot be looked at.
func notLookedAt(why string) *job.Error {
	return &job.Error{Code: "not_looked_at", Class: job.Unavailable, Message: why, Hint: "its files may stand there: look before you retry it"}
}
