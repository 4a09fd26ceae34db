// Package metrics tells Prometheus how the manager is doing. Most of it is
// derived: the change stream gives counters and histograms, and the figures of
// the moment are read when somebody scrapes. Nothing is registered globally.
//
// No label is without a bound: job ids are never labels, users only on request
// and only the busiest, codes that a worker may have made up share the name
// "other" once there are too many of them.
package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/comfyume/qmtui/internal/job"
)

// Source is what metrics are read from. Its methods may be called from any
// goroutine and do not wait for disks or servers.
type Source interface {
	Status() job.QueueStatus
	Workers() []job.Deployment
	Users() ([]job.UserStatus, error)
	// Watch takes a snapshot of the newest limit jobs (all open ones included)
	// and subscribes.
	Watch(limit int) (job.Watch, error)
}

// Options is what Metrics are made of. The zero value has only figures of the
// process itself.
type Options struct {
	Version  string // of the program
	Revision string // of its source; empty when not known
	// Deployments are the configured names: no other becomes a label.
	Deployments []string
	// BudgetPerDay is the cap on a day's spending over all deployments, Budgets
	// those of single ones by name; zero and missing ones mean no cap.
	BudgetPerDay float64
	Budgets      map[string]float64
	// TopUsers is how many users may become labels, the busiest; zero means none.
	TopUsers int
	// Store reads the figures of the ledger; nil for none.
	Store func() StoreStats
	// Limits reads how far the limits of users are used; nil for none.
	Limits func() []LimitUse
	// Disks are folders by the name under which their disk's room is told; empty paths are left out.
	Disks  map[string]string
	Logger *slog.Logger     // nil discards
	Now    func() time.Time // nil is time.Now
}

// Metrics counts and measures. Make it with [New]; its methods may be called
// from any goroutine.
type Metrics struct {
	opts     Options
	registry *prometheus.Registry
	jobs     *jobMeters
	follower *follower
	rooms    *rooms
	http     *httpMeters
	copies   *copyMeters
	inputs   *inputMeters
	visits   *visitMeters
	pictures *prometheus.CounterVec // refused, by reason

	mu     sync.Mutex
	source Source // nil until Follow
}

// New makes metrics with a registry of their own. It starts nothing.
func New(o Options) *Metrics {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	m := &Metrics{opts: o, registry: prometheus.NewRegistry()}
	deployments := newBounded(o.Deployments, 0)
	m.jobs = newJobMeters(m.registry, deployments, o.Deployments)
	m.follower = newFollower(m.jobs, o.Now)
	m.rooms = newRooms(o.Disks, o.Now)
	m.http = newHTTPMeters(m.registry, o.Now)
	m.copies = newCopyMeters(m.registry)
	m.inputs = newInputMeters(m.registry)
	m.visits = newVisitMeters(m.registry)
	m.pictures = newPictureMeters(m.registry)
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		buildInfo(o.Version, o.Revision), &moment{m: m, codes: newBounded(ownCodes(), maxForeignCodes), deployments: deployments},
		m.follower, m.rooms)
	if o.Store != nil {
		m.registry.MustRegister(ledger{o.Store})
	}
	if o.Limits != nil {
		m.registry.MustRegister(limits{o.Limits})
	}
	return m
}

// Handler answers GET /metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(m.opts.Logger.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: 4, EnableOpenMetrics: true,
	})
}

// Run follows the source until ctx ends and returns nil then. Trouble of its
// own never ends the manager. It may be called once.
func (m *Metrics) Run(ctx context.Context, s Source) error {
	m.mu.Lock()
	m.source = s
	m.mu.Unlock()
	var all sync.WaitGroup
	all.Go(func() { m.rooms.run(ctx) })
	m.follower.run(ctx, s, m.opts.Logger)
	all.Wait()
	return nil
}

func (m *Metrics) from() Source {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.source
}
