package server

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/comfyume/qmtui/internal/job"
)

const upgrade = "HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// openPiped opens a WebSocket inside a bubble.
func openPiped(t *testing.T, p *pipes, path string) *listener {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		p.conns <- peerConn{there, "someone"}
		return here, nil
	}}}
	conn, _, err := websocket.Dial(t.Context(), "ws://x"+path, &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(16 << 20)
	return &listener{t, conn}
}

func openSockets(s *Server) int {
	s.sockets.mu.Lock()
	defer s.sockets.mu.Unlock()
	return len(s.sockets.all)
}

// A reader who takes nothing is cut off, and holds nothing for ever.
func TestSlowSocketIsCut(t *testing.T) {
	for _, path := range []string{"/ws", "/comfy/user001/ws?clientId=x"} {
		svc := newFake()
		for range 300 {
			svc.add(t, "user001")
		}
		inBubble(t, svc, func(t *testing.T, p *pipes, s *Server) {
			conn := p.dial(t, "GET "+path+" "+upgrade)
			defer conn.Close()
			if resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil); err != nil || resp.StatusCode != 101 {
				t.Fatal(resp, err)
			}
			<-time.After(slowReader + time.Second) // fake time
			synctest.Wait()
			svc.mu.Lock()
			defer svc.mu.Unlock()
			if len(svc.watchers) != 0 || openSockets(s) != 0 {
				t.Errorf("%s: %d watch, %d sockets", path, len(svc.watchers), openSockets(s))
			}
		})
	}
}

// A peer who reads and never answers a ping is left; one who answers stays.
func TestSilentSocketIsLeft(t *testing.T) {
	inBubble(t, newFake(), func(t *testing.T, p *pipes, s *Server) {
		conn := p.dial(t, "GET /ws "+upgrade)
		defer conn.Close()
		start := time.Now()
		if _, err := io.Copy(io.Discard, conn); err != nil || time.Since(start) != pingEvery+pongTimeout {
			t.Errorf("left after %v: %v", time.Since(start), err)
		}
		l := openPiped(t, p, "/ws")
		defer l.conn.CloseNow()
		left := make(chan error, 1)
		go func() {
			for {
				if _, _, err := l.conn.Read(context.Background()); err != nil {
					left <- err
					return
				}
			}
		}()
		select {
		case err := <-left:
			t.Errorf("one who answers was left: %v", err)
		case <-time.After(10 * pingEvery):
		}
	})
}

// A reader whom the ledger cut off is told to come back.
func TestSocketThatFellBehind(t *testing.T) {
	for _, path := range []string{"/ws", "/comfy/user001/ws?clientId=x"} {
		svc := newFake()
		svc.buffer = 0
		inBubble(t, svc, func(t *testing.T, p *pipes, _ *Server) {
			l := openPiped(t, p, path)
			defer l.conn.CloseNow()
			l.next()
			if path == "/ws" {
				l.next()
			}
			synctest.Wait()
			svc.add(t, "user001")
			<-time.After(coalesce + time.Second) // now it is being told, and we do not listen
			synctest.Wait()
			svc.add(t, "user001")
			for {
				if _, _, err := l.conn.Read(t.Context()); err != nil {
					if websocket.CloseStatus(err) != websocket.StatusTryAgainLater {
						t.Errorf("%s ended with %v", path, err)
					}
					return
				}
			}
		})
	}
}

// While a prompt waits, its client hears how many remain and why; never
// anything that looks like work.
func TestFaceTellsWaiting(t *testing.T) {
	svc := newFake()
	inBubble(t, svc, func(t *testing.T, p *pipes, s *Server) {
		start := time.Now()
		s.opts.Now = time.Now
		svc.mu.Lock()
		svc.standing = func(j job.Job) job.Standing {
			if j.State() == job.Queued {
				return job.Standing{Phase: "waiting in line, 2 ahead"}
			}
			return job.Standing{Phase: "waiting for a GPU, " + time.Since(start).Round(time.Second).String()}
		}
		svc.mu.Unlock()
		l := openPiped(t, p, "/comfy/user001/ws?clientId=11111111-2222-3333-4444-555555555555")
		defer l.conn.CloseNow()
		l.next()
		id := postedPiped(t, s)
		got := l.until(func(h heard) bool { return h.Type == "notification" })
		if got[0].Type != "status" || got[1].Data["value"] != "waiting in line, 2 ahead" || got[1].Data["id"] != id {
			t.Errorf("in line: %+v", got)
		}
		svc.mu.Lock()
		check(t, svc.record(job.Fact{Job: fakeID(1), Kind: job.Assigned, Attempt: 1, At: epoch, PromptID: "w1", Deployment: "h200", Evidence: job.ByManager}))
		svc.mu.Unlock()
		at := time.Now()
		for range 3 {
			h := l.next()
			if value, _ := h.Data["value"].(string); h.Type != "notification" || len(value) < 23 || value[:23] != "Waiting for a machine: " {
				t.Errorf("while a machine wakes: %+v", h)
			}
		}
		if took := time.Since(at); took < 2*notifyEvery || took > 3*notifyEvery+3*faceTick {
			t.Errorf("three notices in %v", took)
		}
	})
}

// postedPiped submits through the face by the socket's door.
func postedPiped(t *testing.T, s *Server) string {
	t.Helper()
	return parsed(t, ask(s.SocketHandler(), "POST", "/comfy/user001/prompt", wholeBody), 200).(map[string]any)["prompt_id"].(string)
}

// A failure that may be followed by another attempt is no end yet.
func TestFaceDoubtsTransientFailures(t *testing.T) {
	svc := newFake()
	inBubble(t, svc, func(t *testing.T, p *pipes, s *Server) {
		s.opts.Now = time.Now
		l := openPiped(t, p, "/comfy/user001/ws?clientId=11111111-2222-3333-4444-555555555555")
		defer l.conn.CloseNow()
		l.next()
		postedPiped(t, s)
		l.until(func(h heard) bool { return h.Type == "notification" })
		fail := func(n int) {
			svc.mu.Lock()
			defer svc.mu.Unlock()
			id, at := fakeID(1), time.Now()
			check(t, svc.record(job.Fact{Job: id, Kind: job.Assigned, Attempt: n, At: at, PromptID: "w" + string(rune('0'+n)), Deployment: "h200", Evidence: job.ByManager},
				job.Fact{Job: id, Kind: job.Started, Attempt: n, At: at, Evidence: job.ByPlatform},
				job.Fact{Job: id, Kind: job.Broke, Attempt: n, At: at, Evidence: job.ByHistory, Error: &job.Error{Code: "worker_died", Message: "the worker died", Transient: true}}))
		}
		fail(1)
		<-time.After(doubt / 2)
		svc.mu.Lock()
		check(t, svc.record(job.Fact{Job: fakeID(1), Kind: job.Renewed, Attempt: 2, At: time.Now()}))
		svc.mu.Unlock()
		<-time.After(time.Second)
		failed := time.Now()
		fail(2)
		got := l.until(func(h heard) bool { return h.Type == "executing" })
		for _, h := range got[:len(got)-1] {
			if h.Type == "execution_error" && time.Since(failed) < doubt {
				t.Errorf("told too soon: %v", kinds(got))
			}
		}
		errors := 0
		for _, k := range kinds(got) {
			if k == "execution_error" {
				errors++
			}
		}
		if errors != 1 {
			t.Errorf("two attempts that failed are %d errors: %v", errors, kinds(got))
		}
	})
}
