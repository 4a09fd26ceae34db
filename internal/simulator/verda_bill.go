package simulator

import "time"

// billingStep is the platform's smallest unit of a bill, before Speed.
const billingStep = 10 * time.Minute

// Lease is the life of one replica, from when it was up until it was taken away.
type Lease struct {
	Deployment string    `json:"deployment"`
	Replica    string    `json:"replica"`
	From       time.Time `json:"from"`
	To         time.Time `json:"to,omitzero"` // zero while it lives
}

// Leases lists the replicas of a deployment there ever were, oldest first;
// none for an unknown name.
func (f *Fleet) Leases(deployment string) []Lease {
	d := f.deployments[deployment]
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Lease(nil), d.leases...)
}

// Billed is what the platform charges for a deployment up to now: every
// replica in steps of ten minutes, each begun step in full. The time is before
// Speed.
func (f *Fleet) Billed(deployment string) time.Duration {
	var total time.Duration
	for _, l := range f.Leases(deployment) {
		end := l.To
		if end.IsZero() {
			end = time.Now()
		}
		lived := time.Duration(float64(end.Sub(l.From)) * f.cfg.Speed)
		total += max(1, (lived+billingStep-1)/billingStep) * billingStep
	}
	return total
}
