package ui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	tea "charm.land/bubbletea/v2"
)

// fps bounds how often the screen is written; what comes from the manager is
// handed over ten times a second at most, so only keys use the rest.
const fps = 30

// Run shows the panel until the person leaves or ctx ends, and gives the
// terminal back as it was. in and out are the terminal, of which o.Remote tells
// when it is not one of this machine.
func Run(ctx context.Context, o Options, in io.Reader, out io.Writer) error {
	inner, stop := context.WithCancel(ctx)
	defer stop()
	options := []tea.ProgramOption{tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithFPS(fps)}
	if o.Remote != nil {
		options = append(options, o.Remote.options()...)
	}
	p := tea.NewProgram(New(inner, o), options...)
	if o.Remote != nil {
		var following sync.WaitGroup
		defer following.Wait()
		following.Go(func() { o.Remote.follow(inner, p) })
	}
	_, err := p.Run()
	stop()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil || errors.Is(err, tea.ErrInterrupted) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("run the panel: %w", err)
	}
	return nil
}
