package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/doctor"
	"github.com/comfyume/qmtui/internal/job"
)

// doctorThere lets the manager's own doctor look, and tells what it found.
func (a *app) doctorThere(ctx context.Context, o doctorOptions) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	q := api.DoctorRequest{Canary: o.canary, Deployments: o.deployments}
	if o.canary {
		if q.Deployments, err = a.agreeToCanary(ctx, c, o); err != nil {
			return err
		}
	}
	s, err := c.RunDoctor(ctx, q)
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if s, err = a.awaitDoctor(bounded, c, s); bounded.Err() != nil && ctx.Err() == nil {
		return &job.Error{Code: waitTimeout, Class: job.Unavailable, Message: "the manager's doctor did not end within " + o.timeout.String() + "; it goes on",
			Hint: "see its report in the panel, or give a longer --timeout"}
	}
	if err != nil {
		return err
	}
	if s.Report == nil {
		return failed("no_report", "the manager's doctor came to no end", "see the manager's log")
	}
	return a.tellOrPrint(*s.Report, o)
}

// agreeToCanary says what canaries may cost, asks, and returns to which
// deployments they go.
func (a *app) agreeToCanary(ctx context.Context, c *api.Client, o doctorOptions) ([]string, error) {
	workers, err := c.Workers(ctx)
	if err != nil {
		return nil, err
	}
	if len(o.deployments) > 0 {
		workers = slices.DeleteFunc(workers, func(w api.Worker) bool { return !slices.Contains(o.deployments, w.Name) })
	}
	to := o.deployments
	if len(to) == 0 {
		to = deploymentNames(workers)
	}
	if o.yes || len(workers) == 0 {
		return to, nil
	}
	a.tellCanary(workers)
	return to, a.agreeOrRefuse("nothing was sent")
}

func deploymentNames(workers []api.Worker) []string {
	all := make([]string, 0, len(workers))
	for _, w := range workers {
		all = append(all, w.Name)
	}
	return all
}

// tellCanary says what canaries on deployments are and may cost.
func (a *app) tellCanary(workers []api.Worker) {
	a.note("the canary renders 8x8 pixels on %s, as user %s", printable(strings.Join(deploymentNames(workers), ", then on ")), doctor.CanaryUser)
	for _, w := range workers {
		a.note("%s", printable(costSentence(w)))
	}
}

// awaitDoctor asks until the look has ended, and shows on a terminal how far it is.
func (a *app) awaitDoctor(ctx context.Context, c *api.Client, s api.DoctorStanding) (api.DoctorStanding, error) {
	show := func(api.DoctorRun) {}
	if isTerminal(a.stderr) {
		bar := a.lookingBar()
		defer func() { _ = bar.Finish() }()
		show = func(r api.DoctorRun) { moveBar(bar, r.Done, r.Total, r.Doing) }
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for s.Running != nil {
		show(*s.Running)
		select {
		case <-ctx.Done():
			return s, ctx.Err()
		case <-tick.C:
		}
		var err error
		if s, err = c.Doctor(ctx); err != nil {
			return s, err
		}
	}
	return s, nil
}

// lookingBar is for the eye only: what it returns as errors means nothing.
func (a *app) lookingBar() *progressbar.ProgressBar {
	return progressbar.NewOptions(1, progressbar.OptionSetWriter(a.stderr), progressbar.OptionSetDescription("looking"),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30), progressbar.OptionShowCount(), progressbar.OptionThrottle(65*time.Millisecond))
}

func moveBar(bar *progressbar.ProgressBar, done, total int, name string) {
	bar.ChangeMax(max(1, total))
	bar.Describe(printable(shorten(name, 30)))
	_ = bar.Set(done)
}
