package engine

import "context"

// Alive returns once the loop has taken a turn, recording included. It needs a
// running Run; the error is ctx's when the loop does not come to it in time.
func (e *Engine) Alive(ctx context.Context) error {
	return e.ask(ctx, func(*loop) error { return nil })
}
