package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// Govern lets admins read and change the level of the log, whose value at this
// moment is what the configuration says. Call it before the tail is served.
func (t *LogTail) Govern(level *slog.LevelVar) {
	t.level = level
	t.Reconfigure(level.Level())
}

// Reconfigure says what the configuration says from now on; the level itself stays.
func (t *LogTail) Reconfigure(configured slog.Level) { t.configured.Set(configured) }

// errNoLevel is for a log whose level nobody can change.
var errNoLevel = &job.Error{Code: "no_log_level", Class: job.NotFound, Message: "the level of this server's log cannot be changed while it runs", Hint: "set log.level and restart it"}

// readLogLevel answers GET /api/log/level.
func (s *Server) readLogLevel(w http.ResponseWriter, r *request) error {
	t := s.opts.Log
	if err := r.who.adminOnly("reading the log's level"); err != nil {
		return err
	}
	if t == nil || t.level == nil {
		return errNoLevel
	}
	return writeJSON(w, http.StatusOK, api.LogLevel{Level: levelWord(t.level.Level()), Configured: levelWord(t.configured.Level())})
}

// changeLogLevel answers PUT /api/log/level.
func (s *Server) changeLogLevel(w http.ResponseWriter, r *request) error {
	var body api.LogLevel
	if err := firstError(r.who.adminOnly("changing the log's level"), r.decode(smallBody, &body, false)); err != nil {
		return err
	}
	n := slices.Index(logLevels, body.Level)
	if n < 0 {
		return badField("level", fmt.Sprintf("%.20q is not a level", body.Level), "use debug, info, warn or error")
	}
	return s.setLogLevel(w, r, slog.Level(4*(n-1)))
}

// restoreLogLevel answers DELETE /api/log/level: the configuration holds again.
func (s *Server) restoreLogLevel(w http.ResponseWriter, r *request) error {
	if err := firstError(r.who.adminOnly("changing the log's level"), r.discard()); err != nil {
		return err
	}
	if s.opts.Log == nil {
		return errNoLevel
	}
	return s.setLogLevel(w, r, s.opts.Log.configured.Level())
}

// setLogLevel changes the level and logs that, whatever the level is.
func (s *Server) setLogLevel(w http.ResponseWriter, r *request, now slog.Level) error {
	t := s.opts.Log
	if t == nil || t.level == nil {
		return errNoLevel
	}
	was := t.level.Level()
	t.level.Set(now)
	s.log.Log(context.WithoutCancel(r.Context()), max(now, was, slog.LevelInfo), "log level", "now", now, "was", was, "by", r.who.Name)
	return s.readLogLevel(w, r)
}
