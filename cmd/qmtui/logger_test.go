package main

import (
	"encoding/json"
	"log/slog"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
)

// TestJSONLog reads the log of a manager at work as Loki's usual
// configuration does: one object a line, and the job in every line about one.
func TestJSONLog(t *testing.T) {
	t.Parallel()
	s := openSite(t, func(p *plan) {
		p.logs = config.Log{Level: "debug", Format: "json"}
		p.config.Queue.LateWindow = config.Duration(500 * time.Millisecond)
		p.workers.Faults.ForeignFile = 1 // lines that are about no job
	})
	id := s.submit("user001", example(t, "text-to-image.json")).ID
	s.awaitEnd(id, job.Done)
	s.await(id, "closed", func(j api.Job) bool { return j.Closed })
	s.logged(`"msg":"`+string(job.Closed)+`"`, string(id)) // what was recorded is logged after that
	facts := slices.Concat(job.AttemptKinds(), job.OutputKinds(), []job.Kind{job.Created, job.Closed})
	var steps []string
	for _, line := range s.log.lines() {
		if line == "" {
			continue
		}
		steps = append(steps, stepOf(t, line, facts, id)...)
	}
	for _, k := range []job.Kind{job.Created, job.Assigned, job.Acknowledged, job.Started, job.Whole, job.Stored, job.Completed, job.Closed} {
		if !slices.Contains(steps, string(k)) {
			t.Errorf("no line tells that the job was %s: %v", k, steps)
		}
	}
}

// stepOf checks one line and names the fact it tells of the job; none for
// other lines.
func stepOf(t *testing.T, line string, facts []job.Kind, id job.ID) []string {
	t.Helper()
	var o struct {
		Time              time.Time
		Level, Msg        string
		Job, User, State  string
		Attempt           *int
		Prompt, Evidence  string
		Deployment, Error string
	}
	if err := json.Unmarshal([]byte(line), &o); err != nil || o.Time.IsZero() || o.Msg == "" {
		t.Fatalf("not an event: %s (%v)", line, err)
	}
	if !slices.Contains([]string{"DEBUG", "INFO", "WARN", "ERROR"}, o.Level) {
		t.Errorf("level %q: %s", o.Level, line)
	}
	if !slices.Contains(facts, job.Kind(o.Msg)) {
		return nil
	}
	if o.Job != string(id) || o.User != "user001" || o.State == "" || o.Attempt == nil || o.Evidence == "" {
		t.Errorf("a step without its job: %s", line)
	}
	if *o.Attempt > 0 && (o.Prompt == "" || o.Deployment == "") {
		t.Errorf("a step of an attempt without its prompt: %s", line)
	}
	return []string{o.Msg}
}

func TestLevelSignals(t *testing.T) {
	book := &logbook{}
	log, level, err := newLeveledLogger(book, config.Log{Level: "error", Format: "json"})
	check(t, err)
	defer obeySignals(&tuning{log: log, level: level, cfg: config.Config{Log: config.Log{Level: "error"}}})()
	self, err := os.FindProcess(os.Getpid())
	check(t, err)
	for _, step := range []struct {
		signal syscall.Signal
		level  slog.Level
		shown  string // the line that tells, which must not be dropped by the level
	}{{syscall.SIGUSR1, slog.LevelDebug, `"now":"DEBUG","was":"ERROR"`}, {syscall.SIGUSR2, slog.LevelError, `"now":"ERROR","was":"DEBUG"`}} {
		check(t, self.Signal(step.signal))
		waitFor(t, "a line with "+step.shown, func() bool { return book.has(step.shown) })
		if level.Level() != step.level {
			t.Errorf("after %s the level is %s", step.signal, level.Level())
		}
		log.Debug("probe " + step.level.String())
		if got := book.has("probe " + step.level.String()); got != (step.level == slog.LevelDebug) {
			t.Errorf("at %s, debug is logged: %v", step.level, got)
		}
	}
	if n := strings.Count(strings.Join(book.lines(), "\n"), "log level"); n != 2 {
		t.Errorf("%d changes were logged", n)
	}
}

// waitFor asks again and again, for what no event tells.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	(&site{T: t, log: &logbook{}}).eventually(what, ok)
}
