package engine

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/comfyume/qmtui/internal/engine/upkeep"
	"github.com/comfyume/qmtui/internal/job"
)

// Options is what an engine is made of. Ledger, Share and Fleet are required.
type Options struct {
	Ledger Ledger
	Share  Share
	Fleet  Fleet
	Inputs Inputs // nil: prompts find their inputs on the workers, or not
	Policy Policy
	// Active names the deployment that takes work until an admin chooses
	// another; empty means the first, or with Idle that none does.
	Active string
	Idle   bool
	// Rules are what is done for deployments without being asked each time. The
	// zero value does nothing.
	Rules upkeep.Rules
	// Audit keeps what the rules do; nil forgets it. Called by the loop alone.
	Audit func(job.AuditEntry) error
	Log   *slog.Logger // nil discards
}

// Engine is the embedded engine: one loop that owns all live state, and the
// acts that it starts. Methods may be called from any goroutine; those that
// change something need a running Run.
type Engine struct {
	ledger  Ledger
	share   Share
	fleet   Fleet
	inputs  Inputs // may be nil
	policy  Policy
	log     *slog.Logger
	started time.Time
	inbox   chan message
	places  *places
	// running is closed when the loop has loaded its jobs; stopped when it is over.
	running, stopped chan struct{}
	// board is what the loop last published for readers.
	board atomic.Pointer[board]
	first string
	none  bool // no deployment is active without being chosen
	rules upkeep.Rules
	deeds func(job.AuditEntry) error // keeps them; may be nil
}

// New makes an engine. It starts nothing; see [Engine.Run].
func New(o Options) *Engine {
	e := &Engine{
		ledger: o.Ledger, share: o.Share, fleet: o.Fleet, inputs: o.Inputs, policy: o.Policy.filled(), log: o.Log,
		started: time.Now(), inbox: make(chan message, 256), places: newPlaces(),
		running: make(chan struct{}), stopped: make(chan struct{}), first: o.Active, none: o.Idle,
		rules: o.Rules, deeds: o.Audit,
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	e.board.Store(&board{})
	return e
}

// Run works until ctx ends, then takes no more work, lets copies under way
// finish for up to ten seconds and returns when all its children have. What
// was in flight is found again at the next start.
func (e *Engine) Run(ctx context.Context) error {
	defer close(e.stopped)
	l, err := newLoop(e)
	if err != nil {
		return err
	}
	kill, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	watchers, wctx := errgroup.WithContext(kill)
	watchers.Go(func() error { return e.share.Run(wctx, l.reportSighting) })
	watchers.Go(func() error { return e.fleet.Run(wctx, l.reportFact) })
	watchers.Go(func() error { return e.tidyInputs(wctx) })
	err = l.run(ctx, wctx)
	stop()
	if werr := watchers.Wait(); err == nil && werr != nil && wctx.Err() == nil {
		err = werr
	}
	l.acts.Wait()
	l.noticeHolds(e.fleet.Deployments()) // the fleet's last act is to give back
	return err
}

// Ready is closed once the jobs of the last run have been loaded.
func (e *Engine) Ready() <-chan struct{} { return e.running }

// message is something for the loop. Exactly one field is set, and reply, if
// any, is called once by the loop after what follows from it is recorded.
type message struct {
	fact     *job.Fact
	sighting *job.Sighting
	do       func(*loop) (reply func())
}

// errStopped is what callers get while the engine is not running.
var errStopped = &job.Error{Code: "stopping", Class: job.Unavailable, Transient: true,
	Message: "the manager is stopping", Hint: "try again when it is back"}

// tell hands a message to the loop.
func (e *Engine) tell(ctx context.Context, m message) error {
	select {
	case e.inbox <- m:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-e.stopped:
		return errStopped
	}
}

// ask runs fn in the loop and waits until what it changed, and what followed
// from that, is recorded.
func (e *Engine) ask(ctx context.Context, fn func(*loop) error) error {
	done := make(chan error, 1)
	err := e.tell(ctx, message{do: func(l *loop) func() {
		err := fn(l)
		return func() { done <- err }
	}})
	if err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-e.stopped:
		return errStopped
	}
}
