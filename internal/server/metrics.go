package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/comfyume/qmtui/internal/job"
)

// metrics answers GET /metrics to admins and to those who may read just that:
// a scraper comes with a token, and should not be able to do everything by it.
func (s *Server) metrics(w http.ResponseWriter, r *request) error {
	if s.opts.Metrics == nil {
		return &job.Error{Code: "no_metrics", Class: job.NotFound, Message: "this server measures nothing", Hint: "ask the manager itself"}
	}
	if !r.who.Admin && (r.who.anyone || !slices.Contains(s.opts.MetricsReaders, r.who.Name)) {
		return &job.Error{Code: "admin_only", Class: job.Forbidden, Message: "reading the metrics is for admins and for metrics.readers",
			Hint: `make a token with "qmtui users token prometheus", or use the unix socket on the manager's machine`}
	}
	s.opts.Metrics.ServeHTTP(w, r.Request)
	return nil
}

// measure tells the meter that a call began; the returned function tells it
// how the call ended.
func (s *Server) measure(out *recorder, r *http.Request, pattern string) func() {
	if s.opts.Meter == nil {
		return func() {}
	}
	ended := s.opts.Meter(r.Method, routeOf(pattern))
	return func() {
		switch {
		case out.status == 0 && r.Header.Get("Upgrade") != "": // the connection was taken over
			ended(http.StatusSwitchingProtocols, true)
		case out.status == 0: // nothing was written, which net/http makes a 200
			ended(http.StatusOK, false)
		default:
			ended(out.status, strings.HasPrefix(out.Header().Get("Content-Type"), "text/event-stream"))
		}
	}
}

// routeOf is the path of a pattern of [http.ServeMux], without its method.
func routeOf(pattern string) string {
	if _, path, ok := strings.Cut(pattern, " "); ok {
		return path
	}
	return pattern
}
