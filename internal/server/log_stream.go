package server

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// logPart is how many lines one event has at most.
const logPart = 200

var logLevels = []string{"debug", "info", "warn", "error"}

// followLog answers GET /api/log to admins: the log holds everybody's names.
func (s *Server) followLog(w http.ResponseWriter, r *request) error {
	if err := r.who.adminOnly("reading the log"); err != nil {
		return err
	}
	least, err := readLevel(r.URL.Query().Get("level"))
	switch {
	case err != nil:
		return err
	case s.opts.Log == nil:
		return &job.Error{Code: "no_log", Class: job.NotFound, Message: "this server keeps nothing of its log", Hint: "ask the manager itself"}
	case r.Method == http.MethodHead:
		return writeNothing(w)
	}
	leave, err := r.enterStream()
	if err != nil {
		return err
	}
	defer leave()
	l := &logStream{s: s, out: newEventWriter(w), tail: s.opts.Log, least: least}
	if err := l.run(r); err != nil {
		s.log.Debug("log stream ended", "peer", r.RemoteAddr, "error", err)
	}
	bound(w) // for the end of the answer
	return nil
}

// readLevel is the place of a level among logLevels; the lowest for none.
func readLevel(word string) (int, error) {
	if word == "" {
		return 0, nil
	}
	if n := slices.Index(logLevels, word); n >= 0 {
		return n, nil
	}
	return 0, badField("level", fmt.Sprintf("%.20q is not a level", word), "use debug, info, warn or error")
}

// logStream is one reader of the log. The handler's goroutine owns it.
type logStream struct {
	s     *Server
	out   *eventWriter
	tail  *LogTail
	least int    // the lowest level that is told
	seq   uint64 // the last line that was looked at
}

// run tells the tail and then what is new, until the reader goes away, falls
// behind, or we stop.
func (l *logStream) run(r *request) error {
	lines, last, more, _ := l.tail.after(0)
	if err := l.tellLines(lines, last, true); err != nil {
		return err
	}
	heartbeat := time.NewTicker(heartbeatEvery)
	defer heartbeat.Stop()
	var due <-chan time.Time // nil while nothing is pending
	for {
		var err error
		select {
		case <-r.Context().Done():
			return r.Context().Err()
		case <-l.s.stopping:
			return nil
		case <-more:
			more, due = nil, time.After(coalesce)
		case <-due:
			var whole bool
			if lines, last, more, whole = l.tail.after(l.seq); !whole {
				return fmt.Errorf("the reader fell behind at line %d", l.seq)
			}
			due, err = nil, l.tellLines(lines, last, false)
		case <-heartbeat.C:
			if err = l.out.tell(api.EventHeartbeat, 0, api.Heartbeat{Rev: l.seq, At: api.Time{Time: l.s.opts.Now()}}); err == nil {
				err = l.out.flush()
			}
		}
		if err != nil {
			return err
		}
	}
}

// tellLines tells lines in parts that each get their time; evenNone tells that
// there are none as well.
func (l *logStream) tellLines(lines []api.LogLine, last uint64, evenNone bool) error {
	l.seq = last
	lines = slices.DeleteFunc(lines, func(x api.LogLine) bool { return slices.Index(logLevels, x.Level) < l.least })
	if len(lines) == 0 && evenNone {
		return l.tellPart([]api.LogLine{}, 0)
	}
	for part := range slices.Chunk(lines, logPart) {
		if err := l.tellPart(part, part[len(part)-1].Seq); err != nil {
			return err
		}
	}
	return nil
}

func (l *logStream) tellPart(part []api.LogLine, id uint64) error {
	if err := l.out.tell(api.EventLog, id, api.LogLines{Lines: part}); err != nil {
		return err
	}
	return l.out.flush()
}
