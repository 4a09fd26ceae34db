package fleet

import (
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// isCold judges whether an answer came after a cold start: it took longer than
// a machine that is up needs, or the deployment was asleep and it took at
// least a tenth of that.
func isCold(before job.Warmth, took, bound time.Duration) bool {
	return took >= bound || before == job.WarmthCold && took >= bound/10
}

// startsKept bounds the cold starts that are learned from.
const startsKept = 500

// measureCold keeps the time of an answer that a cold start delayed. Of
// requests that waited for the same machine only the first to be answered counts.
func (s *site) measureCold(before job.Warmth, began, ended time.Time, models []string) {
	took := ended.Sub(began)
	if !isCold(before, took, s.opts.ColdAfter) {
		return
	}
	x := job.Sample{Deployment: s.spec.Name, Cold: true, Seconds: took.Seconds(), At: ended, Models: models}
	s.mu.Lock()
	again := began.Before(s.coldAt)
	if !again {
		s.coldAt = ended
		s.cold = keep(s.cold, took.Seconds())
		s.starts = append(s.starts[max(0, len(s.starts)-startsKept+1):], x)
	}
	s.mu.Unlock()
	if !again {
		s.remember(x)
	}
}

// Ran keeps the time from start to end of a run. An unknown deployment and a
// time that is not positive are passed over.
func (f *Fleet) Ran(deployment string, d time.Duration) {
	s := f.byName[deployment]
	if s == nil || d <= 0 {
		return
	}
	s.mu.Lock()
	s.warm = keep(s.warm, d.Seconds())
	s.mu.Unlock()
	s.remember(job.Sample{Deployment: deployment, Seconds: d.Seconds(), At: f.opts.Now()})
}

func (s *site) remember(x job.Sample) {
	if s.opts.Memory == nil {
		return
	}
	if err := s.opts.Memory.AddSample(x); err != nil {
		s.opts.Logger.Warn("keep a measured time", "deployment", s.spec.Name, "error", err)
	}
}

// recall takes the times that were remembered; those measured since New are
// among them.
func (s *site) recall() {
	if s.opts.Memory == nil {
		return
	}
	samples, err := s.opts.Memory.Samples(s.spec.Name)
	if err != nil {
		s.opts.Logger.Warn("recall measured times", "deployment", s.spec.Name, "error", err)
		return
	}
	var cold, warm []float64
	var starts []job.Sample
	for _, x := range samples {
		if x.Cold {
			cold = keep(cold, x.Seconds)
			starts = append(starts, x)
		} else {
			warm = keep(warm, x.Seconds)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cold, s.warm, s.starts = cold, warm, starts
}
