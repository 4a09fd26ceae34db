package upkeep

import (
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/calendar"
	"github.com/comfyume/qmtui/internal/job"
)

func window(t *testing.T, c calendar.Calendar, text string) calendar.Window {
	t.Helper()
	w, err := c.Window(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func busy(d *job.Deployment) { d.InFlight = 1 }

func TestHolds(t *testing.T) {
	c := utc(t)
	hours := Hold{Windows: []calendar.Window{window(t, c, "workshop 09:45-17:00")}}
	for name, x := range map[string]struct {
		hold  Hold
		d     job.Deployment
		at    time.Time
		idle  string
		queue int  // jobs that wait
		other bool // another deployment is active
		spent bool
		want  bool
		until time.Time
	}{
		"nothing is asked for":         {d: like("spot", busy), at: midday},
		"while busy":                   {hold: Hold{WhileBusy: true}, d: like("spot", busy), at: midday, want: true},
		"and not when idle":            {hold: Hold{WhileBusy: true}, d: like("spot"), at: midday},
		"between two jobs":             {hold: Hold{WhileBusy: true}, d: like("spot"), at: midday, queue: 1, want: true},
		"jobs wait for another":        {hold: Hold{WhileBusy: true}, d: like("spot"), at: midday, queue: 1, other: true},
		"between the last of a drain":  {hold: Hold{WhileBusy: true}, d: like("spot"), at: midday, queue: 1, idle: "the queue is draining", want: true},
		"jobs wait for midnight":       {hold: Hold{WhileBusy: true}, d: like("spot"), at: midday, queue: 1, spent: true},
		"nothing is sent there":        {hold: Hold{WhileBusy: true, Windows: hours.Windows}, d: like("spot", stopped(0)), at: midday, queue: 1},
		"in the window":                {hold: hours, d: like("spot"), at: midday, want: true, until: midday.Add(5 * time.Hour)},
		"after it":                     {hold: hours, d: like("spot", busy), at: midday.Add(5 * time.Hour)},
		"on another day":               {hold: hours, d: like("spot"), at: midday.Add(72 * time.Hour)},
		"jobs go elsewhere":            {hold: hours, d: like("spot"), at: midday, other: true},
		"the queue stands":             {hold: hours, d: like("spot"), at: midday, idle: "the queue is paused"},
		"the budget is spent":          {hold: hours, d: like("spot"), at: midday, spent: true},
		"a render outlives the budget": {hold: Hold{WhileBusy: true, Windows: hours.Windows}, d: like("spot", busy), at: midday, spent: true, want: true},
		"a render after failover":      {hold: Hold{WhileBusy: true}, d: like("spot", busy), at: midday, other: true, want: true},
	} {
		r := Rules{Calendar: c, Deployments: map[string]Care{"spot": {Hold: x.hold}}}
		if x.spent {
			r.PerDay = 0.1
		}
		s := Situation{Now: x.at, Active: "spot", Waiting: x.queue, Idle: x.idle, Deployments: []job.Deployment{x.d, like("demand")}}
		if x.other {
			s.Active = "demand"
		}
		got, ok := r.Holds(s)["spot"]
		if ok != x.want || !got.Until.Equal(x.until) || ok && got.Because == "" {
			t.Errorf("%s: %v, %+v", name, ok, got)
		}
	}
}
