package server

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestBackoffDoubles(t *testing.T) {
	now := epoch
	b := newBackoff(func() time.Time { return now })
	a := account{"a", 3, 10 * time.Second}
	for i, want := range []time.Duration{0, 0, 0, 1, 2, 4, 8, 10, 10} {
		wait := b.try(a)
		if wait != want*time.Second {
			t.Fatalf("failure %d: wait %s, want %ss", i+1, wait, want)
		}
		if wait > 0 {
			now = now.Add(wait - time.Millisecond)
			if b.try(a) != time.Millisecond {
				t.Fatalf("failure %d: free too soon", i+1)
			}
			now = now.Add(time.Millisecond)
			if b.try(a) != 0 {
				t.Fatalf("failure %d: not free", i+1)
			}
		}
	}
	if b.try(account{"b", 3, time.Minute}) != 0 {
		t.Error("another key waits")
	}
	now = now.Add(forgetFailure + time.Second)
	for range 3 {
		if b.try(a) != 0 {
			t.Error("old failures count")
		}
	}
}

// Whoever tries much at once is charged before the tries are known to fail.
func TestBackoffChargesFirst(t *testing.T) {
	b := newBackoff(func() time.Time { return epoch })
	passed := 0
	for range 100 {
		if b.try(account{"a", 5, time.Minute}) == 0 {
			passed++
		}
	}
	if passed != 5 {
		t.Errorf("%d tries passed", passed)
	}
}

func TestBackoffForgives(t *testing.T) {
	b := newBackoff(func() time.Time { return epoch })
	own, shared := account{"own", 2, time.Minute}, account{"shared", 3, time.Minute}
	for range 10 {
		if b.try(own, shared) != 0 {
			t.Fatal("a success counts as a failure")
		}
		b.forgive(own, shared)
	}
	b.try(shared)
	b.try(own, shared)
	b.forgive(own, shared)
	for i, free := range []bool{true, true, false} {
		if b.try(shared) == 0 != free {
			t.Errorf("try %d: a success took somebody else's failures from the shared account, or left its own", i+1)
		}
	}
}

func TestBackoffMemoryIsBounded(t *testing.T) {
	now := epoch
	b := newBackoff(func() time.Time { return now })
	for range 4 {
		b.try(account{"the one", 1, time.Minute})
		now = now.Add(2 * time.Minute)
	}
	for i := range 2 * backoffKeys {
		now = now.Add(time.Millisecond)
		if i%1000 == 0 {
			b.try(account{"the one", 1, time.Minute})
		}
		b.try(account{fmt.Sprint(i), 1, time.Minute})
	}
	if len(b.keys) > backoffKeys {
		t.Errorf("%d keys", len(b.keys))
	}
	if b.try(account{"the one", 1, time.Minute}) == 0 {
		t.Error("a flood of others washed a busy key's failures away")
	}
	now = now.Add(2 * forgetFailure)
	for i := range backoffKeys - len(b.keys) + 1 {
		b.try(account{fmt.Sprint("new", i), 1, time.Minute})
	}
	if b.keys["the one"] != nil || len(b.keys) > backoffKeys/5 {
		t.Errorf("%d keys, and old ones are kept", len(b.keys))
	}
}

func TestOrigin(t *testing.T) {
	s := newServer(t, newFake(), func(o *Options) { o.TrustedProxies = append(loopback, netip.MustParsePrefix("10.0.0.0/8")) })
	for _, c := range []struct{ peer, forwarded, want string }{
		{"198.51.100.7:1", "203.0.113.1", "198.51.100.7"},
		{"127.0.0.1:1", "203.0.113.1", "203.0.113.1"},
		{"127.0.0.1:1", "1.1.1.1, 203.0.113.1", "203.0.113.1"},
		{"127.0.0.1:1", "203.0.113.1, 10.0.0.9", "203.0.113.1"},
		{"127.0.0.1:1", "1.1.1.1, nonsense", "127.0.0.1"},
		{"127.0.0.1:1", "", "127.0.0.1"},
		{"[::ffff:10.1.1.1]:1", "2001:db8::1", "2001:db8::1"},
		{"127.0.0.1:1", "::ffff:203.0.113.1", "203.0.113.1"},
	} {
		r := request4(c.peer, c.forwarded)
		if got := s.origin(r).String(); got != c.want {
			t.Errorf("%s for %q: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
	for a, want := range map[string]string{"203.0.113.1": "203.0.113.1", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64"} {
		if got := neighbourhood(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %s", a, got)
		}
	}
	if neighbourhood(netip.Addr{}) == "" {
		t.Error("no address has no key")
	}
}
