package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if e := job.AsError(err); e == nil || e.Code != code || e.Hint == "" {
		t.Errorf("got %v, want %s with a next step", err, code)
	}
}

func TestSocketIsOurs(t *testing.T) {
	path := filepath.Join(shortDir(t), "run", "qmtui.sock")
	svc := newFake()
	_, _ = serve(t, svc, func(o *Options) { o.Socket = path })
	for p, want := range map[string]os.FileMode{path: os.ModeSocket | 0o600, filepath.Dir(path): os.ModeDir | 0o700} {
		info, err := os.Stat(p)
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v %v, want %v", p, info.Mode(), err, want)
		}
	}
	second := newServer(t, svc, func(o *Options) { o.Socket = path })
	wantCode(t, second.Listen(), "socket_in_use")
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the second one removed the first one's socket: %v", err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close() // what a killed process leaves
	_, socket := serve(t, newFake(), func(o *Options) { o.Socket = path })
	if _, err := socket.QueueStatus(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSocketPlacesThatAreRefused(t *testing.T) {
	dir := shortDir(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for path, code := range map[string]string{
		file:                           "not_a_socket",
		filepath.Join(open, "s"):       "socket_folder_open",
		filepath.Join(file, "s"):       "cannot_listen",
		"/" + strings.Repeat("x", 103): "socket_path_too_long",
	} {
		s := newServer(t, newFake(), func(o *Options) { o.Socket = path })
		wantCode(t, s.Listen(), code)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "mine" {
		t.Errorf("the file was touched: %q %v", b, err)
	}
}

func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	path := filepath.Join(shortDir(t), "s")
	s := newServer(t, newFake(), func(o *Options) { o.Listen, o.Socket = l.Addr().String(), path })
	wantCode(t, s.Run(t.Context()), "listen_in_use")
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket was left behind: %v", err)
	}
}

// The caller on the socket is an admin, under the name that the kernel knows.
func TestPeerIsNamed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("peer credentials are asked for on Linux only")
	}
	svc := newFake()
	_, socket := serve(t, svc, nil)
	if _, _, err := socket.As("X-Remote-User", "user009").Submit(t.Context(), api.SubmitRequest{User: "user001", Workflow: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprint("uid", os.Getuid()) // of a user without a line in /etc/passwd
	if me, err := user.LookupId(fmt.Sprint(os.Getuid())); err == nil {
		name = me.Username
	}
	if got := svc.callers[0]; got != (job.Caller{Name: name, Admin: true, Via: "socket"}) {
		t.Errorf("%+v", got)
	}
}

func TestWhoMayEnter(t *testing.T) {
	for _, c := range []struct {
		uid, ours int
		want      bool
	}{{1000, 1000, true}, {0, 1000, true}, {1001, 1000, false}, {1000, 0, false}, {-1, 1000, false}} {
		if got := mayEnter(c.uid, c.ours); got != c.want {
			t.Errorf("uid %d at the socket of %d: %v", c.uid, c.ours, got)
		}
	}
}

type slowStatus struct {
	Service
	entered, leave chan struct{}
}

func (s slowStatus) Status() job.QueueStatus {
	close(s.entered)
	<-s.leave
	return s.Service.Status()
}

// When Run's context ends, event streams end, a call under way is answered,
// and nothing listens any more.
func TestDrain(t *testing.T) {
	svc := slowStatus{newFake(), make(chan struct{}), make(chan struct{})}
	s := newServer(t, svc, func(o *Options) { o.Socket = filepath.Join(shortDir(t), "s") })
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	c := dial(t, s.opts.Socket)
	stream, err := c.Events(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	answer := make(chan error, 1)
	go func() {
		_, err := c.QueueStatus(context.Background())
		answer <- err
	}()
	<-svc.entered
	cancel()
	for err == nil {
		_, err = stream.Next()
	}
	if e := job.AsError(err); e.Code != "connection_lost" {
		t.Errorf("stream: %v", err)
	}
	close(svc.leave)
	if err := <-answer; err != nil {
		t.Errorf("the call under way: %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
	if _, err := os.Stat(s.opts.Socket); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}
