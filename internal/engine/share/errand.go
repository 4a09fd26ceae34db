package share

import (
	"context"
	"io"
	"sync/atomic"
	"time"
)

// pulse tells whoever waits for an errand that it gets on.
type pulse struct{ beats atomic.Int64 }

func (p *pulse) beat() { p.beats.Add(1) }

// reader beats at each read, so that a long file does not look like a hung one.
func (p *pulse) reader(r io.ReaderAt) io.ReaderAt { return &beating{r, p} }

type beating struct {
	r io.ReaderAt
	p *pulse
}

func (b *beating) ReadAt(buf []byte, off int64) (int, error) {
	b.p.beat()
	return b.r.ReadAt(buf, off)
}

// task names what is done on a disk for somebody who waits.
type task struct {
	name  string
	limit int           // how many of that name may be under way at once; zero means one
	stall time.Duration // without a pulse, until it counts as hung; zero means Options.Stall
}

// done is what an errand came back with.
type done[T any] struct {
	value T
	err   error
}

// errand runs act on a goroutine of its own and waits for it, but not for
// ever: when act has shown no pulse for too long, or for a moment after ctx
// ended, errStalled is returned and act is left behind. While as many as the
// limit are under way, more of that name fail at once, so that a hung mount
// costs a bounded number of goroutines. What comes back after it was left
// behind is handed to late, which may be nil.
func errand[T any](ctx context.Context, s *Share, t task, act func(*pulse) (T, error), late func(T)) (T, error) {
	var none T
	setIfZero(&t.limit, 1)
	setIfZero(&t.stall, s.opt.Stall)
	if !s.begin(t) {
		return none, errBusy(t.name)
	}
	back, left, p := make(chan done[T]), make(chan struct{}), &pulse{}
	go func() {
		v, err := act(p)
		s.end(t)
		select {
		case back <- done[T]{v, err}:
		case <-left:
			if err == nil && late != nil {
				late(v)
			}
		}
	}()
	if r, ok := await(ctx, back, p, t.stall); ok {
		return r.value, r.err
	}
	close(left)
	return none, errStalled(t.name, t.stall)
}

// await is false when it gave up.
func await[T any](ctx context.Context, back <-chan done[T], p *pulse, stall time.Duration) (done[T], bool) {
	tick := time.NewTicker(stall)
	defer tick.Stop()
	last, ended := int64(0), ctx.Done()
	for {
		select {
		case r := <-back:
			return r, true
		case <-ended: // act sees it at its next step
			ended = nil
			tick.Reset(min(stall, time.Second))
		case <-tick.C:
			now := p.beats.Load()
			if now == last || ended == nil && ctx.Err() != nil {
				return done[T]{}, false
			}
			last = now
		}
	}
}

func (s *Share) begin(t task) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[t.name] >= t.limit {
		return false
	}
	s.busy[t.name]++
	return true
}

func (s *Share) end(t task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[t.name]--; s.busy[t.name] == 0 {
		delete(s.busy, t.name)
	}
}
