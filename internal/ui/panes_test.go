package ui

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/comfyume/qmtui/internal/job"
)

func TestWorkersActions(t *testing.T) {
	f := fixture()
	x := start(t, f)
	x.press("3", "down", "a")
	x.sees("Send jobs to b300-spot?", "1.61")
	x.confirm("y")
	x.press("w")
	x.sees("Wake b300-spot?", "costs 1.61 per hour")
	x.confirm("enter")
	x.press("up", "e") // a warm one is asked without a question
	want := []string{"activate b300-spot", "check h200-spot"}
	if fmt.Sprint(f.said) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", f.said, want)
	}
}

// A deployment to which nothing is sent is told in the header, the workers' pane
// and the warnings, and nothing there says that it is well.
func TestSendingIsStopped(t *testing.T) {
	f := fixture()
	d := &f.workers[0]
	d.Stopped = &job.Stopped{Code: "other_volume", Message: "nothing is sent to h200-spot: it writes to another volume", Hint: "mount the right one", Since: epoch, At: epoch, Next: epoch, Waiting: 4}
	d.Error = d.Stopped.Error()
	f.status.Stopped = d.Stopped
	f.status.Warnings = []job.Warning{{Code: d.Stopped.Code, Message: d.Stopped.Message, Hint: d.Stopped.Hint, At: epoch}}
	x := start(t, f)
	x.sees("h200-spot warm, nothing is sent")
	x.press("3")
	x.sees("its files do not come to the share", "mount the right one")
	x.misses("✓ --output-directory")
	x.press("4")
	x.sees("nothing is sent to h200-spot: it writes to")
}

func TestAcknowledgeAWarning(t *testing.T) {
	x := start(t, fixture())
	x.press("4")
	x.sees("3 warnings")
	x.press("a")
	x.sees("2 warnings", "acknowledged")
	x.press("a")
	x.sees("3 warnings")
}

func TestJobDetail(t *testing.T) {
	x := start(t, fixture())
	x.press("/")
	x.typeText("huge")
	x.press("enter", "enter")
	x.sees("huge batch of linus", "CUDA out of memory", "Traceback", "KSampler", "use a smaller batch")
	x.press("z", "/")
	x.typeText("ckpt_name")
	x.sees(`"ckpt_name": "flux1-dev.safetensors"`)
	x.press("enter", "esc")
	x.sees("NAME")
}

func TestPaletteDoesWhatItFinds(t *testing.T) {
	x := start(t, fixture())
	x.press(":")
	x.typeText("workers")
	x.press("enter")
	x.sees("DEPLOYMENT", "VRAM")
}

func TestCopy(t *testing.T) {
	x := start(t, fixture())
	x.press("y")
	if len(x.other) != 1 || !strings.Contains(x.other[0], string(jobID(1))) {
		t.Errorf("%v", x.other)
	}
	x.sees("copied " + string(jobID(1)))
}

func TestMouse(t *testing.T) {
	x := start(t, fixture())
	x.sees("forest at dawn")
	x.send(tea.MouseClickMsg{X: 5, Y: 6, Button: tea.MouseLeft})
	if got := x.m.queue.selected().job.ID; got != jobID(7) {
		t.Errorf("the click chose %s", got)
	}
	x.send(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
	if got := x.m.queue.table.at; got != 5 {
		t.Errorf("the wheel went to row %d", got)
	}
	x.send(tea.MouseClickMsg{X: 25, Y: 2, Button: tea.MouseLeft})
	x.sees("VRAM")
	if x.m.View().MouseMode == tea.MouseModeNone {
		t.Error("the mouse is off")
	}
	x.press("m")
	if x.m.View().MouseMode != tea.MouseModeNone {
		t.Error("the mouse is not freed")
	}
}

// A click cannot answer a dialog.
func TestDialogHearsNoClicks(t *testing.T) {
	x := start(t, fixture())
	x.press("p")
	for y := range 32 {
		x.send(tea.MouseClickMsg{X: 70, Y: y, Button: tea.MouseLeft})
	}
	if x.m.dialog == nil || len(x.f.said) != 0 {
		t.Error("a click answered")
	}
}

func TestLeave(t *testing.T) {
	x := start(t, fixture())
	x.press("q")
	if !x.quit {
		t.Error("q did not leave")
	}
	x = attached(t, fixture(), 80, 24, Options{Embedded: true}, colorprofile.TrueColor)
	x.press("ctrl+c")
	x.sees("Leave with 7 open jobs?", "Waiting: 5. In flight: 2.", "found again")
	x.misses("Leave a daemon")
	x.confirm("enter")
	if x.quit {
		t.Fatal("Enter alone left")
	}
	x.press("q")
	x.confirm("y")
	if !x.quit {
		t.Error("yes did not leave")
	}
}

// A manager in this process is not ended unasked while jobs only wait, and a
// daemon can take over.
func TestLeaveWithWaitingJobs(t *testing.T) {
	f := fixture()
	f.jobs = f.jobs[2:6] // four that wait
	f.status.Depth, f.status.InFlight = 0, 0
	left := 0
	x := attached(t, f, 80, 24, Options{Embedded: true, LeaveDaemon: func() { left++ }}, colorprofile.TrueColor)
	x.press("q")
	x.sees("Leave with 4 open jobs?", "Waiting: 4. In flight: 0.", "[▸Stay ]  [ Leave a daemon running ]  [ Stop the manager ]")
	x.confirm("y") // yes to what?
	if x.quit || x.m.dialog == nil {
		t.Fatal("y answered")
	}
	x.press("enter")
	if x.quit || left > 0 {
		t.Fatal("Stay left")
	}
	x.press("q")
	x.confirm("tab", "enter")
	if !x.quit || left != 1 {
		t.Errorf("left %v, %d daemons", x.quit, left)
	}
	x = attached(t, f, 80, 24, Options{Embedded: true, LeaveDaemon: func() { left++ }}, colorprofile.TrueColor)
	x.press("q")
	x.confirm("shift+tab", "enter")
	if !x.quit || left != 1 {
		t.Errorf("left %v, %d daemons", x.quit, left)
	}
	f.jobs = nil
	x = attached(t, f, 80, 24, Options{Embedded: true, LeaveDaemon: func() { left++ }}, colorprofile.TrueColor)
	x.press("q")
	if !x.quit {
		t.Error("asked although nothing waits")
	}
}

func TestPrefsAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "panel.json")
	x := attached(t, fixture(), 120, 32, Options{Prefs: path}, colorprofile.TrueColor)
	x.press("s", "S", "/")
	x.typeText("user:ada")
	x.press("enter", "T", "5")
	y := attached(t, fixture(), 120, 32, Options{Prefs: path}, colorprofile.TrueColor)
	y.sees("GPU TODAY")
	y.press("1")
	y.sees("user:ada", "AGE↑")
	if y.m.dark {
		t.Error("the theme is lost")
	}
}

func TestEverySizeHolds(t *testing.T) {
	for _, size := range [][2]int{{60, 16}, {61, 17}, {79, 24}, {99, 30}, {100, 20}, {159, 40}, {160, 16}, {240, 70}, {59, 16}, {60, 15}, {10, 3}, {1, 1}} {
		for _, s := range scenes {
			x := attached(t, fixture(), size[0], size[1], s.opts, colorprofile.TrueColor)
			s.go_(x)
			lines := strings.Split(x.m.View().Content, "\n")
			if len(lines) > size[1] {
				t.Errorf("%s at %v has %d lines", s.name, size, len(lines))
			}
			for i, l := range lines {
				if n := fitWidth(l); n > size[0] {
					t.Errorf("%s at %v: line %d is %d cells wide", s.name, size, i, n)
				}
			}
		}
	}
}

func TestResizeKeepsThePlace(t *testing.T) {
	x := start(t, fixture())
	x.press("end")
	was := x.m.queue.selected().job.ID
	for _, size := range [][2]int{{60, 16}, {200, 50}, {10, 5}, {80, 24}} {
		x.send(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		_ = x.m.View()
	}
	if now := x.m.queue.selected().job.ID; now != was {
		t.Errorf("the cursor went from %s to %s", was, now)
	}
	x.sees("typo")
}

func TestTooSmallSaysSo(t *testing.T) {
	x := attached(t, fixture(), 50, 12, Options{}, colorprofile.TrueColor)
	x.sees("The panel needs 60x16 cells; this is 50x12.")
	x.press("c")
	if x.m.dialog != nil {
		t.Error("a dialog opened where nobody sees it")
	}
}

// Bubble Tea tells the size from a goroutine of its own: keys on the line may
// come first.
func TestKeysBeforeTheFirstSizeCount(t *testing.T) {
	x := newHarness(t, fixture(), 0, 0, Options{})
	x.snapshot()
	x.press("2", "down", "enter")
	x.send(tea.WindowSizeMsg{Width: 120, Height: 32})
	x.sees("ComfyUI_00001_.png")
}

// The charts go back before the panel was opened, since the jobs tell.
func TestChartsFollowFromTheJobs(t *testing.T) {
	f := fixture()
	f.jobs = nil
	for i := range 10 {
		j := makeJob(i+1, "ada", "", job.Done, time.Duration(i+1)*time.Minute)
		j.Created, j.Started, j.Completed = ago(30*time.Minute), ago(20*time.Minute), ago(time.Duration(i)*time.Minute)
		f.jobs = append(f.jobs, j)
	}
	x := start(t, f)
	p := x.m.panes[6].(*chartsPane)
	depth := p.depth(time.Hour, 60)
	if depth[0] != 0 || depth[28] != 0 || depth[30] != 10 || depth[45] != 10 || depth[59] != 0 {
		t.Errorf("%v", depth)
	}
	done, wait := p.sums(time.Hour, 60)
	if done[59] != 1 || done[50] != 1 || done[49] != 0 || wait[39] != 600 {
		t.Errorf("%v %v", done, wait)
	}
}

// Over SSH nobody asks the terminal for synchronized output, so the panel
// turns it on, unless told otherwise.
func TestSynchronizedOutputOverSSH(t *testing.T) {
	ssh, here := tea.EnvMsg{"TERM=xterm", "SSH_TTY=/dev/pts/1"}, tea.EnvMsg{"TERM=xterm"}
	for _, c := range []struct {
		opts Options
		env  tea.EnvMsg
		want bool
	}{{Options{}, ssh, true}, {Options{NoSync: true}, ssh, false}, {Options{}, here, false}} {
		x := newHarness(t, fixture(), 80, 24, c.opts)
		x.send(c.env)
		got := len(x.other) == 1 && strings.HasPrefix(x.other[0], "tea.ModeReportMsg")
		if got != c.want {
			t.Errorf("%+v %v: %v", c.opts, c.env, x.other)
		}
	}
}

// Who is at a limit is said while it is so.
func TestUsersAtALimit(t *testing.T) {
	f := fixture()
	x := start(t, f)
	x.press("5")
	x.sees("GPU TODAY", "linus")
	x.misses("AT LIMIT")
	f.users[3].Limits = []string{"streams", "submits"}
	x.later(pollEvery)
	x.sees("AT LIMIT", "streams, submits")
	f.users[3].Limits = nil
	x.later(pollEvery)
	x.misses("AT LIMIT", "submits")
}
