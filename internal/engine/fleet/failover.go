package fleet

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

// Rule hands over from one deployment to another. The first that fits counts.
type Rule struct {
	From, To string
	On       []Trouble     // none means all of them
	Wait     time.Duration // for WaitOver; zero means never
	For      time.Duration // how long a failing must last; zero means 1m
}

// Standing is what the rules look at. Vanished counts replicas that vanished
// under their jobs lately; Waiting is how long the oldest prompt waits for a
// machine, zero for none.
type Standing struct {
	Deployment job.Deployment
	Vanished   int
	Waiting    time.Duration
}

// lostFor is how long a replica that vanished counts against its deployment.
const lostFor = 10 * time.Minute

// Standings lists what Failover looks at, in configured order. Like
// Deployments it leaves Active and InFlight for the engine.
func (f *Fleet) Standings() []Standing {
	out := make([]Standing, 0, len(f.sites))
	for _, s := range f.sites {
		out = append(out, s.standing())
	}
	return out
}

func (s *site) standing() Standing {
	out, now := Standing{Deployment: s.snapshot()}, s.opts.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over.lost = slices.DeleteFunc(s.over.lost, func(at time.Time) bool { return now.Sub(at) >= lostFor })
	out.Vanished = len(s.over.lost)
	if out.Deployment.State == job.Warming && !s.health.unanswered.IsZero() {
		out.Waiting = now.Sub(s.health.unanswered)
	}
	return out
}

// Handover is where prompts go from now on, and why. The zero value: they stay.
type Handover struct {
	To      string  `json:"to"`
	Trouble Trouble `json:"trouble"`
	Because string  `json:"because"`
}

// Failover decides whether the active deployment hands over. A deployment that
// is in trouble itself is passed over; nobody left to take over means staying.
func Failover(rules []Rule, active string, all []Standing, now time.Time) Handover {
	from, ok := standingOf(all, active)
	if !ok {
		return Handover{}
	}
	for _, r := range rules {
		to, known := standingOf(all, r.To)
		if r.From != active || r.To == active || !known || to.broken() {
			continue
		}
		if t, because := r.fits(from, now); t != "" {
			return Handover{To: r.To, Trouble: t, Because: because}
		}
	}
	return Handover{}
}

func standingOf(all []Standing, name string) (Standing, bool) {
	i := slices.IndexFunc(all, func(s Standing) bool { return s.Deployment.Name == name })
	if i < 0 {
		return Standing{}, false
	}
	return all[i], true
}

// broken says that nothing should be handed over to it.
func (s Standing) broken() bool { return s.Deployment.State == job.WarmthFailing }

// fits names the first trouble that the rule is for.
func (r Rule) fits(s Standing, now time.Time) (Trouble, string) {
	d := s.Deployment
	since := now.Sub(d.Since)
	patience := r.For
	if patience <= 0 {
		patience = time.Minute
	}
	quota := d.Error != nil && d.Error.Code == "quota_reached"
	switch {
	case r.on(QuotaReached) && quota:
		return QuotaReached, fmt.Sprintf("%s has reached its quota", d.Name)
	case r.on(SpotLost) && s.Vanished > 0:
		return SpotLost, fmt.Sprintf("%s lost %d of its replicas while they rendered", d.Name, s.Vanished)
	case r.on(Failing) && d.State == job.WarmthFailing && !d.Since.IsZero() && since >= patience:
		return Failing, fmt.Sprintf("%s has been failing for %s: %s", d.Name, span(since), d.Because)
	case r.on(WaitOver) && r.Wait > 0 && s.Waiting > r.Wait:
		return WaitOver, fmt.Sprintf("a prompt waits for a machine of %s for %s, more than %s", d.Name, span(s.Waiting), span(r.Wait))
	}
	return "", ""
}

func (r Rule) on(t Trouble) bool { return len(r.On) == 0 || slices.Contains(r.On, t) }

// Movable says whether a job may go to another deployment without a chance of
// running twice: only when no server can have accepted it. A submission whose
// answer is out or never came may yet run, so it stays.
func Movable(a job.Attempt) bool { return a.State == job.Queued }
