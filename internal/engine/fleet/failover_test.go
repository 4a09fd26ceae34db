package fleet

import (
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

func TestFailover(t *testing.T) {
	rules := []Rule{
		{From: "spot", To: "demand", On: []Trouble{SpotLost, QuotaReached, Failing}},
		{From: "spot", To: "big", On: []Trouble{WaitOver}, Wait: 10 * time.Minute},
		{From: "demand", To: "spot", On: []Trouble{Failing}, For: 5 * time.Minute},
		{From: "big", To: "spot"},
	}
	state := func(name string, w job.Warmth, code string, sinceMinutes float64) Standing {
		s := Standing{Deployment: job.Deployment{Name: name, State: w, Since: minutes(-sinceMinutes)}}
		if code != "" {
			s.Deployment.Error = &job.Error{Code: code}
		}
		return s
	}
	with := func(s Standing, vanished int, waiting time.Duration) Standing {
		s.Vanished, s.Waiting = vanished, waiting
		return s
	}
	well := func(name string) Standing { return state(name, job.WarmthWarm, "", 0) }
	for name, c := range map[string]struct {
		active  string
		all     []Standing
		to      string
		trouble Trouble
	}{
		"all is well":                    {"spot", []Standing{well("spot"), well("demand"), well("big")}, "", ""},
		"a replica was lost":             {"spot", []Standing{with(well("spot"), 1, 0), well("demand"), well("big")}, "demand", SpotLost},
		"the quota is reached":           {"spot", []Standing{state("spot", job.WarmthFailing, "quota_reached", 0), well("demand")}, "demand", QuotaReached},
		"failing for a moment":           {"spot", []Standing{state("spot", job.WarmthFailing, "x", 0.5), well("demand")}, "", ""},
		"failing for long":               {"spot", []Standing{state("spot", job.WarmthFailing, "x", 2), well("demand")}, "demand", Failing},
		"failing, and so is the other":   {"spot", []Standing{state("spot", job.WarmthFailing, "x", 2), state("demand", job.WarmthFailing, "x", 9)}, "", ""},
		"waits within the limit":         {"spot", []Standing{with(well("spot"), 0, 10*time.Minute), well("demand"), well("big")}, "", ""},
		"waits for too long":             {"spot", []Standing{with(well("spot"), 0, 11*time.Minute), well("demand"), well("big")}, "big", WaitOver},
		"the rule's own patience":        {"demand", []Standing{well("spot"), state("demand", job.WarmthFailing, "x", 4)}, "", ""},
		"beyond it":                      {"demand", []Standing{well("spot"), state("demand", job.WarmthFailing, "x", 6)}, "spot", Failing},
		"a rule for everything":          {"big", []Standing{well("spot"), with(well("big"), 2, 0)}, "spot", SpotLost},
		"a wait that no rule limits":     {"big", []Standing{well("spot"), with(well("big"), 0, 5*time.Hour)}, "", ""},
		"the other is not configured":    {"spot", []Standing{with(well("spot"), 1, 0)}, "", ""},
		"the active one is not known":    {"gone", []Standing{well("spot")}, "", ""},
		"trouble elsewhere changes none": {"spot", []Standing{well("spot"), state("demand", job.WarmthFailing, "x", 9)}, "", ""},
	} {
		got := Failover(rules, c.active, c.all, midday)
		if got.To != c.to || got.Trouble != c.trouble || (got.Because != "") != (c.to != "") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestMovable(t *testing.T) {
	for _, s := range job.States() {
		if got := Movable(job.Attempt{State: s}); got != (s == job.Queued) {
			t.Errorf("%s: %v", s, got)
		}
	}
}
