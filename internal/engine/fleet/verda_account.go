package fleet

import (
	"time"
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
	s.over.leases = kept
}

// lease folds a look into the account and keeps it when the bill has grown.
func (s *site) lease(l look) {
	s.mu.Lock()
	before := s.over.leases
	after := leased(before, l)
	s.over.leases = after
	s.mu.Unlock()
	if s.opts.Settings == nil || steps(before) == steps(after) && len(before) == len(after) {
		return
	}
	if err := s.opts.Settings.SetSetting(s.leaseKey(), after); err != nil {
		s.opts.Logger.Warn("keep the replicas seen", "deployment", s.spec.Name, "error", err)
	}
}

// steps is the length of the bill.
func steps(leases []Lease) time.Duration {
	total := time.Duration(0)
	for _, d := range Spend(leases, 0, BillingStep, time.UTC) {
		total += d.Billed
	}
	return total
}

// Spending estimates what a deployment cost on each of the last days, oldest
// first, from the replicas that the control API listed; none without it. The
// error is a *job.Error.
func (f *Fleet) Spending(name string, zone *time.Location) ([]Spent, error) {
	s, err := f.site(name)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	leases := s.over.leases
	s.mu.Unlock()
	return Spend(leases, s.spec.PricePerHour, BillingStep, zone), nil
}
