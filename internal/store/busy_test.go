package store_test

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/job"
)

// TestBusy: everything that may happen at once does, and the ledger stays sound.
func TestBusy(t *testing.T) {
	s := open(t)
	var wg sync.WaitGroup
	done := make(chan struct{})
	beside := func(do func() error) {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := do(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	life := ledgertest.Story{N: 50, User: "ada"}
	beside(func() error { return s.PutOrphan(job.Orphan{ID: "x", State: job.OrphanOpen}) })
	beside(func() error { return s.AddSample(job.Sample{Deployment: "a", Seconds: 1}) })
	beside(func() error {
		_, err := s.Prune(context.Background(), ledgertest.Noon.Add(2*time.Minute), 5)
		return err
	})
	beside(func() error { _, err := s.Jobs(job.Query{Limit: 20}); return err })
	beside(func() error { _, err := s.Backup(io.Discard); return err })
	beside(func() error { _, err := s.Open(); s.Stats(); return err })
	beside(func() error {
		if _, err := s.Job(life.ID()); err != nil && code(err) != "job_not_found" {
			return err
		}
		return nil
	})
	beside(func() error {
		w, err := s.Watch(10)
		if err == nil {
			w.Stop()
		}
		return err
	})
	mixed(t, s, 1, 40)
	close(done)
	wg.Wait()
	sound(t, s)
}
