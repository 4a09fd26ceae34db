package engine

import (
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// TestAttribute: the only job in flight gets a file that nothing names only
// when the file is new, and nobody had it before.
func TestAttribute(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)
	mine := owner{job: "mine", attempt: 1, promptID: "p1", assigned: at}
	theirs := owner{job: "theirs", attempt: 1, promptID: "p2", assigned: at}
	base := testimony{
		prompt: func(id string) (owner, bool) {
			return map[string]owner{"p1": mine, "p2": theirs}[id], id == "p1" || id == "p2"
		},
		history:  func(p job.Path) (owner, bool) { return theirs, p == "told.png" },
		earlier:  func(s job.Sighting) (owner, bool) { return theirs, s.Path == "had.png" },
		orphan:   func(p job.Path) bool { return p == "nobodys.png" },
		flights:  []owner{mine},
		untagged: true,
	}
	busy, tagged := base, base
	busy.flights, tagged.untagged = []owner{mine, theirs}, false
	now := at.Add(time.Second)
	tests := []struct {
		name string
		t    testimony
		s    job.Sighting
		want job.ID // empty for nobody
		by   job.Evidence
	}{
		{"the path", busy, job.Sighting{PromptID: "p2", Path: "qm/p2/9/a.png"}, "theirs", job.ByPrefix},
		{"a strange path", base, job.Sighting{PromptID: "p3", Path: "qm/p3/9/a.png", Modified: now}, "", ""},
		{"the metadata", base, job.Sighting{Path: "a.png", Claim: &job.Claim{Job: "theirs", PromptID: "p2"}}, "theirs", job.ByMetadata},
		{"metadata that contradicts itself", base, job.Sighting{Path: "a.png", Modified: now, Claim: &job.Claim{Job: "theirs", PromptID: "p1"}}, "", ""},
		{"a history", base, job.Sighting{Path: "told.png", Modified: now}, "theirs", job.ByHistory},
		{"the only one in flight", base, job.Sighting{Path: "a.png", Modified: now}, "mine", job.BySingleJob},
		{"a file of the one before", base, job.Sighting{Path: "a.png", Modified: at.Add(-time.Millisecond)}, "", ""},
		{"a file of no known time", base, job.Sighting{Path: "a.png"}, "", ""},
		{"a file that somebody has", base, job.Sighting{Path: "had.png", Modified: now}, "theirs", ""},
		{"a known orphan", base, job.Sighting{Path: "nobodys.png", Modified: now}, "", ""},
		{"two in flight", busy, job.Sighting{Path: "a.png", Modified: now}, "", ""},
		{"all prompts are tagged", tagged, job.Sighting{Path: "a.png", Modified: now}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := tt.t.attribute(tt.s)
			if ok != (tt.want != "") || ok && (got.job != tt.want || got.evidence != tt.by) {
				t.Errorf("got %q by %q (%v), want %q by %q", got.job, got.evidence, ok, tt.want, tt.by)
			}
		})
	}
}
