package engine_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

func TestCancelQueued(t *testing.T) {
	open(t, 1, engine.Policy{MaxRunning: 1}, func(h *house) {
		h.submit("user001", 1)
		j := h.submit("user001", 1)
		if e := h.act(j, job.DoCancel); e != nil {
			t.Fatal(e)
		}
		h.want(j, job.Cancelled)
		if len(h.fleet.interrupted) != 0 {
			t.Error("a queued job was interrupted")
		}
		if e := h.act(j, job.DoCancel); e == nil || e.Class != job.Conflict {
			t.Errorf("a second cancel: %v", e)
		}
	})
}

func TestCancelRunningKeepsLateFilesAside(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		p := h.prompt(j)
		h.see(p, job.MarkStarted, "s.png")
		if e := h.act(j, job.DoCancel); e != nil {
			t.Fatal(e)
		}
		h.pass(10 * time.Second)
		j = h.want(j, job.Cancelled)
		if !slices.Equal(h.fleet.interrupted, []string{p}) {
			t.Errorf("interrupted %q", h.fleet.interrupted)
		}
		h.see(p, job.MarkWhole, "out_00001_.png")
		h.pass(time.Second)
		if got := h.share.delivered("user001"); !slices.Equal(got, []string{"cancelled/out_00001_.png"}) {
			t.Errorf("delivered %q", got)
		}
		if j = h.now(j); !j.Outputs[0].Aside || len(j.Warnings) == 0 {
			t.Errorf("it is not said: %+v %+v", j.Outputs, j.Warnings)
		}
	})
}

func TestCancelCutsThePostShort(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.fleet.answers(func(ctx context.Context, s job.Submission) job.Fact {
			<-ctx.Done() // a cold start that nobody waits for any more
			return answer(s, job.Unanswered, &job.Error{Code: "no_answer", Message: "cut short"})
		})
		j := h.submit("user001", 1)
		h.pass(time.Minute)
		h.want(j, job.Submitting)
		h.act(j, job.DoCancel)
		h.pass(10 * time.Second)
		h.want(j, job.Cancelled)
		if len(h.fleet.interrupted) != 1 {
			t.Error("the prompt may have got through, and nobody interrupted it")
		}
	})
}
