package simulator

import (
	"context"
	"time"
)

// atFirst is how many replicas are ordered when a deployment wakes.
func (d *deployment) atFirst() int {
	if d.spec.ByLoad {
		return max(d.least, 1)
	}
	return d.spec.Replicas
}

// outgrow orders a replica for a message that finds every other one busy. It
// counts messages, as the platform does: POST /prompt is over at once, so a
// render never makes anything grow. The caller holds mu.
func (d *deployment) outgrow() {
	there := d.leased() + len(d.births)
	if !d.spec.ByLoad || !d.awake || there == 0 || there >= d.spec.Replicas || d.open <= there {
		return
	}
	d.births = append(d.births, time.Now().Add(d.fleet.scaled(d.spec.ColdStart)))
	d.nudge()
}

// trim takes away all replicas beyond least, rendering or not. The caller holds mu.
func (d *deployment) trim() {
	if len(d.live) <= d.least {
		return
	}
	for _, r := range d.live[d.least:] {
		r.die()
	}
	d.live = d.live[:d.least:d.least]
	d.births = nil
}

// setLeast is the platform's min_replica_count; above zero it wakes the deployment.
func (d *deployment) setLeast(ctx context.Context, n int) error {
	d.mu.Lock()
	d.least = n
	d.mu.Unlock()
	d.nudge()
	if n == 0 {
		return nil
	}
	return d.wake(ctx)
}

// leased counts the replicas there are. The caller holds mu.
func (d *deployment) leased() int {
	n := 0
	for _, l := range d.leases {
		if l.To.IsZero() {
			n++
		}
	}
	return n
}

// ended closes the lease of a replica. The caller holds mu.
func (d *deployment) ended(name string) {
	for i := range d.leases {
		if d.leases[i].Replica == name && d.leases[i].To.IsZero() {
			d.leases[i].To = time.Now()
		}
	}
}
