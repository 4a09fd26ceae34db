package metrics

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/comfyume/qmtui/internal/job"
)

// follower keeps up with the change stream. It remembers the jobs that are not
// closed, to know what is new in a change.
type follower struct {
	meters *jobMeters
	now    func() time.Time

	mu     sync.Mutex
	open   map[job.ID]job.Job
	primed bool // a first snapshot was taken
	gaps   prometheus.Counter
}

func newFollower(m *jobMeters, now func() time.Time) *follower {
	return &follower{meters: m, now: now, open: map[job.ID]job.Job{}, gaps: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "qmtui_metrics_gaps_total", Help: "How often the counters fell behind the ledger and took a new snapshot."})}
}

const (
	// snapshotJobs is how many jobs a snapshot holds: those that closed while
	// the follower was cut off must be among them.
	snapshotJobs = 2000
	// again is how long to wait before watching again.
	again = time.Second
)

// run follows until ctx ends. A reader that falls behind is cut off and begins
// anew with a snapshot.
func (f *follower) run(ctx context.Context, s Source, log *slog.Logger) {
	for ctx.Err() == nil {
		w, err := s.Watch(snapshotJobs)
		if err != nil {
			log.Warn("the metrics cannot follow the jobs", "error", err)
		} else {
			f.snapshot(w.Jobs)
			f.changes(ctx, w)
			w.Stop()
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

func (f *follower) changes(ctx context.Context, w job.Watch) {
	for {
		select {
		case <-ctx.Done():
			return
		case c, ok := <-w.Changes:
			if !ok {
				f.gaps.Inc()
				return
			}
			f.change(c.Job)
		}
	}
}

// snapshot takes the state of the jobs in: at the first time what happened
// before this process counts for nothing, later it closes a gap.
func (f *follower) snapshot(jobs []job.Job) {
	f.mu.Lock()
	first := !f.primed
	f.primed = true
	if first {
		for _, j := range jobs {
			f.keep(j)
		}
	}
	f.mu.Unlock()
	if first {
		return
	}
	for _, j := range jobs {
		f.change(j)
	}
}

// change counts what is new of a job.
func (f *follower) change(j job.Job) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, known := f.open[j.ID]
	if !known {
		old = before(j)
	}
	f.meters.take(compare(old, j))
	f.keep(j)
}

// keep remembers a job while something may still become of it; f.mu is held.
func (f *follower) keep(j job.Job) {
	if j.Closed && len(j.Unsettled()) == 0 {
		delete(f.open, j.ID)
		return
	}
	f.open[j.ID] = j
}

var (
	descOldest = prometheus.NewDesc("qmtui_oldest_job_seconds",
		"How long the job that has been longest in a state has been in it; zero when there is none.", []string{"state"}, nil)
	descOldestPost = prometheus.NewDesc("qmtui_deployment_oldest_post_seconds",
		"How long the oldest unanswered POST has been waiting for a deployment; zero when there is none.", []string{"deployment"}, nil)
	descUndelivered = prometheus.NewDesc("qmtui_outputs_undelivered",
		"Output files that are whole on the share and not yet in the user's folder.", nil, nil)
	descOldestUndelivered = prometheus.NewDesc("qmtui_outputs_oldest_undelivered_seconds",
		"How long the oldest of them has been whole; zero when there is none.", nil, nil)
)

// Describe is of prometheus.Collector.
func (f *follower) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descOldest, descOldestPost, descUndelivered, descOldestUndelivered} {
		ch <- d
	}
	f.gaps.Describe(ch)
}

// Collect is of prometheus.Collector.
func (f *follower) Collect(ch chan<- prometheus.Metric) {
	a := f.ages()
	for _, s := range job.States() {
		if !s.Terminal() {
			gauge(ch, descOldest, seconds(a.state[s]), s.String())
		}
	}
	for d := range f.meters.deployments.all() {
		gauge(ch, descOldestPost, seconds(a.post[d]), d)
	}
	gauge(ch, descUndelivered, float64(a.undelivered))
	gauge(ch, descOldestUndelivered, seconds(a.oldest))
	f.gaps.Collect(ch)
}

// ages are how long the oldest of each sort has been waiting.
type ages struct {
	state       map[job.State]time.Duration
	post        map[string]time.Duration // by deployment
	undelivered int
	oldest      time.Duration // of the undelivered
}

func (f *follower) ages() ages {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, a := f.now(), ages{state: map[job.State]time.Duration{}, post: map[string]time.Duration{}}
	for _, j := range f.open {
		a.add(j, now)
	}
	return a
}

func (a *ages) add(j job.Job, now time.Time) {
	try := j.Current()
	if s := try.State; !s.Terminal() {
		a.state[s] = max(a.state[s], now.Sub(inStateSince(j)))
		if s == job.Submitting && try.When(job.Unanswered).IsZero() {
			a.post[try.Deployment] = max(a.post[try.Deployment], now.Sub(try.When(job.Assigned)))
		}
	}
	for _, o := range j.Outputs {
		if o.State == job.OutputWhole {
			a.undelivered++
			a.oldest = max(a.oldest, now.Sub(o.WholeAt))
		}
	}
}

func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}
