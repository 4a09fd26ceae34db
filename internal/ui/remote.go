package ui

import (
	"context"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
)

// Remote is a terminal at the other end of a line, of which this process knows
// what it was told: an SSH session's.
type Remote struct {
	// Environ is the environment there ("NAME=value") with TERM. With SSH_TTY
	// in it, synchronized output is turned on as over any SSH line.
	Environ       []string
	Width, Height int // cells
	// Sizes brings each new size. Nobody needs to close it.
	Sizes <-chan Size
}

// Size is that of a terminal, in cells. It has no name of its own, so that
// whoever knows sizes need not know the panel.
type Size = struct{ Width, Height int }

// options say to Bubble Tea what it asks a terminal of its own. Signals are
// the process's, which has other things to do than this panel.
func (r *Remote) options() []tea.ProgramOption {
	return []tea.ProgramOption{tea.WithEnvironment(r.Environ), tea.WithColorProfile(colorprofile.Env(r.Environ)),
		tea.WithWindowSize(r.Width, r.Height), tea.WithoutSignalHandler()}
}

// follow tells the program of new sizes until ctx ends.
func (r *Remote) follow(ctx context.Context, p *tea.Program) {
	for {
		select {
		case s, more := <-r.Sizes:
			if !more {
				return
			}
			p.Send(tea.WindowSizeMsg{Width: s.Width, Height: s.Height})
		case <-ctx.Done():
			return
		}
	}
}
