package engine_test

import (
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

// TestHalfAFileIsNoOrphanForLong: without a prefix, a file is nobody's until
// the metadata at its end can be read; then it is delivered and off the list.
func TestHalfAFileIsNoOrphanForLong(t *testing.T) {
	open(t, 2, engine.Policy{Untagged: true}, func(h *house) {
		mine, other := h.submit("user001", 1), h.submit("user002", 1)
		see := func(m job.Mark, claim *job.Claim) {
			h.share.report(job.Sighting{Path: "a_00001_.png", Size: 10, Mark: m, At: time.Now(), Modified: time.Now(), Claim: claim})
			h.pass(time.Second)
		}
		see(job.MarkSeen, nil)
		if list, err := h.Orphans(job.OrphanOpen); err != nil || len(list) != 1 {
			t.Fatalf("with two in flight the orphans are %+v (%v)", list, err)
		}
		see(job.MarkWhole, &job.Claim{Job: mine.ID, PromptID: h.prompt(mine), Attempt: 1})
		if list, err := h.Orphans(job.OrphanOpen); err != nil || len(list) != 0 || h.Status().Orphans != 0 {
			t.Errorf("the orphans are %+v (%v), %d told", list, err, h.Status().Orphans)
		}
		if got := h.share.delivered("user001"); len(got) != 1 || len(h.share.delivered("user002")) != 0 {
			t.Errorf("user001 has %v, user002 %v", got, h.share.delivered("user002"))
		}
		h.want(mine, job.Done)
		h.want(other, job.Accepted)
	})
}
