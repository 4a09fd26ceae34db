package fleet

import (
	"fmt"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// Distribution is how long cold starts took, with its range. The zero value:
// nothing is known.
type Distribution struct {
	Count          int           // samples it rests on
	Low, Mid, High time.Duration // of ten starts, one is shorter than Low, five than Mid, nine than High
	Hourly         bool          // the samples are of that time of day
}

// hourNeeds is how many cold starts of a time of day it takes to tell that
// time apart from the rest of the day.
const hourNeeds = 5

// Learn sums up the cold starts among the samples of one deployment: those
// within an hour of at's time of day (in at's zone) when there are enough,
// otherwise all.
func Learn(samples []job.Sample, at time.Time) Distribution {
	var all, near []float64
	for _, x := range samples {
		if !x.Cold || x.Seconds <= 0 {
			continue
		}
		all = append(all, x.Seconds)
		if apart(x.At.In(at.Location()), at) <= time.Hour {
			near = append(near, x.Seconds)
		}
	}
	if len(near) >= hourNeeds {
		d := distribute(near)
		d.Hourly = true
		return d
	}
	return distribute(all)
}

// apart is how far two times of day lie from each other, at most twelve hours.
func apart(a, b time.Time) time.Duration {
	d := (clock(a) - clock(b)).Abs()
	return min(d, 24*time.Hour-d)
}

func clock(t time.Time) time.Duration {
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
}

func distribute(seconds []float64) Distribution {
	if len(seconds) == 0 {
		return Distribution{}
	}
	sorted := slices.Sorted(slices.Values(seconds))
	at := func(p float64) time.Duration { return time.Duration(percentile(sorted, p) * float64(time.Second)) }
	return Distribution{Count: len(sorted), Low: at(0.1), Mid: at(0.5), High: at(0.9)}
}

// String is the distribution for people.
func (d Distribution) String() string {
	switch {
	case d.Count == 0:
		return "no cold start was measured yet"
	case d.Low == d.High:
		return "usually about " + span(d.Mid)
	}
	return fmt.Sprintf("usually about %s, from %s to %s", span(d.Mid), span(d.Low), span(d.High))
}

// Without enough samples, only what is beyond every start that the field
// recorded is unusual (field.md: 10 to 15 minutes for the largest models).
const (
	learnedFrom = 5
	neverSeen   = 15 * time.Minute
)

// Unusual says that a cold start of that length, so far or in all, is beyond
// the usual: half as long again as nine of ten were, and half a minute at least.
func Unusual(cold time.Duration, d Distribution) bool {
	if d.Count < learnedFrom {
		return cold > neverSeen
	}
	return cold > max(d.High*3/2, d.High+30*time.Second)
}
