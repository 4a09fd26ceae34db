package sshd

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// The bounds on those who fail to come in.
const (
	failuresAllowed = 10          // of one address within the time
	failuresWithin  = time.Minute // and so long it then waits
	maxRemembered   = 4096        // addresses
)

// guard counts who failed to come in, by address. It may be used from any
// goroutine.
type guard struct {
	now func() time.Time

	mu  sync.Mutex
	bad map[netip.Prefix]*failures
}

type failures struct {
	count int
	since time.Time
}

func newGuard(now func() time.Time) *guard {
	return &guard{now: now, bad: map[netip.Prefix]*failures{}}
}

// blocked reports whether that address must wait.
func (g *guard) blocked(a netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.bad[neighbours(a)]
	return f != nil && f.count >= failuresAllowed && g.now().Sub(f.since) < failuresWithin
}

// failed counts a failure.
func (g *guard) failed(a netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, who := g.now(), neighbours(a)
	f := g.bad[who]
	if f == nil || now.Sub(f.since) >= failuresWithin {
		g.makeRoom(now)
		f = &failures{}
		g.bad[who] = f
	}
	f.count++
	f.since = now
}

// makeRoom forgets who has waited long enough, and everybody when that is not
// enough: so many addresses at once are not stopped by counting.
func (g *guard) makeRoom(now time.Time) {
	if len(g.bad) < maxRemembered {
		return
	}
	for who, f := range g.bad {
		if now.Sub(f.since) >= failuresWithin {
			delete(g.bad, who)
		}
	}
	if len(g.bad) >= maxRemembered {
		clear(g.bad)
	}
}

// neighbours are the addresses that one caller has: with IPv6 a whole network.
func neighbours(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

// addrOf is the address without its port, IPv4 in its own form.
func addrOf(a net.Addr) netip.Addr {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}
