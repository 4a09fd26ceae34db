package sshd

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// patience bounds every wait.
const patience = 30 * time.Second

// world is a server with one good key, which runs until the test ends.
type world struct {
	*testing.T
	*Server
	key  ssh.Signer
	stop func()
}

func newWorld(t *testing.T, show func(context.Context, Visit) error, change func(*Server)) world {
	t.Helper()
	key, line := keyOf(0)
	dir := t.TempDir()
	o := Options{Listen: "127.0.0.1:0", HostKey: filepath.Join(dir, "host"), Keys: filepath.Join(dir, "keys"), MaxVisits: 2, Show: show}
	if err := os.WriteFile(o.Keys, []byte(line+" ada\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(o)
	if err == nil {
		s.times.grace, s.times.unused = patience, 10*patience // nothing but what a test is about runs out
		if change != nil {
			change(s)
		}
		err = s.Listen()
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	w := world{t, s, key, func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("the server does not stop")
		}
	}}
	t.Cleanup(w.stop)
	return w
}

// dial makes a line. A deaf client never answers what the server asks.
func (w world) dial(key ssh.Signer, deaf bool) (ssh.Conn, error) {
	conn, err := net.Dial("tcp", w.Addr().String())
	if err != nil {
		return nil, err
	}
	c, channels, requests, err := ssh.NewClientConn(conn, "", &ssh.ClientConfig{User: "ada", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.InsecureIgnoreHostKey()})
	if err != nil {
		conn.Close()
		return nil, err
	}
	w.Cleanup(func() { c.Close() })
	if !deaf {
		go ssh.DiscardRequests(requests)
	}
	go func() {
		for ch := range channels {
			_ = ch.Reject(ssh.Prohibited, "")
		}
	}()
	return c, nil
}

// visit opens a panel. Nobody reads what it writes, unless out is read.
func (w world) visit(c ssh.Conn) (out ssh.Channel, code <-chan uint32) {
	w.Helper()
	ch, requests, err := c.OpenChannel("session", nil)
	if err != nil {
		w.Fatal(err)
	}
	ended := make(chan uint32, 1)
	go func() {
		defer close(ended)
		for r := range requests {
			if r.Type == "exit-status" {
				ended <- uint32(r.Payload[3])
			}
		}
	}()
	pty := ssh.Marshal(struct {
		Term                string
		Columns, Rows, X, Y uint32
		Modes               string
	}{"xterm", 100, 30, 0, 0, "\x00"})
	for _, r := range []struct {
		name    string
		payload []byte
	}{{"pty-req", pty}, {"shell", nil}} {
		if ok, err := ch.SendRequest(r.name, true, r.payload); err != nil || !ok {
			w.Fatalf("%s: %v %v", r.name, ok, err)
		}
	}
	return ch, ended
}

func (w world) ends(what string, ended <-chan error) {
	w.Helper()
	select {
	case <-ended:
	case <-time.After(patience):
		w.Fatalf("%s does not end", what)
	}
}

func waited(c ssh.Conn) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	return ended
}

// untilTold stays until it is told to go.
func untilTold(ctx context.Context, _ Visit) error {
	<-ctx.Done()
	return nil
}

// flood writes without end to a visitor who reads nothing.
func flood(_ context.Context, v Visit) error {
	for {
		if _, err := v.Out.Write(bytes.Repeat([]byte("x"), 64<<10)); err != nil {
			return err
		}
	}
}

func windowChange(w, h uint32) []byte {
	return ssh.Marshal(struct{ Columns, Rows, X, Y uint32 }{w, h, 0, 0})
}

// What a panel is told of its visitor and terminal.
func TestVisit(t *testing.T) {
	seen := make(chan Visit, 1)
	w := newWorld(t, func(_ context.Context, v Visit) error {
		seen <- v
		s := <-v.Sizes
		for s != (Size{120, 40}) {
			s = <-v.Sizes
		}
		_, err := fmt.Fprint(v.Out, "hello\nada")
		return err
	}, nil)
	c, err := w.dial(w.key, false)
	if err != nil {
		t.Fatal(err)
	}
	ch, code := w.visit(c)
	v := <-seen
	if v.Name != "ada" || v.Login != "ada" || v.ReadOnly || v.Size != (Size{100, 30}) || v.Environ[0] != "TERM=xterm" || !strings.HasPrefix(v.Fingerprint, "SHA256:") {
		t.Errorf("%+v", v)
	}
	for range 100 { // nobody makes the client wait
		if _, err := ch.SendRequest("window-change", false, windowChange(7, 7)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ch.SendRequest("window-change", false, windowChange(120, 40)); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(ch)
	if err != nil || string(text) != "hello\r\nada" {
		t.Errorf("%q %v", text, err)
	}
	if got := <-code; got != 0 {
		t.Errorf("exit code %d", got)
	}
}

// hasty closes the line of a visitor who does not take the goodbye.
func hasty(s *Server) { s.times.grace = 50 * time.Millisecond }

// A visitor who reads nothing ends with the server, and holds nobody up.
func TestVisitorWhoReadsNothing(t *testing.T) {
	w := newWorld(t, flood, hasty)
	c, err := w.dial(w.key, false)
	if err != nil {
		t.Fatal(err)
	}
	w.visit(c)
	ended := waited(c)
	w.stop()
	w.ends("the line", ended)
}

// A panel that is forgotten ends, also when its client reads nothing.
func TestIdleVisit(t *testing.T) {
	for name, show := range map[string]func(context.Context, Visit) error{"at rest": func(ctx context.Context, v Visit) error {
		go func() { _, _ = io.Copy(io.Discard, v.In) }()
		return untilTold(ctx, v)
	}, "flooding": flood} {
		w := newWorld(t, show, func(s *Server) {
			s.opts.Idle = 50 * time.Millisecond
			if name == "flooding" {
				hasty(s)
			}
		})
		c, err := w.dial(w.key, false)
		if err != nil {
			t.Fatal(err)
		}
		ch, _ := w.visit(c)
		if name == "flooding" {
			w.ends(name, waited(c))
			continue
		}
		told, _ := io.ReadAll(ch.Stderr())
		if !strings.HasPrefix(string(told), "qmtui: idle: ") {
			t.Errorf("%s: told %q", name, told)
		}
	}
}

// A client that is there no more is noticed, and a line that nobody uses ends.
func TestLinesThatEnd(t *testing.T) {
	w := newWorld(t, untilTold, func(s *Server) { s.times.ask, s.times.answer = 20*time.Millisecond, 20*time.Millisecond })
	c, err := w.dial(w.key, true)
	if err != nil {
		t.Fatal(err)
	}
	w.visit(c)
	w.ends("a line without answers", waited(c))

	w = newWorld(t, untilTold, func(s *Server) { s.times.unused = 50 * time.Millisecond })
	if c, err = w.dial(w.key, false); err == nil { // else it ended on its way in
		w.ends("a line without a panel", waited(c))
	}
	conn, err := net.Dial("tcp", w.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.Copy(io.Discard, conn); err != nil { // until it is closed
		t.Logf("closed with %v", err)
	}
}

// Who ends the session and keeps the line, as a shared line does, ends the panel.
func TestSessionEndsBeforeItsLine(t *testing.T) {
	for name, end := range map[string]func(ssh.Channel) error{"closed": ssh.Channel.Close, "no more keys": ssh.Channel.CloseWrite} {
		left := make(chan struct{})
		w := newWorld(t, func(ctx context.Context, v Visit) error {
			defer close(left)
			go func() { _, _ = io.Copy(io.Discard, v.In) }()
			return untilTold(ctx, v)
		}, nil)
		c, err := w.dial(w.key, false)
		if err != nil {
			t.Fatal(err)
		}
		ch, _ := w.visit(c)
		if err := end(ch); err != nil {
			t.Fatal(err)
		}
		select {
		case <-left:
		case <-time.After(patience):
			t.Errorf("%s: the panel stays", name)
		}
	}
}

// Ten failures of an address, and its next line is not picked up.
func TestFailuresAreBounded(t *testing.T) {
	w := newWorld(t, untilTold, nil)
	stranger, _ := keyOf(1)
	for range failuresAllowed {
		if _, err := w.dial(stranger, false); err == nil {
			t.Fatal("a stranger came in")
		}
	}
	deadline := time.After(patience)
	for { // the server hears of the last failure a moment after the client
		if _, err := w.dial(w.key, false); err != nil {
			return
		}
		select {
		case <-deadline:
			t.Fatal("nobody is kept out")
		default:
		}
	}
}

// One line may have so many sessions, and the server so many lines.
func TestSessionsAndLinesAreBounded(t *testing.T) {
	w := newWorld(t, untilTold, nil)
	c, err := w.dial(w.key, false)
	if err != nil {
		t.Fatal(err)
	}
	for range maxChannels {
		if _, _, err := c.OpenChannel("session", nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := c.OpenChannel("session", nil); err == nil {
		t.Error("one more session was opened")
	}
	for range w.opts.MaxVisits + spareLines - 1 {
		if _, err := w.dial(w.key, false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.dial(w.key, false); err == nil {
		t.Error("one more line was picked up")
	}
}

// A panel that fails is told to its visitor, and one that panics ends alone.
func TestPanelsThatFail(t *testing.T) {
	w := newWorld(t, func(_ context.Context, v Visit) error {
		if v.Size.Width == 100 {
			panic("a mistake")
		}
		return nil
	}, nil)
	c, err := w.dial(w.key, false)
	if err != nil {
		t.Fatal(err)
	}
	_, code := w.visit(c)
	if got := <-code; got != 1 || w.Visits() != 0 {
		t.Errorf("exit code %d, %d visits", got, w.Visits())
	}
}
