package fleet

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// Lease is the life of one replica, as far as it was seen.
type Lease struct {
	Replica string    `json:"replica"`
	From    time.Time `json:"from"`
	Seen    time.Time `json:"seen"` // when it was last listed
	Over    bool      `json:"over,omitempty"`
	// Guessed says that nobody listed it: something answered, so a replica was up.
	Guessed bool `json:"guessed,omitempty"`
}

// BillingStep is the smallest unit of the platform's bill (field.md).
const BillingStep = 10 * time.Minute

// Spend estimates what replicas cost on each day, oldest first. Every replica
// is billed in steps from its start, each begun step in full and on the day on
// which it begins. price is for one replica and hour; zero when it is not known.
func Spend(leases []Lease, price float64, step time.Duration, zone *time.Location) []job.Spent {
	days := map[string]*job.Spent{}
	for _, l := range leases {
		bill(l, step, zone, days)
	}
	out := make([]job.Spent, 0, len(days))
	for _, d := range days {
		d.Amount = math.Round(d.Billed/3600*price*1e4) / 1e4
		out = append(out, *d)
	}
	slices.SortFunc(out, func(a, b job.Spent) int { return strings.Compare(a.Day, b.Day) })
	return out
}

// bill puts the steps of one replica on their days.
func bill(l Lease, step time.Duration, zone *time.Location, days map[string]*job.Spent) {
	for at := l.From; at.Equal(l.From) || at.Before(l.Seen); at = at.Add(step) {
		key := at.In(zone).Format(time.DateOnly)
		d := days[key]
		if d == nil {
			d = &job.Spent{Day: key, Evidence: job.ByPlatform}
			days[key] = d
		}
		if l.Guessed {
			d.Evidence = job.ByTime
		}
		d.Billed += step.Seconds()
		d.Lived += min(step, max(0, l.Seen.Sub(at))).Seconds()
	}
}

// leased folds one look into the replicas there were. Times come from our own
// clock unless the platform's start lies before: it bills from there. A guess
// that the list explains is dropped.
func leased(leases []Lease, l look) []Lease {
	out := slices.DeleteFunc(slices.Clone(leases), func(x Lease) bool {
		return x.Guessed && !x.Over && slices.ContainsFunc(l.replicas, func(r Replica) bool { return begun(r, l.at).Before(x.Seen) })
	})
	for i := range out {
		listed := slices.ContainsFunc(l.replicas, func(r Replica) bool { return r.ID == out[i].Replica })
		switch {
		case out[i].Over:
		case listed && !out[i].Guessed:
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
	return recent(out, l.at)
}

// guessed folds what the wire says into the replicas there were, where nobody
// lists them: one replica is up as long as the deployment counts as warm.
// warm since zero means that it is not. idle is how long it may have been
// silent in one life.
func guessed(leases []Lease, since, now time.Time, idle time.Duration) []Lease {
	out := slices.Clone(leases)
	open := slices.IndexFunc(out, func(x Lease) bool { return x.Guessed && !x.Over })
	if open >= 0 && (since.IsZero() || now.Sub(out[open].Seen) > idle) {
		out[open].Over = true
		open = -1
	}
	switch {
	case since.IsZero():
	case open >= 0:
		out[open].Seen = now
	default:
		from := since
		for _, x := range out { // paid for already
			if x.Seen.After(from) {
				from = x.Seen
			}
		}
		out = append(out, Lease{Replica: "guessed", From: from, Seen: now, Guessed: true})
	}
	return recent(out, now)
}

// leasesKept is for how long ended replicas stay in the account.
const leasesKept = 32 * 24 * time.Hour

func recent(leases []Lease, now time.Time) []Lease {
	return slices.DeleteFunc(leases, func(x Lease) bool { return x.Over && now.Sub(x.Seen) > leasesKept })
}

// longLived bounds how far back a platform's start of a replica is believed.
const longLived = 8 * 24 * time.Hour

func begun(r Replica, seen time.Time) time.Time {
	if r.Started.IsZero() || r.Started.After(seen) || seen.Sub(r.Started) > longLived {
		return seen
	}
	return r.Started
}
