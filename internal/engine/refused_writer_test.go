package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

// TestRow01ARefusedPromptWritesNothing: a prompt that the deployment refused has
// not run, so what the next attempt writes to the same place is that one's. Its
// start marker may run all the same: it is the only output that passed.
func TestRow01ARefusedPromptWritesNothing(t *testing.T) {
	for _, marked := range []bool{true, false} {
		open(t, 1, engine.Policy{}, func(h *house) {
			h.fleet.answers(func(_ context.Context, s job.Submission) job.Fact {
				return answer(s, job.Refused, &job.Error{Code: "worker_refused", Message: "bad value"})
			})
			a, b := h.ask("user001", own("")), h.ask("user002", own(""))
			h.pass(time.Second)
			h.want(a, job.Failed)
			h.want(b, job.Accepted)
			if marked {
				h.hear(a, job.Started, nil)
			}
			h.stands("same.jpg", 10, nil)
			h.ends(b, "same.jpg")
			h.pass(20 * time.Second)
			h.want(b, job.Done)
			h.delivers(map[string]int{"user001": 0, "user002": 1})
			if o := h.orphans(); len(o) != 0 {
				t.Errorf("marked %v: orphans %+v", marked, o)
			}
		})
	}
}
