package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/limit"
)

func tailOf(t *testing.T, log *slog.Logger) []string {
	t.Helper()
	_, tail := Tailed(log)
	lines, _, _, _ := tail.after(0)
	var out []string
	for _, l := range lines {
		s := l.Level + " " + l.Msg
		for _, a := range l.Attrs {
			s += " " + a.Key + "=" + a.Value
		}
		out = append(out, s)
	}
	return out
}

func TestTailHasWhatTheLogHas(t *testing.T) {
	var b bytes.Buffer
	log, tail := Tailed(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelInfo})))
	again, same := Tailed(log.With("a", 1))
	if same != tail {
		t.Error("a logger with a tail got another")
	}
	log.Debug("not logged")
	again.WithGroup("g").With("b", "two").Warn("grouped", "c", 3*time.Second, slog.Group("h", "d", true), slog.Group("", "e", "inline"))
	log.Error("broke", "error", errors.New("disk\nfull"), slog.Attr{})
	log.With("x", 1).Log(t.Context(), slog.LevelWarn+1, "between")
	log.Info("no facts")
	want := []string{"warn grouped a=1 g.b=two g.c=3s g.h.d=true g.e=inline", "error broke error=disk\nfull", "warn between x=1", "info no facts"}
	if got := tailOf(t, log); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	if n := strings.Count(b.String(), "\n"); n != len(want) || !strings.Contains(b.String(), "g.h.d=true") {
		t.Errorf("the log itself has %d lines:\n%s", n, b.String())
	}
}

// Loggers that share their beginnings do not write over each other's facts.
func TestTailOfBranches(t *testing.T) {
	log, _ := Tailed(slog.New(slog.NewTextHandler(&bytes.Buffer{}, nil)))
	stem := log.With("a", 1).With("b", 2).With("c", 3)
	left, right := stem.With("d", "left"), stem.With("d", "right")
	left.Info("x")
	right.Info("x")
	if got := fmt.Sprint(tailOf(t, log)); got != "[info x a=1 b=2 c=3 d=left info x a=1 b=2 c=3 d=right]" {
		t.Error(got)
	}
}

func TestTailIsBounded(t *testing.T) {
	var tail LogTail
	for i := range 2*tailLines + 7 {
		tail.add(api.LogLine{Msg: fmt.Sprint(i + 1)})
	}
	lines, last, _, whole := tail.after(0)
	if len(lines) != tailLines || last != 2*tailLines+7 || whole {
		t.Fatalf("%d lines up to %d, whole %v", len(lines), last, whole)
	}
	for i, l := range lines {
		if want := uint64(tailLines + 8 + i); l.Seq != want || l.Msg != fmt.Sprint(want) {
			t.Fatalf("line %d is %d %q", i, l.Seq, l.Msg)
		}
	}
	for seq, want := range map[uint64]int{last: 0, last - 3: 3, last - tailLines: tailLines} {
		if lines, _, _, whole = tail.after(seq); len(lines) != want || !whole {
			t.Errorf("after %d: %d lines, whole %v", seq, len(lines), whole)
		}
	}
}

// However long the texts are, a line stays small and valid UTF-8.
func TestLongLineIsCut(t *testing.T) {
	log, tail := Tailed(slog.New(slog.NewTextHandler(&bytes.Buffer{}, nil)))
	long := strings.Repeat("ä", 1<<20)
	log.Info("browser console", "said", long, "peer", "lost")
	log.Info(long+"\xff", "said", long)
	lines, _, _, _ := tail.after(0)
	for _, l := range lines {
		raw, err := json.Marshal(l)
		if err != nil || len(raw) > lineBytes+200 {
			t.Errorf("a line has %d bytes, %v", len(raw), err)
		}
	}
	if v := lines[0].Attrs[0].Value; !strings.HasSuffix(v, "ä...") || len(lines[0].Attrs) != 1 {
		t.Errorf("ends with %q, %d facts", v[len(v)-9:], len(lines[0].Attrs))
	}
}

func TestClientFollowsTheLog(t *testing.T) {
	log, tail := Tailed(slog.New(slog.NewTextHandler(&bytes.Buffer{}, nil)))
	for i := range logPart + 1 {
		log.Info("old", "n", i)
	}
	ro := filepath.Join(shortDir(t), "ro")
	tcp, _ := serve(t, newFake(), func(o *Options) { o.Log, o.ReadOnlySocket = tail, ro })
	for _, c := range []*api.Client{tcp, dial(t, ro)} {
		s, err := c.Log(t.Context(), "info")
		if err != nil {
			t.Fatal(err)
		}
		var got []api.LogLine
		for len(got) <= logPart {
			part, err := s.Next()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, part...)
		}
		last := got[len(got)-1]
		log.Warn("new")
		next, err := s.Next()
		if err != nil || len(next) != 1 || next[0].Msg != "new" || next[0].Level != "warn" || next[0].Seq != last.Seq+1 {
			t.Errorf("%+v %v after %d", next, err, last.Seq)
		}
		s.Close()
	}
	_, err := tcp.As("X-Remote-User", "user001").Log(t.Context(), "")
	wantCode(t, err, "admin_only")
	_, err = tcp.Log(t.Context(), "loud")
	wantCode(t, err, "bad_field")
	none, _ := serve(t, newFake(), nil)
	_, err = none.Log(t.Context(), "")
	wantCode(t, err, "no_log")
}

// logInBubble serves a log over pipes by fake time.
func logInBubble(t *testing.T, do func(t *testing.T, p *pipes, s *Server, tail *LogTail)) {
	inBubble(t, newFake(), func(t *testing.T, p *pipes, s *Server) {
		s.opts.Log = &LogTail{}
		do(t, p, s, s.opts.Log)
	})
}

const getLog = "GET /api/log?level=warn HTTP/1.1\r\nHost: x\r\n\r\n"

func TestLogRhythm(t *testing.T) {
	logInBubble(t, func(t *testing.T, p *pipes, _ *Server, tail *LogTail) {
		tail.add(api.LogLine{Level: "info", Msg: "below the level"})
		conn := p.dial(t, getLog)
		defer conn.Close()
		in, start := bufio.NewScanner(conn), time.Now()
		if frames(t, in, 1); !in.Scan() || in.Text() != `data: {"lines":[]}` {
			t.Errorf("begins with %q", in.Text())
		}
		synctest.Wait()
		for range 5 { // what comes at once is told at once
			tail.add(api.LogLine{Level: "error", Msg: "x"})
			tail.add(api.LogLine{Level: "debug", Msg: "below the level"})
		}
		if got := frames(t, in, 1); got[0] != "log" || time.Since(start) != coalesce {
			t.Errorf("%v after %v", got, time.Since(start))
		}
		if in.Scan(); in.Text() != "id: 10" {
			t.Errorf("the event has %q", in.Text())
		}
		if in.Scan(); strings.Count(in.Text(), `"seq"`) != 5 || strings.Contains(in.Text(), "below") {
			t.Errorf("the event has %s", in.Text())
		}
		if got := frames(t, in, 1); got[0] != "heartbeat" || time.Since(start) != heartbeatEvery {
			t.Errorf("%v after %v", got, time.Since(start))
		}
		if in.Scan(); !strings.HasPrefix(in.Text(), `data: {"rev":11,`) {
			t.Errorf("the heartbeat has %q", in.Text())
		}
	})
}

func TestSlowReaderOfTheLogIsCut(t *testing.T) {
	logInBubble(t, func(t *testing.T, p *pipes, s *Server, tail *LogTail) {
		for range tailLines {
			tail.add(api.LogLine{Level: "error", Msg: strings.Repeat("x", 1000)})
		}
		conn := p.dial(t, getLog)
		defer conn.Close()
		<-time.After(slowReader + time.Second) // fake time
		synctest.Wait()
		if s.budgets.streams.Use().Taken != 0 {
			t.Errorf("%d streams", s.budgets.streams.Use().Taken)
		}
	})
}

// A reader whom the log outran is told by the end of the stream.
func TestReaderWhomTheLogOutran(t *testing.T) {
	logInBubble(t, func(t *testing.T, p *pipes, _ *Server, tail *LogTail) {
		tail.add(api.LogLine{Level: "error"})
		conn := p.dial(t, getLog)
		defer conn.Close()
		in := bufio.NewScanner(conn)
		in.Buffer(nil, 1<<20)
		frames(t, in, 1)
		synctest.Wait()
		for range tailLines + 1 {
			tail.add(api.LogLine{Level: "error"})
		}
		for in.Scan() && in.Text() != "0" { // the last chunk of the answer
			if strings.HasPrefix(in.Text(), "event: log") {
				t.Fatal("lines were told with a gap")
			}
		}
		if in.Text() != "0" {
			t.Errorf("the stream did not end well: %v", in.Err())
		}
	})
}

// Streams of the log count among the event streams, and HEAD opens none.
func TestLogStreamsAreBounded(t *testing.T) {
	s := newServer(t, newFake(), func(o *Options) { o.Log, o.MaxStreams = &LogTail{}, 1 })
	if w := ask(s.Handler(), "HEAD", "/api/log", ""); w.Code != http.StatusNoContent {
		t.Errorf("HEAD: %d", w.Code)
	}
	if _, err := s.budgets.streams.Try(limit.Caller{}); err != nil {
		t.Fatalf("HEAD kept a place: %v", err)
	}
	if w := ask(s.Handler(), "GET", "/api/log", ""); w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), "too_many_streams") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
