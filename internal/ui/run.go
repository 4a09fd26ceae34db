package ui

import (
	"context"
	"errors"
	"fmt"
	"io"

	tea "charm.land/bubbletea/v2"
)

// fps bounds how often the screen is written; what comes from the manager is
// handed over ten times a second at most, so only keys use the rest.
const fps = 30

// Run shows the panel until the person leaves or ctx ends, and gives the
// terminal back as it was. in and out are the terminal.
func Run(ctx context.Context, o Options, in io.Reader, out io.Writer) error {
	inner, stop := context.WithCancel(ctx)
	defer stop()
	p := tea.NewProgram(New(inner, o), tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithFPS(fps))
	_, err := p.Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil || errors.Is(err, tea.ErrInterrupted) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("run the panel: %w", err)
	}
	return nil
}
