package server

import (
	"context"
	"log/slog"
	"sync"
	"unicode/utf8"

	"github.com/comfyume/qmtui/internal/api"
)

// Bounds of a tail: at most 8 MiB of text.
const (
	tailLines = 2000
	lineBytes = 4 << 10 // of one line's message, keys and values together
)

// LogTail keeps the last 2,000 lines of a log for those who look at it. The
// zero value is ready. It may be used from any goroutine; writing never waits
// for a reader.
type LogTail struct {
	mu    sync.Mutex
	lines []api.LogLine // a ring once it is full: line n stands at (n-1) % tailLines
	last  uint64        // the Seq of the newest line; 0 for none
	more  chan struct{} // closed when a line comes; nil while nobody waits

	level      *slog.LevelVar // of the log; nil when nobody may change it, see Govern
	configured slog.LevelVar
}

// Tailed returns a logger that writes to log and keeps a tail of it. A logger
// that has a tail already comes back with that.
func Tailed(log *slog.Logger) (*slog.Logger, *LogTail) {
	if t, ok := log.Handler().(tee); ok {
		return log, t.tail
	}
	tail := &LogTail{}
	return slog.New(tee{Handler: log.Handler(), tail: tail}), tail
}

// add keeps a line and wakes who waits.
func (t *LogTail) add(l api.LogLine) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	l.Seq = t.last
	if len(t.lines) < tailLines {
		t.lines = append(t.lines, l)
	} else {
		t.lines[(t.last-1)%tailLines] = l
	}
	if t.more != nil {
		close(t.more)
		t.more = nil
	}
}

// after returns the lines after seq, oldest first, the newest seq, and a
// channel that is closed when more come. whole is false when lines after seq
// have fallen out already.
func (t *LogTail) after(seq uint64) (lines []api.LogLine, last uint64, more <-chan struct{}, whole bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.more == nil {
		t.more = make(chan struct{})
	}
	gone := t.last - uint64(len(t.lines))
	for n := max(seq, gone); n < t.last; n++ {
		lines = append(lines, t.lines[n%tailLines])
	}
	return lines, t.last, t.more, seq >= gone
}

// tee hands records to a handler and keeps those that it takes in a tail.
type tee struct {
	slog.Handler
	tail  *LogTail
	attrs []api.LogAttr // of With
	group string        // the open groups, each with a dot
}

// Handle keeps the record and hands it on.
func (h tee) Handle(ctx context.Context, r slog.Record) error {
	l := api.LogLine{Time: api.Time{Time: r.Time}, Level: levelWord(r.Level)}
	room := lineBytes
	l.Msg = cut(r.Message, &room)
	for _, a := range h.attrs {
		l.Attrs = appendCut(l.Attrs, a, &room)
	}
	r.Attrs(func(a slog.Attr) bool {
		for _, f := range flat(nil, h.group, a) {
			l.Attrs = appendCut(l.Attrs, f, &room)
		}
		return room > 0
	})
	h.tail.add(l)
	return h.Handler.Handle(ctx, r)
}

// WithAttrs is slog's.
func (h tee) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.Handler = h.Handler.WithAttrs(attrs)
	h.attrs = h.attrs[:len(h.attrs):len(h.attrs)]
	for _, a := range attrs {
		h.attrs = flat(h.attrs, h.group, a)
	}
	return h
}

// WithGroup is slog's.
func (h tee) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	h.Handler = h.Handler.WithGroup(name)
	h.group += name + "."
	return h
}

// flat appends an attribute with the names of its groups before its key.
func flat(out []api.LogAttr, prefix string, a slog.Attr) []api.LogAttr {
	v := a.Value.Resolve()
	switch {
	case a.Equal(slog.Attr{}):
		return out
	case v.Kind() != slog.KindGroup:
		return append(out, api.LogAttr{Key: prefix + a.Key, Value: v.String()})
	case a.Key != "":
		prefix += a.Key + "."
	}
	for _, inner := range v.Group() {
		out = flat(out, prefix, inner)
	}
	return out
}

func appendCut(out []api.LogAttr, a api.LogAttr, room *int) []api.LogAttr {
	if *room <= 0 {
		return out
	}
	return append(out, api.LogAttr{Key: cut(a.Key, room), Value: cut(a.Value, room)})
}

// cut shortens s to the room that is left, and takes that room.
func cut(s string, room *int) string {
	if len(s) <= *room {
		*room -= len(s)
		return s
	}
	n := max(0, *room)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	*room = 0
	return s[:n] + "..."
}

// levelWord is the level of that name, or the one below.
func levelWord(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "debug"
	case l < slog.LevelWarn:
		return "info"
	case l < slog.LevelError:
		return "warn"
	}
	return "error"
}
