package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

func TestDialTargets(t *testing.T) {
	for target, want := range map[string]string{
		"127.0.0.1:3000": "http://127.0.0.1:3000", "http://h:1/": "http://h:1", "https://film.example/qm/": "https://film.example/qm",
		"/run/qmtui/s": "/run/qmtui/s", "unix:/run/s": "/run/s", "unix:///run/s": "/run/s",
	} {
		if c, err := Dial(target); err != nil || c.Target() != want {
			t.Errorf("%s: %v %v", target, c, err)
		}
	}
	for _, target := range []string{"", "ftp://h", "http://", "http://%zz"} {
		if _, err := Dial(target); !errors.Is(err, &job.Error{Code: "bad_target"}) {
			t.Errorf("%q: %v", target, err)
		}
	}
}

// answering is a client of a server that gives one answer.
func answering(h http.HandlerFunc) *Client {
	return &Client{base: "http://x", target: "x", http: &http.Client{Transport: handle(h), CheckRedirect: noRedirect}, maxAnswer: 1000}
}

// handle answers requests in memory, streaming.
type handle http.HandlerFunc

func (h handle) RoundTrip(r *http.Request) (*http.Response, error) {
	out, in := io.Pipe()
	w := &answer{header: http.Header{}, body: in, began: make(chan int, 1)}
	go func() {
		h(w, r)
		w.WriteHeader(http.StatusOK)
		in.CloseWithError(r.Context().Err()) // nil: the end
	}()
	context.AfterFunc(r.Context(), func() { in.CloseWithError(r.Context().Err()) })
	select {
	case status := <-w.began:
		return &http.Response{StatusCode: status, Header: w.header, Body: out, ContentLength: -1, Request: r}, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

type answer struct {
	header http.Header
	body   *io.PipeWriter
	began  chan int
	done   bool
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) WriteHeader(status int) {
	if !a.done {
		a.done = true
		a.began <- status
	}
}
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

func TestAnswersThatAreNotOurs(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		code   string
		class  job.Class
	}{
		{502, "<html>Bad Gateway</html>", "http_502", job.Unavailable},
		{401, "", "http_401", job.Forbidden},
		{302, "", "http_302", job.Invalid},
		{404, `{"detail":"Not Found"}`, "http_404", job.NotFound},
		{400, `{"error":{"code":"x","message":"m"}}`, "x", job.Invalid},
		{409, `{"error":{"code":"x","message":"m","class":"too_many"}}`, "x", job.TooMany},
		{200, "<html>welcome</html>", "bad_answer", job.Internal},
		{200, strings.Repeat(" ", 1001), "answer_too_large", job.TooLarge},
	} {
		client := answering(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		})
		_, err := client.Job(t.Context(), "x")
		if e := job.AsError(err); e == nil || e.Code != c.code || e.Class != c.class {
			t.Errorf("%d %.40s: %v", c.status, c.body, err)
		}
	}
}

func TestErrorsSurviveTheWire(t *testing.T) {
	e := &job.Error{Code: "c", Class: job.TooMany, Message: "m", Hint: "h", Node: "9", NodeType: "SaveImage", Traceback: []string{"a", "b"},
		NodeErrors: []byte(`{"9":{}}`), Transient: true, RetryAfter: 7}
	if got := FromError(e).Err(); got.Error() != e.Error() || string(got.NodeErrors) != `{"9":{}}` || got.RetryAfter != 7 || len(got.Traceback) != 2 || !got.Transient {
		t.Errorf("%+v", got)
	}
	if FromError(nil) != nil || (*Error)(nil).Err() != nil {
		t.Error("an error out of nothing")
	}
}

// A call that is not answered ends, and a cancelled one says so.
func TestCallsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := answering(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		start := time.Now()
		_, err := c.QueueStatus(t.Context())
		if !errors.Is(err, &job.Error{Code: "timeout"}) || time.Since(start) != callTimeout {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.QueueStatus(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		start = time.Now()
		if _, err := c.WarmWorker(t.Context(), "x"); err == nil || time.Since(start) != wakeTimeout {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		start = time.Now()
		if _, err := c.Events(t.Context(), 0); !errors.Is(err, &job.Error{Code: "timeout"}) || time.Since(start) != silence {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// A stream that is silent for 25 s ends; one that speaks, and a reader who
// takes their time, do not end it.
func TestStreamSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := answering(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, ": begin\n\n")
			for range 3 {
				<-time.After(silence - time.Second)
				io.WriteString(w, "event: heartbeat\ndata: {\"rev\":5}\n\n")
			}
			<-r.Context().Done()
		})
		s, err := c.Events(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for range 3 {
			if e, err := s.Next(); err != nil || e.Heartbeat.Rev != 5 {
				t.Fatalf("%+v %v", e, err)
			}
			<-time.After(2 * silence)
		}
		start := time.Now()
		if _, err := s.Next(); !errors.Is(err, errSilent) || time.Since(start) != silence {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestStreamReading(t *testing.T) {
	text := ": comment\n\nid: 4\nevent: hello\r\ndata: {\"version\":\"1\",\r\ndata: \"rev\":4}\r\n\r\n" +
		"event: snapshot\ndata: {\"rev\":4,\"jobs\":[{\"id\":\"a\"}]}\n\nevent: novelty\ndata: {}\n\n" +
		"event: snapshot\ndata: {\"rev\":4,\"jobs\":[{\"id\":\"b\"}],\"last\":true}\n\nevent: change\ndata: {\"rev\":5,\"job\":{\"id\":\"a\",\"state\":\"running\"}}\n\nevent: change\nda"
	c := answering(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
	s, err := c.Events(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if e, err := s.Next(); err != nil || e.Hello.Version != "1" || e.Hello.Rev != 4 {
		t.Errorf("%+v %v", e, err)
	}
	if e, err := s.Next(); err != nil || len(e.Snapshot.Jobs) != 2 || e.Snapshot.Jobs[1].ID != "b" {
		t.Errorf("%+v %v", e, err)
	}
	if e, err := s.Next(); err != nil || e.Change.Job.State != job.Running {
		t.Errorf("%+v %v", e, err)
	}
	if _, err := s.Next(); !errors.Is(err, &job.Error{Code: "connection_lost"}) {
		t.Errorf("%v", err)
	}
}

func TestDownloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := answering(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "half")
			<-r.Context().Done()
		})
		if _, err := c.OpenOutput(t.Context(), "x", 5); !errors.Is(err, &job.Error{Code: "no_range"}) {
			t.Errorf("a whole file for a part of it: %v", err)
		}
		d, err := c.OpenOutput(t.Context(), "x", 0)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if b, err := io.ReadAll(d); string(b) != "half" || !errors.Is(err, errSilent) {
			t.Errorf("%q %v", b, err)
		}
	})
}

func TestSocketOfSomebodyElse(t *testing.T) {
	c, err := Dial("/nowhere/s")
	if err != nil {
		t.Fatal(err)
	}
	denied := &net.OpError{Op: "dial", Err: syscall.EACCES}
	if err := c.explain(t.Context(), "x", denied); !errors.Is(err, &job.Error{Code: "socket_denied"}) {
		t.Errorf("%v", err)
	}
}

// FuzzEvents: no bytes make the reader panic, loop or give an event without
// its body.
func FuzzEvents(f *testing.F) {
	for _, seed := range []string{"event: hello\ndata: {}\n\n", "data\n\n", "event: snapshot\ndata: {\"last\":true}\n\n", ":\n\r\n\r\n", "event: change\ndata:{\ndata:}\n\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := &Stream{body: nil, in: bufio.NewReader(bytes.NewReader(raw))}
		for range len(raw) + 1 {
			e, err := s.Next()
			if err != nil {
				return
			}
			if e.Hello == nil && e.Snapshot == nil && e.Change == nil && e.Standings == nil && e.Heartbeat == nil {
				t.Fatalf("%s without a body", e.Kind)
			}
		}
		t.Fatal("more events than bytes")
	})
}
