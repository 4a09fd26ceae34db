package main

import (
	"context"
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/doctor"
)

// examineTold shows on a terminal how far it is.
func (a *app) examineTold(ctx context.Context, v doctor.Visit) []doctor.Result {
	if !isTerminal(a.stderr) {
		return v.Examine(ctx)
	}
	bar := progressbar.NewOptions(1, progressbar.OptionSetWriter(a.stderr), progressbar.OptionSetDescription("looking"),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30), progressbar.OptionShowCount(), progressbar.OptionThrottle(65*time.Millisecond))
	v.Progress = func(done, total int, name string) {
		bar.ChangeMax(total)
		bar.Describe(printable(shorten(name, 30)))
		_ = bar.Set(done) // for the eye only
	}
	results := v.Examine(ctx)
	_ = bar.Finish()
	return results
}

// flyCanary sends a canary, and tells how it goes.
func (a *app) flyCanary(ctx context.Context, v doctor.Visit, o doctorOptions) []doctor.Result {
	told := a.newTeller()
	defer told.end()
	return v.Fly(ctx, doctor.Canary{Here: a.local(), Tell: told.show, Agree: func(w api.Worker) bool {
		a.note("the canary renders 8x8 pixels on %s, as user %s", printable(w.Name), doctor.CanaryUser)
		a.note("%s", printable(costSentence(w)))
		return o.yes || isTerminal(a.stdin) && a.agreed("send it?")
	}})
}

// tellResults prints the findings: a line each, and its next step under it.
func (a *app) tellResults(results []doctor.Result, asJSON bool) error {
	if asJSON {
		return writeJSON(a.stdout, map[string]any{"verdict": doctor.Worst(results), "checks": results, "counts": countVerdicts(results)})
	}
	width := 0
	for _, r := range results {
		width = max(width, len([]rune(r.Title())))
	}
	for _, r := range results {
		a.printf("%-4s  %-*s  %s\n", r.Verdict, width, printable(r.Title()), printable(r.Reason))
		if r.Next != "" && r.Verdict != doctor.OK {
			a.printf("      %*s  next: %s\n", width, "", printable(r.Next))
		}
	}
	n := countVerdicts(results)
	a.printf("%s\n", fmt.Sprintf("%d ok, %d warn, %d fail, %d skipped", n[doctor.OK], n[doctor.Warn], n[doctor.Fail], n[doctor.Skip]))
	return nil
}

func countVerdicts(results []doctor.Result) map[doctor.Verdict]int {
	n := map[doctor.Verdict]int{doctor.OK: 0, doctor.Warn: 0, doctor.Fail: 0, doctor.Skip: 0}
	for _, r := range results {
		n[r.Verdict]++
	}
	return n
}

func countVerdict(results []doctor.Result, v doctor.Verdict) int { return countVerdicts(results)[v] }
