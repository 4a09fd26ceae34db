package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

// TestWaitForAMachineInWords follows one job through a cold start.
func TestWaitForAMachineInWords(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.fleet.script = append(h.fleet.script, func(ctx context.Context, s job.Submission) job.Fact {
			<-ctx.Done()
			return answer(s, job.Unanswered, nil)
		})
		h.fleet.cold = job.Range{Count: 9, Low: 180, Mid: 300, High: 420}
		j := h.submit("user001", 1)
		for _, c := range []struct {
			after time.Duration
			usual job.Range
			want  string
		}{
			{100 * time.Second, h.fleet.cold, "waiting for a GPU, 1m40s of about 5m (3m to 7m)"},
			{321 * time.Second, h.fleet.cold, "waiting for a GPU, 7m1s, longer than the usual 3m to 7m"},
			{2 * time.Second, job.Range{Count: 1, Low: 60, Mid: 60, High: 60}, "waiting for a GPU, 7m3s of about 1m"},
			{2 * time.Second, job.Range{}, "waiting for a GPU, 7m5s"},
		} {
			h.fleet.mu.Lock()
			h.fleet.cold = c.usual
			h.fleet.mu.Unlock()
			h.pass(c.after)
			if got := h.Standing(h.now(j)).Phase; got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		}
	})
}
