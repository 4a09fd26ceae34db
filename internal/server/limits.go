package server

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/limit"
)

// Limits bound what one user may take of what all share. A zero is the
// default, a negative number means no bound. The admin on the unix socket and
// sessions by SSH have none, and a reserve of all places is kept for them.
type Limits struct {
	Streams int // event streams at once; 24 by default
	Sockets int // WebSockets at once; 32 by default
}

// DefaultLimits are what Options without Limits mean: five to ten times what
// somebody needs who has the panel, several pages and scripts open at once.
var DefaultLimits = Limits{Streams: 24, Sockets: 32}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits
	l.Streams, l.Sockets = cmp.Or(l.Streams, d.Streams), cmp.Or(l.Sockets, d.Sockets)
	return l
}

// The places of all users together, so many that twenty users who each hold
// all of theirs leave some, and those kept for operators beside them.
const (
	allStreams, keptStreams = 480, 32
	allSockets, keptSockets = 1024, 64

	allArriving, keptArriving = 1024, 64 // bodies, small ones included
	allBodies, keptBodies     = 16, 4    // those that are not small
	oneArriving, oneBodies    = 64, 4    // of these of one user
)

// budgets are the limits at work.
type budgets struct {
	set              limit.Set
	streams, sockets *limit.Pool
	arriving, bodies *limit.Pool
}

func newBudgets(l Limits, o Options) *budgets {
	pool := func(name string, all, kept, perUser int) *limit.Pool {
		return limit.NewPool(limit.PoolSpec{Name: name, Size: all + kept, Reserve: kept, PerUser: max(0, perUser), Now: o.Now})
	}
	b := &budgets{
		streams: pool("streams", o.MaxStreams, keptStreams, l.Streams),
		sockets: pool("sockets", allSockets, keptSockets, l.Sockets),

		arriving: pool("arriving", allArriving, keptArriving, oneArriving),
		bodies:   pool("bodies", allBodies, keptBodies, oneBodies),
	}
	b.set.Add(b.streams, b.sockets, b.arriving, b.bodies)
	return b
}

// charged is whom a call is charged to.
func (r *request) charged() limit.Caller {
	switch {
	case r.who.Via == viaSocket || r.who.Via == viaSSH:
		return limit.Caller{User: r.who.Name, Operator: true}
	case r.who.anyone: // nobody vouches for a name: whom it is for
		return limit.Caller{User: r.PathValue("user")}
	case r.who.Name == "":
		return limit.Caller{User: "from " + neighbourhood(r.srv.origin(r.Request))} // no user has a name with a space
	}
	return limit.Caller{User: r.who.Name}
}

// enterStream takes a place among the event streams; leave gives it back.
func (r *request) enterStream() (leave func(), err error) {
	leave, err = r.srv.budgets.streams.Try(r.charged())
	return leave, overLimit(err, "too_many_streams", "event streams", "close some panels, pages or scripts that follow the queue, or wait")
}

// enterSocket takes a place among the WebSockets.
func (r *request) enterSocket() (leave func(), err error) {
	leave, err = r.srv.budgets.sockets.Try(r.charged())
	return leave, overLimit(err, "too_many_sockets", "WebSockets", "close some pages, or wait")
}

// enterArriving takes a place among the bodies that arrive.
func (r *request) enterArriving() (leave func(), err error) {
	leave, err = r.srv.budgets.arriving.Try(r.charged())
	return leave, overLimit(err, "too_many_bodies", "uploads and other bodies", "send fewer at once: let some arrive first")
}

func tooSlow() error {
	return &job.Error{Code: "body_timeout", Class: job.Invalid, Transient: true,
		Message: fmt.Sprintf("the body arrived too slowly: %d KiB a second are the least, over %d s", pace.Least>>10, int(pace.Window.Seconds())),
		Hint:    "try again over a better connection, or send less at once"}
}

// brokenBody tells why a body was not read; what says what it was.
func brokenBody(what string, err error) error {
	if known := (*job.Error)(nil); errors.As(err, &known) || ended(err) {
		return err
	}
	return &job.Error{Code: "body_broken", Class: job.Invalid, Message: what + " broke off: " + err.Error(), Hint: "try again"}
}

// placeWait is when to ask again for a place that somebody must leave first.
const placeWait = 10 * time.Second

// overLimit puts a refusal into words: what there is so many of, how they are
// counted when they are the caller's own, and what the caller may do. Another
// error is returned as it is.
func overLimit(err error, code, what, hint string) error {
	var r *limit.Refusal
	if !errors.As(err, &r) {
		return err
	}
	e := &job.Error{Code: code, Class: job.TooMany, Transient: true, Message: fmt.Sprintf("%d %s are open already, of all users", r.Of, what), Hint: hint}
	if r.Own {
		e.Message = fmt.Sprintf("%d %s of yours are open already, which is the most for one user", r.Of, what)
	}
	e.RetryAfter = int(math.Ceil(cmp.Or(r.Wait, placeWait).Seconds()))
	return e
}
