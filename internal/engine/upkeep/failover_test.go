package upkeep

import (
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

var midday = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) // a Monday

func ago(d time.Duration) time.Time { return midday.Add(-d) }

// like is a warm deployment, changed.
func like(name string, change ...func(*job.Deployment)) job.Deployment {
	d := job.Deployment{Name: name, State: job.WarmthWarm, Since: ago(time.Hour), PricePerHour: 3}
	for _, c := range change {
		c(&d)
	}
	return d
}

func failing(code string, since time.Duration) func(*job.Deployment) {
	return func(d *job.Deployment) {
		d.State, d.Since, d.Error, d.Because = job.WarmthFailing, ago(since), &job.Error{Code: code}, "it fails"
	}
}

func lost(since time.Duration) func(*job.Deployment) {
	return func(d *job.Deployment) { d.Lost, d.LostAt = 1, ago(since) }
}

func waiting(since time.Duration) func(*job.Deployment) {
	return func(d *job.Deployment) { d.State, d.WaitingSince = job.Warming, ago(since) }
}

func stopped(since time.Duration) func(*job.Deployment) {
	return func(d *job.Deployment) {
		d.Stopped = &job.Stopped{Code: EndpointRefuses, Message: "nothing is sent there", Since: ago(since)}
	}
}

func costing(amount float64) func(*job.Deployment) {
	return func(d *job.Deployment) { d.Today.Amount = amount }
}

func TestHandover(t *testing.T) {
	rules := Rules{Deployments: map[string]Care{
		"spot":   {Failover: Failover{To: []string{"demand", "big"}, Wait: 10 * time.Minute}},
		"demand": {Failover: Failover{To: []string{"spot"}, On: []Trouble{Failing}, For: 5 * time.Minute}, PerDay: 5},
		"big":    {Failover: Failover{To: []string{"spot"}}},
	}}
	spot, demand, big := like("spot"), like("demand"), like("big")
	for name, c := range map[string]struct {
		active  string
		chosen  time.Duration // how long ago; zero means for ever
		all     []job.Deployment
		to      string
		trouble Trouble
	}{
		"all is well":                    {"spot", 0, []job.Deployment{spot, demand, big}, "", ""},
		"a replica was lost":             {"spot", 0, []job.Deployment{like("spot", lost(time.Minute)), demand, big}, "demand", SpotLost},
		"lost before it was chosen":      {"spot", time.Second, []job.Deployment{like("spot", lost(time.Minute)), demand}, "", ""},
		"the quota is reached":           {"spot", 0, []job.Deployment{like("spot", failing("quota_reached", 0)), demand}, "demand", QuotaReached},
		"chosen in spite of the quota":   {"spot", 30 * time.Second, []job.Deployment{like("spot", failing("quota_reached", time.Hour)), demand}, "", ""},
		"the quota stays reached":        {"spot", 2 * time.Minute, []job.Deployment{like("spot", failing("quota_reached", time.Hour)), demand}, "demand", QuotaReached},
		"failing for a moment":           {"spot", 0, []job.Deployment{like("spot", failing("x", 30*time.Second)), demand}, "", ""},
		"failing for long":               {"spot", 0, []job.Deployment{like("spot", failing("x", 2*time.Minute)), demand}, "demand", Failing},
		"chosen while it failed":         {"spot", 30 * time.Second, []job.Deployment{like("spot", failing("x", time.Hour)), demand}, "", ""},
		"the second in line":             {"spot", 0, []job.Deployment{like("spot", failing("x", 2*time.Minute)), like("demand", failing("x", 0)), big}, "big", Failing},
		"failing, and so are all others": {"spot", 0, []job.Deployment{like("spot", failing("x", 2*time.Minute)), like("demand", failing("x", 0)), like("big", lost(0))}, "", ""},
		"the other's budget is spent":    {"spot", 0, []job.Deployment{like("spot", lost(0)), like("demand", costing(4.8)), big}, "big", SpotLost},
		"waits within the limit":         {"spot", 0, []job.Deployment{like("spot", waiting(10*time.Minute)), demand}, "", ""},
		"waits for too long":             {"spot", 0, []job.Deployment{like("spot", waiting(11*time.Minute)), demand}, "demand", WaitOver},
		"a wait from before the choice":  {"spot", 5 * time.Minute, []job.Deployment{like("spot", waiting(11*time.Minute)), demand}, "", ""},
		"the rule's own patience":        {"demand", 0, []job.Deployment{spot, like("demand", failing("x", 4*time.Minute))}, "", ""},
		"beyond it":                      {"demand", 0, []job.Deployment{spot, like("demand", failing("x", 6*time.Minute))}, "spot", Failing},
		"a trouble that is not named":    {"demand", 0, []job.Deployment{spot, like("demand", lost(0))}, "", ""},
		"a wait that no rule limits":     {"big", 0, []job.Deployment{spot, like("big", waiting(5*time.Hour))}, "", ""},
		"the other is not configured":    {"spot", 0, []job.Deployment{like("spot", lost(0))}, "", ""},
		"the active one is not known":    {"gone", 0, []job.Deployment{spot}, "", ""},
		"nothing is sent there":          {"spot", 0, []job.Deployment{like("spot", stopped(2*time.Minute)), demand}, "demand", Failing},
		"for a moment only":              {"spot", 0, []job.Deployment{like("spot", stopped(30*time.Second)), demand}, "", ""},
		"nor to the other":               {"spot", 0, []job.Deployment{like("spot", stopped(2*time.Minute)), like("demand", stopped(0)), big}, "big", Failing},
		"trouble elsewhere":              {"spot", 0, []job.Deployment{spot, like("demand", failing("x", time.Hour))}, "", ""},
		"not back and forth":             {"big", 0, []job.Deployment{like("spot", lost(time.Minute)), like("big", lost(0))}, "", ""},
	} {
		s := Situation{Now: midday, Active: c.active, Deployments: c.all}
		if c.chosen > 0 {
			s.Chosen = ago(c.chosen)
		}
		got := rules.Handover(s)
		if got.To != c.to || got.Trouble != c.trouble || (got.Because != "") != (c.to != "") {
			t.Errorf("%s: %+v", name, got)
		}
		if again := (Rules{}).Handover(s); again != (Handover{}) {
			t.Errorf("%s: without rules %+v", name, again)
		}
	}
}
