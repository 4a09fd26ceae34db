package sshd

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"time"

	"charm.land/ssh"
	gossh "golang.org/x/crypto/ssh"

	"github.com/comfyume/qmtui/internal/job"
)

// Why a visit ends, or does not begin.
var (
	errNoTerminal = &job.Error{Code: "no_terminal", Class: job.Invalid, Message: "the panel needs a terminal", Hint: "give ssh the flag -t"}
	errOnlyPanel  = &job.Error{Code: "only_the_panel", Class: job.Forbidden, Message: "there is the panel here, and no commands", Hint: "log in without a command, or with the panel's flags: ssh -t HOST qmtui --read-only"}
	errTooMany    = &job.Error{Code: "too_many_panels", Class: job.TooMany, Message: "as many panels are open as may be", Hint: "close one, or raise ssh.max_sessions"}
	errStopping   = &job.Error{Code: "stopping", Class: job.Unavailable, Message: "the manager is stopping", Hint: "connect again in a moment"}
	errIdle       = &job.Error{Code: "idle", Class: job.Unavailable, Message: "no key was pressed for a long time", Hint: "connect again"}
	errKeyGone    = &job.Error{Code: "key_removed", Class: job.Forbidden, Message: "your key is not good for this any more", Hint: "ask whoever keeps the keys file"}
	errLineLost   = &job.Error{Code: "line_lost", Class: job.Unavailable, Message: "the line broke", Hint: "connect again"}
)

// visit is one that is under way.
type visit struct {
	Visitor
	key  ssh.PublicKey
	addr netip.Addr
	end  context.CancelCauseFunc
}

// receive has one visitor from the door to the goodbye.
func (s *Server) receive(sess ssh.Session) {
	if !s.comeIn() {
		goodbye(sess, errStopping)
		return
	}
	defer s.visiting.Done()
	l := sess.Context().Value(lineKey{}).(*line)
	defer l.use()()
	ctx, end := context.WithCancelCause(sess.Context())
	gone := make(chan struct{})
	s.running.Go(func() { s.hurry(ctx, l, gone) })
	defer close(gone)
	defer end(nil)
	err := s.host(ctx, end, sess, l)
	end(nil)
	goodbye(sess, err)
}

// comeIn counts a visitor whose goodbye is waited for; false when it is too late.
func (s *Server) comeIn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopping {
		s.visiting.Add(1)
	}
	return !s.stopping
}

// hurry closes the line when a visit that has ended is not over soon: what is
// written to a client that reads nothing, or is not there, waits for ever.
func (s *Server) hurry(ctx context.Context, l *line, gone <-chan struct{}) {
	<-ctx.Done()
	select {
	case <-gone:
	case <-time.After(s.times.grace):
		_ = l.Close()
	}
}

// goodbye tells how a visit ended.
func goodbye(sess ssh.Session, err error) {
	code := 0
	if err != nil {
		code = 1
		_, _ = fmt.Fprintf(sess.Stderr(), "qmtui: %s\n", job.AsError(err).Error())
	}
	_ = sess.Exit(code)
}

// host shows the panel to a visitor who may come in.
func (s *Server) host(ctx context.Context, end context.CancelCauseFunc, sess ssh.Session, l *line) error {
	pty, windows, isPty := sess.Pty()
	switch {
	case !isPty && sess.RawCommand() != "":
		return errOnlyPanel
	case !isPty:
		return errNoTerminal
	}
	v, err := s.enter(sess, end)
	if err != nil {
		return err
	}
	defer s.leave(v, s.opts.Now())
	s.running.Go(func() { s.keepAlive(ctx, l, sess.Context().Value(ssh.ContextKeyConn).(gossh.Conn)) })
	in := newKeyboard(sess, s.opts.Idle, end)
	defer in.stop()
	sizes := make(chan Size, 1)
	s.running.Go(func() { relay(windows, sizes, end) })
	err = s.opts.Show(ctx, Visit{Visitor: v.Visitor, Args: sess.Command(), In: in, Out: sess, Environ: environ(pty.Term, sess.Environ()),
		Size: sized(pty.Window.Width, pty.Window.Height), Sizes: sizes})
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return err
}

// enter lets a visitor in whose key is still good, while there is room.
func (s *Server) enter(sess ssh.Session, end context.CancelCauseFunc) (*visit, error) {
	addr := addrOf(sess.RemoteAddr())
	k, err := s.ring.find(sess.PublicKey(), addr)
	if err != nil {
		return nil, errKeyGone
	}
	v := &visit{Visitor: Visitor{Key: k, Login: harmless(sess.User()), From: sess.RemoteAddr().String()}, key: sess.PublicKey(), addr: addr, end: end}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopping:
		return nil, errStopping
	case len(s.visits) >= s.opts.MaxVisits:
		return nil, errTooMany
	}
	s.visits[v] = true
	s.log.Info("a panel was opened by SSH", v.attrs()...)
	return v, nil
}

func (s *Server) leave(v *visit, came time.Time) {
	s.mu.Lock()
	delete(s.visits, v)
	s.mu.Unlock()
	s.log.Info("a panel was left by SSH", append(v.attrs(), "after", s.opts.Now().Sub(came).Round(time.Second))...)
}

// attrs are a visitor in the log.
func (v Visitor) attrs() []any {
	return []any{"who", v.Name, "key", v.Fingerprint, "login", v.Login, "from", v.From, "read_only", v.ReadOnly}
}

// keepAlive asks whether anybody is there, and closes the line when nobody
// answers.
func (s *Server) keepAlive(ctx context.Context, l *line, conn gossh.Conn) {
	ticker := time.NewTicker(s.times.ask)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		late := time.AfterFunc(s.times.answer, func() { _ = l.Close() })
		_, _, err := conn.SendRequest("keepalive@openssh.com", true, nil)
		late.Stop()
		if err != nil {
			return
		}
	}
}

// keyboard is what the visitor types. It notices when nothing was typed for
// long, and when nothing can be any more.
type keyboard struct {
	io.Reader
	after time.Duration // zero means never
	idle  *time.Timer   // nil without after
	end   context.CancelCauseFunc
}

func newKeyboard(r io.Reader, after time.Duration, end context.CancelCauseFunc) *keyboard {
	k := &keyboard{Reader: r, after: after, end: end}
	if after > 0 {
		k.idle = time.AfterFunc(after, func() { end(errIdle) })
	}
	return k
}

// Read reads keys.
func (k *keyboard) Read(b []byte) (int, error) {
	n, err := k.Reader.Read(b)
	if n > 0 && k.idle != nil {
		k.idle.Reset(k.after)
	}
	if err != nil {
		k.end(errLineLost)
	}
	return n, err
}

func (k *keyboard) stop() {
	if k.idle != nil {
		k.idle.Stop()
	}
}

// relay hands the newest size on, and notices the end of the session, which
// closes windows. It never makes the client wait.
func relay(windows <-chan ssh.Window, sizes chan Size, end context.CancelCauseFunc) {
	defer end(errLineLost)
	for w := range windows {
		select {
		case <-sizes:
		default:
		}
		sizes <- sized(w.Width, w.Height)
	}
}
