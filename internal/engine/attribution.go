package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// owner is the attempt a file belongs to, and how we know.
type owner struct {
	job      job.ID
	user     string
	attempt  int
	promptID string
	evidence job.Evidence
	assigned time.Time // when the attempt was
}

// writer is an attempt that may have written a file outside the attempts' own
// folders.
type writer struct {
	owner
	// named says that a history of it names the file, specific that one of its
	// places is a beginning of the file's path and not of every path, or that a
	// history of it names a file that differs in the extension only.
	named, specific bool
	// placed says that its places are a beginning of the file's path.
	placed bool
	// givenUp says that no end of it was ever reported: it may still write.
	givenUp bool
	// silent says that nothing shows that its run has ever begun, though it was
	// accepted long ago.
	silent bool
	// told says that a history of it was heard, so that what it does not name it
	// hardly wrote.
	told bool
	// has says that an earlier version of the file was delivered to it.
	has bool
	// ended is when its run ended as far as anybody said; zero while it may be writing.
	ended time.Time
}

// clockOffset is how far the clock of the share may be ahead of the manager's:
// at least lo, at most hi. The zero value knows nothing.
type clockOffset struct {
	lo, hi time.Duration
	known  bool
}

// unknownOffset is how far the clocks may differ while nothing showed it.
const unknownOffset = 2 * time.Minute

// promptMarker is how soon after its prompt was sent a start marker must be seen
// to show it.
const promptMarker = 30 * time.Second

// observe takes a file that was certainly written between two times of the
// manager's clock. One that contradicts what was known widens the bounds: then
// the writers' clocks differ from each other.
func (c clockOffset) observe(modified, after, seen time.Time) clockOffset {
	lo, hi := modified.Sub(seen), modified.Sub(after)
	switch {
	case !c.known:
	case lo > c.hi || hi < c.lo:
		lo, hi = min(lo, c.lo), max(hi, c.hi)
	default:
		lo, hi = max(lo, c.lo), min(hi, c.hi)
	}
	return clockOffset{lo: lo, hi: hi, known: true}
}

// earliest is the earliest time by the manager's clock at which a file with that
// time of its own can have been written; zero when it has none.
func (c clockOffset) earliest(modified time.Time) time.Time {
	switch {
	case modified.IsZero():
		return modified
	case !c.known:
		return modified.Add(-unknownOffset)
	}
	return modified.Add(-c.hi)
}

// attribution is what the evidence says of a file outside the attempts' own
// folders. With neither owner nor wait it is an orphan.
type attribution struct {
	owner owner
	known bool
	// wait says that a writer may still be heard of, so that it is no orphan yet.
	wait bool
	// candidates are the jobs that may have written it.
	candidates []job.ID
}

// attribute decides whose a file is that carries no metadata of ours: the
// attempt's whose history names it, or the only attempt that can have written
// it, when its places say so (or nothing that is sent has a folder of its own:
// untagged). What two may have written and nothing decides is nobody's.
func attribute(s job.Sighting, clock clockOffset, writers []writer, untagged bool) attribution {
	possible := slices.DeleteFunc(slices.Clone(writers), func(w writer) bool { return !w.mayHaveWritten(s, clock, writers) })
	slices.SortFunc(possible, byAssignment)
	var named, rivals []writer
	var out attribution
	for _, w := range possible {
		switch {
		case w.named:
			named = append(named, w)
		case !w.told && !w.silent:
			rivals = append(rivals, w)
		}
		if !slices.Contains(out.candidates, w.job) {
			out.candidates = append(out.candidates, w.job)
		}
		out.wait = out.wait || w.ended.IsZero()
	}
	if len(possible) == 0 { // an end that nobody told may have been too early
		for _, w := range writers {
			if w.placed && !w.told && !w.ended.IsZero() && clock.earliest(s.Modified).After(w.ended) && !slices.Contains(out.candidates, w.job) {
				out.candidates = append(out.candidates, w.job)
			}
		}
		slices.Sort(out.candidates)
	}
	// They were given up, or an earlier version is theirs, and may have written it all the same.
	var late []writer
	for _, w := range writers {
		givenUp := w.givenUp && w.placed && !w.told && clock.earliest(s.Modified).After(w.ended)
		if (givenUp || w.chance(s, clock, writers) == doubtful) && !slices.Contains(out.candidates, w.job) {
			late = append(late, w)
		}
	}
	slices.SortFunc(late, byAssignment)
	for _, w := range late {
		if len(possible) > 0 && !slices.Contains(out.candidates, w.job) {
			out.candidates = append(out.candidates, w.job)
		}
	}
	take := func(w writer, e job.Evidence) attribution {
		w.evidence = e
		return attribution{owner: w.owner, known: true}
	}
	switch n := len(possible); {
	case len(named) > 0 && oneJob(append(slices.Clone(named), rivals...)):
		return take(named[len(named)-1], job.ByHistory)
	case len(named) == 0 && n > 0 && oneJob(append(slices.Clone(possible), late...)):
		w := possible[n-1]
		// A file of no known time can be anybody's.
		if fresh := !s.Modified.IsZero() && !s.Modified.Before(w.assigned); fresh && (w.specific || untagged) {
			return take(w, job.BySingleJob)
		}
	}
	return out
}

// byAssignment orders writers by when they were sent.
func byAssignment(a, b writer) int {
	return cmp.Or(a.assigned.Compare(b.assigned), cmp.Compare(a.job, b.job), cmp.Compare(a.attempt, b.attempt))
}

func oneJob(ws []writer) bool {
	return !slices.ContainsFunc(ws, func(w writer) bool { return w.job != ws[0].job })
}

// latest is the latest such time; zero for a file that has none.
func (c clockOffset) latest(modified time.Time) time.Time {
	switch {
	case modified.IsZero():
		return modified
	case !c.known:
		return modified.Add(unknownOffset)
	}
	return modified.Add(-c.lo)
}

// chance is whether an attempt can have written one version of a file.
type chance int

const (
	cannot chance = iota
	// doubtful: it has an earlier version, or its history names the file, and it had
	// ended, while another that was sent before that may have been writing. Nobody
	// knows which of the two wrote it.
	doubtful
	may
)

// chance excludes an attempt that cannot have written this version of
// the file: it was sent later, or it had ended. What a history names, and what
// was delivered before, may also be written after the end, for as long as no
// other was sent. While the share's clock is not known, a newer version of what
// was delivered is that of the next.
func (w writer) chance(s job.Sighting, clock clockOffset, all []writer) chance {
	written, latest := clock.earliest(s.Modified), clock.latest(s.Modified)
	switch {
	case w.assigned.After(s.At), !latest.IsZero() && latest.Before(w.assigned):
		return cannot
	case w.ended.IsZero():
		return may
	case (!w.has || clock.known) && !written.After(w.ended):
		return may
	case !w.has && !w.named:
		return cannot
	}
	result := may
	for _, x := range all {
		since, over := !x.assigned.Before(w.ended), !x.ended.IsZero() && written.After(x.ended)
		switch {
		case x.assigned.After(s.At):
		case since:
			return cannot
		case x.job != w.job && !over:
			result = doubtful
		}
	}
	return result
}

func (w writer) mayHaveWritten(s job.Sighting, clock clockOffset, all []writer) bool {
	return w.chance(s, clock, all) == may
}
