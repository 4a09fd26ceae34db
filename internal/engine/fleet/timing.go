package fleet

import (
	"math"
	"slices"

	"github.com/comfyume/qmtui/internal/job"
)

const (
	samplesKept  = 200 // samples of one sort that percentiles are taken from
	samplesShown = 20  // the newest of them, for a sparkline
)

// timing sums up measured times in seconds, oldest first.
func timing(seconds []float64) job.Timing {
	n := len(seconds)
	if n == 0 {
		return job.Timing{}
	}
	sorted := slices.Sorted(slices.Values(seconds))
	return job.Timing{
		Count: n, P50: percentile(sorted, 0.5), P90: percentile(sorted, 0.9), Last: seconds[n-1],
		Recent: slices.Clone(seconds[max(0, n-samplesShown):]),
	}
}

// percentile is the nearest-rank percentile of sorted values: always a value
// that was measured. p is from 0 to 1; no values give zero.
func percentile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// keep appends a sample and forgets the oldest beyond the bound.
func keep(seconds []float64, s float64) []float64 {
	seconds = append(seconds, s)
	return slices.Clone(seconds[max(0, len(seconds)-samplesKept):])
}
