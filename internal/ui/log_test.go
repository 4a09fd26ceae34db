package ui

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/colorprofile"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// errLogWaits is where a scripted log would wait; the harness goes on.
var errLogWaits = errors.New("no more lines are scripted")

var errLogBroke = &job.Error{Code: "connection_lost", Class: job.Unavailable, Message: "the event stream ended"}

// scriptedLog is a manager's log: each opening begins with what is there.
type scriptedLog struct {
	refuse error // what opening fails with
	lines  []api.LogLine
	opened int
	told   bool
}

func (s *scriptedLog) open() (LogStream, error) {
	s.opened++
	s.told = false
	return s, s.refuse
}

func (s *scriptedLog) Next() ([]api.LogLine, error) {
	if s.told {
		return nil, errLogWaits
	}
	s.told = true
	return s.lines, nil
}

func (s *scriptedLog) Close() error { return nil }

func logLine(n int, level, msg string, attrs ...string) api.LogLine {
	l := api.LogLine{Seq: uint64(n), Time: api.Time{Time: epoch.Add(time.Duration(n-60) * time.Second)}, Level: level, Msg: msg}
	for i := 0; i < len(attrs); i += 2 {
		l.Attrs = append(l.Attrs, api.LogAttr{Key: attrs[i], Value: attrs[i+1]})
	}
	return l
}

func fixtureLog() *scriptedLog {
	return &scriptedLog{lines: []api.LogLine{
		logLine(1, "info", "started", "version", "v1.0.0", "listen", "127.0.0.1:3000", "deployments", "2"),
		logLine(2, "debug", "request", "method", "GET", "path", "/api/jobs"),
		logLine(9, "info", "acknowledged", "job", string(jobID(2)), "user", "grace", "deployment", "h200-spot"),
		logLine(31, "warn", "a look at the share failed", "folder", "user001", "error", "input/output error"),
		logLine(47, "error", "the ledger takes nothing", "code", "disk_full", "waiting", "3"),
	}}
}

// comes brings lines that the manager has written since.
func (x *harness) comes(lines ...api.LogLine) { x.send(logLinesMsg{stream: x.f.logs, lines: lines}) }

func TestManagersLog(t *testing.T) {
	f := fixture()
	f.logs = fixtureLog()
	x := start(t, f)
	if f.logs.opened != 0 {
		t.Error("the log is followed though nobody looked at it")
	}
	x.press("6")
	x.sees("11:59:47 error", "the ledger takes nothing  code=disk_full  waiting=3", `error="input/output error"`, "00000002 acknowledged  user=grace", "manager's log  following  5 of 5")
	for i := range 40 {
		x.comes(logLine(60+i, "info", fmt.Sprintf("line %d", i)))
	}
	x.sees("line 39")
	x.misses("started")
	x.press("f", "home")
	x.comes(logLine(110, "info", "unseen"))
	x.sees("started", "46 of 46")
	x.misses("unseen", "following")
	x.press("l", "l")
	x.sees("from warn up  2 of 46", "disk_full")
	x.misses("debug", "started")
	x.press("l", "l", "/")
	x.typeText("grace")
	x.press("enter")
	x.sees("1 of 46", "acknowledged")
	x.press("home", "enter")
	if x.m.detail == nil || x.m.detail.id != jobID(2) {
		t.Error("Enter did not open the job of the line")
	}
	x.press("esc", "1", "6")
	if f.logs.opened != 1 {
		t.Errorf("the log was opened %d times", f.logs.opened)
	}
}

func TestOtherLog(t *testing.T) {
	f := fixture()
	f.logs = fixtureLog()
	x := start(t, f)
	logSome(x)
	x.press("6")
	x.misses("ada: done, 1 file")
	x.press("s")
	x.sees("ada: done, 1 file", "seen by this panel", "end ")
	x.misses("disk_full")
	x.press("s")
	x.sees("disk_full", "manager's log")
}

// An older manager does not tell its log: then the panel shows what it saw.
func TestOlderManagerHasNoLog(t *testing.T) {
	f := fixture()
	x := start(t, f)
	logSome(x)
	x.press("6")
	x.sees("ada: done, 1 file", "seen by this panel")
	x.press("s")
	x.sees("no log of the manager: ", "there is no such call", "ada: done, 1 file")
	for _, tm := range x.clock.timers {
		if _, again := tm.msg.(logAgainMsg); again {
			t.Error("a manager without a log is asked again and again")
		}
	}
	f.logs = fixtureLog() // it was replaced by a newer one
	x.snapshot()
	x.sees("disk_full", "manager's log")
}

func TestLogComesBack(t *testing.T) {
	f := fixture()
	f.logs = fixtureLog()
	x := start(t, f)
	x.press("6")
	f.logs.refuse = api.ErrNoDaemon
	x.send(logLinesMsg{err: errLogBroke})
	x.sees("disk_full", "manager's log, cut off")
	x.press("1", "6") // looking asks at once, and starts no second round of tries
	opened := f.logs.opened
	x.later(10 * logRetryEvery)
	if n := f.logs.opened - opened; n < 9 || n > 11 {
		t.Errorf("tried %d times in 10 rounds", n)
	}
	f.logs.refuse = nil
	f.logs.lines = append(f.logs.lines[3:], logLine(120, "info", "the share answers again"))
	x.later(logRetryEvery)
	x.sees("the share answers again", "started", "following  6 of 6")
	x.misses("cut off")
	f.logs.lines = []api.LogLine{logLine(200, "info", "started", "version", "v1.0.1")} // after a restart
	x.send(logLinesMsg{err: errLogBroke})
	x.later(logRetryEvery)
	x.sees("disk_full", "v1.0.1", "7 of 7")
}

func TestLogThatIsNotForUs(t *testing.T) {
	f := fixture()
	f.logs = &scriptedLog{refuse: &job.Error{Code: "admin_only", Class: job.Forbidden, Message: "reading the log is for admins only"}}
	x := start(t, f)
	x.press("6", "s")
	x.sees("reading the log is for admins only", "Nothing has happened since the panel was opened.")
	x.later(time.Minute)
	if n := f.logs.opened; n != 2 { // the look, and the key
		t.Errorf("asked %d times", n)
	}
}

func TestEmptyLog(t *testing.T) {
	f := fixture()
	f.logs = &scriptedLog{}
	x := start(t, f)
	x.press("6")
	x.sees("The manager has logged nothing.")
}

// Lines of the log hold what callers and files put there.
func TestHostileLog(t *testing.T) {
	evil := "\x1b]52;c;aGFja2Vk\x07\x1b[2J\x9b31mred\u202egnp.exe\u200b\r\nsecond\tline\xff日本語"
	f := fixture()
	f.logs = &scriptedLog{lines: []api.LogLine{
		logLine(1, evil, evil, evil, evil, "job", evil, "file", "a b"+evil),
		logLine(2, "info", "fine", "job", strings.Repeat("-", 4)+strings.Repeat("\x1b", 32)),
	}}
	x := start(t, f)
	x.press("6")
	x.sees("red", "fine")
	checkHarmless(t, "the log", x)
	x.press("/")
	x.typeText("red")
	x.press("enter", "home", "enter")
	checkHarmless(t, "a line of the log", x)
}

// The panel holds a bounded part of a log that never ends.
func TestLogInThePanelIsBounded(t *testing.T) {
	f := fixture()
	f.logs = &scriptedLog{}
	x := attached(t, f, 80, 24, Options{}, colorprofile.ASCII)
	x.press("6")
	part := make([]api.LogLine, 200)
	for n := range 100 {
		for i := range part {
			part[i] = logLine(n*200+i, "info", "x")
		}
		x.comes(part...)
	}
	if n := len(x.m.logs().told.journal.entries); n < journalLimit || n > journalLimit*11/10 {
		t.Errorf("%d lines are held", n)
	}
	x.sees("following")
}
