package ui

import (
	"errors"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// logRetryEvery is how soon a broken stream of the log is opened again.
const logRetryEvery = 5 * time.Second

// managerLog is what the manager told of its own log. It is followed from the
// first look at it on.
type managerLog struct {
	journal journal
	asked   bool  // a stream is open or being opened
	waits   bool  // for the time to try again
	heard   bool  // the manager has told its log at some time
	err     error // why no stream is open; nil while one is
}

// Messages of the manager's log.
type (
	// logLinesMsg brings lines, or the end of the stream. The first lines of a
	// stream may repeat what is known.
	logLinesMsg struct {
		stream LogStream
		first  bool
		lines  []api.LogLine
		err    error
	}
	// logAgainMsg says that it is time to open the stream again.
	logAgainMsg struct{}
)

// followLog opens the manager's log, unless it is open.
func (m *Model) followLog() tea.Cmd {
	g := &m.logs().told
	if g.asked {
		return nil
	}
	g.asked = true
	manager, ctx := m.w.manager, m.w.ctx
	return func() tea.Msg {
		s, err := manager.FollowLog(ctx)
		if err != nil {
			return logLinesMsg{err: err}
		}
		return nextLines(s, true)
	}
}

// nextLines waits for lines. It closes a stream that ended.
func nextLines(s LogStream, first bool) tea.Msg {
	lines, err := s.Next()
	if err != nil {
		_ = s.Close()
		return logLinesMsg{err: err}
	}
	return logLinesMsg{stream: s, first: first, lines: lines}
}

// hearLog takes lines and waits for the next. After a stream that broke it
// tries again; a manager that has no log for us is asked at the next look.
func (m *Model) hearLog(msg logLinesMsg) tea.Cmd {
	g := &m.logs().told
	if g.err = msg.err; g.err != nil {
		g.asked = false
		if m.w.ctx.Err() != nil || g.waits || !passes(g.err) {
			return nil
		}
		g.waits = true
		return m.w.clock.After(logRetryEvery, logAgainMsg{})
	}
	g.heard = true
	if msg.first {
		g.forgetFrom(msg.lines)
	}
	for _, l := range msg.lines {
		g.journal.add(m.w.logged(l))
	}
	return func() tea.Msg { return nextLines(msg.stream, false) }
}

// passes reports trouble that may be over soon.
func passes(err error) bool {
	known := (*job.Error)(nil)
	return errors.As(err, &known) && known.Class == job.Unavailable
}

// forgetFrom drops what the beginning of a stream tells again. What is older
// stays, so that the last words of a manager are there after its restart.
func (g *managerLog) forgetFrom(lines []api.LogLine) {
	if len(lines) == 0 {
		return
	}
	all := g.journal.entries
	n := len(all)
	for n > 0 && !all[n-1].at.Before(lines[0].Time.Time) {
		n--
	}
	g.journal.entries = all[:n]
}

var loggedLevels = map[string]logLevel{"debug": levelStep, "info": levelEnd, "warn": levelWarn, "error": levelBad}

// logged is a line of the manager's log as an entry: the job that it is about
// stands apart, other facts follow the message.
func (w *world) logged(l api.LogLine) entry {
	e := entry{at: l.Time.Time, level: loggedLevels[l.Level]}
	var text strings.Builder
	text.WriteString(l.Msg)
	for _, a := range l.Attrs {
		if id := job.ID(a.Value); a.Key == "job" && isJobID(id) {
			e.job, e.about = id, w.text(short(id))
			continue
		}
		text.WriteString("  " + a.Key + "=" + quoted(a.Value))
	}
	e.text = w.text(text.String())
	return e
}

// isJobID reports whether an id looks like those that the manager gives.
func isJobID(id job.ID) bool { return len(id) == 36 && strings.Count(string(id), "-") == 4 }

// quoted puts a value that would run into its neighbours into quotes.
func quoted(v string) string {
	if v == "" || strings.ContainsAny(v, " =\"\n\t") {
		return strconv.Quote(v)
	}
	return v
}
