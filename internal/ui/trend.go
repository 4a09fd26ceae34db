package ui

import "time"

// trend remembers the depth of the queue, a sample a minute for an hour.
type trend struct {
	depth    []float64
	inFlight []float64
	at       time.Time
}

const trendLength = 60

func (t *trend) sample(now time.Time, depth, inFlight int) {
	if n := len(t.depth); n > 0 && now.Sub(t.at) < time.Minute {
		t.depth[n-1], t.inFlight[n-1] = float64(depth), float64(inFlight)
		return
	}
	t.at = now
	t.depth = last(append(t.depth, float64(depth)), trendLength)
	t.inFlight = last(append(t.inFlight, float64(inFlight)), trendLength)
}

func last[T any](all []T, n int) []T { return all[max(0, len(all)-n):] }
