package fleet

import (
	"slices"
	"testing"
)

func TestTiming(t *testing.T) {
	// The cold starts recorded in the field, in seconds.
	got := timing([]float64{307, 20, 114, 600, 120, 200})
	if got.Count != 6 || got.P50 != 120 || got.P90 != 600 || got.Last != 200 || len(got.Recent) != 6 || got.Recent[0] != 307 {
		t.Errorf("timing = %+v", got)
	}
	if none := timing(nil); none.Count != 0 || none.P50 != 0 || none.Recent != nil {
		t.Errorf("timing of nothing = %+v", none)
	}
	if one := timing([]float64{7}); one.P50 != 7 || one.P90 != 7 {
		t.Errorf("timing of one = %+v", one)
	}
}

func TestTimingKeepsTheNewest(t *testing.T) {
	var s []float64
	for i := range samplesKept + 50 {
		s = keep(s, float64(i))
	}
	got := timing(s)
	if got.Count != samplesKept || got.Last != samplesKept+49 || len(got.Recent) != samplesShown || got.Recent[0] != samplesKept+30 {
		t.Errorf("timing = %+v", got)
	}
	if s[0] != 50 {
		t.Errorf("oldest kept is %v", s[0])
	}
}

func TestPercentile(t *testing.T) {
	ten := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for p, want := range map[float64]float64{0: 1, 0.1: 1, 0.5: 5, 0.9: 9, 0.91: 10, 1: 10} {
		if got := percentile(ten, p); got != want {
			t.Errorf("percentile(%v) = %v, want %v", p, got, want)
		}
	}
	if !slices.IsSorted(ten) {
		t.Error("the values were changed")
	}
}
