package ui

import (
	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// outputView is one file of a job as the contract shows it.
type outputView = api.Output

// Options is what a panel is made of. Only Manager is required.
type Options struct {
	Manager Manager
	// Attached says where: "daemon" or "in this process".
	Attached string
	Host     string // of the manager, for the header
	// Embedded says that leaving the panel ends the manager.
	Embedded bool
	// LeaveDaemon is called when the person wants a daemon to go on after the
	// manager of this process; nil when that cannot be had.
	LeaveDaemon func()
	Limit       int // ended jobs to hold; zero means 5000
	Theme       Theme
	ASCII       bool
	// Images is how pictures are shown: ImagesBlocks, ImagesKitty or ImagesOff;
	// empty means blocks.
	Images string
	// Kitty is what the terminal holds with ImagesKitty; nil makes one. Whoever
	// gives it writes its Clear after the panel has ended.
	Kitty *Kitty
	// NoSync keeps synchronized output off where the terminal does not ask for it.
	NoSync bool
	// Prefs is the file that keeps pane, sort, filter and theme between starts; empty for none.
	Prefs string
	// Remote tells of the terminal when it is at the other end of a line; nil
	// when it is one of this machine, which can be asked.
	Remote *Remote
	Clock  Clock // nil is the wall clock
}

func (o Options) withDefaults() Options {
	if o.Limit <= 0 {
		o.Limit = 5000
	}
	if o.Theme == "" {
		o.Theme = ThemeAuto
	}
	if o.Images == "" {
		o.Images = ImagesBlocks
	}
	switch {
	case o.Images != ImagesKitty:
		o.Kitty = nil
	case o.Kitty == nil:
		o.Kitty = NewKitty(false)
	}
	if o.Attached == "" {
		o.Attached = "daemon"
	}
	if o.Clock == nil {
		o.Clock = wallClock{}
	}
	return o
}

// stateWords are the words of the state column.
var stateWords = map[job.State]string{job.Queued: "queued", job.Submitting: "submitting", job.Accepted: "accepted", job.Running: "running",
	job.Rendered: "rendered", job.Done: "done", job.Failed: "failed", job.Cancelled: "cancelled", job.Lost: "lost"}
