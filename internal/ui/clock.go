package ui

import (
	"time"

	tea "charm.land/bubbletea/v2"
)

// Clock tells the panel's time, so that tests can.
type Clock interface {
	Now() time.Time
	// After makes a command that waits and then gives msg.
	After(d time.Duration, msg tea.Msg) tea.Cmd
}

type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

func (wallClock) After(d time.Duration, msg tea.Msg) tea.Cmd {
	return tea.Tick(d, func(time.Time) tea.Msg { return msg })
}
