package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/limit"
)

// amongUsers serves over pipes by fake time; callers name themselves as a
// trusted proxy does.
func amongUsers(t *testing.T, change func(*Options), do func(t *testing.T, p *pipes, s *Server)) {
	inputs := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, newFake(), func(o *Options) {
			o.Inputs, o.RequireUser = inputs, true
			if change != nil {
				change(o)
			}
		})
		h := s.Handler()
		p, srv := newPipes(), s.httpServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.RemoteAddr = "127.0.0.1:40000"
			h.ServeHTTP(w, r)
		}))
		done := make(chan error, 1)
		go func() { done <- srv.Serve(p) }()
		do(t, p, s)
		s.drain([]*http.Server{srv})
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
}

// sender is somebody who sends an upload of whole bytes, of which the first
// bytes go at once.
type sender struct {
	net.Conn
	answers *bufio.Reader
}

func sendUpload(t *testing.T, p *pipes, user string, whole, first int) *sender {
	t.Helper()
	form := "--x\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\n" + strings.Repeat("a", whole) + "\r\n--x--\r\n"
	here, there := net.Pipe()
	p.conns <- peerConn{there, "someone"}
	go func() {
		_, _ = fmt.Fprintf(here, "POST /comfy/%s/upload/image HTTP/1.1\r\nHost: x\r\nX-Remote-User: %s\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n", user, user, len(form))
		_, _ = io.WriteString(here, form[:min(first, len(form))])
	}()
	t.Cleanup(func() { here.Close() })
	return &sender{here, bufio.NewReader(here)}
}

// answer is the status and the code of the answer.
func (s *sender) answer(t *testing.T) (int, string) {
	t.Helper()
	resp, err := http.ReadResponse(s.answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var b api.ErrorBody
	if resp.StatusCode >= 400 && (json.Unmarshal(raw, &b) != nil || b.Error.Hint == "") {
		t.Errorf("%d %s", resp.StatusCode, raw)
	}
	return resp.StatusCode, b.Error.Code
}

const large = 2 * freeBody

// holdBodies fills all places for large bodies, and returns who holds them.
func holdBodies(t *testing.T, p *pipes) []*sender {
	t.Helper()
	var all []*sender
	for n := range allBodies {
		all = append(all, sendUpload(t, p, fmt.Sprintf("user%03d", n/oneBodies), large, freeBody+1))
	}
	synctest.Wait()
	return all
}

// A body that is small does not wait for those that are not.
func TestSmallBodyDoesNotWait(t *testing.T) {
	amongUsers(t, nil, func(t *testing.T, p *pipes, s *Server) {
		all := holdBodies(t, p)
		if taken := s.budgets.bodies.Use().Taken; taken != allBodies {
			t.Fatalf("%d places are taken", taken)
		}
		began := time.Now()
		for _, user := range []string{"user000", "user100"} { // one who holds places, another
			if code, _ := sendUpload(t, p, user, 5, large).answer(t); code != 200 || time.Since(began) != 0 {
				t.Errorf("%d after %v", code, time.Since(began))
			}
		}
		for _, s := range all {
			s.Close()
		}
		synctest.Wait()
		if u := s.budgets.bodies.Use(); u.Taken != 0 || s.budgets.arriving.Use().Taken != 0 {
			t.Errorf("after all have left: %+v, %+v", u, s.budgets.arriving.Use())
		}
	})
}

// One user holds no more than the own share, and who is too slow loses the place
// when somebody waits for it.
func TestSlowBodyLosesItsPlace(t *testing.T) {
	amongUsers(t, nil, func(t *testing.T, p *pipes, s *Server) {
		for range oneBodies + 3 {
			sendUpload(t, p, "user000", large, freeBody+1)
		}
		synctest.Wait()
		if taken := s.budgets.bodies.Use().Taken; taken != oneBodies {
			t.Errorf("one user has %d places", taken)
		}
		began := time.Now()
		if code, _ := sendUpload(t, p, "user100", large, 2*large).answer(t); code != 200 || time.Since(began) != 0 {
			t.Errorf("another: %d after %v", code, time.Since(began))
		}
	})
	amongUsers(t, nil, func(t *testing.T, p *pipes, s *Server) {
		all := holdBodies(t, p)
		began := time.Now()
		if code, _ := sendUpload(t, p, "user100", large, 2*large).answer(t); code != 200 || time.Since(began) != pace.Window {
			t.Errorf("the one who waited: %d after %v", code, time.Since(began))
		}
		synctest.Wait()
		if taken := s.budgets.bodies.Use().Taken; taken != allBodies-1 {
			t.Errorf("%d slow ones have places still", taken)
		}
		for _, s := range all {
			s.Close()
		}
	})
}

// A slow body keeps its place for a while when nobody waits, and one that is
// not slow as long as it takes.
func TestPaceOfBodies(t *testing.T) {
	amongUsers(t, nil, func(t *testing.T, p *pipes, _ *Server) {
		began := time.Now()
		if code, word := sendUpload(t, p, "user000", large, freeBody+1).answer(t); code != http.StatusRequestTimeout || word != "body_timeout" || time.Since(began) != bodyTimeout {
			t.Errorf("%d %s after %v", code, word, time.Since(began))
		}
	})
	amongUsers(t, nil, func(t *testing.T, p *pipes, _ *Server) {
		const seconds = 200
		whole := seconds * 2 * int(pace.Least)
		up := sendUpload(t, p, "user000", whole, 0)
		synctest.Wait() // until the head has gone
		form := bytes.Repeat([]byte("a"), 2*int(pace.Least))
		_, _ = io.WriteString(up, "--x\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\n")
		began := time.Now()
		for range seconds {
			if _, err := up.Write(form); err != nil {
				t.Fatalf("after %v: %v", time.Since(began), err)
			}
			<-time.After(time.Second) // fake time
		}
		_, _ = io.WriteString(up, "\r\n--x--\r\n")
		if code, word := up.answer(t); code != 200 {
			t.Errorf("%d %s after %v", code, word, time.Since(began))
		}
	})
}

// Bodies that arrive are counted for each user, whatever their size.
func TestTooManyBodies(t *testing.T) {
	amongUsers(t, nil, func(t *testing.T, p *pipes, _ *Server) {
		for range oneArriving {
			sendUpload(t, p, "user000", 100, 1)
		}
		synctest.Wait()
		if code, word := sendUpload(t, p, "user000", 5, large).answer(t); code != 429 || word != "too_many_bodies" {
			t.Errorf("one more: %d %s", code, word)
		}
		if code, _ := sendUpload(t, p, "user100", 5, large).answer(t); code != 200 {
			t.Errorf("another: %d", code)
		}
	})
}

// A large upload goes through a file: 16 at once would be all of a small
// machine's memory otherwise.
func TestLargeUploadIsNotInMemory(t *testing.T) {
	s, _ := meteredServer(t, Limits{})
	const size = 64 << 20
	body, kind := uploadForm(t, "large.bin", make([]byte, size))
	r := httptest.NewRequest("POST", "/comfy/user001/upload/image", strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:40000"
	r.Header.Set("X-Remote-User", "user001")
	r.Header.Set("Content-Type", kind)
	h, w := s.Handler(), httptest.NewRecorder()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h.ServeHTTP(w, r)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; w.Code != 200 || took > size/4 {
		t.Errorf("%d %s, %d MB of memory for %d MB", w.Code, w.Body, took>>20, size>>20)
	}
	if info, err := os.Stat(filepath.Join(s.opts.Inputs, "user001", "large.bin")); err != nil || info.Size() != size {
		t.Errorf("%v %v", info, err)
	}
}

// Large prompts of one user are read one after the other, and nobody else waits for them.
func TestLargePromptsOfOneUser(t *testing.T) {
	amongUsers(t, nil, func(t *testing.T, p *pipes, s *Server) {
		send := func(user string, size int) *sender {
			body := fmt.Sprintf(`{"user_id":%q,"workflow":{"1":{"a":%q}}}`, user, strings.Repeat("a", size))
			here, there := net.Pipe()
			p.conns <- peerConn{there, "someone"}
			go func() {
				_, _ = fmt.Fprintf(here, "POST /api/jobs HTTP/1.1\r\nHost: x\r\nX-Remote-User: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", user, len(body), body)
			}()
			t.Cleanup(func() { here.Close() })
			return &sender{here, bufio.NewReader(here)}
		}
		leave, err := s.budgets.prompts.Try(limit.Caller{User: "user000"})
		check(t, err)
		began := time.Now()
		waits, gone := send("user000", largePrompt), send("user000", largePrompt)
		for user, size := range map[string]int{"user000": largePrompt / 2, "user100": largePrompt} {
			if code, word := send(user, size).answer(t); code != http.StatusCreated {
				t.Errorf("%d bytes of %s: %d %s", size, user, code, word)
			}
		}
		gone.Close() // who leaves does not wait any longer
		<-time.After(bodyTimeout + time.Second)
		if taken := s.budgets.bodies.Use().Taken; taken != 1 {
			t.Errorf("%d bodies are held, want the one that waits", taken)
		}
		leave()
		if code, word := waits.answer(t); code != http.StatusCreated || time.Since(began) != bodyTimeout+time.Second {
			t.Errorf("%d %s after %v", code, word, time.Since(began))
		}
		synctest.Wait()
		if taken := s.budgets.prompts.Use().Taken; taken != 0 {
			t.Errorf("%d places are held at the end", taken)
		}
	})
}
