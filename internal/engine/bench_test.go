package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// BenchmarkPlan plans over a long queue, a hundred times what the first site
// expects: the loop does this at every turn.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var jobs []*job.Job
			for i := range n {
				jobs = append(jobs, jobAt(fmt.Sprintf("user%03d", i%20), i, job.Queued, job.Normal))
			}
			v := View{Now: noon.Add(time.Hour), Mode: job.ModeRunning, Jobs: jobs, Policy: Policy{}.filled(), Slots: []Slot{{Deployment: "gpu", Free: 4}}}
			for b.Loop() {
				Plan(v)
			}
		})
	}
}
