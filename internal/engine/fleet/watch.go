package fleet

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// watch asks about one attempt at a time, in turn, as long as there are any,
// and nothing when there are none. The requests also keep the deployment from
// scaling down in mid-render (field.md: the platform counts HTTP messages).
func (s *site) watch(ctx context.Context, report func(job.Fact)) {
	for ctx.Err() == nil {
		if !s.inFlight() || s.spec.KeepAlive <= 0 {
			s.rest(ctx)
			continue
		}
		if pause(ctx, s.opts.spread(s.spec.KeepAlive)) {
			s.look(ctx, report)
		}
	}
}

// rest waits until something may have changed.
func (s *site) rest(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.wake:
	}
}

// pause waits for d; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// jitter is d give or take a tenth, so that deployments are not asked in step.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + time.Duration(rand.Int64N(int64(d/5)+1))
}

func (s *site) inFlight() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tracks.any()
}

// look asks about the attempt whose turn it is and, when the deployment has
// just shown that it is awake, now and then about the worker.
func (s *site) look(ctx context.Context, report func(job.Fact)) {
	s.mu.Lock()
	f, ok := s.tracks.turn(s.opts.Now())
	s.mu.Unlock()
	if !ok {
		return
	}
	if s.admission(ctx, f, report) {
		return
	}
	entry, err := s.evidence(ctx, f.PromptID)
	if err != nil {
		s.opts.Logger.Debug("ask for evidence", "job", f.Job, "deployment", s.spec.Name, "prompt", f.PromptID, "error", err)
		return
	}
	s.tell(f, entry, report)
	s.examine(ctx, report)
}

func (s *site) evidence(ctx context.Context, promptID string) (entry *comfy.HistoryEntry, err error) {
	err = s.ask("GET /history", func() error {
		var err error
		entry, err = s.driver.Evidence(ctx, promptID)
		return err
	})
	return entry, err
}

// tell reports what an entry says. Nil, the answer of any other replica, says nothing.
func (s *site) tell(f job.Flight, entry *comfy.HistoryEntry, report func(job.Fact)) {
	if entry == nil {
		return
	}
	now := s.opts.Now()
	for _, fact := range testimony(f, entry, now) {
		report(fact)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tracks.ended[f.PromptID] = now
}
