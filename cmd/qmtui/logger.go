package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/server"
)

// newLogger writes to w as the configuration says.
func newLogger(w io.Writer, c config.Log) (*slog.Logger, error) {
	log, _, err := newLeveledLogger(w, c)
	return log, err
}

// newLeveledLogger is newLogger with the level, which may be changed at any time.
// It keeps a tail from the first line on, which the manager tells its admins.
func newLeveledLogger(w io.Writer, c config.Log) (*slog.Logger, *slog.LevelVar, error) {
	level := &slog.LevelVar{}
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, nil, &job.Error{Code: "bad_log_level", Class: job.Invalid, Message: fmt.Sprintf("log.level: %q is not a level", c.Level), Hint: "use debug, info, warn or error"}
	}
	o := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(w, o)
	if c.Format == "json" {
		h = slog.NewJSONHandler(w, o)
	}
	log, tail := server.Tailed(slog.New(h))
	tail.Govern(level)
	return log, level, nil
}
