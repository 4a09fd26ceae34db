package ui

import (
	"context"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// The rhythm of the feed.
const (
	feedEvery  = 100 * time.Millisecond // at most ten redraws a second
	retryFirst = 500 * time.Millisecond
	retryMost  = 5 * time.Second
)

// news is what came in since the last redraw: the latest of each job, so that
// a thousand changes a second stay as many as there are jobs.
type news struct {
	hello     *api.Hello
	snapshot  *api.Snapshot
	changes   map[job.ID]api.Job
	standings map[job.ID]api.Standing
}

// Messages of the feed.
type (
	newsMsg struct{ news }
	// lostMsg says that the stream ended; every end means a fresh snapshot.
	lostMsg struct{ err error }
	// reconnectMsg says that it is time to try again.
	reconnectMsg struct{}
)

// feed reads the manager's event stream. Its two commands run at once: one
// reads until the stream breaks, one hands over what has come together.
type feed struct {
	ctx     context.Context
	manager Manager
	limit   int
	every   time.Duration

	mu      sync.Mutex
	pending news
	came    chan struct{} // holds one token while something is pending
	failed  int           // connections in a row that brought nothing
}

func newFeed(ctx context.Context, m Manager, limit int) *feed {
	return &feed{ctx: ctx, manager: m, limit: limit, every: feedEvery, came: make(chan struct{}, 1)}
}

// read connects and reads until the stream breaks.
func (f *feed) read() tea.Msg {
	s, err := f.manager.Watch(f.ctx, f.limit)
	if err != nil {
		return lostMsg{err}
	}
	defer s.Close()
	for {
		e, err := s.Next()
		if err != nil {
			return lostMsg{err}
		}
		f.take(e)
	}
}

// take adds an event to what is pending.
func (f *feed) take(e api.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := &f.pending
	switch e.Kind {
	case api.EventHello:
		p.hello = e.Hello
	case api.EventSnapshot:
		*p = news{hello: p.hello, snapshot: e.Snapshot}
	case api.EventChange:
		if p.changes == nil {
			p.changes = map[job.ID]api.Job{}
		}
		p.changes[e.Change.Job.ID] = e.Change.Job
		delete(p.standings, e.Change.Job.ID)
	case api.EventStandings:
		if p.standings == nil {
			p.standings = map[job.ID]api.Standing{}
		}
		for _, s := range e.Standings.Jobs {
			p.standings[s.ID] = s
		}
	}
	select {
	case f.came <- struct{}{}:
	default:
	}
}

// collect waits for something to come, lets more come together, and hands it
// over. It returns nil when the panel ends.
func (f *feed) collect() tea.Msg {
	select {
	case <-f.ctx.Done():
		return nil
	case <-f.came:
	}
	select {
	case <-f.ctx.Done():
		return nil
	case <-time.After(f.every):
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := newsMsg{f.pending}
	f.pending = news{}
	select {
	case <-f.came:
	default:
	}
	return out
}

// pause is how long to wait before the next try: doubled each time, bounded.
func (f *feed) pause() time.Duration {
	d := min(retryFirst<<min(f.failed, 8), retryMost)
	f.failed++
	return d
}
