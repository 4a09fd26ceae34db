package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/comfyume/qmtui/internal/job"
)

// Buckets in seconds, by what is measured.
var (
	waitBuckets     = []float64{1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200}
	runBuckets      = []float64{1, 2.5, 5, 10, 20, 30, 60, 120, 240, 480, 900, 1800, 3600}
	coldBuckets     = []float64{1, 5, 10, 20, 40, 60, 90, 120, 180, 240, 300, 450, 600, 900, 1200}
	deliveryBuckets = []float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900}
	copyBuckets     = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120}
	httpBuckets     = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10}
)

// jobMeters count what the change stream tells, from the start of the process.
type jobMeters struct {
	deployments *bounded
	codes       *bounded

	submitted   prometheus.Counter
	retries     *prometheus.CounterVec
	attempts    *prometheus.CounterVec
	deadlines   *prometheus.CounterVec
	evidence    *prometheus.CounterVec
	warnings    *prometheus.CounterVec
	outputs     *prometheus.CounterVec
	outputBytes prometheus.Counter

	wait, run, cold, delivery, whole *prometheus.HistogramVec
	settle                           prometheus.Histogram
}

func newJobMeters(r prometheus.Registerer, deployments *bounded, names []string) *jobMeters {
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{"deployment"})
		r.MustRegister(h)
		return h
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		r.MustRegister(c)
		return c
	}
	j := &jobMeters{
		deployments: deployments, codes: newBounded(ownCodes(), maxForeignCodes),
		submitted: prometheus.NewCounter(prometheus.CounterOpts{Name: "qmtui_jobs_submitted_total", Help: "Jobs that were recorded."}),
		retries:   counter("qmtui_job_retries_total", "Further attempts, asked for by the manager or by a person.", "by"),
		attempts:  counter("qmtui_job_attempts_total", "Attempts that ended, by outcome and, for failed and lost ones, the code of the error.", "deployment", "outcome", "code"),
		deadlines: counter("qmtui_deadlines_total", "Attempts given up because no evidence came in time, by code.", "deployment", "code"),
		evidence:  counter("qmtui_evidence_total", "Testimonies about attempts, by what was testified and on what it rests; each once for an attempt.", "kind", "evidence"),
		warnings:  counter("qmtui_job_warnings_total", "Warnings noted on jobs, by code.", "code"),
		outputs:   counter("qmtui_outputs_total", "Output files that came to their end, by that end and by the evidence that names their job.", "state", "evidence"),
		outputBytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "qmtui_output_bytes_total",
			Help: "Bytes of output files that stand in users' folders."}),
		wait:     histogram("qmtui_job_wait_seconds", "From submission to the first start on a worker.", waitBuckets),
		run:      histogram("qmtui_job_run_seconds", "From the start of a run to its end, where both are known.", runBuckets),
		cold:     histogram("qmtui_cold_start_seconds", "From the POST to its answer where a machine had to start first.", coldBuckets),
		delivery: histogram("qmtui_job_delivery_seconds", "From the end of a run to the last of its files in the user's folder.", deliveryBuckets),
		whole:    histogram("qmtui_job_duration_seconds", "From submission to the last file in the user's folder, of jobs that are done.", waitBuckets),
		settle: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "qmtui_output_delivery_seconds", Buckets: deliveryBuckets,
			Help: "From an output file being whole on the share to its copy being durable."}),
	}
	r.MustRegister(j.submitted, j.outputBytes, j.settle)
	j.begin(names)
	return j
}

// begin tells what may be waited for as zero.
func (j *jobMeters) begin(deployments []string) {
	j.evidence.WithLabelValues(string(job.Assigned), string(job.ByManager))
	for _, by := range []string{"manager", "person"} {
		j.retries.WithLabelValues(by)
	}
	for _, s := range []job.OutputState{job.OutputStored, job.OutputAbandoned, job.OutputVanished} {
		j.outputs.WithLabelValues(s.String(), string(job.ByPrefix))
	}
	for _, d := range deployments {
		for _, code := range deadlineCodes {
			j.deadlines.WithLabelValues(d, code)
		}
		j.attempts.WithLabelValues(d, job.Done.String(), none)
		for _, h := range []*prometheus.HistogramVec{j.wait, j.run, j.cold, j.delivery, j.whole} {
			h.WithLabelValues(d)
		}
	}
}

// none is the code of an attempt that ended without an error.
const none = "none"

// take counts the news.
func (j *jobMeters) take(n news) {
	if n.submitted {
		j.submitted.Inc()
	}
	for _, automatic := range n.retries {
		j.retries.WithLabelValues(map[bool]string{true: "manager", false: "person"}[automatic]).Inc()
	}
	for _, w := range n.evidence {
		j.evidence.WithLabelValues(string(w.Kind), string(w.Evidence)).Inc()
	}
	for _, code := range n.warnings {
		j.warnings.WithLabelValues(j.codes.label(code)).Inc()
	}
	for _, e := range n.ended {
		j.end(e)
	}
	j.times(n)
	for _, o := range n.settled {
		j.output(o)
	}
}

func (j *jobMeters) end(e ending) {
	code, deployment := none, j.deployment(e.deployment)
	if e.code != "" {
		code = j.codes.label(e.code)
	}
	j.attempts.WithLabelValues(deployment, e.state.String(), code).Inc()
	if e.state == job.Lost {
		j.deadlines.WithLabelValues(deployment, code).Inc()
	}
}

func (j *jobMeters) times(n news) {
	for h, m := range map[*prometheus.HistogramVec]*measured{j.wait: n.waited, j.delivery: n.delivered, j.whole: n.whole} {
		if m != nil {
			j.observe(h, *m)
		}
	}
	for _, m := range n.runs {
		j.observe(j.run, m)
	}
}

func (j *jobMeters) output(o job.Output) {
	j.outputs.WithLabelValues(o.State.String(), string(o.Evidence)).Inc()
	if o.State != job.OutputStored {
		return
	}
	j.outputBytes.Add(float64(max(0, o.Size)))
	if !o.WholeAt.IsZero() {
		j.settle.Observe(seconds(o.StoredAt.Sub(o.WholeAt)))
	}
}

// Sampled takes a time that the fleet measured: cold starts are told.
func (m *Metrics) Sampled(s job.Sample) {
	if s.Cold {
		m.jobs.cold.WithLabelValues(m.jobs.deployment(s.Deployment)).Observe(max(0, s.Seconds))
	}
}

func (j *jobMeters) observe(h *prometheus.HistogramVec, m measured) {
	h.WithLabelValues(j.deployment(m.deployment)).Observe(seconds(m.took))
}

// deployment is the name as a label; a job that was never sent has none.
func (j *jobMeters) deployment(name string) string {
	if name == "" {
		return none
	}
	return j.deployments.label(name)
}

// seconds is never below zero: witnesses' clocks differ.
func seconds(d time.Duration) float64 { return max(0, d.Seconds()) }
