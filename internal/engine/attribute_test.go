package engine

import (
	"slices"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// TestAttribute: what evidence says of a file outside the attempts' own folders
// that carries no metadata.
func TestAttribute(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)
	w := func(id job.ID, change ...func(*writer)) writer {
		x := writer{owner: owner{job: id, attempt: 1, promptID: "p-" + string(id), assigned: at}}
		for _, c := range change {
			c(&x)
		}
		return x
	}
	named := func(x *writer) { x.named, x.told = true, true }
	told := func(x *writer) { x.told = true }
	specific := func(x *writer) { x.specific = true }
	has := func(x *writer) { x.has = true }
	ended := func(after time.Duration) func(*writer) { return func(x *writer) { x.ended = at.Add(after) } }
	assigned := func(after time.Duration) func(*writer) { return func(x *writer) { x.assigned = at.Add(after) } }
	seen := at.Add(10 * time.Second)
	clock := clockOffset{known: true, lo: -time.Second, hi: time.Second}
	file := job.Sighting{Path: "a.png", At: seen, Modified: seen.Add(-time.Second)}
	older := job.Sighting{Path: "a.png", At: seen, Modified: at.Add(-time.Millisecond)}
	timeless := job.Sighting{Path: "a.png", At: seen}
	tests := []struct {
		name     string
		s        job.Sighting
		writers  []writer
		untagged bool
		want     job.ID // empty for nobody
		by       job.Evidence
		wait     bool
		among    []job.ID
	}{
		{"nobody could have written it", file, nil, false, "", "", false, nil},
		{"a history", file, []writer{w("a", named)}, false, "a", job.ByHistory, false, nil},
		{"a history, of no known time", timeless, []writer{w("a", named)}, false, "a", job.ByHistory, false, nil},
		{"two histories name one path", file, []writer{w("a", named, ended(9*time.Second)), w("b", named, ended(9*time.Second))}, false, "", "", false, []job.ID{"a", "b"}},
		{"a history, and another that may still write there", file, []writer{w("a", named), w("b")}, false, "", "", true, []job.ID{"a", "b"}},
		{"a history, and another whose history does not name it", file, []writer{w("a", named), w("b", told)}, false, "a", job.ByHistory, false, nil},
		{"a history of two attempts of one job", file, []writer{w("a", named, ended(time.Second)), w("a", named, assigned(5*time.Second))}, false, "a", job.ByHistory, false, nil},
		{"written again by the next, which is named", file, []writer{w("a", named, has, ended(2*time.Second)), w("b", named, assigned(3*time.Second))}, false, "b", job.ByHistory, false, nil},
		{"written again by the next, whose place it is", file, []writer{w("a", named, has, ended(2*time.Second)), w("b", specific, assigned(3*time.Second))}, false, "b", job.BySingleJob, false, nil},
		{"written again when nobody was sent since", file, []writer{w("a", named, has, ended(2*time.Second))}, false, "a", job.ByHistory, false, nil},
		{"a history, of a file that was written after its end", file, []writer{w("a", named, ended(2*time.Second))}, false, "a", job.ByHistory, false, nil},
		{"a history, and another was sent before the file was written", file, []writer{w("a", named, ended(2*time.Second)), w("b", assigned(3*time.Second))}, false, "", "", true, []job.ID{"b"}},
		{"written again before the end, and another was sent", file, []writer{w("a", named, has, ended(9500*time.Millisecond)), w("b", specific, assigned(9600*time.Millisecond))}, false, "", "", true, []job.ID{"a", "b"}},
		{"the only one whose place it is", file, []writer{w("a", specific)}, false, "a", job.BySingleJob, false, nil},
		{"the only one, which may write anywhere", file, []writer{w("a")}, false, "", "", true, []job.ID{"a"}},
		{"the only one, and nothing has a folder of its own", file, []writer{w("a")}, true, "a", job.BySingleJob, false, nil},
		{"a file of the time before", older, []writer{w("a", specific)}, false, "", "", true, []job.ID{"a"}},
		{"a file of no known time", timeless, []writer{w("a", specific)}, false, "", "", true, []job.ID{"a"}},
		{"two whose place it is", file, []writer{w("a", specific), w("b", specific)}, true, "", "", true, []job.ID{"a", "b"}},
		{"another that nobody heard of, which ended before it was written", file, []writer{w("a", ended(2*time.Second)), w("b", named, assigned(3*time.Second))}, false, "b", job.ByHistory, false, nil},
		{"another that nobody heard of, which ended as it was written", file, []writer{w("a", ended(8500*time.Millisecond)), w("b", named, assigned(3*time.Second))}, false, "", "", true, []job.ID{"a", "b"}},
		{"written after the end of the one that names it, while another may write", file, []writer{w("a", named, ended(time.Second)), w("b", told)}, false, "", "", true, []job.ID{"a", "b"}},
		{"sent after it was seen", file, []writer{w("a", named, assigned(11*time.Second))}, false, "", "", false, nil},
		{"ended long before the file's time", job.Sighting{Path: "a.png", At: seen.Add(time.Hour), Modified: seen.Add(time.Hour)}, []writer{w("a", specific, ended(time.Second))}, false, "", "", false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // the order of the writers says nothing
				got := attribute(tt.s, clock, tt.writers, tt.untagged)
				if got.known != (tt.want != "") || got.known && (got.owner.job != tt.want || got.owner.evidence != tt.by) {
					t.Errorf("got %q by %q (%v), want %q by %q", got.owner.job, got.owner.evidence, got.known, tt.want, tt.by)
				}
				slices.Sort(got.candidates)
				if !got.known && (got.wait != tt.wait || !slices.Equal(got.candidates, tt.among)) {
					t.Errorf("wait %v, candidates %v; want %v, %v", got.wait, got.candidates, tt.wait, tt.among)
				}
				slices.Reverse(tt.writers)
			}
		})
	}
}

// TestClockOffset: files written in known times bound how far the share's clock
// is ahead, and one that contradicts them widens the bounds.
func TestClockOffset(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const ahead = 40 * time.Second
	var c clockOffset
	if got := c.earliest(at); !got.Equal(at.Add(-unknownOffset)) {
		t.Errorf("nothing known: %v", got)
	}
	for _, wait := range []time.Duration{3 * time.Second, time.Second, 2 * time.Second} {
		c = c.observe(at.Add(ahead+wait), at, at.Add(wait+time.Second))
	}
	if c.lo != ahead-time.Second || c.hi != ahead+time.Second {
		t.Errorf("bounds %v to %v", c.lo, c.hi)
	}
	if got, want := c.earliest(at.Add(ahead)), at.Add(-time.Second); !got.Equal(want) {
		t.Errorf("earliest %v, want %v", got, want)
	}
	c = c.observe(at.Add(time.Second), at, at.Add(2*time.Second))
	if c.lo != -time.Second || c.hi != ahead+time.Second {
		t.Errorf("with a second clock: %v to %v", c.lo, c.hi)
	}
	if !c.earliest(time.Time{}).IsZero() {
		t.Error("a file of no time has one")
	}
}

// TestAttributeWhileTheClockIsUnknown: after a restart the share's clock is not known,
// so that a job that ended some time ago may have written a new version. The one
// that has the version before is a candidate beside it.
func TestAttributeWhileTheClockIsUnknown(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := job.Sighting{Path: "day/anna.jpg", At: at.Add(90 * time.Second), Modified: at.Add(80 * time.Second)}
	first := writer{owner: owner{job: "a", attempt: 1, promptID: "p-a", assigned: at}, specific: true, told: true, ended: at.Add(10 * time.Second)}
	last := writer{owner: owner{job: "b", attempt: 1, promptID: "p-b", assigned: at.Add(60 * time.Second)}, specific: true, told: true, has: true, ended: at.Add(75 * time.Second)}
	got := attribute(s, clockOffset{}, []writer{first, last}, false)
	if slices.Sort(got.candidates); got.known || !slices.Equal(got.candidates, []job.ID{"a", "b"}) {
		t.Errorf("known %v, %q, candidates %v", got.known, got.owner.job, got.candidates)
	}
}
