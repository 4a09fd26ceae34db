package server

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"sync"

	"github.com/comfyume/qmtui/internal/job"
)

// Bounds of a loginQueue. A course of people behind one address logs in at once.
const (
	waitingOfNetwork = 64   // of one network, or of one known user
	waitingOfAll     = 1024 // beyond these, the network with the most loses its last
	networksServed   = 4096 // remembered
)

// loginQueue lets a few passwords be compared at once and serves those who
// wait network by network, so that however many one network sends, or how many
// addresses it has, others wait for one comparison or two. It may be used from
// any goroutine.
type loginQueue struct {
	mu      sync.Mutex
	free    int
	waiting []*loginWaiter
	served  map[string]uint64 // when a network was served last, in turns
	turn    uint64
}

// loginWaiter is one login that waits. Its networks go from wide to narrow.
type loginWaiter struct {
	networks [3]string
	ready    chan error // one value: nil when it is its turn
}

func newLoginQueue(places int) *loginQueue {
	return &loginQueue{free: places, served: map[string]uint64{}}
}

// networksOf are the networks of an address, wide to narrow: what a provider, a
// site and a single line have.
func networksOf(a netip.Addr) [3]string {
	bits := [3]int{12, 16, 24}
	if a.Is6() {
		bits = [3]int{32, 48, 64}
	}
	var out [3]string
	for i, n := range bits {
		p, _ := a.WithZone("").Prefix(n) // of no address it is the zero value
		out[i] = p.String()
	}
	return out
}

// enter waits for a place until ctx ends. After nil, leave must be called.
func (q *loginQueue) enter(ctx context.Context, networks [3]string) error {
	w := &loginWaiter{networks, make(chan error, 1)}
	q.mu.Lock()
	if q.count(networks[2]) >= waitingOfNetwork {
		q.mu.Unlock()
		return loginBusy()
	}
	if q.waiting = append(q.waiting, w); len(q.waiting) > waitingOfAll {
		q.evict()
	}
	q.serve()
	q.mu.Unlock()
	select {
	case err := <-w.ready:
		return err
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waiting, w); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	} else if err := <-w.ready; err == nil { // served at the same moment
		q.free++
		q.serve()
	}
	return ctx.Err()
}

func (q *loginQueue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free++
	q.serve()
}

// serve gives free places to the networks that were served the longest ago,
// wide ones before narrow ones. The lock is held.
func (q *loginQueue) serve() {
	for q.free > 0 && len(q.waiting) > 0 {
		next := slices.MinFunc(q.waiting, func(a, b *loginWaiter) int {
			return cmp.Or(cmp.Compare(q.served[a.networks[0]], q.served[b.networks[0]]), cmp.Compare(q.served[a.networks[1]], q.served[b.networks[1]]),
				cmp.Compare(q.served[a.networks[2]], q.served[b.networks[2]]))
		})
		q.waiting = slices.DeleteFunc(q.waiting, func(w *loginWaiter) bool { return w == next })
		if len(q.served) > networksServed {
			clear(q.served)
		}
		q.turn++
		for _, n := range next.networks {
			q.served[n] = q.turn
		}
		q.free--
		next.ready <- nil
	}
}

// evict sends away the last of the wide network of which the most wait. The
// lock is held.
func (q *loginQueue) evict() {
	crowd := map[string]int{}
	for _, w := range q.waiting {
		crowd[w.networks[0]]++
	}
	last := 0
	for i, w := range q.waiting {
		if crowd[w.networks[0]] >= crowd[q.waiting[last].networks[0]] {
			last = i
		}
	}
	q.waiting[last].ready <- loginBusy()
	q.waiting = slices.Delete(q.waiting, last, last+1)
}

func (q *loginQueue) count(network string) (n int) {
	for _, w := range q.waiting {
		if w.networks[2] == network {
			n++
		}
	}
	return n
}

func loginBusy() error {
	return &job.Error{Code: "login_busy", Class: job.Unavailable, Message: "too many people log in from your network at this moment", RetryAfter: 5, Hint: "try again in some seconds"}
}
