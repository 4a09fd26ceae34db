package limit

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// clock is a clock that a test sets.
type clock struct{ now time.Time }

func (c *clock) read() time.Time { return c.now }

func TestRate(t *testing.T) {
	c := &clock{time.Unix(1e9, 0)}
	r := NewRate(RateSpec{Name: "submits", Most: 60, Per: time.Minute, Now: c.read})
	eve := Caller{User: "eve"}
	for n := range 60 {
		if err := r.Take(eve, 1); err != nil {
			t.Fatalf("%d: %v", n, err)
		}
	}
	if wait := wantRefusal(t, r.Take(eve, 5), true, 60).Wait; wait != 5*time.Second {
		t.Errorf("wait %v for 5", wait)
	}
	if got := r.Reached(); !slices.Equal(got, []string{"eve"}) {
		t.Errorf("reached: %v", got)
	}
	for _, free := range []Caller{{User: "bob"}, {User: "root", Operator: true}, {}} {
		if err := r.Take(free, 50); err != nil {
			t.Errorf("%+v: %v", free, err)
		}
	}
	c.now = c.now.Add(5 * time.Second)
	if err := r.Take(eve, 5); err != nil {
		t.Errorf("after the wait that was asked for: %v", err)
	}
	if u := r.Use(); u.Refused != 1 || u.Highest != 1 {
		t.Errorf("%+v", u)
	}
	if wait := wantRefusal(t, r.Take(eve, 1000), true, 60).Wait; wait != time.Minute {
		t.Errorf("wait %v for more than there is", wait)
	}
	c.now = c.now.Add(time.Minute)
	if err := r.Take(eve, 1000); err != nil {
		t.Errorf("more than there is, when all is there: %v", err)
	}
}

func TestRateOff(t *testing.T) {
	r := NewRate(RateSpec{Per: time.Minute})
	if err := r.Take(Caller{User: "eve"}, 1<<40); err != nil || len(r.users) != 0 {
		t.Errorf("%v, %d users", err, len(r.users))
	}
}

// Users who have everything again are forgotten, and the number of accounts is bounded.
func TestRateForgets(t *testing.T) {
	c := &clock{time.Unix(1e9, 0)}
	r := NewRate(RateSpec{Most: 10, Per: time.Minute, Now: c.read})
	for n := range maxUsers + 10 {
		if err := r.Take(Caller{User: fmt.Sprint(n)}, 1); err != nil && n < maxUsers {
			t.Fatal(err)
		}
	}
	if len(r.users) != maxUsers+1 { // and that of all others
		t.Errorf("%d accounts", len(r.users))
	}
	if got := r.Reached(); slices.Contains(got, "") {
		t.Error("the account of the others has a name")
	}
	c.now = c.now.Add(time.Minute)
	if err := r.Take(Caller{User: "new"}, 1); err != nil || len(r.users) != 1 {
		t.Errorf("%v, %d accounts a minute later", err, len(r.users))
	}
}

func TestSet(t *testing.T) {
	var s Set
	p, r := NewPool(PoolSpec{Name: "streams", Size: 4, PerUser: 1}), NewRate(RateSpec{Name: "submits", Most: 1, Per: time.Hour})
	s.Add(p, r)
	mustEnter(t, p, Caller{User: "eve"})
	if got := s.Reached(); len(got) != 0 {
		t.Errorf("before anybody was refused: %v", got)
	}
	if _, err := p.Try(Caller{User: "eve"}); err == nil {
		t.Error("eve has two places of one")
	}
	if err := r.Take(Caller{User: "eve"}, 1); err != nil {
		t.Fatal(err)
	}
	if got := s.Reached(); !slices.Equal(got["eve"], []string{"streams", "submits"}) || len(got) != 1 {
		t.Errorf("%v", got)
	}
	if u := s.Uses(); len(u) != 2 || u[0].Limit != "streams" || u[1].Limit != "submits" || u[0].Taken != 1 {
		t.Errorf("%+v", u)
	}
}
