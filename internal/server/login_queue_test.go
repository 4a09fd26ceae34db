package server

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/crypto/bcrypt"
)

// TestLimitsRow07ManyLoginsStopNobody: while 80 logins from changing addresses
// wait for their turn, those of everybody else are answered at once, with a
// browser that is known and without.
func TestLimitsRow07ManyLoginsStopNobody(t *testing.T) {
	world := newLoginWorld(t)
	hash, err := bcrypt.GenerateFromPassword([]byte(goodSecret), bcrypt.MinCost+6)
	if err != nil {
		t.Fatal(err)
	}
	world.write("user001:" + string(hash) + "\nuser002:" + string(hash) + "\n")
	s := world.server(newFake(), nil)
	login := func(peer, user, password string, headers ...string) *httptest.ResponseRecorder {
		return askFrom(s.Handler(), peer, "POST", "/auth/login", fmt.Sprintf(`{"user":%q,"password":%q}`, user, password), headers...)
	}
	device := ""
	for _, c := range login(afar, "user002", goodSecret).Result().Cookies() {
		if strings.HasSuffix(c.Name, "-device") {
			device = "Cookie: " + c.Name + "=" + c.Value
		}
	}
	var answered atomic.Int64
	var ready, all sync.WaitGroup
	begin, first := make(chan struct{}), make(chan struct{})
	for i := range 80 {
		ready.Add(1)
		all.Go(func() {
			ready.Done()
			<-begin
			login(fmt.Sprintf("[2001:db8:%x:%x::1]:1", i, i), fmt.Sprintf("u%d", i), "bad")
			if answered.Add(1) == 1 {
				close(first)
			}
		})
	}
	ready.Wait()
	close(begin)
	<-first // the others have come by then
	for who, w := range map[string]*httptest.ResponseRecorder{
		"a known browser": login("192.0.2.77:1", "user002", goodSecret, device),
		"a stranger":      login("192.0.2.78:1", "user001", goodSecret),
	} {
		if w.Code != 200 {
			t.Errorf("%s: %d %s", who, w.Code, w.Body)
		}
	}
	if n := answered.Load(); n > 60 {
		t.Errorf("two logins waited for %d others", n)
	}
	all.Wait()
}

func TestLimitsRow07LoginQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newLoginQueue(1)
		var mu sync.Mutex
		var order []string
		come := func(name, address string) {
			go func() {
				err := q.enter(t.Context(), networksOf(netip.MustParseAddr(address)))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					name += " refused"
				}
				order = append(order, name)
			}()
			synctest.Wait()
		}
		come("first", "2001:db8::1")
		for i := range 200 {
			come("flood", fmt.Sprintf("2001:db8:%x:%x::1", i%100, i))
		}
		for i := range waitingOfNetwork {
			come("neighbour", fmt.Sprintf("198.51.100.%d", i))
		}
		come("one more", "198.51.100.99")
		come("victim", "203.0.113.1")
		for range 4 {
			q.leave()
			synctest.Wait()
		}
		if got := strings.Join(order, ", "); got != "first, one more refused, neighbour, victim, flood, neighbour" {
			t.Errorf("served %s", got)
		}
		gone, leave := context.WithCancel(t.Context())
		left := make(chan error)
		go func() { left <- q.enter(gone, networksOf(netip.MustParseAddr("192.0.2.1"))) }()
		synctest.Wait()
		leave()
		if err := <-left; err == nil {
			t.Error("somebody who left has a place")
		}
		// However many networks there are, a new one finds a place and the memory is bounded.
		for i := range 2 * waitingOfAll {
			come("bots", fmt.Sprintf("2001:db8:1:%x::1", i))
		}
		if n := len(q.waiting); n > waitingOfAll {
			t.Errorf("%d wait", n)
		}
		come("late", "100.64.0.1")
		order = nil
		q.leave()
		q.leave()
		synctest.Wait()
		if got := strings.Join(order, ", "); !strings.Contains(got, "late") {
			t.Errorf("served %s", got)
		}
		for range 3 * waitingOfAll {
			q.leave()
			synctest.Wait()
		}
		if len(q.waiting) != 0 || len(q.served) > networksServed+3 {
			t.Errorf("%d wait, %d networks are remembered", len(q.waiting), len(q.served))
		}
	})
}
