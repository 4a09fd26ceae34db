package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

// TestAliveIsTheLoop: only the loop's own turn is life. It hangs here in a disk
// that takes a commit and never comes back, and is alive again afterwards.
func TestAliveIsTheLoop(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		alive := func() error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			return h.Alive(ctx)
		}
		if err := alive(); err != nil {
			t.Errorf("a running loop: %v", err)
		}
		hang := make(chan struct{})
		h.ledger.FailWith(func([]job.Fact) error { <-hang; return nil })
		go func() {
			_, _, _ = h.Submit(context.Background(), job.Request{User: "user001", Workflow: []byte("[]"), Priority: job.Normal, Caller: job.Caller{Name: "user001"}})
		}()
		h.pass(time.Second)
		if err := alive(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a loop that hangs: %v", err)
		}
		close(hang)
		h.pass(time.Second)
		h.ledger.FailWith(func([]job.Fact) error {
			return &job.Error{Code: "disk_full", Class: job.Unavailable, Message: "no room"}
		})
		_, _ = h.try("user001", 1, job.Normal)
		if err := alive(); err != nil {
			t.Errorf("a loop whose disk is full is alive: %v", err)
		}
		h.ledger.FailWith(nil)
	})
}
