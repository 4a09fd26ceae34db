package upkeep

import (
	"strings"
	"testing"

	"github.com/comfyume/qmtui/internal/calendar"
	"github.com/comfyume/qmtui/internal/job"
)

func utc(t *testing.T) calendar.Calendar {
	t.Helper()
	c, err := calendar.New("UTC", []string{"2026-11-23..2026-11-25"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Each deployment costs 3 an hour, so 0.50 a step.
func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		own, all            float64 // the caps
		spent, others       float64
		lifted              string
		pause, warn, wasted bool
		say                 string
	}{
		"no caps":                       {spent: 1e6},
		"well below":                    {own: 10, spent: 5},
		"four fifths":                   {own: 10, spent: 8, warn: true, say: "8.00 of the cap of 10.00 of spot"},
		"the last step fits":            {own: 10, spent: 9.5, warn: true},
		"one more step would break it":  {own: 10, spent: 9.6, pause: true, warn: true, say: "no job is sent to spot"},
		"beyond":                        {own: 10, spent: 12, pause: true, warn: true},
		"a cap below one step":          {own: 0.4, pause: true, warn: true},
		"all together":                  {all: 10, spent: 2, others: 7.8, pause: true, warn: true, say: "all deployments together"},
		"the graver of two":             {own: 100, all: 10, spent: 85, pause: true, warn: true, say: "all deployments together"},
		"lifted today":                  {own: 10, spent: 12, lifted: "2026-11-23", warn: true, wasted: true, say: "beyond the cap of 10.00"},
		"lifted yesterday":              {own: 10, spent: 12, lifted: "2026-11-22", pause: true, warn: true},
		"lifted and nothing is reached": {own: 10, spent: 1, lifted: "2026-11-23"},
	} {
		r := Rules{Calendar: utc(t), PerDay: c.all, Deployments: map[string]Care{"spot": {PerDay: c.own}}}
		s := Situation{Now: midday, Lifted: c.lifted, Deployments: []job.Deployment{like("spot", costing(c.spent)), like("demand", costing(c.others))}}
		got := r.Judge(s, "spot")
		if got.Pause != c.pause || got.Warn != c.warn || got.Lifted != c.wasted || !strings.Contains(got.Sentence("spot"), c.say) {
			t.Errorf("%s: %+v, %q", name, got, got.Sentence("spot"))
		}
	}
	if got := (Rules{PerDay: 1}).Judge(Situation{}, "gone"); got != (Verdict{}) {
		t.Errorf("an unknown deployment: %+v", got)
	}
}
