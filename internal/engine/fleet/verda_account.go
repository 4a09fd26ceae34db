package fleet

import (
	"context"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

func (s *site) leaseKey() string { return "verda.leases." + s.spec.Name }

// recallLeases takes the replicas that an earlier process saw, so that a
// restart does not forget what today cost.
func (s *site) recallLeases() {
	if s.opts.Settings == nil {
		return
	}
	var kept []Lease
	if _, err := s.opts.Settings.Setting(s.leaseKey(), &kept); err != nil {
		s.opts.Logger.Warn("recall the replicas seen", "deployment", s.spec.Name, "error", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account(kept)
}

// account keeps the replicas and what they cost. The caller holds mu.
func (s *site) account(leases []Lease) {
	s.over.leases = leases
	s.over.spent = Spend(leases, s.spec.PricePerHour, BillingStep, s.opts.Zone)
}

// lease folds something into the replicas seen, and keeps them when the bill
// has grown.
func (s *site) lease(fold func([]Lease) []Lease) {
	s.mu.Lock()
	before := s.over.leases
	after := fold(before)
	s.account(after)
	s.mu.Unlock()
	if s.opts.Settings == nil || steps(before) == steps(after) && len(before) == len(after) {
		return
	}
	if err := s.opts.Settings.SetSetting(s.leaseKey(), after); err != nil {
		s.opts.Logger.Warn("keep the replicas seen", "deployment", s.spec.Name, "error", err)
	}
}

// steps is the length of the bill.
func steps(leases []Lease) float64 {
	total := 0.0
	for _, d := range Spend(leases, 0, BillingStep, time.UTC) {
		total += d.Billed
	}
	return total
}

// guess keeps the account where nobody lists replicas, until ctx ends: for a
// deployment without a control API, and while that does not answer. One that
// does not scale to zero costs what it costs, and nothing is said of it.
func (s *site) guess(ctx context.Context) {
	if !s.spec.ScaleToZero {
		return
	}
	for pause(ctx, s.opts.Control.Every) {
		now := s.opts.Now()
		s.mu.Lock()
		listed := !s.over.look.at.IsZero() && now.Sub(s.over.look.at) < s.freshFor()
		r := s.health.read(now, s.rules)
		open := s.over.guessing()
		s.mu.Unlock()
		since := r.since
		if r.state != job.WarmthWarm {
			since = time.Time{}
		}
		if !listed && (open || !since.IsZero()) {
			s.lease(func(l []Lease) []Lease { return guessed(l, since, now, s.rules.idle) })
		}
	}
}

// guessing reports a guessed replica that is still up.
func (o overseen) guessing() bool {
	for _, l := range o.leases {
		if l.Guessed && !l.Over {
			return true
		}
	}
	return false
}

// Spending estimates what a deployment cost on each of the last 32 days, oldest
// first: from the replicas that the control API listed, or guessed from answers
// where it did not. Nil for a name that is not configured. The slice is the
// caller's to read.
func (f *Fleet) Spending(name string) []job.Spent {
	s := f.byName[name]
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over.spent
}

// today is what the deployment cost so far today. The caller holds mu.
func (s *site) today(now time.Time) job.Spent {
	day := now.In(s.opts.Zone).Format(time.DateOnly)
	for _, d := range s.over.spent {
		if d.Day == day {
			return d
		}
	}
	return job.Spent{Day: day}
}
