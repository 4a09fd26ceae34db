package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// teller tells on stderr how a job goes: in one line that moves on a terminal,
// else in a line for each step. A warning gets a line of its own, once, when it
// comes: a delivery that waits for a full disk must not look like patience.
type teller struct {
	app    *app
	bar    *progressbar.ProgressBar // nil without a terminal
	step   string                   // told last
	warned int
}

func (a *app) newTeller() *teller {
	t := &teller{app: a}
	if isTerminal(a.stderr) {
		t.bar = spinner(a.stderr)
	}
	return t
}

func spinner(w io.Writer) *progressbar.ProgressBar {
	return progressbar.NewOptions(-1, progressbar.OptionSetWriter(w), progressbar.OptionSpinnerType(14),
		progressbar.OptionSetElapsedTime(true), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(65*time.Millisecond))
}

func (t *teller) show(j api.Job) {
	t.warn(j)
	text := shortID(j.ID) + " " + j.Phase
	if n := storedCount(j); n > 0 && j.State < job.Rendered { // after that, the phase counts them
		text += ", " + plural(n, "file") + " delivered"
	}
	text = printable(shorten(text, 100))
	if t.bar != nil {
		t.bar.Describe(text)
		_ = t.bar.Add(1) // for the eye only
		return
	}
	if s := step(j); s != t.step {
		t.step = s
		t.app.note("%s", text)
	}
}

// step changes when something happened, and not when only time passed.
func step(j api.Job) string {
	position := -1
	if j.Position != nil {
		position = *j.Position
	}
	away := j.Phase == awayPhase
	return fmt.Sprint(j.State, len(j.Attempts), storedCount(j), position, away)
}

// warn tells the warnings that are new. A retry may have dropped some.
func (t *teller) warn(j api.Job) {
	if len(j.Warnings) > t.warned {
		if t.bar != nil {
			_ = t.bar.Clear()
		}
		t.app.warn(j.Warnings[t.warned:])
	}
	t.warned = len(j.Warnings)
}

func (t *teller) end() {
	if t.bar != nil {
		_ = t.bar.Finish()
	}
}
