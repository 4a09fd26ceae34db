package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// screens counts them: a server that was told to end may still be there when
// the next one starts.
var screens atomic.Int32

// screen is a tmux server of this test's own with one window.
type screen struct {
	t    *testing.T
	name string
}

func newScreen(t *testing.T, command string, env ...string) *screen {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed")
	}
	s := &screen{t, fmt.Sprintf("qmtui-test-%d-%d", os.Getpid(), screens.Add(1))}
	args := []string{"-f", os.DevNull, "new-session", "-d", "-x", "100", "-y", "30"}
	for _, e := range env {
		args = append(args, "-e", e)
	}
	if _, err := s.tmux(append(args, command)...); err != nil {
		t.Skipf("tmux does not start here: %v", err)
	}
	t.Cleanup(func() { _, _ = s.tmux("kill-server") })
	return s
}

func (s *screen) tmux(args ...string) (string, error) {
	out, err := exec.Command("tmux", append([]string{"-L", s.name}, args...)...).CombinedOutput()
	return string(out), err
}

func (s *screen) text() string {
	out, err := s.tmux("capture-pane", "-p")
	if err != nil {
		s.t.Fatalf("look at the screen: %v: %s", err, out)
	}
	return out
}

func (s *screen) press(keys ...string) {
	s.t.Helper()
	if out, err := s.tmux(append([]string{"send-keys"}, keys...)...); err != nil {
		s.t.Fatalf("press %v: %v: %s", keys, err, out)
	}
}

// until looks until the screen is as wanted.
func (s *screen) until(what string, ok func(string) bool) {
	s.t.Helper()
	ctx, stop := context.WithTimeout(s.t.Context(), 60*time.Second)
	defer stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		got := s.text()
		if ok(got) {
			return
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("the screen never showed %s:\n%s", what, got)
		case <-tick.C:
		}
	}
}

func (s *screen) sees(text string) {
	s.t.Helper()
	s.until(text, func(got string) bool { return strings.Contains(got, text) })
}

// cancelsAndTakesBack cancels the last job of the list and presses undo; false
// when that came too late, on a machine that was busy for five seconds.
func (s *screen) cancelsAndTakesBack() (back bool) {
	s.t.Helper()
	s.press("End", "c")
	s.sees("Cancel 1 job?")
	s.sees("y/n") // keys count from here on
	s.press("y")
	s.sees("cancel: 1 job done")
	s.press("u")
	s.until("an undo", func(got string) bool {
		back = strings.Contains(got, "retry: 1 job done")
		return back || strings.Contains(got, "nothing to take back")
	})
	return back
}

// buildBinary builds qmtui into a folder.
func buildBinary(t *testing.T, dir string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the binary")
	}
	binary := filepath.Join(dir, "qmtui")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// The real binary in a real terminal: the demo moves, a job is cancelled and
// comes back, a dialog keeps its default, and the terminal is left clean.
func TestPanelInATerminal(t *testing.T) {
	dir := t.TempDir()
	binary := buildBinary(t, dir)
	before, after := filepath.Join(dir, "before"), filepath.Join(dir, "after")
	command := fmt.Sprintf("stty -a > %s; %s demo --users 6 --jobs 40 --replicas 1 --cold-start 3s --faults none; echo left with $?; stty -a > %s; exec cat", before, binary, after)
	s := newScreen(t, command, "HOME="+dir, "TERM=xterm-256color", "XDG_CONFIG_HOME="+filepath.Join(dir, "config"))
	s.sees("/240")
	for _, text := range []string{"● live", "queue ", "✓ done"} { // jobs move
		if text == "✓ done" {
			s.press("End")
		}
		s.sees(text)
	}
	s.press("/")
	s.press("-l", "state:queued")
	s.press("Enter")
	back := false
	for tries := 0; tries < 5 && !back; tries++ {
		back = s.cancelsAndTakesBack()
	}
	if !back {
		t.Error("no cancel could be taken back within its five seconds")
	}
	s.press("p")
	s.sees("y/n")
	s.press("Enter")
	s.until("no dialog", func(got string) bool { return !strings.Contains(got, "Pause the queue?") })
	s.press("q")
	s.until("the end, or a question", func(got string) bool {
		return strings.Contains(got, "left with") || strings.Contains(got, "Leave with") && strings.Contains(got, "y/n")
	})
	if strings.Contains(s.text(), "Leave with") {
		s.press("y")
	}
	s.sees("left with 0")
	if got := s.text(); strings.Contains(got, "live") || strings.Contains(got, "WHAT NOW") {
		t.Errorf("the panel is still on the screen:\n%s", got)
	}
	s.until("the terminal's settings", func(string) bool {
		b, err := os.ReadFile(after)
		return err == nil && len(b) > 0
	})
	was, _ := os.ReadFile(before)
	now, _ := os.ReadFile(after)
	if !bytes.Equal(was, now) {
		t.Errorf("the terminal is left otherwise:\n%s\nwas\n%s", now, was)
	}
	s.press("-l", "plain")
	s.press("Enter")
	s.sees("plain\nplain")
	for _, f := range []string{"#{mouse_any_flag}", "#{alternate_on}", "#{cursor_flag}"} {
		out, _ := s.tmux("display-message", "-p", f)
		if want := map[string]string{"#{cursor_flag}": "1"}[f]; strings.TrimSpace(out) != want && strings.TrimSpace(out) != "0" || want == "1" && strings.TrimSpace(out) != "1" {
			t.Errorf("%s is %s", f, out)
		}
	}
}

// A manager in the panel's own process is not ended unasked while jobs wait: a
// daemon takes them over, with the same configuration, and goes on when the
// terminal is gone.
func TestPanelLeavesADaemon(t *testing.T) {
	dir, err := os.MkdirTemp("", "qm") // short enough for a socket
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	binary, config := buildBinary(t, dir), filepath.Join(dir, "q.toml")
	for _, sub := range []string{"share", "users", "s"} {
		check(t, os.Mkdir(filepath.Join(dir, sub), 0o755))
	}
	check(t, os.WriteFile(config, fmt.Appendf(nil, `
[server]
listen = ""
[state]
dir = "%[1]s/s"
[share]
outputs = "%[1]s/share"
[users]
outputs = "%[1]s/users"
[[deployment]]
name = "dead"
url = "http://127.0.0.1:9/dead"
`, dir), 0o600))
	client, err := api.Dial(filepath.Join(dir, "s", "qmtui.sock"))
	check(t, err)
	t.Cleanup(func() { client.Close() })
	s := newScreen(t, binary+" --config "+config+"; echo left with $?; exec cat", "HOME="+dir, "TERM=xterm-256color", "XDG_CONFIG_HOME="+filepath.Join(dir, "config"))
	s.sees("No jobs.")
	_, err = client.SetMode(t.Context(), job.ModePaused)
	check(t, err)
	_, _, err = client.Submit(t.Context(), api.SubmitRequest{User: "ann", Workflow: []byte(`{"9":{"class_type":"SaveImage","inputs":{"filename_prefix":"x"}}}`)})
	check(t, err)
	s.sees("1/1")
	s.press("q")
	s.sees("Leave with 1 open job?")
	s.sees("Tab Enter Esc") // keys count from here on
	s.press("Enter")
	s.until("no dialog", func(got string) bool { return !strings.Contains(got, "Leave with") })
	s.press("q")
	s.sees("Tab Enter Esc")
	s.press("Tab", "Enter")
	s.sees("left with 0")
	got := s.text()
	found := regexp.MustCompile(`a daemon goes on as process (\d+)`).FindStringSubmatch(got)
	if found == nil || !strings.Contains(got, "attach again: qmtui --config "+config) {
		t.Fatalf("nothing is said of a daemon:\n%s", got)
	}
	pid, err := strconv.Atoi(found[1])
	check(t, err)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGTERM) })
	_, _ = s.tmux("kill-server") // the terminal goes
	page, err := client.Jobs(t.Context(), api.Query{})
	if err != nil || len(page.Items) != 1 || page.Items[0].State != job.Queued {
		t.Errorf("%+v, %v", page, err)
	}
	if session, err := unix.Getsid(pid); err != nil || session != pid {
		t.Errorf("session %d of process %d, %v", session, pid, err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "s", "qmtui.log"))
	if err != nil || !strings.Contains(string(log), "started") {
		t.Errorf("%s, %v", log, err)
	}
}

// A panel that nobody touches takes less than a hundredth of a processor. It is
// its own CPU time that counts; on a machine with other work even that varies,
// so one good stretch of ten is enough: a panel that draws for nothing, or asks
// too often, has none.
func TestIdlePanelTakesUnderOnePercent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	dir := t.TempDir()
	binary := buildBinary(t, dir)
	site := openSite(t, nil)
	_, err := site.client.SetMode(t.Context(), job.ModePaused)
	check(t, err)
	for range 20 {
		site.submit("user001", saving("shot"))
	}
	s := newScreen(t, "exec "+binary+" --server "+site.config.Server.Socket, "HOME="+dir, "TERM=xterm-256color", "XDG_CONFIG_HOME="+filepath.Join(dir, "config"))
	s.sees("1/20")
	s.until("a panel that has come to rest", func(got string) bool {
		return strings.Contains(got, "live for ") && !strings.Contains(got, "live for 0s") && !strings.Contains(got, "live for 1s")
	})
	pid, err := s.tmux("display-message", "-p", "#{pane_pid}")
	check(t, err)
	const stretch = 4 * time.Second
	least := slack(10 * time.Millisecond).Seconds() // of a second
	var shares []float64
	for range 10 {
		from, began := cpuOf(t, pid), time.Now()
		s.until("some idle seconds", func(string) bool { return time.Since(began) > stretch })
		share := (cpuOf(t, pid) - from).Seconds() / time.Since(began).Seconds()
		if shares = append(shares, share); share < least {
			t.Logf("parts of a processor: %.4f", shares)
			return
		}
	}
	t.Errorf("the idle panel took these parts of a processor: %.4f", shares)
}

// cpuOf is the CPU time that the threads of a process have had.
func cpuOf(t *testing.T, pid string) (all time.Duration) {
	t.Helper()
	tasks, err := filepath.Glob(filepath.Join("/proc", strings.TrimSpace(pid), "task", "*", "schedstat"))
	if err != nil || len(tasks) == 0 {
		t.Skipf("this kernel does not tell the CPU time of threads: %v", err)
	}
	for _, f := range tasks {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		on, _, _ := strings.Cut(string(b), " ")
		ns, err := strconv.ParseInt(on, 10, 64)
		check(t, err)
		all += time.Duration(ns)
	}
	return all
}
