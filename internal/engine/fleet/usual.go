package fleet

import (
	"fmt"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// enough is how many cold starts of one kind it takes to tell that kind apart
// from the rest.
const enough = 5

// Learn sums up the cold starts among the samples of one deployment: of the
// narrowest kind of which there are enough. From narrow to wide: with these
// models within an hour of at's time of day (in at's zone), with these models,
// at that time of day, all.
func Learn(samples []job.Sample, models []string, at time.Time) job.Range {
	var all, alike, near, both []float64
	for _, x := range samples {
		if !x.Cold || x.Seconds <= 0 {
			continue
		}
		same, hour := slices.Equal(x.Models, models), apart(x.At.In(at.Location()), at) <= time.Hour
		all = append(all, x.Seconds)
		if same {
			alike = append(alike, x.Seconds)
		}
		if hour {
			near = append(near, x.Seconds)
		}
		if same && hour {
			both = append(both, x.Seconds)
		}
	}
	switch {
	case len(both) >= enough:
		return rangeOf(both, true, true)
	case len(alike) >= enough:
		return rangeOf(alike, true, false)
	case len(near) >= enough:
		return rangeOf(near, false, true)
	}
	return rangeOf(all, false, false)
}

// apart is how far two times of day lie from each other, at most twelve hours.
func apart(a, b time.Time) time.Duration {
	d := (clock(a) - clock(b)).Abs()
	return min(d, 24*time.Hour-d)
}

func clock(t time.Time) time.Duration {
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
}

func rangeOf(seconds []float64, models, hourly bool) job.Range {
	if len(seconds) == 0 {
		return job.Range{}
	}
	sorted := slices.Sorted(slices.Values(seconds))
	return job.Range{Count: len(sorted), Low: percentile(sorted, 0.1), Mid: percentile(sorted, 0.5), High: percentile(sorted, 0.9), Models: models, Hourly: hourly}
}

// usually is the range for people.
func usually(r job.Range) string {
	switch {
	case r.Count == 0:
		return "no cold start was measured yet"
	case r.Low == r.High:
		return "usually about " + span(seconds(r.Mid)) + kind(r)
	}
	return fmt.Sprintf("usually about %s, from %s to %s", span(seconds(r.Mid)), span(seconds(r.Low)), span(seconds(r.High))) + kind(r)
}

// kind says which cold starts the range rests on, where it is not all of them.
func kind(r job.Range) string {
	switch {
	case r.Models && r.Hourly:
		return " with these models at this time of day"
	case r.Models:
		return " with these models"
	case r.Hourly:
		return " at this time of day"
	}
	return ""
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// neverSeen is beyond every start that the field recorded (field.md: 10 to 15
// minutes for the largest models): without enough samples only that is unusual.
const neverSeen = 15 * time.Minute

// Unusual says that a cold start of that length, so far or in all, is beyond
// the usual: half as long again as nine of ten were, and half a minute at least.
func Unusual(cold time.Duration, r job.Range) bool {
	if r.Count < enough {
		return cold > neverSeen
	}
	high := seconds(r.High)
	return cold > max(high*3/2, high+30*time.Second)
}

// ColdStart is how long a cold start of the deployment takes at that time of
// day for a prompt with these models, as learned. The zero Range: nothing is
// known, or there is no such deployment.
func (f *Fleet) ColdStart(name string, models []string, at time.Time) job.Range {
	s := f.byName[name]
	if s == nil {
		return job.Range{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return Learn(s.starts, models, at)
}

// patience adds to a reading of a deployment that wakes what is usual, and a
// warning when this is beyond it. The reading stays as it is when nothing was
// learned.
func patience(r reading, usual job.Range, now time.Time) reading {
	if r.state != job.Warming || r.since.IsZero() {
		return r
	}
	if usual.Count > 0 {
		r.because += "; " + usually(usual)
	}
	if took := now.Sub(r.since); Unusual(took, usual) {
		r.err = &job.Error{Code: "cold_start_long", Class: job.Unavailable, Transient: true,
			Message: "the machine takes longer to start than is usual: " + span(took) + " so far; " + usually(usual),
			Hint:    "wait, or use another deployment"}
	}
	return r
}
