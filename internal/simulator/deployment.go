package simulator

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// deployment is a balancer and the replicas behind it. While it is awake,
// one goroutine (life) owns births and scale-down.
type deployment struct {
	fleet *Fleet
	spec  Deployment

	mu     sync.Mutex
	live   []*replica
	awake  bool          // life runs
	ready  chan struct{} // closed while live is not empty
	open   int           // HTTP messages in flight
	last   time.Time     // when the last message came or was answered
	births []time.Time   // replicas on their way
	named  int
	posts  int     // prompts that came
	least  int     // replicas that stay whatever happens: the platform's min_replica_count
	leases []Lease // one for each replica there ever was
	dice   *rand.Rand
	stir   chan struct{} // wakes life after a death; capacity 1
}

func newDeployment(f *Fleet, spec Deployment, i uint64) *deployment {
	return &deployment{fleet: f, spec: spec, ready: make(chan struct{}), stir: make(chan struct{}, 1),
		dice: rand.New(rand.NewPCG(f.cfg.Seed, i+1))}
}

// message counts an HTTP message in (+1) or out (-1). Messages are all that
// the platform's scale-down looks at.
func (d *deployment) message(delta int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open += delta
	d.last = time.Now()
	d.outgrow()
}

var (
	errStopped = errors.New("the fleet is stopping")
	errNobody  = errors.New("no replica to answer")
)

// wake starts a cold start when the deployment is at zero.
func (d *deployment) wake(ctx context.Context) error {
	d.mu.Lock()
	asleep := !d.awake
	d.awake = true
	d.mu.Unlock()
	if asleep && !d.fleet.start(ctx, d.life) {
		d.mu.Lock()
		d.awake = false
		d.mu.Unlock()
		return errStopped
	}
	return nil
}

// reach holds the request until a replica is up, then picks one.
func (d *deployment) reach(ctx context.Context, choose choice) (*replica, error) {
	for {
		if err := d.wake(ctx); err != nil {
			return nil, err
		}
		d.mu.Lock()
		ready := d.ready
		if len(d.live) > 0 {
			r := choose(d.live, d.dice)
			d.mu.Unlock()
			if r == nil {
				return nil, errNobody
			}
			return r, nil
		}
		d.mu.Unlock()
		select {
		case <-ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-d.fleet.stopped:
			return nil, errStopped
		}
	}
}

// life is one waking period: cold start, replicas, deaths and their
// replacements, until nobody has sent a message for ScaleDown.
func (d *deployment) life(ctx context.Context) {
	wave, cancel := context.WithCancel(ctx)
	defer cancel()
	d.expect(time.Now())
	for {
		next, done := d.tick(wave)
		if done {
			return
		}
		t := time.NewTimer(time.Until(next))
		select {
		case <-t.C:
		case <-d.stir:
		case <-ctx.Done():
			t.Stop()
			d.sleepNow()
			return
		}
		t.Stop()
	}
}

// expect plans the first births after a cold start begins.
func (d *deployment) expect(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.births = d.births[:0]
	for i := range d.atFirst() {
		wait := d.spec.ColdStart + time.Duration(i)*d.spec.ColdStart/4
		d.births = append(d.births, now.Add(d.fleet.scaled(wait)))
	}
}

// tick brings up what is due and says when to look again; done when the
// deployment has been scaled to zero.
func (d *deployment) tick(wave context.Context) (next time.Time, done bool) {
	now := time.Now()
	for r := d.due(now); r != nil; r = d.due(now) {
		d.birth(wave, r)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	next = now.Add(time.Hour)
	for _, b := range d.births {
		next = earlier(next, b)
	}
	if d.spec.ScaleDown == 0 {
		return next, false
	}
	patience := d.fleet.scaled(d.spec.ScaleDown)
	switch {
	case d.open > 0:
		return earlier(next, now.Add(patience)), false
	case now.Sub(d.last) < patience:
	case d.least > 0:
		d.trim()
		return earlier(next, now.Add(patience)), false
	default:
		d.zero()
		return next, true
	}
	return earlier(next, d.last.Add(patience)), false
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// due takes the next replica that should be up by now; nil for none.
func (d *deployment) due(now time.Time) *replica {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, b := range d.births {
		if !b.After(now) {
			d.births = append(d.births[:i], d.births[i+1:]...)
			d.named++
			r := newReplica(d, fmt.Sprintf("%s-%d", d.spec.Name, d.named))
			d.leases = append(d.leases, Lease{Deployment: d.spec.Name, Replica: r.name, From: time.Now()})
			return r
		}
	}
	return nil
}

func (d *deployment) birth(wave context.Context, r *replica) {
	started := d.fleet.start(wave, func(context.Context) { r.work(wave) })
	d.mu.Lock()
	defer d.mu.Unlock()
	if !started {
		d.ended(r.name)
		return
	}
	if d.live = append(d.live, r); len(d.live) == 1 {
		close(d.ready)
	}
}

// zero takes all replicas away; life's deferred cancel stops their renders.
// The caller holds mu.
func (d *deployment) zero() {
	if len(d.live) > 0 {
		d.ready = make(chan struct{})
	}
	d.live, d.births, d.awake = nil, nil, false
}

func (d *deployment) sleepNow() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.zero()
}

// bury removes a dead replica and orders another, which takes a cold start.
func (d *deployment) bury(dead *replica) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended(dead.name)
	for i, r := range d.live {
		if r != dead {
			continue
		}
		d.live = append(d.live[:i:i], d.live[i+1:]...)
		d.births = append(d.births, time.Now().Add(d.fleet.scaled(d.spec.ColdStart)))
		if len(d.live) == 0 {
			d.ready = make(chan struct{})
		}
	}
	d.nudge()
}

// nudge has life look again; it never blocks.
func (d *deployment) nudge() {
	select {
	case d.stir <- struct{}{}:
	default:
	}
}

// other is a live replica that is not r; r itself when it is alone.
func (d *deployment) other(r *replica) *replica {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range d.live {
		if o != r {
			return o
		}
	}
	return r
}

func (d *deployment) allowed(r *http.Request) bool {
	return d.spec.Key == "" || r.Header.Get("Authorization") == "Bearer "+d.spec.Key
}
