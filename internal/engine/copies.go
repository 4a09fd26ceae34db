package engine

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/comfyume/qmtui/internal/job"
)

// isCopy reports a file that somebody copied or moved from where an attempt wrote
// it and that was delivered from there: its path or its metadata name the attempt,
// and it has the bytes of what was delivered. ready is false while that is not
// known. What a history names, or stands at a place where its attempt is writing, is no copy.
func (l *loop) isCopy(s job.Sighting) (same, ready bool) {
	if same, ready := l.moved(s); same || !ready {
		return same, ready
	}
	if s.Claim == nil {
		return false, true
	}
	o, ok := l.byPrompt(s.Claim.PromptID)
	if !ok || o.job != s.Claim.Job {
		return false, true
	}
	j, err := l.ledger.Job(o.job)
	if err != nil {
		return false, true
	}
	a, _ := j.Attempt(o.attempt)
	_, named := slices.BinarySearch(a.Files, s.Path)
	exact := slices.DeleteFunc(slices.Clone(a.Places), func(place string) bool { return place == "" })
	switch {
	case named, !a.State.Terminal() && writesTo(exact, s.Path):
		return false, true
	case s.Mark == job.MarkSeen && a.State.Terminal() && !j.Closed:
		return false, false // it is being written
	}
	return l.copyOf(s, j, o, j.OutputsOf(a.N))
}

// moved is [loop.isCopy] for a file whose path goes on after an attempt's prompt id
// like that of an output of the attempt: its folder was moved or copied.
func (l *loop) moved(s job.Sighting) (same, ready bool) {
	names := strings.Split(string(s.Path), "/")
	for i, id := range names[:len(names)-1] {
		source := job.Path("qm/" + strings.Join(names[i:], "/"))
		if len(id) != 36 || uuid.Validate(id) != nil || source == s.Path {
			continue
		}
		o, ok := l.byPrompt(id)
		if !ok {
			if gone, _ := l.ledger.Pruned(id); gone {
				return true, true // of a job that ended so long ago that it was forgotten
			}
			continue
		}
		j, err := l.ledger.Job(o.job)
		if out, wrote := j.Output(job.NewOutputID(id, source)); err == nil && wrote {
			o.evidence = job.ByPrefix
			return l.copyOf(s, j, o, []job.Output{out})
		}
	}
	return false, true
}

// copyOf compares a file with outputs of its owner. One that is still on its way
// to the user may be what it is a copy of.
func (l *loop) copyOf(s job.Sighting, j job.Job, o owner, outputs []job.Output) (same, ready bool) {
	ready = true
	for _, out := range outputs {
		switch {
		case out.Size != s.Size, out.State.Settled() && out.State != job.OutputStored:
		case !out.State.Settled():
			ready = ready && out.Source == s.Path
		default:
			sum, known := l.sum(s)
			if known && sum == out.Checksum {
				l.copies++
				l.log.Info("copy of a delivered file ignored", "file", s.Path.String(), "job", j.ID, "of", out.Source.String())
				l.adoptOrphan(s.Path, o)
				return true, true
			}
			ready = ready && (known || j.Closed && s.Mark == job.MarkSeen) // what stays half is shown
		}
	}
	return false, ready
}
