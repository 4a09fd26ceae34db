package sdnotify

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// bench is a notifier with what it sent.
type bench struct {
	Notifier
	mu    sync.Mutex
	sent  []string
	ready chan struct{}
}

func newBench(watchdog time.Duration) *bench {
	b := &bench{ready: make(chan struct{})}
	b.Notifier = Notifier{
		Ready: b.ready, Watchdog: watchdog, Log: slog.New(slog.DiscardHandler),
		Alive:  func(context.Context) error { return nil },
		Status: func() string { return "2 jobs" },
		Send: func(s string) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.sent = append(b.sent, s)
			return nil
		},
	}
	return b
}

// take gives what was sent since the last call.
func (b *bench) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	sent := b.sent
	b.sent = nil
	return sent
}

func want(t *testing.T, got []string, states ...string) {
	t.Helper()
	if !slices.Equal(got, states) {
		t.Errorf("sent %q, want %q", got, states)
	}
}

const stopping = "STOPPING=1\nSTATUS=stopping: lets copies under way finish"

func TestReadyOnlyWhenItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(30 * time.Second)
		ctx, stop := context.WithCancel(t.Context())
		go b.Run(ctx)
		time.Sleep(time.Hour)
		want(t, b.take())
		close(b.ready)
		synctest.Wait()
		want(t, b.take(), "READY=1\nSTATUS=2 jobs", "WATCHDOG=1")
		stop()
		synctest.Wait()
		want(t, b.take(), stopping)
	})
}

func TestStoppedBeforeItWasReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(0)
		ctx, stop := context.WithCancel(t.Context())
		stop()
		b.Run(ctx)
		want(t, b.take(), stopping)
	})
}

func TestStatusIsToldWhenItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(0)
		var mu sync.Mutex
		says := "2 jobs"
		b.Status = func() string { mu.Lock(); defer mu.Unlock(); return says }
		close(b.ready)
		go b.Run(t.Context())
		time.Sleep(time.Minute)
		want(t, b.take(), "READY=1\nSTATUS=2 jobs")
		mu.Lock()
		says = "3 jobs"
		mu.Unlock()
		time.Sleep(statusEvery)
		synctest.Wait()
		want(t, b.take(), "STATUS=3 jobs")
	})
}

// TestWatchdogHearsOnlyOfLife: while the loop hangs there is no sign of life,
// for longer than the watchdog waits; when it answers again, there is.
func TestWatchdogHearsOnlyOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(30 * time.Second)
		hang := make(chan struct{})
		b.Alive = func(ctx context.Context) error {
			select {
			case <-hang:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		close(b.ready)
		go b.Run(t.Context())
		time.Sleep(2 * time.Minute)
		want(t, b.take(), "READY=1\nSTATUS=2 jobs")
		close(hang)
		time.Sleep(b.Watchdog)
		if got := b.take(); len(got) < 3 || slices.Contains(got, "") {
			t.Errorf("%d signs of life within one time of the watchdog: %q", len(got), got)
		}
	})
}

func TestALoopThatEndedIsNotAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(30 * time.Second)
		b.Alive = func(context.Context) error { return errors.New("stopped") }
		close(b.ready)
		go b.Run(t.Context())
		time.Sleep(time.Minute)
		want(t, b.take(), "READY=1\nSTATUS=2 jobs")
	})
}

// TestSystemd speaks to a socket as systemd opens it.
func TestSystemd(t *testing.T) {
	dir, err := os.MkdirTemp("", "sd")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "60000000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	send, watchdog, ok := Systemd(slog.New(slog.DiscardHandler))
	if !ok || watchdog != time.Minute {
		t.Fatalf("%v, watchdog %s", ok, watchdog)
	}
	if err := send("READY=1"); err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"STATUS=starting", "READY=1"} {
		b := make([]byte, 256)
		n, err := l.Read(b)
		if err != nil || string(b[:n]) != state {
			t.Errorf("heard %q (%v), want %q", b[:n], err, state)
		}
	}
	t.Setenv("NOTIFY_SOCKET", "")
	if _, _, ok := Systemd(slog.New(slog.DiscardHandler)); ok {
		t.Error("without a socket nobody is told")
	}
}
