package upkeep

import (
	"fmt"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// Trouble is what makes a deployment hand over to another.
type Trouble string

// The troubles that a rule can name.
const (
	SpotLost     Trouble = "spot_lost"     // the platform took a rendering replica away
	QuotaReached Trouble = "quota_reached" // it has no machine for the account
	Failing      Trouble = "failing"       // it answers errors, or none
	WaitOver     Trouble = "wait_over"     // a prompt waits for a machine beyond the rule's limit
)

// Failover is to whom a deployment hands over, and on which trouble.
type Failover struct {
	To   []string      // in order of preference; none means never
	On   []Trouble     // none means all of them
	Wait time.Duration // for WaitOver; zero means never
	For  time.Duration // how long a failing must last; zero means 1m
}

// Handover is where prompts go from now on, and why. The zero value: they stay.
type Handover struct {
	From    string  `json:"from"`
	To      string  `json:"to"`
	Trouble Trouble `json:"trouble"`
	Because string  `json:"because"`
}

// Handover decides whether the active deployment hands over. What was so
// before it was chosen is passed over, so that a person's choice holds until
// there is new trouble. A deployment that is in trouble itself or whose budget
// is spent takes nothing over; nobody left means staying.
func (r Rules) Handover(s Situation) Handover {
	from, ok := s.deployment(s.Active)
	rule := r.Deployments[s.Active].Failover
	if !ok || len(rule.To) == 0 {
		return Handover{}
	}
	trouble, because := rule.fits(from, s)
	if trouble == "" {
		return Handover{}
	}
	for _, name := range rule.To {
		to, known := s.deployment(name)
		if known && name != s.Active && !troubled(to) && !r.Judge(s, name).Pause {
			return Handover{From: s.Active, To: name, Trouble: trouble, Because: because}
		}
	}
	return Handover{}
}

// troubled says that nothing should be handed over to it.
func troubled(d job.Deployment) bool {
	return d.State == job.WarmthFailing || d.Stopped != nil || d.Lost > 0 || reachedQuota(d)
}

func reachedQuota(d job.Deployment) bool { return d.Error != nil && d.Error.Code == "quota_reached" }

// fits names the first trouble that the rule is for.
func (f Failover) fits(d job.Deployment, s Situation) (Trouble, string) {
	patience := f.For
	if patience <= 0 {
		patience = time.Minute
	}
	since, waiting := s.Now.Sub(later(d.Since, s.Chosen)), s.Now.Sub(later(d.WaitingSince, s.Chosen))
	switch {
	case f.on(QuotaReached) && reachedQuota(d) && s.Now.Sub(s.Chosen) >= patience:
		return QuotaReached, fmt.Sprintf("%s has reached its quota", d.Name)
	case f.on(SpotLost) && d.Lost > 0 && d.LostAt.After(s.Chosen):
		return SpotLost, fmt.Sprintf("the platform took replicas of %s away while they rendered, %d lately", d.Name, d.Lost)
	case f.on(Failing) && d.Stopped != nil && s.Now.Sub(later(d.Stopped.Since, s.Chosen)) >= patience:
		return Failing, d.Stopped.Message
	case f.on(Failing) && d.State == job.WarmthFailing && !d.Since.IsZero() && since >= patience:
		return Failing, fmt.Sprintf("%s has been failing for %s: %s", d.Name, span(since), d.Because)
	case f.on(WaitOver) && f.Wait > 0 && !d.WaitingSince.IsZero() && waiting > f.Wait:
		return WaitOver, fmt.Sprintf("a prompt waits for a machine of %s for %s, more than %s", d.Name, span(waiting), span(f.Wait))
	}
	return "", ""
}

func (f Failover) on(t Trouble) bool { return len(f.On) == 0 || slices.Contains(f.On, t) }
