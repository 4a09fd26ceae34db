package main

import (
	"context"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/doctor"
)

// doctorThere lets the manager's own doctor look, and tells what it found.
func (a *app) doctorThere(ctx context.Context, o doctorOptions) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	if o.canary && !o.yes {
		if err := a.agreeToCanary(ctx, c); err != nil {
			return err
		}
	}
	s, err := c.RunDoctor(ctx, api.DoctorRequest{Canary: o.canary})
	if err != nil {
		return err
	}
	if s, err = a.awaitDoctor(ctx, c, s); err != nil {
		return err
	}
	if s.Report == nil {
		return failed("no_report", "the manager's doctor came to no end", "see the manager's log")
	}
	return a.tellOrPrint(*s.Report, o)
}

// agreeToCanary says what a canary may cost, and asks.
func (a *app) agreeToCanary(ctx context.Context, c *api.Client) error {
	q, err := c.QueueStatus(ctx)
	if err != nil {
		return err
	}
	workers, err := c.Workers(ctx)
	if err != nil {
		return err
	}
	for _, w := range workers {
		if w.Name == q.Active {
			a.tellCanary(w)
		}
	}
	return a.agreeOrRefuse("nothing was sent")
}

// tellCanary says what a canary on a deployment is and may cost.
func (a *app) tellCanary(w api.Worker) {
	a.note("the canary renders 8x8 pixels on %s, as user %s", printable(w.Name), doctor.CanaryUser)
	a.note("%s", printable(costSentence(w)))
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
