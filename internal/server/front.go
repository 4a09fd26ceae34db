package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// Handler is the server as callers by TCP meet it.
func (s *Server) Handler() http.Handler { return s.front(s.byTCP) }

// SocketHandler is the server as callers by the unix socket meet it. A
// request's RemoteAddr is taken for the name of the peer.
func (s *Server) SocketHandler() http.Handler { return s.front(s.bySocket) }

// ReadOnlyHandler is [Server.SocketHandler] for callers who may only look.
func (s *Server) ReadOnlyHandler() http.Handler { return s.front(s.byReadOnlySocket) }

// front is one door: it makes out the caller, finds the route, turns errors
// and panics into answers, and logs.
func (s *Server) front(identify func(*http.Request) (who, error)) http.Handler {
	mux := http.NewServeMux()
	for _, rt := range append(s.routes(), s.mounted()...) {
		mux.Handle(rt.method+" "+rt.path, s.adapt(rt, identify))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, start := &recorder{ResponseWriter: w}, s.opts.Now()
		h, pattern := mux.Handler(r)
		defer s.measure(out, r, pattern)()
		defer s.finish(out, r, start)
		out.Header().Set("X-Content-Type-Options", "nosniff")
		out.Header().Set("Referrer-Policy", "no-referrer")
		if r.ContentLength != 0 {
			_ = http.NewResponseController(out).SetReadDeadline(time.Now().Add(bodyTimeout)) // a recorder has none
		}
		if pattern == "" {
			writeError(out, noRoute(h, out, r))
			return
		}
		mux.ServeHTTP(out, r)
	})
}

// adapt makes a handler of net/http.
func (s *Server) adapt(rt route, identify func(*http.Request) (who, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := identify(r)
		if rt.public && err != nil {
			caller, err = who{}, nil
		}
		if err == nil {
			caller, err = caller.onPages(r.Header.Values(api.HeaderPage), rt)
		}
		caller.readOnly = caller.readOnly || r.Header.Get(api.HeaderReadOnly) != ""
		if err == nil {
			err = firstError(s.checkOrigin(r), caller.mayCall(rt.method))
		}
		if err == nil {
			err = s.call(rt, w, r, caller)
		}
		if err != nil && !ended(err) {
			s.report(r, err)
			writeError(w, err)
		}
	})
}

// call runs a handler. When the login ends that the caller came in by, so does
// the context of the call.
func (s *Server) call(rt route, w http.ResponseWriter, r *http.Request, caller who) error {
	if caller.login != nil {
		s.logins.renew(w, caller.login)
		ctx, leave := s.logins.live.enter(r.Context(), *caller.login)
		defer leave()
		r = r.WithContext(ctx)
	}
	req := &request{Request: r, who: caller, w: w, srv: s}
	defer req.closeBody()
	err := rt.do(w, req)
	if ended(err) && errors.Is(context.Cause(r.Context()), errLoginEnded) {
		return s.whereToLogIn(errLoginEnded)
	}
	return err
}

func (s *Server) checkOrigin(r *http.Request) error {
	if err := s.origins.Check(r); err != nil {
		return &job.Error{Code: "cross_origin", Class: job.Forbidden, Message: "a page of another site may not do this",
			Hint: "set server.public_url when this page is the site's own"}
	}
	return nil
}

// report logs what is our own fault; callers' faults are theirs to read.
func (s *Server) report(r *http.Request, err error) {
	if e := job.AsError(err); e.Class == job.Internal || e.Class == "" {
		s.log.Error("a call failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
}

// finish answers a panic, and logs the request.
func (s *Server) finish(w *recorder, r *http.Request, start time.Time) {
	if p := recover(); p != nil {
		if p == http.ErrAbortHandler {
			panic(p)
		}
		s.log.Error("a handler panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
		if w.status != 0 {
			panic(http.ErrAbortHandler) // half an answer must not look like a whole one
		}
		writeError(w, &job.Error{Code: "internal", Class: job.Internal, Message: "the manager made a mistake",
			Hint: "its log says where; please report it"})
	}
	s.log.Debug("request", "method", r.Method, "path", r.URL.Path, "status", w.status, "bytes", w.bytes,
		"peer", r.RemoteAddr, slog.Duration("took", s.opts.Now().Sub(start)))
}

// noRoute says whether the path or only the method is not there.
func noRoute(h http.Handler, w http.ResponseWriter, r *http.Request) error {
	probe := &blank{header: http.Header{}}
	h.ServeHTTP(probe, r)
	if allow := probe.header.Get("Allow"); probe.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", allow)
		return &job.Error{Code: "method_not_allowed", Class: job.Invalid, Message: fmt.Sprintf("%s does not work on %.200s", r.Method, r.URL.Path),
			Hint: "use " + strings.ReplaceAll(allow, ", ", " or ")}
	}
	return &job.Error{Code: "no_such_path", Class: job.NotFound, Message: fmt.Sprintf("there is nothing at %.200s", r.URL.Path),
		Hint: "docs/protocol.md lists every call"}
}

// recorder remembers what was answered. It hands deadlines and flushing on.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// blank is a ResponseWriter for asking a handler what it would say.
type blank struct {
	header http.Header
	status int
}

func (b *blank) Header() http.Header         { return b.header }
func (b *blank) WriteHeader(status int)      { b.status = status }
func (b *blank) Write(p []byte) (int, error) { return len(p), nil }
