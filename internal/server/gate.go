package server

import "context"

// gate lets a number of callers through at once.
type gate chan struct{}

func newGate(n int) gate { return make(gate, n) }

// enter waits for a place until ctx ends.
func (g gate) enter(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// try takes a place if there is one.
func (g gate) try() bool {
	select {
	case g <- struct{}{}:
		return true
	default:
		return false
	}
}

func (g gate) leave() { <-g }
