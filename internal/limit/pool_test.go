package limit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func mustEnter(t *testing.T, p *Pool, c Caller) (leave func()) {
	t.Helper()
	leave, err := p.Try(c)
	if err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	return leave
}

func wantRefusal(t *testing.T, err error, own bool, of int64) *Refusal {
	t.Helper()
	var r *Refusal
	if !errors.As(err, &r) || r.Own != own || r.Of != of {
		t.Fatalf("got %+v, want own %v of %d", err, own, of)
	}
	return r
}

// One user gets no more than the own share, all users not the reserve, and
// operators get the reserve and what is free.
func TestPoolShares(t *testing.T) {
	p := NewPool(PoolSpec{Name: "streams", Size: 6, Reserve: 2, PerUser: 3})
	eve, bob, root := Caller{User: "eve"}, Caller{User: "bob"}, Caller{User: "root", Operator: true}
	var leave []func()
	for range 3 {
		leave = append(leave, mustEnter(t, p, eve))
	}
	_, err := p.Try(eve)
	wantRefusal(t, err, true, 3)
	leave = append(leave, mustEnter(t, p, bob))
	_, err = p.Try(bob)
	wantRefusal(t, err, false, 4)
	if got := p.Reached(); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"bob", "eve"}) {
		t.Errorf("reached: %v", got)
	}
	leave = append(leave, mustEnter(t, p, root), mustEnter(t, p, root))
	_, err = p.Try(root)
	wantRefusal(t, err, false, 6)
	leave[0]()
	leave[0] = mustEnter(t, p, root)
	if u := p.Use(); u.Taken != 6 || u.Places != 6 || u.Refused != 3 || u.Highest < 0.6 || u.Highest > 0.7 {
		t.Errorf("%+v", u)
	}
	for _, l := range leave {
		l()
	}
	if u := p.Use(); u.Taken != 0 || u.Highest != 0 || len(p.users) != 0 {
		t.Errorf("after all have left: %+v, %d users are kept", u, len(p.users))
	}
}

func TestPoolWithoutShares(t *testing.T) {
	p := NewPool(PoolSpec{Size: 3, Reserve: 1})
	for range 2 {
		mustEnter(t, p, Caller{User: "eve"})
	}
	_, err := p.Try(Caller{})
	wantRefusal(t, err, false, 2)
	mustEnter(t, p, Caller{Operator: true})
}

// Who has used up the own share waits for that, and not among the others.
func TestPoolWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(PoolSpec{Size: 4, Reserve: 1, PerUser: 2})
		eve, bob := Caller{User: "eve"}, Caller{User: "bob"}
		first, second := mustEnter(t, p, eve), mustEnter(t, p, eve)
		came := make(chan func(), 2)
		for range 2 {
			go func() {
				leave, err := p.Enter(t.Context(), eve)
				if err != nil {
					t.Error(err)
				}
				came <- leave
			}()
		}
		synctest.Wait()
		if len(came) != 0 {
			t.Fatal("eve does not wait for her own share")
		}
		if got := p.Reached(); !slices.Equal(got, []string{"eve"}) {
			t.Errorf("reached: %v", got)
		}
		if p.Yield(bob) || !p.Yield(eve) || !p.Yield(eve) || p.Yield(eve) {
			t.Error("two of eve's should leave their places for two more of hers, and nobody else")
		}
		leave, err := p.Enter(t.Context(), bob)
		if err != nil {
			t.Fatal(err)
		}
		first()
		third := <-came
		synctest.Wait()
		if len(came) != 0 {
			t.Fatal("eve has three places")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.Enter(ctx, bob); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("bob got the reserve: %v", err)
		}
		if out, err := p.Enter(t.Context(), Caller{Operator: true}); err != nil {
			t.Error(err)
		} else {
			out()
		}
		second()
		(<-came)()
		third()
		leave()
		if p.Yield(eve) || p.Use().Taken != 0 || len(p.users) != 0 {
			t.Errorf("%+v, %d users", p.Use(), len(p.users))
		}
	})
}

func TestRefusalsAreBounded(t *testing.T) {
	now := time.Unix(0, 0)
	p := NewPool(PoolSpec{Size: 1, PerUser: 1, Now: func() time.Time { return now }})
	mustEnter(t, p, Caller{User: "first"})
	for n := range maxUsers + 10 {
		if _, err := p.Try(Caller{User: fmt.Sprint(n)}); err == nil {
			t.Fatal("two in one place")
		}
	}
	if n := len(p.refused.last); n != maxUsers || len(p.users) != 1 {
		t.Errorf("%d refusals and %d users are kept", n, len(p.users))
	}
	now = now.Add(recent)
	if got := p.Reached(); len(got) != 0 {
		t.Errorf("a minute later: %v", got)
	}
}

func TestPace(t *testing.T) {
	p := Pace{Least: 16 << 10, Window: 10 * time.Second, Grace: time.Minute}
	for _, c := range []struct {
		age          time.Duration
		recent       int64
		should, must bool
	}{
		{9 * time.Second, 0, false, false}, {10 * time.Second, 0, true, false}, {10 * time.Second, 160 << 10, false, false},
		{59 * time.Second, 160<<10 - 1, true, false}, {time.Minute, 160<<10 - 1, true, true}, {time.Hour, 160 << 10, false, false},
	} {
		if should, must := p.TooSlow(c.age, c.recent); should != c.should || must != c.must {
			t.Errorf("%+v: %v %v", c, should, must)
		}
	}
	var m Meter
	for n := range int64(30) {
		if got, want := m.Tick(n*n, 10*time.Second), n*n-max(0, n-10)*max(0, n-10); got != want {
			t.Errorf("second %d: %d came within the window, want %d", n, got, want)
		}
	}
}
