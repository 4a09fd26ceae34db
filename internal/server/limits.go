package server

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/limit"
)

// Limits bound what one user may take of what all share. A zero is the
// default, a negative number means no bound. The admin on the unix socket and
// sessions by SSH have none, and a reserve of all places is kept for them.
type Limits struct {
	Streams int // event streams at once
	Sockets int // WebSockets at once

	Submits     int   // within a minute
	PromptBytes int64 // of submits, within an hour
	Uploads     int   // files within an hour
	UploadBytes int64 // within an hour

	InputFiles int   // that are kept in the own folder of inputs
	InputBytes int64 // of those
}

// DefaultLimits are what Options without Limits mean: five to ten times what a
// busy user of a workshop needs, who has four pages and panels open, queues a
// batch of fifty every minute, or two hundred prompts of 500 KB within an hour,
// and brings a thousand pictures and some videos, 3 GB together, of which the
// folder keeps all for a week.
var DefaultLimits = Limits{Streams: 24, Sockets: 32, Submits: 300, PromptBytes: 1 << 30,
	Uploads: 5000, UploadBytes: 20 << 30, InputFiles: 20_000, InputBytes: 50 << 30}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits
	return Limits{
		Streams: cmp.Or(l.Streams, d.Streams), Sockets: cmp.Or(l.Sockets, d.Sockets),
		Submits: cmp.Or(l.Submits, d.Submits), PromptBytes: cmp.Or(l.PromptBytes, d.PromptBytes),
		Uploads: cmp.Or(l.Uploads, d.Uploads), UploadBytes: cmp.Or(l.UploadBytes, d.UploadBytes),
		InputFiles: cmp.Or(l.InputFiles, d.InputFiles), InputBytes: cmp.Or(l.InputBytes, d.InputBytes),
	}
}

// The places of all users together, so many that twenty users who each hold
// all of theirs leave some, and those kept for operators beside them.
const (
	allStreams, keptStreams = 480, 32
	allSockets, keptSockets = 1024, 64

	allArriving, keptArriving = 1024, 64 // bodies, small ones included
	allBodies, keptBodies     = 16, 4    // those that are not small
	oneArriving, oneBodies    = 64, 4    // of these of one user

	allPrompts, keptPrompts, onePrompts = 3, 1, 1 // large ones that are read and recorded
)

// budgets are the limits at work.
type budgets struct {
	set              limit.Set
	streams, sockets *limit.Pool
	arriving, bodies *limit.Pool
	prompts          *limit.Pool

	submits, promptBytes, uploads, uploadBytes *limit.Rate
}

func newBudgets(l Limits, o Options) *budgets {
	pool := func(name string, all, kept, perUser int) *limit.Pool {
		return limit.NewPool(limit.PoolSpec{Name: name, Size: all + kept, Reserve: kept, PerUser: max(0, perUser), Now: o.Now})
	}
	rate := func(name string, most int64, per time.Duration) *limit.Rate {
		return limit.NewRate(limit.RateSpec{Name: name, Most: most, Per: per, Now: o.Now})
	}
	b := &budgets{
		streams: pool("streams", o.MaxStreams, keptStreams, l.Streams),
		sockets: pool("sockets", allSockets, keptSockets, l.Sockets),

		arriving: pool("arriving", allArriving, keptArriving, oneArriving),
		bodies:   pool("bodies", allBodies, keptBodies, oneBodies),
		prompts:  pool("prompts", allPrompts, keptPrompts, onePrompts),

		submits: rate("submits", int64(l.Submits), time.Minute), promptBytes: rate("prompt_bytes", l.PromptBytes, time.Hour),
		uploads: rate("uploads", int64(l.Uploads), time.Hour), uploadBytes: rate("upload_bytes", l.UploadBytes, time.Hour),
	}
	b.set.Add(b.streams, b.sockets, b.arriving, b.bodies, b.prompts, b.submits, b.promptBytes, b.uploads, b.uploadBytes)
	return b
}

// Limits lists how far each limit is used.
func (s *Server) Limits() []limit.Use { return s.budgets.set.Uses() }

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

// chargeSubmit charges a submit whose body has size bytes, and sees that the
// ledger has room for it.
func (s *Server) chargeSubmit(c limit.Caller, size int64) error {
	b := s.budgets
	if err := b.submits.Take(c, 1); err != nil {
		return overRate(err, "too_many_submits", "%d submits within a minute are the most for one user", "submit again in %s; a batch may be smaller")
	}
	if err := b.promptBytes.Take(c, size); err != nil {
		return overRate(err, "too_many_prompt_bytes", "%s of prompts within an hour are the most for one user",
			"submit again in %s; upload pictures as inputs instead of embedding them in the prompt")
	}
	written, err := s.opts.Disks.Claim(DiskState, size)
	if err != nil {
		return fullDisk(err)
	}
	written() // what is under way beside it is small against the reserve
	return nil
}

// chargeUpload charges an upload of size bytes; zero when that is not known.
func (s *Server) chargeUpload(c limit.Caller, files, size int64) error {
	b := s.budgets
	if err := b.uploads.Take(c, files); err != nil {
		return overRate(err, "too_many_uploads", "%d uploads within an hour are the most for one user", "upload again in %s")
	}
	return overRate(b.uploadBytes.Take(c, size), "too_many_upload_bytes", "%s of uploads within an hour are the most for one user", "upload again in %s")
}

// inputsFull is what somebody is told whose folder of inputs takes no more.
func inputsFull(files int, size int64, l Limits) error {
	most := fmt.Sprintf("%d files", l.InputFiles)
	if l.InputFiles <= 0 || files < l.InputFiles {
		most = humanize.IBytes(uint64(l.InputBytes))
	}
	return &job.Error{Code: "inputs_full", Class: job.TooLarge,
		Message: fmt.Sprintf("your folder of inputs has %d files, %s; %s are the most for one user", files, humanize.IBytes(uint64(size)), most),
		Hint:    "remove inputs that you no longer need, then upload again; an admin can raise the limit"}
}

// inputsCrowd is what somebody is told whose folder of inputs is large on a disk
// that has little room left.
func inputsCrowd(size, room int64) error {
	return &job.Error{Code: "inputs_full", Class: job.TooLarge,
		Message: fmt.Sprintf("your folder of inputs has %s, and its disk has room for %s more: what is left is for users who keep less", humanize.IBytes(uint64(size)), humanize.IBytes(uint64(max(0, room)))),
		Hint:    "remove inputs that you no longer need, or ask an admin to make room there, then upload again"}
}

// Names of disks in Options.Disks.
const (
	DiskState   = "state.dir"
	DiskInputs  = "users.inputs"
	DiskOutputs = "users.outputs"
	DiskTemp    = "temporary files" // where large uploads are while they arrive
)

// fullDisk puts a refusal of [limit.Disks] into words.
func fullDisk(err error) error {
	var f *limit.FullError
	if !errors.As(err, &f) {
		return err
	}
	return &job.Error{Code: "disk_full", Class: job.Unavailable, Transient: true,
		Message: fmt.Sprintf("the disk of %s has %s free, and %s are to stay free (share.free_reserve)", f.Disk, humanize.IBytes(uint64(max(0, f.Free))), humanize.IBytes(uint64(f.Leave))),
		Hint:    "an admin makes room there; it goes on by itself then"}
}

func fullTemp(err error) error {
	return &job.Error{Code: "disk_full", Class: job.Unavailable, Transient: true, Message: "there is no room for the upload among the " + DiskTemp + ": " + err.Error(),
		Hint: "an admin makes room there, or sets TMPDIR for the manager; then upload again"}
}

// overRate puts a refusal of a rate into words; the first text has the place of
// the most, the second of how long to wait.
func overRate(err error, code, most, hint string) error {
	var r *limit.Refusal
	if !errors.As(err, &r) {
		return err
	}
	of := any(r.Of)
	if strings.HasPrefix(most, "%s") {
		of = humanize.IBytes(uint64(r.Of))
	}
	wait := time.Duration(math.Ceil(r.Wait.Seconds())) * time.Second
	return &job.Error{Code: code, Class: job.TooMany, Transient: true, RetryAfter: int(wait.Seconds()), Message: fmt.Sprintf(most, of), Hint: fmt.Sprintf(hint, wait)}
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
