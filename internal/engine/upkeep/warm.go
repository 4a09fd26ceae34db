package upkeep

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/calendar"
	"github.com/comfyume/qmtui/internal/job"
)

// Warm is when a deployment is woken before anybody submits. The zero value:
// never.
type Warm struct {
	At []calendar.Time
	// For is how long it is kept awake after it has answered, if nobody submits.
	For time.Duration
	// Max is what the warm-ups of one day may cost by estimate; zero lets none be.
	Max float64
}

// scaleDown is how long a platform keeps a replica without a message (field.md).
const scaleDown = 5 * time.Minute

// Cost is what one warm-up costs when nobody submits: a replica from its start
// until it is left alone and scaled down, in whole billing steps.
func (w Warm) Cost(perHour float64) float64 {
	steps := math.Ceil(float64(w.For+scaleDown) / float64(BillingStep))
	return math.Round(steps*stepPrice(perHour)*1e4) / 1e4
}

// Warmed is what is remembered of a deployment's warm-ups, so that each is done
// once, also over a restart. The zero value: there was none.
type Warmed struct {
	Due  time.Time `json:"due"`            // of the last that was dealt with
	Day  string    `json:"day,omitempty"`  // of Cost
	Cost float64   `json:"cost,omitempty"` // of that day's warm-ups, by estimate
	Skip string    `json:"skip,omitempty"` // why the last was left out; empty when it was not
	Err  string    `json:"err,omitempty"`  // how the last failed
}

// Warmup is one that is due. It is to be remembered before it begins.
type Warmup struct {
	Deployment string
	Due        time.Time
	Cost       float64
	// Skip is why it is left out, for people; empty when it is to be done.
	Skip string
	// Needless says that there is nothing to warn of: the deployment is awake.
	Needless bool
}

// lateBy is how late a warm-up may still be: a manager that was down does not
// wake a machine that nobody waits for any more.
const lateBy = 10 * time.Minute

// Warmups lists what is due and not yet dealt with, by deployment.
func (r Rules) Warmups(s Situation, done map[string]Warmed) []Warmup {
	var out []Warmup
	for _, d := range s.Deployments {
		due := r.due(d.Name, s.Now)
		if due.IsZero() || !due.After(done[d.Name].Due) {
			continue
		}
		w := Warmup{Deployment: d.Name, Due: due, Cost: r.Deployments[d.Name].Warm.Cost(d.PricePerHour)}
		w.Skip, w.Needless = r.guard(w, d, s, done[d.Name])
		out = append(out, w)
	}
	return out
}

// due is the latest time of the schedule that is not too long ago; zero for none.
func (r Rules) due(name string, now time.Time) time.Time {
	var latest time.Time
	for _, at := range r.Deployments[name].Warm.At {
		if t, ok := at.Last(now); ok && now.Sub(t) < lateBy {
			latest = later(latest, t)
		}
	}
	return latest
}

// guard is why a warm-up is not worth its money.
func (r Rules) guard(w Warmup, d job.Deployment, s Situation, done Warmed) (skip string, needless bool) {
	limit, today := r.Deployments[d.Name].Warm.Max, 0.0
	if done.Day == r.Calendar.Day(s.Now) {
		today = done.Cost
	}
	switch {
	case d.InFlight > 0:
		return "jobs are in flight there", true
	case d.Name != s.Active:
		return "jobs do not go there: " + s.Active + " is active", false
	case s.Idle != "":
		return s.Idle, false
	case d.Stopped != nil:
		return d.Stopped.Message, false
	case r.Judge(s, d.Name).Pause:
		return "today's budget is spent", false
	case today+w.Cost > limit+1e-9:
		return fmt.Sprintf("it would cost about %.2f, and warm_max_cost allows %.2f a day, of which %.2f are used", w.Cost, limit, today), false
	}
	return "", false
}

// After is what is to be remembered of a warm-up.
func (r Rules) After(w Warmup, done Warmed, now time.Time) Warmed {
	day := r.Calendar.Day(now)
	if done.Day != day {
		done.Day, done.Cost = day, 0
	}
	if done.Due, done.Err, done.Skip = w.Due, "", w.Skip; w.Skip == "" {
		done.Cost += w.Cost
	}
	if w.Needless {
		done.Skip = ""
	}
	return done
}

// Next is the next warm-up of a deployment; false when there is none in a year.
func (r Rules) Next(name string, now time.Time) (time.Time, bool) {
	var all []time.Time
	for _, at := range r.Deployments[name].Warm.At {
		if t, ok := at.Next(now); ok {
			all = append(all, t)
		}
	}
	if len(all) == 0 {
		return time.Time{}, false
	}
	return slices.MinFunc(all, time.Time.Compare), true
}

// Summary says for people what the rules of a deployment do; empty for nothing.
func (c Care) Summary() string {
	var parts []string
	if c.Hold.WhileBusy {
		parts = append(parts, "held while busy")
	}
	for _, w := range c.Hold.Windows {
		parts = append(parts, "held "+w.String())
	}
	for _, at := range c.Warm.At {
		parts = append(parts, "warmed "+at.String())
	}
	if c.PerDay > 0 {
		parts = append(parts, fmt.Sprintf("at most %.2f a day", c.PerDay))
	}
	if len(c.Failover.To) > 0 {
		parts = append(parts, "hands over to "+strings.Join(c.Failover.To, ", "))
	}
	return strings.Join(parts, "; ")
}
