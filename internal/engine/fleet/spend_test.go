package fleet

import (
	"slices"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

func lease(id string, from, to float64) Lease {
	return Lease{Replica: id, From: minutes(from), Seen: minutes(to)}
}

// on is a day on which so many minutes were billed and lived.
func on(day string, billed, lived, amount float64) job.Spent {
	return job.Spent{Day: day, Billed: billed * 60, Lived: lived * 60, Amount: amount, Evidence: job.ByPlatform}
}

func TestSpend(t *testing.T) {
	for name, c := range map[string]struct {
		leases []Lease
		want   []job.Spent
	}{
		"nothing":              {nil, nil},
		"a begun step":         {[]Lease{lease("a", 0, 1)}, []job.Spent{on("2026-11-23", 10, 1, 1)}},
		"just seen":            {[]Lease{lease("a", 0, 0)}, []job.Spent{on("2026-11-23", 10, 0, 1)}},
		"exactly two":          {[]Lease{lease("a", 0, 20)}, []job.Spent{on("2026-11-23", 20, 20, 2)}},
		"a minute more":        {[]Lease{lease("a", 0, 21)}, []job.Spent{on("2026-11-23", 30, 21, 3)}},
		"each for itself":      {[]Lease{lease("a", 0, 5), lease("b", 5, 10)}, []job.Spent{on("2026-11-23", 20, 10, 2)}},
		"over midnight in UTC": {[]Lease{lease("a", 715, 735)}, []job.Spent{on("2026-11-23", 10, 10, 1), on("2026-11-24", 10, 10, 1)}},
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
	want := []Lease{{"a", minutes(4), minutes(15).Add(time.Second), true, false}, {"b", minutes(15).Add(time.Second), minutes(25).Add(time.Second), false, false},
		{"a", minutes(25).Add(time.Second), minutes(25).Add(time.Second), false, false}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if got = leased(got, seen(60*24*33, "healthy")); len(got) != 0 {
		t.Errorf("after 33 days: %+v", got)
	}
	future := seen(0, "healthy", "x")
	future.replicas[0].Started = minutes(99) // another clock
	if got := leased(nil, future); !got[0].From.Equal(future.at) {
		t.Errorf("began %v", got[0].From)
	}
}

// TestGuessedLeases: where nobody lists replicas, what answers is one.
func TestGuessedLeases(t *testing.T) {
	idle := 5 * time.Minute
	got := guessed(nil, time.Time{}, minutes(0), idle)
	got = guessed(got, minutes(1), minutes(2), idle)
	got = guessed(got, minutes(1), minutes(4), idle)
	got = guessed(got, time.Time{}, minutes(9), idle) // asleep
	got = guessed(got, minutes(20), minutes(21), idle)
	got = guessed(got, minutes(40), minutes(41), idle) // it slept while nobody looked
	want := []Lease{{"guessed", minutes(1), minutes(4), true, true}, {"guessed", minutes(20), minutes(21), true, true}, {"guessed", minutes(40), minutes(41), false, true}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if d := Spend(got, 6, BillingStep, time.UTC); len(d) != 1 || d[0].Billed != 1800 || d[0].Evidence != job.ByTime {
		t.Errorf("%+v", d)
	}
}

// TestGuessesGiveWayToTheList: the control API was away and is back.
func TestGuessesGiveWayToTheList(t *testing.T) {
	listed := []Lease{lease("a", 0, 10)}
	during := guessed(listed, minutes(0), minutes(12), 5*time.Minute)
	if want := (Lease{"guessed", minutes(10), minutes(12), false, true}); during[1] != want {
		t.Errorf("paid for twice: %+v", during)
	}
	back := seen(15, "healthy", "a")
	back.replicas[0].Started = minutes(0)
	if got := leased(during, back); len(got) != 1 || got[0].Replica != "a" || !got[0].Seen.Equal(back.at) {
		t.Errorf("still up: %+v", got)
	}
	if got := leased(during, seen(15, "healthy")); len(got) != 2 || !got[1].Over || !got[0].Over {
		t.Errorf("gone meanwhile: %+v", got)
	}
}
