package limit

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// Pool has places that callers hold for a time. One user may hold PerUser of
// them, and Reserve of them are for operators only.
type Pool struct {
	spec     PoolSpec
	open     *semaphore.Weighted // places that anybody may take
	reserved *semaphore.Weighted

	mu      sync.Mutex
	users   map[string]*share
	taken   int
	queue   queue
	refused refusals
}

// queue counts those who wait for a place, and the places that are given up for them.
type queue struct{ waiting, yielded int }

// PoolSpec is what a pool is made of.
type PoolSpec struct {
	Name    string
	Size    int // places, those of the reserve included
	Reserve int
	PerUser int              // zero: no bound for one user
	Now     func() time.Time // nil is time.Now
}

// share is the places of one user. It is forgotten when the user neither holds
// nor waits for one.
type share struct {
	places *semaphore.Weighted
	held   int
	here   int // held or waited for
	queue  queue
}

// NewPool makes a pool whose places are free.
func NewPool(s PoolSpec) *Pool {
	if s.Now == nil {
		s.Now = time.Now
	}
	return &Pool{spec: s, open: semaphore.NewWeighted(int64(s.Size - s.Reserve)), reserved: semaphore.NewWeighted(int64(s.Reserve)), users: map[string]*share{}}
}

// Try takes a place, or returns a [*Refusal]. The caller calls leave once.
func (p *Pool) Try(c Caller) (leave func(), err error) {
	own := p.shareOf(c)
	if own != nil && !own.places.TryAcquire(1) {
		p.putBack(c, own)
		return nil, p.refuse(c, true)
	}
	from := p.tryAny(c)
	if from == nil {
		p.giveUp(c, own)
		return nil, p.refuse(c, false)
	}
	return p.entered(c, own, from), nil
}

// Enter waits for a place until ctx ends; for one of the own share first, so
// that nobody waits among the others who has used up the own share. The error
// is that of ctx. The caller calls leave once.
func (p *Pool) Enter(ctx context.Context, c Caller) (leave func(), err error) {
	own := p.shareOf(c)
	if own != nil && !own.places.TryAcquire(1) {
		if err := p.wait(ctx, own.places, &own.queue); err != nil {
			p.putBack(c, own)
			return nil, err
		}
	}
	from := p.tryAny(c)
	if from == nil {
		from = p.open
		if c.Operator && p.spec.Reserve > 0 {
			from = p.reserved
		}
		if err := p.wait(ctx, from, &p.queue); err != nil {
			p.giveUp(c, own)
			return nil, err
		}
	}
	return p.entered(c, own, from), nil
}

func (p *Pool) wait(ctx context.Context, on *semaphore.Weighted, q *queue) error {
	p.mu.Lock()
	q.waiting++
	p.mu.Unlock()
	err := on.Acquire(ctx, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	q.waiting--
	if err == nil && q.yielded > 0 {
		q.yielded--
	}
	q.yielded = min(q.yielded, q.waiting)
	return err
}

// tryAny takes a free place, for an operator one of the reserve first; nil
// when there is none.
func (p *Pool) tryAny(c Caller) *semaphore.Weighted {
	switch {
	case c.Operator && p.reserved.TryAcquire(1):
		return p.reserved
	case p.open.TryAcquire(1):
		return p.open
	}
	return nil
}

// Yield reports whether the caller, who holds a place, should leave it because
// somebody waits for it: no more are told so than wait.
func (p *Pool) Yield(c Caller) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := &p.queue
	if own := p.users[c.User]; own != nil && own.queue.waiting > own.queue.yielded && !c.Operator {
		q = &own.queue
	}
	if q.waiting <= q.yielded {
		return false
	}
	q.yielded++
	return true
}

// shareOf is the share of the caller's user; nil for none.
func (p *Pool) shareOf(c Caller) *share {
	if c.Operator || c.User == "" || p.spec.PerUser <= 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	own := p.users[c.User]
	if own == nil {
		own = &share{places: semaphore.NewWeighted(int64(p.spec.PerUser))}
		p.users[c.User] = own
	}
	own.here++
	return own
}

// putBack undoes shareOf.
func (p *Pool) putBack(c Caller, own *share) {
	if own == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if own.here--; own.here == 0 {
		delete(p.users, c.User)
	}
}

// giveUp leaves the own share without having had a place.
func (p *Pool) giveUp(c Caller, own *share) {
	if own != nil {
		own.places.Release(1)
		p.putBack(c, own)
	}
}

func (p *Pool) entered(c Caller, own *share, from *semaphore.Weighted) (leave func()) {
	p.count(own, +1)
	return func() {
		p.count(own, -1)
		from.Release(1)
		p.giveUp(c, own)
	}
}

func (p *Pool) count(own *share, by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken += by
	if own != nil {
		own.held += by
	}
}

func (p *Pool) refuse(c Caller, own bool) *Refusal {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused.add(c.User, p.spec.Now())
	r := &Refusal{Limit: p.spec.Name, Own: own, Of: int64(p.spec.Size - p.spec.Reserve)}
	if own {
		r.Of = int64(p.spec.PerUser)
	} else if c.Operator {
		r.Of = int64(p.spec.Size)
	}
	return r
}

// Use is how far the pool is used.
func (p *Pool) Use() Use {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := Use{Limit: p.spec.Name, Places: p.spec.Size, Taken: p.taken, Refused: p.refused.count}
	for _, own := range p.users {
		u.Highest = max(u.Highest, float64(own.held)/float64(p.spec.PerUser))
	}
	return u
}

// Reached implements [Limit].
func (p *Pool) Reached() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused.forget(p.spec.Now())
	var out []string
	for user, own := range p.users {
		if _, refused := p.refused.last[user]; own.queue.waiting > 0 && !refused {
			out = append(out, user)
		}
	}
	for user := range p.refused.last {
		out = append(out, user)
	}
	return out
}
