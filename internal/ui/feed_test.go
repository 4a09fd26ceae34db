package ui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/api"
)

// scripted is a stream whose events a test sends.
type scripted struct {
	*fakeManager
	ctx    context.Context
	events chan api.Event
	err    error // what Watch fails with
	opened int
	closed int
}

func (s *scripted) Watch(ctx context.Context, _ int) (Stream, error) {
	s.opened++
	if s.err != nil {
		return nil, s.err
	}
	return s, nil
}

func (s *scripted) Next() (api.Event, error) {
	select {
	case <-s.ctx.Done():
		return api.Event{}, s.ctx.Err()
	case e, ok := <-s.events:
		if !ok {
			return api.Event{}, io.ErrUnexpectedEOF
		}
		return e, nil
	}
}

func (s *scripted) Close() error { s.closed++; return nil }

func change(n int, phase string) api.Event {
	return api.Event{Kind: api.EventChange, Change: &api.Change{Job: api.Job{ID: jobID(n), Phase: phase}}}
}

// However many events come, they are handed over ten times a second, the
// latest of each job.
func TestFeedBringsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{ctx: t.Context(), events: make(chan api.Event)}
		f := newFeed(t.Context(), s, 10)
		lost := make(chan any, 1)
		go func() { lost <- f.read() }()
		go func() {
			s.events <- api.Event{Kind: api.EventHello, Hello: &api.Hello{Version: "v"}}
			s.events <- change(9, "before the snapshot")
			s.events <- api.Event{Kind: api.EventSnapshot, Snapshot: &api.Snapshot{Rev: 3}}
			for i := range 5000 {
				s.events <- change(i%50, fmt.Sprint(i))
			}
			close(s.events)
		}()
		from := time.Now()
		got := f.collect().(newsMsg)
		if took := time.Since(from); took != feedEvery {
			t.Errorf("handed over after %s", took)
		}
		if got.hello == nil || got.snapshot == nil || len(got.changes) != 50 || got.changes[jobID(49)].Phase != "4999" {
			t.Errorf("%d changes, %+v", len(got.changes), got.changes[jobID(49)])
		}
		if msg, ok := (<-lost).(lostMsg); !ok || !errors.Is(msg.err, io.ErrUnexpectedEOF) || s.closed != 1 {
			t.Errorf("the end came as %v, %d streams were closed", msg, s.closed)
		}
	})
}

// A snapshot makes what came before it worthless, but what comes after counts.
func TestFeedKeepsTheOrder(t *testing.T) {
	f := newFeed(t.Context(), &fakeManager{}, 10)
	f.take(change(1, "old"))
	f.take(api.Event{Kind: api.EventSnapshot, Snapshot: &api.Snapshot{}})
	f.take(api.Event{Kind: api.EventStandings, Standings: &api.Standings{Jobs: []api.Standing{{ID: jobID(2), Phase: "standing"}}}})
	f.take(change(2, "changed"))
	if p := f.pending; len(p.changes) != 1 || p.changes[jobID(2)].Phase != "changed" || len(p.standings) != 0 {
		t.Errorf("%+v", p)
	}
}

func TestFeedEndsWithThePanel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		f := newFeed(ctx, &fakeManager{}, 10)
		done := make(chan any, 1)
		go func() { done <- f.collect() }()
		synctest.Wait()
		stop()
		if msg := <-done; msg != nil {
			t.Errorf("got %v", msg)
		}
	})
}

// The pause between tries grows and stays bounded; a snapshot makes it short again.
func TestReconnectPause(t *testing.T) {
	f := newFeed(t.Context(), &fakeManager{}, 10)
	var all []time.Duration
	for range 6 {
		all = append(all, f.pause())
	}
	if want := "[500ms 1s 2s 4s 5s 5s]"; fmt.Sprint(all) != want {
		t.Errorf("%v, want %s", all, want)
	}
	x := newHarness(t, &fakeManager{}, 80, 24, Options{})
	x.m.feed.failed = 6
	x.snapshot()
	if d := x.m.feed.pause(); d != retryFirst {
		t.Errorf("after a snapshot the pause is %s", d)
	}
}
