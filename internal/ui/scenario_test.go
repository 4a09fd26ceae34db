package ui

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/colorprofile"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

func start(t *testing.T, f *fakeManager) *harness {
	return attached(t, f, 120, 32, Options{}, colorprofile.TrueColor)
}

func TestFilterWhileTyping(t *testing.T) {
	x := start(t, fixture())
	x.press("/")
	x.typeText("user:ada")
	x.sees("forest at dawn", "portrait", "5 of 12")
	x.misses("logo study")
	x.typeText(" !state:ended")
	x.misses("portrait")
	x.press("enter")
	x.sees("/ user:ada !state:ended", "Esc shows all")
	x.press("esc")
	x.sees("logo study", "portrait")
	x.press("/")
	x.typeText("err:memory")
	x.sees("huge batch", "1 of 12")
	x.press("esc") // what was typed does not count
	x.sees("logo study")
	x.press("/")
	x.typeText("nothing is called that")
	x.sees("None of the 12 jobs matches")
}

// A word that is typed is no command: "q" and "c" are letters there.
func TestTypingIsNotCommanding(t *testing.T) {
	x := start(t, fixture())
	x.press("/")
	x.typeText("qcrp")
	if x.quit || x.m.dialog != nil {
		t.Fatal("a typed letter did something")
	}
	x.sees("/ qcrp")
}

func TestMarksSurviveFiltering(t *testing.T) {
	x := start(t, fixture())
	x.press("/")
	x.typeText("logo")
	x.press("enter", "*", "esc")
	x.sees("2 marked")
	x.press("/")
	x.typeText("user:ada")
	x.press("enter")
	x.sees("2 marked")
	x.press("c")
	x.sees("Cancel 2 jobs?", "grace 2", "The filter hides 2 of them.")
}

// The cursor stays on its job while everything moves.
func TestCursorStaysOnItsJob(t *testing.T) {
	f := fixture()
	x := start(t, f)
	x.press("down", "down", "down")
	was := x.m.queue.selected().job.ID
	for n := 50; n < 60; n++ {
		f.jobs = append(f.jobs, makeJob(n, "new", "new", job.Running, time.Second))
	}
	x.changed()
	if now := x.m.queue.selected().job.ID; now != was {
		t.Errorf("the cursor went from %s to %s", was, now)
	}
}

func TestCancelAndUndo(t *testing.T) {
	f := fixture()
	x := start(t, f)
	x.press("/")
	x.typeText("dusk")
	x.press("enter", "c")
	x.sees("Cancel 1 job?", "forest at dusk of ada", "Nothing is lost")
	x.confirm("enter") // the default is No
	if len(f.acts) != 0 {
		t.Fatal("Enter alone cancelled a job")
	}
	x.press("c")
	x.confirm("y")
	x.changed()
	if len(f.acts) != 1 || f.acts[0].Action != job.DoCancel || fmt.Sprint(f.acts[0].IDs) != fmt.Sprint([]job.ID{jobID(3)}) {
		t.Fatalf("%+v", f.acts)
	}
	x.sees("cancelled", "u undo (5s)")
	x.later(3 * time.Second)
	x.sees("u undo (2s)")
	x.press("u")
	x.changed()
	if len(f.acts) != 2 || f.acts[1].Action != job.DoRetry || f.acts[1].IDs[0] != jobID(3) {
		t.Fatalf("%+v", f.acts)
	}
	x.sees("○ queued", "done: retry: 1 job done")
}

func TestUndoEnds(t *testing.T) {
	f := fixture()
	x := start(t, f)
	x.press("/")
	x.typeText("dusk")
	x.press("enter", "c")
	x.confirm("y")
	x.later(undoFor + time.Second)
	x.misses("undo (")
	x.press("u")
	x.sees("nothing to take back")
	if len(f.acts) != 1 {
		t.Errorf("%+v", f.acts)
	}
}

// A running job cannot be undone, and its number must be typed.
func TestCancelOfARunningJobMustBeTyped(t *testing.T) {
	f := fixture()
	x := start(t, f)
	x.press("c")
	x.sees("Type 1 to confirm", "that work is lost", "running for 40s")
	x.confirm("y", "tab", "enter")
	x.sees("[▸Cancel 1 job ]", "type 1 to go on")
	x.press("backspace", "1", "enter")
	if len(f.acts) != 1 || f.acts[0].IDs[0] != jobID(1) {
		t.Fatalf("%+v", f.acts)
	}
	x.misses("u undo")
}

// Enter presses the button that is marked, whatever stands in the field.
func TestEnterObeysTheMark(t *testing.T) {
	f := fixture()
	x := start(t, f)
	x.press("c")
	x.later(grace)
	x.sees("[▸Keep ]")
	x.press("1") // the number is right: the mark moves
	x.sees("[ Keep ]   [▸Cancel 1 job ]")
	x.press("tab")
	x.sees("[▸Keep ]   [ Cancel 1 job ]")
	x.press("enter")
	x.sees("nothing was done: Keep was marked")
	x.press("c")
	x.later(grace)
	x.press("1", "2")
	x.sees("[▸Keep ]")
	x.press("enter")
	if len(f.acts) != 0 || x.m.dialog != nil {
		t.Fatalf("%+v", f.acts)
	}
	x.press("c")
	x.later(grace)
	x.press("1", "enter")
	if len(f.acts) != 1 {
		t.Fatalf("%+v", f.acts)
	}
}

// Tab completes what is unambiguous and never puts another name in its place;
// an unknown name is assigned only when a person marks the button.
func TestTabNeverPicksAUser(t *testing.T) {
	f := fixture()
	f.users = append(f.users, api.User{User: "user001"}, api.User{User: "user002"})
	x := start(t, f)
	x.press("2", "enter", "a")
	x.later(grace)
	x.typeText("us")
	x.press("tab")
	x.sees("User: user00_", "Tab: user001, user002", "[▸Leave it ]")
	x.press("tab", "tab")
	x.sees("User: user00_", "[▸Leave it ]")
	x.press("enter")
	if len(f.said) != 0 || x.m.dialog != nil {
		t.Fatalf("%v", f.said)
	}
	x.press("a")
	x.later(grace)
	x.typeText("user009")
	x.sees("No job here is of that name", "[▸Leave it ]")
	x.press("tab")
	x.sees("[▸Assign ]")
	x.press("enter")
	if len(f.said) != 1 || f.said[0] != "assign orph1 user009" {
		t.Fatalf("%v", f.said)
	}
}

// Keys that were on the line when a dialog opened do not answer it.
func TestGracePeriod(t *testing.T) {
	f := fixture()
	x := start(t, f)
	x.press("p", "y", "enter", "y")
	if len(f.said) != 0 || x.m.dialog == nil {
		t.Fatal("an early key answered the dialog")
	}
	x.later(grace - time.Millisecond)
	x.press("y")
	if len(f.said) != 0 {
		t.Fatal("a key answered the dialog before its time")
	}
	x.confirm("y")
	if len(f.said) != 1 || f.said[0] != "mode paused" {
		t.Fatalf("%v", f.said)
	}
	x.sees("PAUSED", "done: the queue is paused")
}

func TestCancelAllThatTheFilterShows(t *testing.T) {
	f := fixture()
	x := start(t, f)
	x.press("/")
	x.typeText("state:queued")
	x.press("enter", "C")
	x.sees("Cancel 4 jobs?", "ada 2, grace 1, linus 1")
	x.confirm("y")
	if len(f.acts[0].IDs) != 4 {
		t.Errorf("%+v", f.acts)
	}
}

func TestRetryAFailedJob(t *testing.T) {
	f := fixture()
	x := start(t, f)
	x.press("/")
	x.typeText("state:failed")
	x.press("enter", "r")
	x.sees("Retry 1 job?", "huge batch of linus")
	x.confirm("tab", "enter")
	if len(f.acts) != 1 || f.acts[0].Action != job.DoRetry || f.acts[0].IDs[0] != jobID(10) {
		t.Fatalf("%+v", f.acts)
	}
	x.press("esc")
	x.changed()
	x.press("/")
	x.typeText("huge")
	x.sees("○ queued", "next in line")
}

func TestRetryOfARunningJobIsRefusedAtOnce(t *testing.T) {
	x := start(t, fixture())
	x.press("r")
	x.sees("failed: nothing to retry: the job is running")
}

func TestPriority(t *testing.T) {
	f := fixture()
	x := start(t, f)
	x.press("/")
	x.typeText("dusk")
	x.press("enter", "+")
	if len(f.acts) != 1 || *f.acts[0].Priority != job.High {
		t.Fatalf("%+v", f.acts)
	}
	x.changed()
	x.press("+") // the instructor's priority needs a yes
	x.sees("Priority 0 for 1 job?", "before everybody's")
	x.confirm("n")
	if len(f.acts) != 1 {
		t.Errorf("%+v", f.acts)
	}
	x.press("-")
	if *f.acts[1].Priority != job.Normal {
		t.Errorf("%+v", f.acts[1])
	}
}

func TestAssignAnOrphan(t *testing.T) {
	f := fixture()
	x := start(t, f)
	x.press("2", "enter", "a")
	x.sees("Whose file is this?", "stray/ComfyUI_00007_.png", "ada, grace", "no evidence")
	x.later(grace)
	x.typeText("../root")
	x.sees("is not a user name")
	x.press("tab", "enter")
	if len(f.said) != 0 || x.m.dialog == nil {
		t.Fatalf("%v", f.said)
	}
	for range "../root" {
		x.press("backspace")
	}
	x.typeText("gr")
	x.sees("[▸Leave it ]", "Tab: grace")
	x.press("tab")
	x.sees("User: grace_", "[▸Assign ]")
	x.press("enter")
	if len(f.said) != 1 || f.said[0] != "assign orph1 grace" {
		t.Fatalf("%v", f.said)
	}
	x.sees("the file goes to grace", "u undo")
	x.misses("ComfyUI_00007_")
}

// The dialog shows the picture, and an assignment can be taken back.
func TestAssignmentIsUndone(t *testing.T) {
	f := fixture()
	x := start(t, f)
	x.press("2", "enter")
	x.sees("▀▀▀▀") // beside the list
	x.press("a")
	x.later(grace)
	x.sees("▀▀▀▀", "stray/ComfyUI_00007_.png", "Perhaps: ada, grace")
	x.typeText("ada")
	x.press("enter")
	x.sees("the file goes to ada", "u undo (30s)")
	x.misses("ComfyUI_00007_")
	x.later(20 * time.Second)
	x.press("u")
	x.sees("done: the file is taken back from ada and is an orphan again", "ComfyUI_00007_")
	if fmt.Sprint(f.said) != "[assign orph1 ada unassign orph1]" {
		t.Errorf("%v", f.said)
	}
	x.press("u")
	x.sees("nothing to take back")
}

// The copy is not ours any more: the manager's word is shown.
func TestAssignmentThatCannotBeUndone(t *testing.T) {
	f := fixture()
	x := start(t, f)
	x.press("2", "enter", "a")
	x.later(grace)
	x.typeText("ada")
	x.press("enter")
	f.refuse = &job.Error{Code: "not_taken_back", Class: job.Conflict, Message: "a.png in the folder of ada is not the file that was delivered any more, so it stays", Hint: "ask the user about it"}
	x.press("u")
	x.sees("failed: not_taken_back: a.png in the folder of ada")
}

func TestDiscardAnOrphan(t *testing.T) {
	f := fixture()
	x := start(t, f)
	x.press("2", "enter", "down", "x")
	x.sees("Discard this orphan?")
	x.confirm("y")
	if len(f.said) != 1 || f.said[0] != "discard orph2" {
		t.Fatalf("%v", f.said)
	}
}

func TestLoseAndRegainTheDaemon(t *testing.T) {
	f := fixture()
	x := start(t, f)
	x.send(lostMsg{errors.New("the event stream ended: unexpected EOF")})
	x.later(12 * time.Second)
	x.sees("stale 12s, reconnecting", "forest at dawn")
	x.f.jobs = x.f.jobs[2:]
	x.snapshot()
	x.sees("live")
	x.misses("stale", "logo study ")
	x.press("6")
	x.sees("connection lost: the event stream ended")
}

func TestNoDaemonYet(t *testing.T) {
	x := newHarness(t, &fakeManager{}, 80, 24, Options{})
	x.send(lostMsg{api.ErrNoDaemon})
	x.sees("connecting: no manager is running there", "Connecting to /run/qmtui/qmtui.sock")
	x.later(time.Minute)
	if x.m.w.link.tries < 5 {
		t.Errorf("only %d tries in a minute", x.m.w.link.tries)
	}
}

func TestReadOnlyIsShownAndRefused(t *testing.T) {
	f := fixture()
	f.refuse = errRefused
	x := start(t, f)
	x.send(newsMsg{news{hello: &api.Hello{Version: "v1.0.0", ReadOnly: true}}})
	x.sees("read-only")
	x.press("p")
	x.confirm("y")
	x.sees("failed: read_only: this connection may look and not act; attach without --read-only")
	if f.status.Mode != job.ModeRunning {
		t.Error("the queue was paused")
	}
}

func TestHostileNames(t *testing.T) {
	f := fixture()
	evil := "\x1b]52;c;aGFja2Vk\x07\x1b[2J\x9b31mred\u202egnp.exe\u200b\r\nsecond\tline\xff日本語 e\u0301\u0301\u0301\u0301"
	f.jobs[0].Name, f.jobs[0].User, f.jobs[0].Phase, f.jobs[0].Deployment = evil, evil, evil, evil
	f.jobs[9].Error, f.jobs[9].ErrorDetail = &evil, &api.Error{Code: evil, Message: evil, Hint: evil, Node: evil, Traceback: []string{evil}, NodeErrors: []byte(`{"a":"` + "\\u001b[2J" + `"}`)}
	f.jobs[1].Warnings = []job.Warning{{Code: evil, Message: evil, Hint: evil}}
	f.workers[0].Name, f.workers[0].Because, f.workers[0].System.Version, f.workers[0].URL = evil, evil, evil, evil
	f.status.Active = evil
	f.users[0].User = evil
	f.status.Warnings = []job.Warning{{Code: evil, Message: evil, Hint: evil}}
	f.flow = []byte(`{"3":{"class_type":"\u001b[2J","inputs":{"text":"\u001b]0;x\u0007"}}}`)
	f.facts[0].Text, f.facts[0].Actor = evil, evil
	f.orphans[0].Path, f.orphans[0].Suggest, f.orphans[0].Reason = job.Path(evil), []string{evil}, evil
	for k := range f.outputs {
		f.outputs[k][0].Filename, f.outputs[k][0].Path, f.outputs[k][0].Checksum, f.outputs[k][0].JobName = evil, evil, evil, evil
	}
	for _, s := range scenes {
		x := attached(t, f, 80, 24, s.opts, colorprofile.TrueColor)
		x.send(newsMsg{news{hello: &api.Hello{Version: evil}}})
		s.go_(x)
		checkHarmless(t, s.name, x)
		x.press("enter")
		checkHarmless(t, s.name+", then Enter", x)
	}
}

// checkHarmless allows no control character but the styles' own sequences,
// and no line that is too wide.
func checkHarmless(t *testing.T, name string, x *harness) {
	t.Helper()
	for i, l := range strings.Split(x.m.View().Content, "\n") {
		if n := fitWidth(l); n > x.m.width {
			t.Errorf("%s: line %d is %d cells wide", name, i, n)
		}
		rest := l
		for {
			at := strings.Index(rest, "\x1b")
			if at < 0 {
				break
			}
			end := strings.IndexByte(rest[at:], 'm')
			if end < 0 || strings.Trim(rest[at+1:at+end], "[0123456789;:") != "" {
				t.Fatalf("%s: line %d holds a foreign sequence: %q", name, i, l)
			}
			rest = rest[:at] + rest[at+end+1:]
		}
		if c := Clean(rest); c != rest {
			t.Errorf("%s: line %d is not clean: %q", name, i, rest)
		}
	}
	if title := x.m.View().WindowTitle; Clean(title) != title {
		t.Errorf("the window's title is not clean: %q", title)
	}
}

func TestSpendBeyondTheBudget(t *testing.T) {
	f := fixture()
	outOfBudget(f)
	f.status.Share.Error = nil
	x := start(t, f)
	x.press("4", "end", "home")
	for x.sees("budget_reached"); !strings.Contains(x.text(), "Enter goes beyond it"); {
		x.press("down")
	}
	x.press("enter")
	x.sees("Spend beyond today's budget?", "9.60 of the cap", "it runs again as well")
	x.confirm("enter") // the default is No
	if len(f.said) != 0 {
		t.Fatalf("%v", f.said)
	}
	x.press("b")
	x.confirm("y")
	if fmt.Sprint(f.said) != "[lift mode running]" {
		t.Errorf("%v", f.said)
	}
	x.sees("done: the budget is lifted until midnight")
	f.status.Warnings = nil
	x.send(pollMsg{})
	x.press("b")
	x.sees("no budget is reached")
}

func TestAcceptTheShare(t *testing.T) {
	f := fixture()
	outOfBudget(f)
	x := start(t, f)
	x.press("4", "enter") // it is the gravest, so it stands on top
	x.sees("Take it for the share?", "it was nfs from files:/sfs", "costs money")
	x.confirm("y")
	x.sees("done: the share is what is mounted there now")
	f.refuse = errRefused
	x.press("h")
	x.confirm("y")
	x.sees("failed: read_only")
	if fmt.Sprint(f.said) != "[accept]" {
		t.Errorf("%v", f.said)
	}
}

// The pictures of a job are shown one after the other.
func TestPicturesOfAJob(t *testing.T) {
	f := fixture()
	j := &f.jobs[7]
	for n, name := range []string{"second.png", "sound.flac", "third.webp", "late.png"} {
		o := j.Outputs[0]
		o.ID, o.Filename = job.OutputID(fmt.Sprintf("more%d", n)), name
		if name == "late.png" {
			o.State = job.OutputSeen
		}
		j.Outputs = append(j.Outputs, o)
	}
	for _, size := range [][2]int{{80, 50}, {120, 40}} {
		x := attached(t, f, size[0], size[1], Options{}, colorprofile.TrueColor)
		x.run(x.m.openJob(j.ID))
		x.sees("1 of 3, o: next", "ComfyUI_00001_.png", "▀▀▀▀")
		x.press("o")
		x.sees("2 of 3, o: next · second.png", "▀▀▀▀")
		x.press("o", "o")
		x.sees("1 of 3")
		x.press("o", "o")
		x.sees("3 of 3, o: next · third.webp")
		x.changed(j.ID) // it stays
		x.sees("3 of 3")
		x.run(x.m.openJob(jobID(10)))
		x.press("o")
		x.sees("no picture of this job has been delivered")
	}
}

// A long fact is told whole: what it is about often stands at its end.
func TestTimeLineWraps(t *testing.T) {
	f := fixture()
	f.facts[2].Text = "qm/f80af608-de1b-52c5-91ec-e67a885841bf/9/stills/user008_027_lighthouse_00001_.png goes to stills/user008_027_lighthouse_00001_.png"
	x := attached(t, f, 80, 50, Options{}, colorprofile.ASCII)
	x.run(x.m.openJob(jobID(10)))
	x.sees("+1m00s ├ platform   qm/f80af608-", "│            ", "goes to", "└ history")
}

func TestWholeLineOfTheLog(t *testing.T) {
	f := fixture()
	f.logs = &scriptedLog{lines: []api.LogLine{logLine(1, "info", "stored", "job", string(jobID(2)), "user", "grace", "attempt", "1", "state", "rendered", "evidence", "prefix",
		"prompt", "597bad80-aea2-5205-b64c-31c8e8c0d1a0", "file", "stills/the_last_word.png")}}
	for _, size := range [][2]int{{60, 16}, {80, 24}, {120, 32}, {200, 50}} {
		x := attached(t, f, size[0], size[1], Options{}, colorprofile.ASCII)
		x.press("6")
		if size[0] == 60 { // two lines are not enough for this one
			x.sees("state=rendered")
			continue
		}
		x.sees("the_last_word.png")
	}
}

// A filter puts another file under the cursor: its picture comes without a key.
func TestPictureOfAFilteredFile(t *testing.T) {
	f := fixture()
	o := f.outputs["ada"][0]
	o.ID, o.Filename, o.StoredAt = "sound", "take.mp3", ago(0)
	f.outputs["ada"] = append(f.outputs["ada"], o)
	x := start(t, f)
	x.press("2", "down", "enter")
	x.sees("─ take.mp3 ─")
	x.misses("▀▀▀▀")
	x.press("/")
	x.typeText(".png")
	x.misses("▀▀▀▀")
	x.later(filterRests)
	x.sees("─ ComfyUI_00001_.png ─", "▀▀▀▀")
}

// The header keeps up with the list: it is asked for a second after a change at
// the latest, and not again before the answer.
func TestHeaderKeepsUp(t *testing.T) {
	f := fixture()
	x := start(t, f)
	x.clock.now = epoch.Add(999 * time.Millisecond)
	f.status.Depth = 6
	x.changed(jobID(1))
	x.sees("queue 7")
	x.clock.now = epoch.Add(time.Second)
	x.changed(jobID(1))
	x.sees("queue 6")
	x.clock.now = epoch.Add(5 * time.Second)
	if x.m.w.asking = true; x.m.askSooner(news{changes: map[job.ID]api.Job{jobID(1): f.jobs[0]}}) != nil {
		t.Error("asked again before the answer")
	}
}
