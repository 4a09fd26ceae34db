package fleet

import (
	"slices"
	"testing"
	"time"
)

func lease(id string, from, to float64) Lease {
	return Lease{Replica: id, From: minutes(from), Seen: minutes(to)}
}

func TestSpend(t *testing.T) {
	for name, c := range map[string]struct {
		leases []Lease
		want   []Spent
	}{
		"nothing":              {nil, nil},
		"a begun step":         {[]Lease{lease("a", 0, 1)}, []Spent{{"2026-11-23", 10 * time.Minute, time.Minute, 1}}},
		"just seen":            {[]Lease{lease("a", 0, 0)}, []Spent{{"2026-11-23", 10 * time.Minute, 0, 1}}},
		"exactly two":          {[]Lease{lease("a", 0, 20)}, []Spent{{"2026-11-23", 20 * time.Minute, 20 * time.Minute, 2}}},
		"a minute more":        {[]Lease{lease("a", 0, 21)}, []Spent{{"2026-11-23", 30 * time.Minute, 21 * time.Minute, 3}}},
		"each for itself":      {[]Lease{lease("a", 0, 5), lease("b", 5, 10)}, []Spent{{"2026-11-23", 20 * time.Minute, 10 * time.Minute, 2}}},
		"over midnight in UTC": {[]Lease{lease("a", 715, 735)}, []Spent{{"2026-11-23", 10 * time.Minute, 10 * time.Minute, 1}, {"2026-11-24", 10 * time.Minute, 10 * time.Minute, 1}}},
	} {
		if got := Spend(c.leases, 6, BillingStep, time.UTC); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestLeasesFromLooks(t *testing.T) {
	first := seen(10, "healthy", "a")
	first.replicas[0].Started = minutes(4)
	got := leased(nil, first)
	got = leased(got, seen(15, "healthy", "a", "b"))
	got = leased(got, seen(20, "healthy", "b"))
	got = leased(got, seen(25, "healthy", "b", "a")) // the id came back: another life
	want := []Lease{{"a", minutes(4), minutes(15).Add(time.Second), true}, {"b", minutes(15).Add(time.Second), minutes(25).Add(time.Second), false},
		{"a", minutes(25).Add(time.Second), minutes(25).Add(time.Second), false}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if got = leased(got, seen(60*24*9, "healthy")); len(got) != 0 {
		t.Errorf("after nine days: %+v", got)
	}
	future := seen(0, "healthy", "x")
	future.replicas[0].Started = minutes(99) // another clock
	if got := leased(nil, future); !got[0].From.Equal(future.at) {
		t.Errorf("began %v", got[0].From)
	}
}

func TestBudget(t *testing.T) {
	for _, c := range []struct {
		b           Budget
		spent, next float64
		pause, warn bool
	}{
		{Budget{}, 1e6, 1, false, false},
		{Budget{Cap: 10}, 5, 1, false, false},
		{Budget{Cap: 10}, 8, 1, false, true},
		{Budget{Cap: 10}, 9, 1, false, true},
		{Budget{Cap: 10}, 9.5, 1, true, true},
		{Budget{Cap: 10, Warn: 0.5}, 5, 1, false, true},
		{Budget{Cap: 10}, 11, 0, true, true},
	} {
		got := c.b.Judge(c.spent, c.next)
		if got.Pause != c.pause || got.Warn != c.warn || (got.Reason != "") != c.warn {
			t.Errorf("%+v at %v: %+v", c.b, c.spent, got)
		}
	}
}
