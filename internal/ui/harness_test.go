package ui

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/vt"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

var update = flag.Bool("update", false, "write the golden screens anew")

func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

var epoch = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// fakeClock stands still until a test moves it.
type fakeClock struct {
	now    time.Time
	timers []timer
}

type timer struct {
	at  time.Time
	msg tea.Msg
}

func (c *fakeClock) Now() time.Time { return c.now }

func (c *fakeClock) After(d time.Duration, msg tea.Msg) tea.Cmd {
	return func() tea.Msg {
		c.timers = append(c.timers, timer{c.now.Add(d), msg})
		return nil
	}
}

// fakeManager is a manager in memory.
type fakeManager struct {
	jobs    []api.Job
	status  api.QueueStatus
	workers []api.Worker
	users   []api.User
	outputs map[string][]api.UserOutput
	orphans []api.Orphan
	settled []api.Orphan // the last one that was
	facts   []api.Fact
	flow    []byte
	refuse  error // what every action comes back with
	acts    []api.ActionRequest
	said    []string
	picture []byte
	doctor  []api.DoctorStanding // what it answers, one after the other, the last for ever; none is a manager without one
	asked   []api.DoctorRequest
	archive []api.Job // what Jobs answers from, newest first
	page    int       // jobs in an answer of it
	queries []api.Query
	logs    *scriptedLog // nil is a manager that does not tell its log
}

func (f *fakeManager) Target() string { return "/run/qmtui/qmtui.sock" }

func (f *fakeManager) Watch(context.Context, int) (Stream, error) {
	return nil, api.ErrNoDaemon
}

func (f *fakeManager) FollowLog(context.Context) (LogStream, error) {
	if f.logs == nil {
		return nil, &job.Error{Code: "not_found", Class: job.NotFound, Message: "there is no such call"}
	}
	return f.logs.open()
}

func (f *fakeManager) Doctor(context.Context) (d api.DoctorStanding, err error) {
	if len(f.doctor) == 0 {
		return d, &job.Error{Code: "not_found", Class: job.NotFound, Message: "there is no such call", Hint: "see docs/protocol.md"}
	}
	d = f.doctor[0]
	f.doctor = f.doctor[min(1, len(f.doctor)-1):]
	return d, nil
}

func (f *fakeManager) RunDoctor(ctx context.Context, r api.DoctorRequest) (d api.DoctorStanding, err error) {
	if f.refuse != nil {
		return d, f.refuse
	}
	f.asked = append(f.asked, r)
	return f.Doctor(ctx)
}

func (f *fakeManager) Jobs(_ context.Context, q api.Query) (p api.Page[api.Job], err error) {
	f.queries = append(f.queries, q)
	for i, j := range f.archive {
		if len(q.IDs) > 0 && !slices.Contains(q.IDs, j.ID) || !q.Before.IsZero() && !j.Created.Before(q.Before) || len(q.States) > 0 && !slices.Contains(q.States, j.State) || q.User != "" && j.User != q.User ||
			q.Match != "" && !strings.Contains(probe(&j).search, q.Match) || q.Cursor != "" && fmt.Sprintf("%06d", i) <= q.Cursor {
			continue
		}
		if len(p.Items) == f.page {
			p.Next = fmt.Sprintf("%06d", i-1)
			break
		}
		p.Items = append(p.Items, j)
	}
	return p, nil
}

func (f *fakeManager) QueueStatus(context.Context) (api.QueueStatus, error) { return f.status, nil }
func (f *fakeManager) SetMode(_ context.Context, m job.Mode) (api.QueueStatus, error) {
	if f.refuse != nil {
		return f.status, f.refuse
	}
	f.status.Mode = m
	f.said = append(f.said, "mode "+string(m))
	return f.status, nil
}

func (f *fakeManager) LiftBudget(context.Context) (api.QueueStatus, error) {
	if f.refuse != nil {
		return f.status, f.refuse
	}
	f.said = append(f.said, "lift")
	return f.status, nil
}

func (f *fakeManager) AcceptShare(context.Context) (api.QueueStatus, error) {
	if f.refuse != nil {
		return f.status, f.refuse
	}
	f.said = append(f.said, "accept")
	return f.status, nil
}

func (f *fakeManager) Act(_ context.Context, r api.ActionRequest) (rep api.ActionReport, err error) {
	if f.refuse != nil {
		return rep, f.refuse
	}
	f.acts = append(f.acts, r)
	for i := range f.jobs {
		j := &f.jobs[i]
		if !slices.Contains(r.IDs, j.ID) {
			continue
		}
		switch r.Action {
		case job.DoCancel:
			j.State, j.Completed = job.Cancelled, api.Time{Time: epoch}
		case job.DoRetry:
			j.State, j.Completed, j.Error, j.ErrorDetail, j.Phase = job.Queued, api.Time{}, nil, nil, "next in line"
			j.Attempts = append(j.Attempts, api.Attempt{N: len(j.Attempts) + 1})
		case job.DoPriority:
			j.Priority = *r.Priority
		}
		j.Status = j.State.Status()
		rep.Done++
		rep.Results = append(rep.Results, api.ActionResult{ID: j.ID, Job: *j})
	}
	return rep, nil
}

func (f *fakeManager) Facts(context.Context, job.ID) ([]api.Fact, error) { return f.facts, nil }
func (f *fakeManager) Workflow(context.Context, job.ID) (api.Submitted, error) {
	return api.Submitted{Workflow: f.flow}, nil
}
func (f *fakeManager) Users(context.Context) ([]api.User, error) { return f.users, nil }
func (f *fakeManager) UserOutputs(_ context.Context, user string, _ api.OutputQuery) (api.Page[api.UserOutput], error) {
	return api.Page[api.UserOutput]{Items: slices.Clone(f.outputs[user])}, nil
}
func (f *fakeManager) Preview(context.Context, job.OutputID, int) ([]byte, error) {
	if f.picture == nil {
		return nil, &job.Error{Code: "no_preview", Message: "the file is not a picture"}
	}
	return f.picture, nil
}
func (f *fakeManager) Orphans(context.Context, string) ([]api.Orphan, error) {
	return slices.Clone(f.orphans), nil
}
func (f *fakeManager) settle(id job.OutputID, said string) (o api.Orphan, err error) {
	if f.refuse != nil {
		return o, f.refuse
	}
	f.said = append(f.said, said)
	for _, x := range f.orphans {
		if x.ID == id {
			f.settled = []api.Orphan{x}
		}
	}
	f.orphans = slices.DeleteFunc(f.orphans, func(x api.Orphan) bool { return x.ID == id })
	f.status.Orphans = len(f.orphans)
	return o, nil
}
func (f *fakeManager) AssignOrphan(_ context.Context, id job.OutputID, user string) (api.Orphan, error) {
	return f.settle(id, "assign "+string(id)+" "+user)
}
func (f *fakeManager) OrphanPreview(ctx context.Context, id job.OutputID, width int) ([]byte, error) {
	return f.Preview(ctx, id, width)
}
func (f *fakeManager) UnassignOrphan(_ context.Context, id job.OutputID) (o api.Orphan, err error) {
	if f.refuse != nil {
		return o, f.refuse
	}
	f.said = append(f.said, "unassign "+string(id))
	f.orphans = append(f.orphans, f.settled...)
	f.settled, f.status.Orphans = nil, len(f.orphans)
	return o, nil
}
func (f *fakeManager) DiscardOrphan(_ context.Context, id job.OutputID, _ string) (api.Orphan, error) {
	return f.settle(id, "discard "+string(id))
}
func (f *fakeManager) Workers(context.Context) ([]api.Worker, error) {
	return slices.Clone(f.workers), nil
}
func (f *fakeManager) named(verb, name string) (api.Worker, error) {
	if f.refuse != nil {
		return api.Worker{}, f.refuse
	}
	f.said = append(f.said, verb+" "+name)
	return api.Worker{Name: name, State: job.WarmthWarm}, nil
}
func (f *fakeManager) ActivateWorker(_ context.Context, n string) (api.Worker, error) {
	return f.named("activate", n)
}
func (f *fakeManager) WarmWorker(_ context.Context, n string) (api.Worker, error) {
	return f.named("warm", n)
}
func (f *fakeManager) CheckWorker(_ context.Context, n string) (api.Worker, error) {
	return f.named("check", n)
}

// harness drives a panel without a terminal: every command runs at once, time
// stands still, and the screen is a virtual terminal.
type harness struct {
	t     testing.TB
	m     *Model
	f     *fakeManager
	clock *fakeClock
	quit  bool
	other []string // types of messages that only Bubble Tea understands
}

func newHarness(t testing.TB, f *fakeManager, w, h int, o Options) *harness {
	t.Helper()
	c := &fakeClock{now: epoch}
	o.Manager, o.Clock = f, c
	if o.Host == "" {
		o.Host = "render-01"
	}
	m := New(t.Context(), o)
	ended, stop := context.WithCancel(t.Context())
	stop() // the feed's own commands return at once; tests bring the news
	m.feed.ctx = ended
	x := &harness{t: t, m: m, f: f, clock: c}
	x.send(tea.WindowSizeMsg{Width: w, Height: h})
	return x
}

// attached is a harness with a profile of colours that has taken a snapshot.
func attached(t testing.TB, f *fakeManager, w, h int, o Options, p colorprofile.Profile) *harness {
	t.Helper()
	x := newHarness(t, f, w, h, o)
	x.send(tea.ColorProfileMsg{Profile: p})
	x.snapshot()
	return x
}

func (x *harness) snapshot() {
	x.send(newsMsg{news{hello: &api.Hello{Version: "v1.0.0", Protocol: 1}, snapshot: &api.Snapshot{Rev: 1, Jobs: slices.Clone(x.f.jobs)}}})
	x.send(pollMsg{})
}

// changed tells the panel what the fake manager's jobs are now.
func (x *harness) changed(ids ...job.ID) {
	n := news{changes: map[job.ID]api.Job{}}
	for _, j := range x.f.jobs {
		if len(ids) == 0 || slices.Contains(ids, j.ID) {
			n.changes[j.ID] = j
		}
	}
	x.send(newsMsg{n})
}

func (x *harness) send(msg tea.Msg) {
	_, cmd := x.m.Update(msg)
	x.run(cmd)
}

func (x *harness) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case nil:
	case logLinesMsg:
		if msg.err != errLogWaits {
			x.send(msg)
		}
	case tea.BatchMsg:
		for _, c := range msg {
			x.run(c)
		}
	case tea.QuitMsg:
		x.quit = true
	default:
		if strings.HasPrefix(fmt.Sprintf("%T", msg), "tea.") {
			x.other = append(x.other, fmt.Sprintf("%T %v", msg, msg))
		}
		x.send(msg)
	}
}

// press sends keys by name; a word of one rune is that rune.
func (x *harness) press(keys ...string) {
	x.t.Helper()
	for _, k := range keys {
		x.send(keyPress(k))
	}
}

func (x *harness) typeText(s string) {
	for _, r := range s {
		x.press(string(r))
	}
}

var special = map[string]tea.Key{
	"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "tab": {Code: tea.KeyTab}, "up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown},
	"left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight}, "space": {Code: tea.KeySpace, Text: " "}, "end": {Code: tea.KeyEnd}, "home": {Code: tea.KeyHome},
	"backspace": {Code: tea.KeyBackspace}, "pgdown": {Code: tea.KeyPgDown}, "pgup": {Code: tea.KeyPgUp}, "shift+tab": {Code: tea.KeyTab, Mod: tea.ModShift},
	"ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "ctrl+l": {Code: 'l', Mod: tea.ModCtrl}, "f5": {Code: tea.KeyF5},
}

func keyPress(k string) tea.KeyPressMsg {
	if s, ok := special[k]; ok {
		return tea.KeyPressMsg(s)
	}
	r := []rune(k)
	return tea.KeyPressMsg{Code: r[0], Text: k}
}

// later moves time on and lets the timers that are due go off.
func (x *harness) later(d time.Duration) {
	end := x.clock.now.Add(d)
	for {
		slices.SortStableFunc(x.clock.timers, func(a, b timer) int { return a.at.Compare(b.at) })
		if len(x.clock.timers) == 0 || x.clock.timers[0].at.After(end) {
			break
		}
		next := x.clock.timers[0]
		x.clock.timers = x.clock.timers[1:]
		x.clock.now = next.at
		x.send(next.msg)
	}
	x.clock.now = end
	x.send(secondTick{})
}

// secondTick is a message that the model ignores: it only lets time be seen.
type secondTick struct{}

// confirm waits until a dialog takes keys, then presses them.
func (x *harness) confirm(keys ...string) {
	x.t.Helper()
	if x.m.dialog == nil {
		x.t.Fatalf("no dialog is open\n%s", x.text())
	}
	x.later(grace)
	x.press(keys...)
}

// terminal draws the screen on a virtual terminal. Nothing on it asks the
// terminal a question, so nobody needs to read its answers.
func (x *harness) terminal() *vt.Emulator {
	e := vt.NewEmulator(x.m.width, x.m.height)
	_, _ = e.WriteString(strings.ReplaceAll(x.m.View().Content, "\n", "\r\n"))
	return e
}

// text is the screen without styles.
func (x *harness) text() string {
	e := x.terminal()
	var b strings.Builder
	for y := range x.m.height {
		b.WriteString(strings.TrimRight(lineText(e, y), " ") + "\n")
	}
	return b.String()
}

func lineText(e *vt.Emulator, y int) string {
	var b strings.Builder
	for i := 0; i < e.Width(); {
		c := e.CellAt(i, y)
		if c == nil || c.Content == "" {
			b.WriteByte(' ')
			i++
			continue
		}
		b.WriteString(c.Content)
		i += max(1, c.Width)
	}
	return b.String()
}

// sees fails unless all texts are on the screen.
func (x *harness) sees(want ...string) {
	x.t.Helper()
	got := x.text()
	for _, w := range want {
		if !strings.Contains(got, w) {
			x.t.Fatalf("%q is not on the screen\n%s", w, got)
		}
	}
}

// misses fails when one of the texts is on the screen.
func (x *harness) misses(bad ...string) {
	x.t.Helper()
	got := x.text()
	for _, w := range bad {
		if strings.Contains(got, w) {
			x.t.Fatalf("%q is on the screen\n%s", w, got)
		}
	}
}

// styles describes where which style stands, in runs; a line like the one
// before it is not repeated.
func styleRuns(e *vt.Emulator) string {
	var b strings.Builder
	before := ""
	for y := range e.Height() {
		line := runsOf(e, y)
		if line == before {
			continue
		}
		before = line
		fmt.Fprintf(&b, "%d:%s\n", y, line)
	}
	return b.String()
}

func runsOf(e *vt.Emulator, y int) string {
	var b strings.Builder
	was, from := "", 0
	flush := func(to int) {
		if was != "" {
			fmt.Fprintf(&b, " %d-%d %s;", from, to, was)
		}
	}
	for i := range e.Width() {
		s := ""
		if c := e.CellAt(i, y); c != nil {
			s = styleName(c.Style)
		}
		if s != was {
			flush(i - 1)
			was, from = s, i
		}
	}
	flush(e.Width() - 1)
	return b.String()
}

func styleName(s uv.Style) string {
	var parts []string
	if s.Fg != nil {
		parts = append(parts, "fg"+colourName(s.Fg))
	}
	if s.Bg != nil {
		parts = append(parts, "bg"+colourName(s.Bg))
	}
	if s.Attrs != 0 {
		parts = append(parts, fmt.Sprintf("a%d", s.Attrs))
	}
	if s.Underline != 0 {
		parts = append(parts, "u")
	}
	return strings.Join(parts, " ")
}

func colourName(c color.Color) string {
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}

// testPicture is a PNG with a gradient.
func testPicture(w, h int) []byte {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, color.RGBA{uint8(255 * x / w), uint8(255 * y / h), 120, 255})
		}
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img)
	return b.Bytes()
}

var errRefused = &job.Error{Code: "read_only", Class: job.Forbidden, Message: "this connection may look and not act", Hint: "attach without --read-only"}
