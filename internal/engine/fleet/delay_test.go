package fleet

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// delays are by how much later than it happened the end of a run is heard of, of
// many runs behind a random balancer, in order.
func delays(t *testing.T, replicas, atOnce int, run time.Duration, usual time.Duration) (all []time.Duration, requests int) {
	t.Helper()
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(replicas, seed)
			c.modern, c.run = true, run
			s := plain()
			s.Capacity = atOnce
			fl := c.open(t, s)
			got, stop := start(t, fl)
			defer stop()
			began := time.Now()
			var flights []job.Flight
			for n := range atOnce {
				c.send(t, fl, n+1, flights...)
				f := flight(n+1, job.Running)
				if usual > 0 {
					f.Due = began.Add(usual)
				}
				flights = append(flights, f)
			}
			fl.Follow(flights)
			elapse(t, run+2*time.Minute)
			ended := map[int]time.Duration{}
			for _, f := range got.of(job.Finished) {
				if _, ok := ended[f.Attempt]; !ok {
					ended[f.Attempt] = f.At.Sub(began)
				}
			}
			for n := range atOnce {
				was := time.Time{}
				for _, r := range c.nodes {
					if at, ok := r.starts[promptID(n+1)]; ok {
						was = at.Add(run)
					}
				}
				at, ok := ended[n+1]
				if !ok {
					at = run + 2*time.Minute
				}
				all = append(all, began.Add(at).Sub(was))
			}
			requests += c.count("GET /api/jobs")
		})
	}
	slices.Sort(all)
	return all, requests / 100
}

func TestEndsAreHeardSoonBehindABalancer(t *testing.T) {
	for name, c := range map[string]struct {
		replicas, atOnce int
		run, usual       time.Duration
		median, most     time.Duration // of the delays, and of nine of ten
	}{
		"a short run":                          {2, 1, 3 * time.Second, 0, 2 * time.Second, 6 * time.Second},
		"two short runs at once":               {2, 2, 3 * time.Second, 0, 2 * time.Second, 6 * time.Second},
		"three replicas, three at once":        {3, 3, 3 * time.Second, 0, 4 * time.Second, 12 * time.Second},
		"a long run at its usual time":         {2, 1, 30 * time.Second, 30 * time.Second, 2 * time.Second, 6 * time.Second},
		"a long run soon after its usual time": {2, 1, 33 * time.Second, 30 * time.Second, 2 * time.Second, 6 * time.Second},
		"two long runs":                        {2, 2, 30 * time.Second, 30 * time.Second, 2 * time.Second, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			all, requests := delays(t, c.replicas, c.atOnce, c.run, c.usual)
			median, most := all[len(all)/2], all[len(all)*9/10]
			t.Logf("median %s, nine of ten %s, %d requests", median.Round(10*time.Millisecond), most.Round(10*time.Millisecond), requests)
			if median > c.median || most > c.most {
				t.Errorf("the end was heard %s after it, nine of ten within %s; want %s and %s", median, most, c.median, c.most)
			}
		})
	}
}

// What may sleep is not asked sooner: the question could wake a machine.
func TestWhatMaySleepIsNotAskedSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		fl := open(t, f, spec())
		_, stop := start(t, fl)
		defer stop()
		x := flight(1, job.Running)
		x.Due = time.Now().Add(-time.Second)
		fl.Follow([]job.Flight{x})
		elapse(t, 4*time.Second)
		if n := f.count(""); n != 0 {
			t.Errorf("%d requests before its turn: %v", n, f.requests)
		}
		elapse(t, 10*time.Minute) // it answers, so it is awake
		if n := f.count("GET /history/"); n > 160 {
			t.Errorf("%d questions in ten minutes", n)
		}
	})
}
