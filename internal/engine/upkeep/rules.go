// Package upkeep decides what is done for deployments without being asked each
// time: hand over to another, hold a replica, warm up by schedule, stop at a budget,
// and stop sending where nothing can be rendered. All of it is pure functions of
// values, and all but the last is off in the zero Rules. The loop of the engine asks, records and acts.
package upkeep

import (
	"fmt"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/calendar"
	"github.com/comfyume/qmtui/internal/job"
)

// Rules are what people have asked for in the configuration. The zero value
// does nothing.
type Rules struct {
	Calendar    calendar.Calendar
	Deployments map[string]Care // by name
	// PerDay caps a day's spending over all deployments, in the currency of
	// their prices. Zero caps nothing.
	PerDay float64
}

// Care are the rules of one deployment.
type Care struct {
	Failover Failover
	Hold     Hold
	Warm     Warm
	PerDay   float64 // caps a day's spending on it; zero caps nothing
}

// Situation is what the rules look at.
type Situation struct {
	Now    time.Time
	Active string    // the deployment that takes work
	Chosen time.Time // when it became that; zero for long ago
	// Deployments in configured order, with InFlight.
	Deployments []job.Deployment
	// Waiting is how many jobs are still to be sent, as far as any are sent now:
	// a drain sends them too.
	Waiting int
	// Idle is why nothing is sent to any deployment now, for people; empty when
	// jobs are sent.
	Idle string
	// Lifted is the day for which a person has lifted the budgets; empty for none.
	Lifted string
}

func (s Situation) deployment(name string) (job.Deployment, bool) {
	i := slices.IndexFunc(s.Deployments, func(d job.Deployment) bool { return d.Name == name })
	if i < 0 {
		return job.Deployment{}, false
	}
	return s.Deployments[i], true
}

// BillingStep is the smallest unit of the platform's bill (field.md).
const BillingStep = 10 * time.Minute

// stepPrice is what one billing step of a replica costs.
func stepPrice(perHour float64) float64 { return perHour * BillingStep.Hours() }

// span writes a duration for people: 5m, 90s, 1h30m.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	switch h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60; {
	case h > 0 && m > 0:
		return fmt.Sprintf("%dh%dm", h, m)
	case h > 0:
		return fmt.Sprintf("%dh", h)
	case m > 0 && s == 0:
		return fmt.Sprintf("%dm", m)
	case m > 0:
		return fmt.Sprintf("%dm%ds", m, s)
	}
	return fmt.Sprintf("%ds", int(d.Seconds()))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
