package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
)

// supervisor is the end of systemd of a notify socket.
type supervisor struct {
	*testing.T
	conn *net.UnixConn
}

func openSupervisor(t *testing.T, dir string) supervisor {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return supervisor{t, conn}
}

// hears waits for a message with that line, and gives the whole of it.
func (s supervisor) hears(line string) string {
	s.Helper()
	check(s.T, s.conn.SetReadDeadline(time.Now().Add(patience)))
	for b := make([]byte, 4096); ; {
		n, err := s.conn.Read(b)
		if err != nil {
			s.Fatalf("%s was not told: %v", line, err)
		}
		if strings.Contains("\n"+string(b[:n])+"\n", "\n"+line) {
			return string(b[:n])
		}
	}
}

// TestUnderSystemd runs the daemon as systemd does with Type=notify: it is
// ready when its socket answers, gives signs of life, obeys a reload, and ends
// with 0 after SIGTERM.
func TestUnderSystemd(t *testing.T) {
	s := openSite(t, func(p *plan) { p.apart = true })
	boss := openSupervisor(t, s.scene.Dir)
	file := filepath.Join(s.scene.Dir, "qmtui.toml")
	write := func(level string) {
		s.config.Log = config.Log{Level: level, Format: "text"}
		check(t, os.WriteFile(file, config.Effective(s.config, config.Source{}), 0o600))
	}
	write("warn")
	book := &logbook{}
	cmd := exec.Command("qmtui", "daemon", "--config", file) // TestMain puts it on the path
	cmd.Stderr = book
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+filepath.Join(s.scene.Dir, "notify"), "WATCHDOG_USEC=3000000",
		"QMTUI_DEPLOYMENT_H200_SPOT_KEY="+s.config.Deployments[0].Key.Reveal())
	check(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })

	if said := boss.hears("READY=1"); !strings.Contains(said, "STATUS=running, 0 jobs open, 0 in flight on h200-spot") {
		t.Errorf("ready says %q", said)
	}
	s.dial()
	if _, err := s.client.QueueStatus(t.Context()); err != nil {
		t.Errorf("ready, and the socket does not answer: %v", err)
	}
	boss.hears("WATCHDOG=1")
	boss.hears("WATCHDOG=1")
	id := s.submit("user001", saving("x")).ID
	s.awaitEnd(id, job.Done)

	write("nonsense")
	check(t, cmd.Process.Signal(syscall.SIGHUP))
	waitFor(t, "that a bad file is told", func() bool { return book.has("reload_failed", "log.level") })
	s.config.Queue.MaxDepth = 7
	write("debug")
	check(t, cmd.Process.Signal(syscall.SIGHUP))
	waitFor(t, "the new level", func() bool { return book.has("log level", "now=DEBUG") })
	if !book.has("restart_needed", "queue.max_depth") {
		t.Errorf("the log does not name what waits for a restart:\n%s", book.tail(20))
	}

	check(t, cmd.Process.Signal(syscall.SIGTERM))
	boss.hears("STOPPING=1")
	if err := <-ended; err != nil {
		t.Errorf("ended with %v:\n%s", err, book.tail(20))
	}
}

func TestStatusLine(t *testing.T) {
	for want, s := range map[string]job.QueueStatus{
		"running, 0 jobs open, 0 in flight on no deployment": {Mode: job.ModeRunning},
		"paused, 1 job open, 1 in flight on h200, 2 orphans; warnings: disk_low, orphans": {Mode: job.ModePaused, Depth: 1, InFlight: 1,
			Active: "h200", Orphans: 2, Warnings: []job.Warning{{Code: "disk_low"}, {Code: "orphans"}}},
	} {
		if got := statusLine(s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
