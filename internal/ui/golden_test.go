package ui

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// scene is a screen: what the panel is told, and what is pressed to come there.
type scene struct {
	name string
	opts Options
	go_  func(x *harness)
}

// scenes are the screens that are held.
var scenes = []scene{
	{name: "queue", go_: func(*harness) {}},
	{name: "queue-marks", go_: func(x *harness) { x.press("space", "down", "space", "/"); x.typeText("user:ada"); x.press("enter") }},
	{name: "help", go_: func(x *harness) { x.press("?") }},
	{name: "palette", go_: func(x *harness) { x.press(":"); x.typeText("can") }},
	{name: "outputs", go_: func(x *harness) { x.press("2") }},
	{name: "outputs-files", go_: func(x *harness) { x.press("2", "down", "enter", "down", "up") }},
	{name: "outputs-orphans", go_: func(x *harness) { x.press("2", "enter") }},
	{name: "workers", go_: func(x *harness) { x.press("3") }},
	{name: "warnings", go_: func(x *harness) { x.press("4") }},
	{name: "users", go_: func(x *harness) { x.press("5") }},
	{name: "log", go_: func(x *harness) { logSome(x); x.press("6") }},
	{name: "log-manager", go_: func(x *harness) { x.f.logs = fixtureLog(); x.press("6") }},
	{name: "doctor", go_: func(x *harness) { x.f.doctor = fixtureDoctor(); x.press("8", "down") }},
	{name: "doctor-looking", go_: func(x *harness) { x.f.doctor = fixtureDoctor()[1:]; x.press("8"); x.later(2e9) }},
	{name: "doctor-none", go_: func(x *harness) { x.press("8") }},
	{name: "dialog-canary", go_: func(x *harness) { x.f.doctor = fixtureDoctor(); x.press("8", "c"); x.later(grace) }},
	{name: "charts", go_: func(x *harness) { x.press("7") }},
	{name: "job-done", go_: func(x *harness) { x.press("/"); x.typeText("portrait"); x.press("enter", "enter") }},
	{name: "job-failed", go_: func(x *harness) { x.press("/"); x.typeText("err:memory"); x.press("enter", "enter") }},
	{name: "dialog-cancel", go_: func(x *harness) { x.press("down", "down", "c"); x.later(grace) }},
	{name: "dialog-cancel-running", go_: func(x *harness) { x.press("C"); x.later(grace) }},
	{name: "dialog-retry", go_: func(x *harness) { x.press("end", "up", "up", "r"); x.later(grace) }},
	{name: "dialog-assign", go_: func(x *harness) { x.press("2", "enter", "a"); x.later(grace) }},
	{name: "dialog-discard", go_: func(x *harness) { x.press("2", "enter", "down", "x"); x.later(grace) }},
	{name: "dialog-warm", go_: func(x *harness) { x.press("3", "w"); x.later(grace) }},
	{name: "dialog-pause", go_: func(x *harness) { x.press("p"); x.later(grace) }},
	{name: "dialog-leave", opts: Options{Embedded: true, Attached: "in this process", LeaveDaemon: func() {}}, go_: func(x *harness) { x.press("q"); x.later(grace) }},
	{name: "job-further-down", go_: func(x *harness) {
		x.press("/")
		x.typeText("portrait")
		x.press("enter", "enter")
		_ = x.m.View()
		x.press("pgdown")
	}},
	{name: "job-unfolded", go_: func(x *harness) {
		x.press("/")
		x.typeText("portrait")
		x.press("enter", "enter", "z", "/")
		_ = x.m.View()
		x.typeText("seed")
	}},
	{name: "help-charts", go_: func(x *harness) { x.press("7", "?") }},
	{name: "filter-empty", go_: func(x *harness) { x.press("/") }},
	{name: "undo", go_: func(x *harness) {
		x.press("/")
		x.typeText("dusk")
		x.press("enter", "c")
		x.later(grace)
		x.press("y")
		x.changed()
	}},
	{name: "connecting", go_: neverAttached},
	{name: "paused", go_: func(x *harness) {
		x.f.status.Mode = job.ModePaused
		x.send(newsMsg{news{hello: &api.Hello{Version: "v1.0.0", ReadOnly: true}}})
		x.send(pollMsg{})
	}},
	{name: "dialog-resume", go_: func(x *harness) { x.f.status.Mode = job.ModePaused; x.send(pollMsg{}); x.press("p"); x.later(grace) }},
	{name: "dialog-drain", go_: func(x *harness) { x.press("D"); x.later(grace) }},
	{name: "dialog-activate", go_: func(x *harness) { x.press("3", "down", "a"); x.later(grace) }},
	{name: "dialog-wake", go_: func(x *harness) { x.press("3", "down", "w"); x.later(grace) }},
	{name: "dialog-check", go_: func(x *harness) { x.press("3", "down", "e"); x.later(grace) }},
	{name: "dialog-priority", go_: func(x *harness) { x.press("/"); x.typeText("logo"); x.press("enter", "end", "+"); x.later(grace) }},
	{name: "dialog-budget", go_: func(x *harness) { outOfBudget(x.f); x.send(pollMsg{}); x.press("4", "b"); x.later(grace) }},
	{name: "dialog-share", go_: func(x *harness) { outOfBudget(x.f); x.send(pollMsg{}); x.press("4", "h"); x.later(grace) }},
	{name: "workers-silent", go_: func(x *harness) { takeTurns(x); x.press("3", "down", "up") }},
	{name: "outputs-orphans-candidates", go_: func(x *harness) { takeTurns(x); x.press("2", "enter") }},
	{name: "dialog-assign-candidates", go_: func(x *harness) { takeTurns(x); x.press("2", "enter", "a"); x.later(grace) }},
	{name: "job-takes-turns", go_: func(x *harness) { takeTurns(x); x.press("/"); x.typeText("red"); x.press("enter", "enter") }},
	{name: "stale", go_: func(x *harness) { x.send(lostMsg{errRefused}); x.later(12e9) }},
}

// neverAttached is a panel whose manager is not there yet.
func neverAttached(x *harness) {
	profile := x.m.profile
	*x = *newHarness(x.t, x.f, x.m.width, x.m.height, x.m.w.opts)
	x.send(tea.ColorProfileMsg{Profile: profile})
	x.send(lostMsg{api.ErrNoDaemon})
}

// logSome lets a few jobs move, so that there is a log.
func logSome(x *harness) {
	x.f.jobs[1].State = job.Running
	x.f.jobs[0] = makeJob(1, "ada", "forest at dawn", job.Done, 80e9)
	x.f.jobs[6] = makeJob(7, "edsger", "upscale 4x", job.Failed, 15e9)
	x.changed()
}

// takeTurns is a site with save nodes that keep their own file names: attempts
// without a sign, a learned class, an orphan with candidates, a job that waits
// for another.
func takeTurns(x *harness) {
	x.f.workers[0].Silent, x.f.workers[0].Released = 1, 1
	x.f.workers[0].InFlight, x.f.workers[0].NoSlot = 3, 1
	x.f.status.InFlight, x.f.status.NoSlot, x.f.status.Elsewhere = 4, 1, 1
	x.f.workers[0].Learned = []job.Learned{{Class: "Flat Saver", Plain: true, At: epoch, Job: jobID(1)}, {Class: "Show Text", At: epoch, Job: jobID(2)}}
	o := &x.f.orphans[0]
	o.Path, o.Reason = "day/anna_0001.jpg", "2 jobs may have written it, and nothing decides between them"
	o.Candidates = []api.Candidate{{Job: jobID(1), User: "ada"}, {Job: jobID(5), User: "grace"}}
	j := &x.f.jobs[4]
	j.Phase = "waiting for job " + string(jobID(1)) + ", which may write to the same place"
	j.Attempts = []api.Attempt{{N: 1, State: job.Lost, Deployment: "h200-spot", Assigned: ago(25 * time.Second), Ended: ago(5 * time.Second), Plain: []string{"Flat Saver"}, Places: []string{""}},
		{N: 2, State: job.Queued}}
	x.changed(j.ID)
	x.send(pollMsg{})
}

var sizes = [][2]int{{60, 16}, {80, 24}, {120, 32}, {200, 50}}

func TestGoldenScreens(t *testing.T) {
	for _, s := range scenes {
		for _, size := range sizes {
			for profile, name := range map[colorprofile.Profile]string{colorprofile.TrueColor: "colour", colorprofile.ASCII: "nocolor"} {
				file := fmt.Sprintf("%s-%dx%d-%s.txt", s.name, size[0], size[1], name)
				t.Run(file, func(t *testing.T) {
					x := attached(t, fixture(), size[0], size[1], s.opts, profile)
					s.go_(x)
					holdScreen(t, file, x)
				})
			}
		}
	}
}

// holdScreen compares a screen, text and styles, with the one that is kept.
func holdScreen(t *testing.T, file string, x *harness) {
	t.Helper()
	for i, l := range strings.Split(x.m.View().Content, "\n") {
		if n := fitWidth(l); n > x.m.width {
			t.Errorf("line %d is %d cells wide, more than %d", i, n, x.m.width)
		}
	}
	if n := strings.Count(x.m.View().Content, "\n") + 1; n != x.m.height && !x.m.small() {
		t.Errorf("the screen has %d lines, not %d", n, x.m.height)
	}
	got := x.text() + "---\n" + styleRuns(x.terminal())
	path := filepath.Join("testdata", "golden", file)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the screen differs from %s (go test ./internal/ui -update writes it anew)\n%s", path, difference(string(want), got))
	}
}

// difference shows the lines that differ.
func difference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	var out strings.Builder
	for i := range max(len(a), len(b)) {
		var l, r string
		if i < len(a) {
			l = a[i]
		}
		if i < len(b) {
			r = b[i]
		}
		if l != r {
			fmt.Fprintf(&out, "-%s\n+%s\n", l, r)
		}
	}
	return out.String()
}

// NO_COLOR means no colour, whatever is shown.
func TestNoColourAtAll(t *testing.T) {
	for _, s := range scenes {
		x := attached(t, fixture(), 120, 32, s.opts, colorprofile.ASCII)
		s.go_(x)
		if runs := styleRuns(x.terminal()); strings.Contains(runs, "fg#") || strings.Contains(runs, "bg#") {
			t.Errorf("%s has colours:\n%s", s.name, runs)
		}
	}
}

// --ascii means signs that every font has.
func TestASCIIOnly(t *testing.T) {
	for _, s := range scenes {
		o := s.opts
		o.ASCII = true
		x := attached(t, fixture(), 120, 32, o, colorprofile.ASCII)
		s.go_(x)
		for i, l := range strings.Split(x.text(), "\n") {
			if !printableASCII(l) {
				t.Errorf("%s, line %d: %q", s.name, i, l)
			}
		}
	}
}
