package main

import (
	"context"
	"os"
	"slices"

	"golang.org/x/term"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/doctor"
)

// examineTold shows on a terminal how far it is.
func (a *app) examineTold(ctx context.Context, v doctor.Visit) []doctor.Result {
	if !isTerminal(a.stderr) {
		return v.Examine(ctx)
	}
	bar := a.lookingBar()
	v.Progress = func(done, total int, name string) { moveBar(bar, done, total, name) }
	results := v.Examine(ctx)
	_ = bar.Finish()
	return results
}

// flyCanary sends canaries, and tells how it goes.
func (a *app) flyCanary(ctx context.Context, v doctor.Visit, o doctorOptions) []doctor.Result {
	to := o.deployments
	if workers, err := v.Manager.Workers(ctx); err == nil && len(to) == 0 {
		to = deploymentNames(workers)
	}
	told := a.newTeller()
	results := v.Fly(ctx, doctor.Canary{Here: a.local(), To: to, Tell: told.show, Limit: o.timeout, Agree: func(workers []api.Worker) bool {
		a.tellCanary(workers)
		return o.yes || isTerminal(a.stdin) && a.agreed("send it?")
	}})
	told.end()
	if slices.ContainsFunc(results, func(r doctor.Result) bool { return r.Code == "interrupted" || r.Code == "stopped" }) {
		a.note("the canary was taken back")
	}
	return results
}

// tellReport prints what was found: what needs a person with its next step,
// gravest first, and of the rest the names. With all it prints every finding.
func (a *app) tellReport(r api.DoctorReport, all bool) {
	p := page{terminal: isTerminal(a.stdout.Writer), colour: isTerminal(a.stdout.Writer) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb", width: 80}
	if f, ok := a.stdout.Writer.(*os.File); ok && p.terminal {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w >= 40 {
			p.width = min(w, 120)
		}
	}
	a.printf("%s", p.report(r, all))
}
