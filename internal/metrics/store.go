package metrics

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// StoreStats is how the ledger is doing. Sizes are in bytes; counters count
// from its opening.
type StoreStats struct {
	Path       string
	Size       int64 // of the file
	Free       int64 // in pages of it that hold nothing
	Jobs       int
	OpenJobs   int
	Rev        uint64
	Watchers   int
	CutOff     uint64 // watchers that fell behind
	Commits    uint64
	Committing time.Duration // time spent in commits
	LastCommit time.Duration
}

// ledger tells the figures of the ledger when somebody scrapes.
type ledger struct{ stats func() StoreStats }

var (
	descCommits    = desc("qmtui_store_commit_duration_seconds", "Commits of the ledger, and the time that they took.")
	descLastCommit = desc("qmtui_store_last_commit_duration_seconds", "How long the newest commit took.")
	descSize       = desc("qmtui_store_size_bytes", "Size of the ledger's file.")
	descFreePages  = desc("qmtui_store_free_bytes", "Room in the ledger's file that holds nothing; compacting gives it back.")
	descStoreJobs  = desc("qmtui_store_jobs", "Jobs in the ledger, by whether their files are still looked for.", "closed")
	descRevision   = desc("qmtui_store_revisions_total", "Revisions of jobs that the ledger has recorded, ever.")
	descWatchers   = desc("qmtui_store_watchers", "Readers of the change stream.")
	descCutOff     = desc("qmtui_store_watchers_cut_off_total", "Readers of the change stream that fell behind and were cut off.")

	storeDescs = []*prometheus.Desc{descCommits, descLastCommit, descSize, descFreePages, descStoreJobs, descRevision, descWatchers, descCutOff}
)

// Describe is of prometheus.Collector.
func (l ledger) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range storeDescs {
		ch <- d
	}
}

// Collect is of prometheus.Collector.
func (l ledger) Collect(ch chan<- prometheus.Metric) {
	s := l.stats()
	ch <- prometheus.MustNewConstSummary(descCommits, s.Commits, s.Committing.Seconds(), nil)
	gauge(ch, descLastCommit, s.LastCommit.Seconds())
	gauge(ch, descSize, float64(s.Size))
	gauge(ch, descFreePages, float64(s.Free))
	gauge(ch, descStoreJobs, float64(s.OpenJobs), "false")
	gauge(ch, descStoreJobs, float64(max(0, s.Jobs-s.OpenJobs)), "true")
	gauge(ch, descWatchers, float64(s.Watchers))
	for d, n := range map[*prometheus.Desc]uint64{descRevision: s.Rev, descCutOff: s.CutOff} {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n))
	}
}

func buildInfo(version, revision string) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "qmtui_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision, "goversion": runtime.Version()}})
	g.Set(1)
	return g
}
