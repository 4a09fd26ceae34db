package metrics

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/comfyume/qmtui/internal/job"
)

// moment reads the figures of the moment when somebody scrapes.
type moment struct {
	m                  *Metrics
	codes, deployments *bounded
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	descJobs      = desc("qmtui_jobs", "Jobs that are kept, by state; ended ones until retention forgets them.", "state")
	descDepth     = desc("qmtui_queue_depth", "Jobs that have not ended.")
	descMaxDepth  = desc("qmtui_queue_max_depth", "The most jobs that may be in the queue.")
	descMode      = desc("qmtui_queue_mode", "1 for the mode that the queue is in.", "mode")
	descWait      = desc("qmtui_queue_wait_estimate_seconds", "How long a job submitted now would wait, estimated; absent while nobody can know it.")
	descOrphans   = desc("qmtui_orphans", "Files on the share that belong to no job and that nobody has settled.")
	descExclusive = desc("qmtui_exclusive_waiting_jobs", "Waiting jobs that wait for another, because both write to the same place.")
	descIgnored   = desc("qmtui_copies_ignored_total", "Files on the share that were ignored as copies of delivered ones; one that is seen again counts again.")
	descWarnings  = desc("qmtui_warnings", "Warnings that stand at the moment, by code.", "code")

	descDayBudget = desc("qmtui_budget_per_day", "What a day may cost over all deployments, where there is a cap, in the currency of the bill.")

	descMounted    = desc("qmtui_share_mounted", "1 while the share is mounted.")
	descReadOnly   = desc("qmtui_share_read_only", "1 while the share is mounted read-only.")
	descStalled    = desc("qmtui_share_stalled", "1 while a look at the share has been hanging for long.")
	descLooked     = desc("qmtui_share_looked_timestamp_seconds", "When the share was last looked at with success.")
	descUsers      = desc("qmtui_users", "Users with jobs that are kept.")
	descUserJobs   = desc("qmtui_user_jobs", "Jobs of the busiest users, by what they do.", "user", "state")
	descUserGPU    = desc("qmtui_user_gpu_today_seconds", "GPU time of the busiest users since midnight UTC, measured.", "user")
	descUserSpend  = desc("qmtui_user_spend_today", "Share of the busiest users in today's bill, estimated, in the currency of the bill.", "user")
	descUserOutput = desc("qmtui_user_output_bytes", "Delivered bytes of the busiest users' kept jobs.", "user")

	momentDescs = append([]*prometheus.Desc{descJobs, descDepth, descMaxDepth, descMode, descWait, descOrphans, descExclusive, descIgnored, descWarnings, descDayBudget, descMounted, descReadOnly,
		descStalled, descLooked, descUsers, descUserJobs, descUserGPU, descUserSpend, descUserOutput}, deploymentDescs...)
)

// Describe is of prometheus.Collector.
func (c *moment) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range momentDescs {
		ch <- d
	}
}

// Collect is of prometheus.Collector. Before Run there is nothing to read.
func (c *moment) Collect(ch chan<- prometheus.Metric) {
	s := c.m.from()
	if s == nil {
		return
	}
	status := s.Status()
	c.queue(ch, status)
	c.warnings(ch, status.Warnings)
	shareFigures(ch, status.Share)
	for _, d := range s.Workers() {
		c.deployment(ch, d)
	}
	if users, err := s.Users(); err == nil {
		userFigures(ch, users, c.m.opts.TopUsers)
	}
}

func (c *moment) queue(ch chan<- prometheus.Metric, s job.QueueStatus) {
	for _, state := range job.States() {
		gauge(ch, descJobs, float64(s.Counts[state]), state.String())
	}
	mode := cmp.Or(s.Mode, job.ModeRunning)
	for _, m := range []job.Mode{job.ModeRunning, job.ModePaused, job.ModeDraining} {
		gauge(ch, descMode, truth(m == mode), string(m))
	}
	gauge(ch, descDepth, float64(s.Depth))
	gauge(ch, descMaxDepth, float64(s.MaxDepth))
	if s.Wait >= 0 { // below zero nobody can know it
		gauge(ch, descWait, s.Wait)
	}
	gauge(ch, descOrphans, float64(s.Orphans))
	gauge(ch, descExclusive, float64(s.Exclusive))
	ch <- prometheus.MustNewConstMetric(descIgnored, prometheus.CounterValue, float64(s.Copies))
	if limit := c.m.opts.BudgetPerDay; limit > 0 {
		gauge(ch, descDayBudget, limit)
	}
}

func (c *moment) warnings(ch chan<- prometheus.Metric, ws []job.Warning) {
	count := map[string]int{}
	for _, code := range warningCodes {
		count[code] = 0
	}
	for _, w := range ws {
		count[c.codes.label(w.Code)]++
	}
	for code, n := range count {
		gauge(ch, descWarnings, float64(n), code)
	}
}

func shareFigures(ch chan<- prometheus.Metric, s job.ShareStatus) {
	gauge(ch, descMounted, truth(s.Mounted))
	gauge(ch, descReadOnly, truth(s.ReadOnly))
	gauge(ch, descStalled, truth(s.Stalled))
	if !s.LookedAt.IsZero() {
		gauge(ch, descLooked, stamp(s.LookedAt))
	}
}

// userFigures tells of the busiest users only, and of none unless asked to.
func userFigures(ch chan<- prometheus.Metric, all []job.UserStatus, top int) {
	gauge(ch, descUsers, float64(len(all)))
	for _, u := range busiest(all, top) {
		gauge(ch, descUserJobs, float64(u.Queued), u.User, "queued")
		gauge(ch, descUserJobs, float64(u.Running), u.User, "running")
		gauge(ch, descUserGPU, u.GPUSeconds, u.User)
		gauge(ch, descUserSpend, u.SpendToday, u.User)
		gauge(ch, descUserOutput, float64(u.Bytes), u.User)
	}
}

// busiest are the n users who use the GPUs most, now and then today.
func busiest(all []job.UserStatus, n int) []job.UserStatus {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b job.UserStatus) int {
		return cmp.Or(cmp.Compare(b.Queued+b.Running, a.Queued+a.Running), cmp.Compare(b.GPUSeconds, a.GPUSeconds), cmp.Compare(a.User, b.User))
	})
	return sorted[:min(max(0, n), len(sorted))]
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// stamp is a time as Prometheus has it: seconds since 1970.
func stamp(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
