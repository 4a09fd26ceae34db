package store

import (
	"sync"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/job"
)

// watchBuffer is how many changes a reader may be behind before it is cut off.
const watchBuffer = 1024

// readers are those who watch. The zero value has none.
type readers struct {
	mu     sync.Mutex
	open   map[chan job.Change]bool
	cutOff uint64 // how many were, ever
}

// publish never waits: a reader whose buffer is full is cut off.
func (r *readers) publish(c job.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for ch := range r.open {
		select {
		case ch <- c:
		default:
			r.cutOff++
			r.end(ch)
		}
	}
}

func (r *readers) add() (<-chan job.Change, func()) {
	ch := make(chan job.Change, watchBuffer)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = map[chan job.Change]bool{}
	}
	r.open[ch] = true
	return ch, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.end(ch)
	}
}

// end closes a channel once; mu is held.
func (r *readers) end(ch chan job.Change) {
	if r.open[ch] {
		delete(r.open, ch)
		close(ch)
	}
}

func (r *readers) dropAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for ch := range r.open {
		r.end(ch)
	}
}

// Watch takes a snapshot of the newest limit jobs and all open ones, and
// subscribes, in one step with respect to Record.
func (s *Store) Watch(limit int) (job.Watch, error) {
	var w job.Watch
	var heads []*head
	err := s.look(
		func() {
			w.Rev, heads = s.rev, s.index.newest(limit)
			w.Changes, w.Stop = s.readers.add()
		},
		func(tx *bolt.Tx) (err error) { w.Jobs, err = s.readJobs(tx, heads); return err })
	if err != nil {
		if w.Stop != nil {
			w.Stop()
		}
		return job.Watch{}, err
	}
	return w, nil
}

// newest lists the newest limit heads and all open ones, newest first.
func (x *index) newest(limit int) []*head {
	var out []*head
	for h := range x.candidates(nil, true) {
		if limit > 0 || !h.Closed {
			out = append(out, h)
		}
		limit--
	}
	return out
}
