package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/engine/share"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/metrics"
	"github.com/comfyume/qmtui/internal/server"
	"github.com/comfyume/qmtui/internal/store"
)

// meteredShare measures every copy.
type meteredShare struct {
	*share.Share
	metrics *metrics.Metrics
}

// Copy is the share's, measured.
func (s meteredShare) Copy(ctx context.Context, t job.Transfer) (job.Receipt, error) {
	began := time.Now()
	r, err := s.Share.Copy(ctx, t)
	s.metrics.Copied(r, err, time.Since(began))
	return r, err
}

// meteredInputs measures how inputs are brought to the workers.
type meteredInputs struct {
	engine.Inputs
	metrics *metrics.Metrics
}

// Stage is that of the inputs, measured.
func (s meteredInputs) Stage(ctx context.Context, user string, in job.Input) error {
	began := time.Now()
	err := s.Inputs.Stage(ctx, user, in)
	s.metrics.Staged(err, time.Since(began))
	return err
}

// meteredMemory hears of every time that the fleet measures.
type meteredMemory struct {
	*store.Store
	metrics *metrics.Metrics
}

// AddSample is the ledger's, counted.
func (m meteredMemory) AddSample(s job.Sample) error {
	m.metrics.Sampled(s)
	return m.Store.AddSample(s)
}

func metricsOptions(cfg config.Config, ledger *store.Store, log *slog.Logger) metrics.Options {
	b := thisBuild()
	o := metrics.Options{
		Version: b.Version, Revision: b.Revision, TopUsers: cfg.Metrics.Users, Logger: log,
		Store: func() metrics.StoreStats { return metrics.StoreStats(ledger.Stats()) },
		Disks: map[string]string{"share": cfg.Share.Outputs, "users": cfg.Users.Outputs},
	}
	o.Disks["state"], _ = cfg.StateDir(nil) // empty leaves the disk out
	o.BudgetPerDay, o.Budgets = cfg.Budget.PerDay, map[string]float64{}
	for _, d := range cfg.Deployments {
		o.Deployments = append(o.Deployments, d.Name)
		o.Budgets[d.Name] = d.BudgetPerDay
	}
	return o
}

// limitUses is how far the limits of users are used; nothing before there is a server.
func (m *manager) limitUses() []metrics.LimitUse {
	var out []metrics.LimitUse
	if m.server != nil {
		for _, u := range m.server.Limits() {
			out = append(out, metrics.LimitUse(u))
		}
	}
	return out
}

// measured lets the server answer /metrics and tell of its calls.
func (m *manager) measured(o server.Options, readers []string) server.Options {
	o.Metrics, o.MetricsReaders, o.Meter = m.metrics.Handler(), readers, m.metrics.Called
	o.PictureRefused = m.metrics.PictureRefused
	return o
}
