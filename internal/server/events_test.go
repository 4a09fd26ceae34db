package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

func next(t *testing.T, s *api.Stream) api.Event {
	t.Helper()
	e, err := s.Next()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A reader who joins while jobs change ends with what the ledger has.
func TestEventsHaveNoGap(t *testing.T) {
	svc := newFake()
	svc.buffer = 10_000
	for range 450 { // more than one part of a snapshot
		svc.add(t, "user001")
	}
	tcp, socket := serve(t, svc, nil)
	var writers, readers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 100 {
				verb := job.DoCancel
				if i%2 == 1 {
					verb = job.DoRetry
				}
				_, _ = svc.Act(context.Background(), job.Action{Verb: verb, Filter: job.Filter{IDs: []job.ID{fakeID(w + 1)}}})
			}
		})
	}
	last := make(chan uint64, 1)
	for _, c := range []*api.Client{tcp, socket} {
		readers.Go(func() { follow(t, svc, c, last) })
	}
	writers.Wait()
	svc.mu.Lock()
	rev := svc.rev
	svc.mu.Unlock()
	last <- rev
	readers.Wait()
}

// follow reads a stream until it has told revision last, and compares.
func follow(t *testing.T, svc *fakeService, c *api.Client, last chan uint64) {
	stream, err := c.Events(t.Context(), 5000)
	if err != nil {
		t.Error(err)
		return
	}
	defer stream.Close()
	seen, at, until := map[job.ID]api.Job{}, uint64(0), uint64(0)
	for until == 0 || at < until {
		e, err := stream.Next()
		if err != nil {
			t.Error(err)
			return
		}
		switch e.Kind {
		case api.EventSnapshot:
			at = e.Snapshot.Rev
			for _, j := range e.Snapshot.Jobs {
				seen[j.ID] = j
			}
		case api.EventChange:
			if e.Change.Rev <= at || e.Change.Rev != e.Change.Job.Rev {
				t.Errorf("revision %d of job at %d after %d", e.Change.Rev, e.Change.Job.Rev, at)
			}
			at, seen[e.Change.Job.ID] = e.Change.Rev, e.Change.Job
		}
		select {
		case until = <-last:
			last <- until
		default:
		}
	}
	svc.mu.Lock()
	defer svc.mu.Unlock()
	for id, j := range svc.jobs {
		if got := seen[id]; got.Rev != j.Rev || got.State != j.State() {
			t.Errorf("job %s: told %d %s, is %d %s", id, got.Rev, got.State, j.Rev, j.State())
		}
	}
}

func TestEventsOfOneUser(t *testing.T) {
	svc := newFake()
	svc.add(t, "user001")
	svc.add(t, "user002")
	tcp, _ := serve(t, svc, nil)
	stream, err := tcp.As("X-Remote-User", "user002").Events(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if h := next(t, stream).Hello; h == nil || h.Version != "test" || h.Protocol != api.Protocol || h.Rev != 2 {
		t.Errorf("hello: %+v", h)
	}
	if s := next(t, stream).Snapshot; s == nil || len(s.Jobs) != 1 || s.Jobs[0].User != "user002" {
		t.Errorf("snapshot: %+v", s)
	}
	svc.add(t, "user001")
	svc.add(t, "user002")
	if c := next(t, stream).Change; c == nil || c.Job.User != "user002" || c.Rev != 4 {
		t.Errorf("change: %+v", c)
	}
}

func TestTooManyStreams(t *testing.T) {
	tcp, _ := serve(t, newFake(), func(o *Options) { o.MaxStreams = 1 })
	stream, err := tcp.Events(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	_, err = tcp.Events(t.Context(), 0)
	wantCode(t, err, "too_many_streams")
}

// pipes is a listener whose connections are pipes in memory, so that a
// bubble's clock moves while both ends wait.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return peerAddr("pipe") }

// dial connects, and sends a request.
func (p *pipes) dial(t *testing.T, request string) net.Conn {
	t.Helper()
	here, there := net.Pipe()
	p.conns <- peerConn{there, "someone"}
	if _, err := io.WriteString(here, request); err != nil {
		t.Fatal(err)
	}
	return here
}

// inBubble serves over pipes by fake time.
func inBubble(t *testing.T, svc *fakeService, do func(t *testing.T, p *pipes, s *Server)) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, svc, nil)
		p, srv := newPipes(), s.httpServer(s.SocketHandler())
		done := make(chan error, 1)
		go func() { done <- srv.Serve(p) }()
		do(t, p, s)
		s.drain([]*http.Server{srv})
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
}

const getEvents = "GET /api/events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 7\r\n\r\n"

// frames reads the names of n events.
func frames(t *testing.T, in *bufio.Scanner, n int) []string {
	t.Helper()
	var names []string
	for len(names) < n && in.Scan() {
		if name, ok := strings.CutPrefix(in.Text(), "event: "); ok {
			names = append(names, name)
		}
	}
	if len(names) < n {
		t.Fatalf("the stream ended after %v: %v", names, in.Err())
	}
	return names
}

func TestEventRhythm(t *testing.T) {
	svc := newFake()
	j := svc.add(t, "user001")
	var wait atomic.Int64
	wait.Store(100)
	svc.standing = func(job.Job) job.Standing {
		return job.Standing{Position: 0, Wait: float64(wait.Load()), Phase: "waiting"}
	}
	inBubble(t, svc, func(t *testing.T, p *pipes, _ *Server) {
		conn := p.dial(t, getEvents)
		defer conn.Close()
		in := bufio.NewScanner(conn)
		start := time.Now()
		if got := frames(t, in, 2); got[0] != "hello" || got[1] != "snapshot" {
			t.Errorf("begins with %v", got)
		}
		synctest.Wait()
		for i := range 5 { // five changes of one job at once are told once
			p := job.Priority(1 + i%2)
			if _, err := svc.Act(t.Context(), job.Action{Verb: job.DoPriority, Priority: p, Filter: job.Filter{IDs: []job.ID{j.ID}}}); err != nil {
				t.Error(err)
			}
		}
		if got := frames(t, in, 1); got[0] != "change" || time.Since(start) != coalesce {
			t.Errorf("%v after %v", got, time.Since(start))
		}
		if in.Scan(); in.Text() != "id: 6" {
			t.Errorf("the change has %q", in.Text())
		}
		wait.Store(80)
		if got := frames(t, in, 1); got[0] != "standings" || time.Since(start) != standingsEvery {
			t.Errorf("%v after %v", got, time.Since(start))
		}
		wait.Store(75) // nobody would see that
		if got := frames(t, in, 1); got[0] != "heartbeat" || time.Since(start) != heartbeatEvery {
			t.Errorf("%v after %v", got, time.Since(start))
		}
	})
}

// A reader who takes nothing is cut off, and holds nothing for ever.
func TestSlowReaderIsCut(t *testing.T) {
	svc := newFake()
	for range 500 {
		svc.add(t, "user001")
	}
	inBubble(t, svc, func(t *testing.T, p *pipes, s *Server) {
		conn := p.dial(t, getEvents)
		defer conn.Close()
		<-time.After(slowReader + time.Second) // fake time
		synctest.Wait()
		svc.mu.Lock()
		watching := len(svc.watchers)
		svc.mu.Unlock()
		if watching != 0 || s.budgets.streams.Use().Taken != 0 {
			t.Errorf("%d watch, %d streams", watching, s.budgets.streams.Use().Taken)
		}
	})
}

// A reader whom the ledger cut off is told by the end of the stream.
func TestReaderWhoFellBehind(t *testing.T) {
	svc := newFake()
	svc.buffer = 0
	for range snapshotPart {
		svc.add(t, "user001")
	}
	inBubble(t, svc, func(t *testing.T, p *pipes, _ *Server) {
		conn := p.dial(t, getEvents)
		defer conn.Close()
		in := bufio.NewScanner(conn)
		in.Buffer(nil, 1<<20)
		frames(t, in, 1)
		synctest.Wait() // while the snapshot waits to be read, nobody takes changes
		svc.add(t, "user001")
		for in.Scan() && in.Text() != "0" { // the last chunk of the answer
		}
		if in.Text() != "0" {
			t.Errorf("the stream did not end well: %v", in.Err())
		}
	})
}

// A deadline of one answer does not outlive it on a kept connection.
func TestKeptConnection(t *testing.T) {
	svc := newFake()
	inBubble(t, svc, func(t *testing.T, p *pipes, _ *Server) {
		conn := p.dial(t, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
		defer conn.Close()
		in := bufio.NewReader(conn)
		for _, request := range []string{"POST /api/console-logs HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"} {
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Fatal(err)
			}
			<-time.After(answerTimeout + bodyTimeout) // fake time
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
		}
		if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != 200 {
			t.Errorf("%v %v", resp, err)
		}
	})
}

// A caller who sends the body drop by drop is cut off.
func TestSlowBodyIsCut(t *testing.T) {
	inBubble(t, newFake(), func(t *testing.T, p *pipes, _ *Server) {
		conn := p.dial(t, "POST /api/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
		defer conn.Close()
		start := time.Now()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != http.StatusRequestTimeout || time.Since(start) != bodyTimeout {
			t.Errorf("%v %v after %v", resp, err, time.Since(start))
		}
	})
}

func TestSnapshotIsChunked(t *testing.T) {
	svc := newFake()
	for range snapshotPart + 1 {
		svc.add(t, "user001")
	}
	inBubble(t, svc, func(t *testing.T, p *pipes, _ *Server) {
		conn := p.dial(t, strings.Replace(getEvents, "/api/events", fmt.Sprintf("/api/events?limit=%d", snapshotPart+1), 1))
		defer conn.Close()
		in := bufio.NewScanner(conn)
		in.Buffer(nil, 1<<20)
		if got := frames(t, in, 3); got[1] != "snapshot" || got[2] != "snapshot" {
			t.Errorf("%v", got)
		}
	})
}

// HEAD asks about the stream and does not open one.
func TestHeadOfEvents(t *testing.T) {
	svc := newFake()
	if w := ask(newServer(t, svc, nil).Handler(), "HEAD", "/api/events", ""); w.Code != 204 || len(svc.watchers) != 0 {
		t.Errorf("%d, %d watch", w.Code, len(svc.watchers))
	}
}
