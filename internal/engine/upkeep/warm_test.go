package upkeep

import (
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/calendar"
	"github.com/comfyume/qmtui/internal/job"
)

func warming(t *testing.T, c calendar.Calendar, limit float64, texts ...string) Warm {
	t.Helper()
	w := Warm{For: 15 * time.Minute, Max: limit}
	for _, text := range texts {
		at, err := c.Time(text)
		if err != nil {
			t.Fatal(err)
		}
		w.At = append(w.At, at)
	}
	return w
}

func TestCostOfAWarmup(t *testing.T) {
	for _, c := range []struct {
		lasts time.Duration
		want  float64
	}{{0, 0.5}, {5 * time.Minute, 0.5}, {6 * time.Minute, 1}, {15 * time.Minute, 1}, {16 * time.Minute, 1.5}} {
		if got := (Warm{For: c.lasts}).Cost(3); got != c.want {
			t.Errorf("%s: %v, want %v", c.lasts, got, c.want)
		}
	}
}

// A warm-up of 15 minutes at 3 an hour costs 1.00.
func TestWarmups(t *testing.T) {
	c := utc(t)
	ten := time.Date(2026, 11, 23, 9, 50, 0, 0, time.UTC)
	for name, x := range map[string]struct {
		at       time.Time
		limit    float64
		change   func(*job.Deployment)
		done     Warmed
		idle     string
		other    bool
		spent    bool
		due      bool
		skip     string
		needless bool
	}{
		"not yet":                       {at: ten.Add(-time.Second), limit: 1},
		"now":                           {at: ten, limit: 1, due: true},
		"a little late":                 {at: ten.Add(9 * time.Minute), limit: 1, due: true},
		"too late":                      {at: ten.Add(10 * time.Minute), limit: 1},
		"once":                          {at: ten.Add(time.Second), limit: 1, done: Warmed{Due: ten}},
		"yesterday's does not count":    {at: ten, limit: 1, done: Warmed{Due: ten.Add(-24 * time.Hour), Day: "2026-11-22", Cost: 1}, due: true},
		"on another day":                {at: ten.Add(72 * time.Hour), limit: 1},
		"no money is allowed":           {at: ten, due: true, skip: "warm_max_cost allows 0.00"},
		"too dear":                      {at: ten, limit: 0.9, due: true, skip: "would cost about 1.00"},
		"today's money is used":         {at: ten, limit: 1.9, done: Warmed{Due: ten.Add(-time.Hour), Day: "2026-11-23", Cost: 1}, due: true, skip: "of which 1.00 are used"},
		"today's money is not used":     {at: ten, limit: 2, done: Warmed{Due: ten.Add(-time.Hour), Day: "2026-11-23", Cost: 1}, due: true},
		"jobs go elsewhere":             {at: ten, limit: 1, other: true, due: true, skip: "demand is active"},
		"the queue is paused":           {at: ten, limit: 1, idle: "the queue is paused", due: true, skip: "paused"},
		"the budget of the day is gone": {at: ten, limit: 1, spent: true, due: true, skip: "budget"},
		"nothing is sent there":         {at: ten, limit: 1, change: stopped(0), due: true, skip: "nothing is sent"},
		"somebody works there already":  {at: ten, limit: 1, change: busy, due: true, skip: "in flight", needless: true},
	} {
		r := Rules{Calendar: c, Deployments: map[string]Care{"spot": {Warm: warming(t, c, x.limit, "workshop 09:50", "workshop 09:45")}}}
		if x.spent {
			r.PerDay = 0.1
		}
		d := like("spot")
		if x.change != nil {
			x.change(&d)
		}
		s := Situation{Now: x.at, Active: "spot", Idle: x.idle, Deployments: []job.Deployment{d, like("demand")}}
		if x.other {
			s.Active = "demand"
		}
		done := map[string]Warmed{"spot": x.done}
		if name == "not yet" {
			done["spot"] = Warmed{Due: ten.Add(-5 * time.Minute)} // the one before
		}
		got := r.Warmups(s, done)
		if len(got) != 0 != x.due {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		if !x.due {
			continue
		}
		w := got[0]
		if !w.Due.Equal(ten) || w.Cost != 1 || (w.Skip == "") != (x.skip == "") || !strings.Contains(w.Skip, x.skip) || w.Needless != x.needless {
			t.Errorf("%s: %+v", name, w)
		}
		done["spot"] = r.After(w, x.done, x.at)
		if again := r.Warmups(s, done); len(again) != 0 {
			t.Errorf("%s: twice: %+v", name, again)
		}
	}
}

func TestWhatIsRememberedOfAWarmup(t *testing.T) {
	r := Rules{Calendar: utc(t)}
	w := Warmup{Deployment: "spot", Due: midday, Cost: 1}
	got := r.After(w, Warmed{Day: "2026-11-22", Cost: 7, Err: "x", Skip: "y"}, midday)
	if want := (Warmed{Due: midday, Day: "2026-11-23", Cost: 1}); got != want {
		t.Errorf("%+v", got)
	}
	w.Skip = "too dear"
	got = r.After(w, got, midday)
	if got.Cost != 1 || got.Skip != "too dear" {
		t.Errorf("skipped: %+v", got)
	}
	w.Needless = true
	if got = r.After(w, got, midday); got.Skip != "" {
		t.Errorf("needless: %+v", got)
	}
}

func TestSummary(t *testing.T) {
	c := utc(t)
	care := Care{PerDay: 20, Failover: Failover{To: []string{"demand", "big"}}, Warm: warming(t, c, 1, "workshop 09:50"),
		Hold: Hold{WhileBusy: true, Windows: []calendar.Window{window(t, c, "mon-fri 10:00-17:00")}}}
	if got, want := care.Summary(), "held while busy; held mon-fri 10:00-17:00; warmed workshop 09:50; at most 20.00 a day; hands over to demand, big"; got != want {
		t.Error(got)
	}
	if got := (Care{}).Summary(); got != "" {
		t.Error(got)
	}
}
