package store

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// A ledger of before heads knew when a file was stored is whole, and says of
// such a job when it changed last.
func TestHeadsOfEarlierVersions(t *testing.T) {
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	j := job.Job{Spec: job.Spec{ID: "a", User: "ada", Submitted: at}, Updated: at.Add(time.Hour),
		Outputs: []job.Output{{ID: "o", State: job.OutputStored, Size: 5, StoredAt: at.Add(time.Minute)}}}
	h := headOf(j)
	if got := h.newest(); !got.Equal(at.Add(time.Minute)) {
		t.Errorf("stored at %s", got)
	}
	h.Stored = time.Time{}
	old, err := json.Marshal(h)
	if err != nil || !headMatches(old, j, 7) {
		t.Errorf("%v: %s counts as wrong", err, old)
	}
	if got := h.newest(); !got.Equal(j.Updated) {
		t.Errorf("of an earlier version: %s", got)
	}
	h.Bytes++
	if wrong, _ := json.Marshal(h); headMatches(wrong, j, 7) {
		t.Error("a wrong head counts as right")
	}
}
