package fleet

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// TestAskedAboutSoonAfterAFile: an attempt of which the share cannot tell
// whether it has ended is asked about a few times at once, after each file.
func TestAskedAboutSoonAfterAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		fl := open(t, f, spec())
		_, stop := start(t, fl)
		defer stop()
		x := flight(1, job.Running)
		fl.Follow([]job.Flight{x})
		elapse(t, 3*time.Second)
		if n := f.count("GET /history/"); n != 0 {
			t.Errorf("%d polls in 3s at 5s before it has written", n)
		}
		x.Wrote = 1
		fl.Follow([]job.Flight{x})
		elapse(t, time.Millisecond)
		if n := f.count("GET /history/"); n != 1 {
			t.Errorf("%d polls at once after a file", n)
		}
		elapse(t, 1700*time.Millisecond)
		if n := f.count("GET /history/"); n != len(wroteAsks) {
			t.Errorf("%d polls within 1.7s of a file, want %d", n, len(wroteAsks))
		}
		fl.Follow([]job.Flight{x}) // nothing new
		elapse(t, time.Minute)
		if n := f.count("GET /history/"); n > len(wroteAsks)+14 {
			t.Errorf("%d polls in a minute after that", n)
		}
		before := f.count("GET /history/")
		x.Wrote = 2
		fl.Follow([]job.Flight{x})
		elapse(t, time.Millisecond)
		if n := f.count("GET /history/"); n != before+1 {
			t.Errorf("%d polls at once after a second file", n-before)
		}
	})
}
