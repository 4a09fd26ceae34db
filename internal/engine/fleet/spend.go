package fleet

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Lease is the life of one replica, as far as it was seen.
type Lease struct {
	Replica string    `json:"replica"`
	From    time.Time `json:"from"`
	Seen    time.Time `json:"seen"` // when it was last listed
	Over    bool      `json:"over,omitempty"`
}

// Spent is what a deployment cost on one day, as an estimate.
type Spent struct {
	Day    string        `json:"day"`    // 2006-01-02 in the zone asked for
	Billed time.Duration `json:"billed"` // GPU time in whole billing steps
	Lived  time.Duration `json:"lived"`  // GPU time in truth
	Amount float64       `json:"amount"` // in the currency of the price
}

// BillingStep is the smallest unit of the platform's bill (field.md).
const BillingStep = 10 * time.Minute

// Spend estimates what replicas cost on each day, oldest first. Every replica
// is billed in steps from its start, each begun step in full and on the day on
// which it begins. price is for one replica and hour; zero when it is not known.
func Spend(leases []Lease, price float64, step time.Duration, zone *time.Location) []Spent {
	days := map[string]*Spent{}
	for _, l := range leases {
		spread(l, step, zone, days)
	}
	out := make([]Spent, 0, len(days))
	for _, d := range days {
		d.Amount = math.Round(d.Billed.Hours()*price*1e4) / 1e4
		out = append(out, *d)
	}
	slices.SortFunc(out, func(a, b Spent) int { return strings.Compare(a.Day, b.Day) })
	return out
}

// spread puts the steps of one replica on their days.
func spread(l Lease, step time.Duration, zone *time.Location, days map[string]*Spent) {
	for at := l.From; at.Equal(l.From) || at.Before(l.Seen); at = at.Add(step) {
		key := at.In(zone).Format(time.DateOnly)
		d := days[key]
		if d == nil {
			d = &Spent{Day: key}
			days[key] = d
		}
		d.Billed += step
		d.Lived += min(step, max(0, l.Seen.Sub(at)))
	}
}

// leased folds one look into the replicas there were. Times come from our own
// clock unless the platform's start lies before: it bills from there.
func leased(leases []Lease, l look) []Lease {
	out := slices.Clone(leases)
	for i := range out {
		listed := slices.ContainsFunc(l.replicas, func(r Replica) bool { return r.ID == out[i].Replica })
		switch {
		case out[i].Over:
		case listed:
			out[i].Seen = l.at
		default:
			out[i].Over = true
		}
	}
	for _, r := range l.replicas {
		if !slices.ContainsFunc(out, func(x Lease) bool { return x.Replica == r.ID && !x.Over }) {
			out = append(out, Lease{Replica: r.ID, From: begun(r, l.at), Seen: l.at})
		}
	}
	return slices.DeleteFunc(out, func(x Lease) bool { return x.Over && l.at.Sub(x.Seen) > leasesKept })
}

// leasesKept is for how long ended replicas stay in the account.
const leasesKept = 8 * 24 * time.Hour

func begun(r Replica, seen time.Time) time.Time {
	if r.Started.IsZero() || r.Started.After(seen) || seen.Sub(r.Started) > leasesKept {
		return seen
	}
	return r.Started
}

// Budget is a cap on one day's spending over all deployments. The zero value
// caps nothing.
type Budget struct {
	Cap  float64 // in the currency of the prices
	Warn float64 // the share of Cap at which to warn; zero means 0.8
}

// BudgetVerdict is what a budget says of a day.
type BudgetVerdict struct {
	Pause, Warn bool
	Reason      string // for people; empty when all is well
}

// Judge compares a day's spending with the budget. next is what one more
// billing step of a replica would cost: a budget that it would break pauses
// before, not after.
func (b Budget) Judge(spent, next float64) BudgetVerdict {
	warn := b.Warn
	if warn <= 0 {
		warn = 0.8
	}
	switch {
	case b.Cap <= 0:
		return BudgetVerdict{}
	case spent+next > b.Cap:
		return BudgetVerdict{Pause: true, Warn: true,
			Reason: fmt.Sprintf("today cost about %.2f, and one more step of %.2f would break the cap of %.2f", spent, next, b.Cap)}
	case spent >= warn*b.Cap:
		return BudgetVerdict{Warn: true, Reason: fmt.Sprintf("today cost about %.2f of the cap of %.2f", spent, b.Cap)}
	}
	return BudgetVerdict{}
}
