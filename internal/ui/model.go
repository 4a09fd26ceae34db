package ui

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// The smallest screen that the panel works on.
const (
	minWidth  = 60
	minHeight = 16
)

// Model is the root of the panel: it routes messages to panes and dialogs. Its
// methods are for Bubble Tea's loop only.
type Model struct {
	w     *world
	feed  *feed
	prefs prefs

	queue    *queuePane
	panes    []pane
	at       int
	doctor   *doctorPane
	detail   *jobDetail // nil while a pane is shown
	dialog   *dialog
	palette  *paletteBox
	helping  bool
	helpPage int
	line     *inputLine // the filter being typed; nil when none is

	older    older
	progress progress
	undo     undoable
	width    int
	height   int
	dark     bool
	profile  colorprofile.Profile
	noMouse  bool
	headline headline // what costs a walk over all jobs, once a second
}

// New makes a panel. It connects when the program starts.
func New(ctx context.Context, o Options) *Model {
	o = o.withDefaults()
	w := &world{opts: o, ctx: ctx, manager: o.Manager, clock: o.Clock, now: o.Clock.Now(), acked: map[string]bool{}, previews: newPreviews()}
	w.st = NewStyles(true, colorprofile.TrueColor, o.ASCII)
	w.jobs = newJobs(o.Limit, func(s string) string { return w.st.text(s) })
	m := &Model{w: w, feed: newFeed(ctx, o.Manager, o.Limit), dark: o.Theme != ThemeLight, profile: colorprofile.TrueColor}
	m.queue = newQueuePane(m)
	m.doctor = newDoctorPane(m)
	m.panes = []pane{m.queue, newOutputsPane(m), newWorkersPane(m), newWarningsPane(m), newUsersPane(m), newLogPane(m), newChartsPane(m), m.doctor}
	m.w.link.lost = w.now
	m.restore(loadPrefs(o.Prefs))
	return m
}

// Init connects and starts the clock.
func (m *Model) Init() tea.Cmd {
	cmds := []tea.Cmd{m.feed.read, m.feed.collect, m.w.poll(false), m.w.clock.After(secondEvery, secondMsg{}), m.w.clock.After(pollEvery, pollMsg{})}
	if m.w.opts.Theme == ThemeAuto {
		cmds = append(cmds, tea.RequestBackgroundColor)
	}
	return tea.Batch(append(cmds, m.front().enter())...)
}

// front is the pane that is shown.
func (m *Model) front() pane { return m.panes[m.at] }

// here is the scope whose keys work.
func (m *Model) here() scope {
	if m.detail != nil {
		return inJob
	}
	return m.front().scope()
}

// graceMsg says that a dialog takes keys from now on.
type graceMsg struct{}

// Update routes a message.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	m.w.now = m.w.clock.Now()
	return m, m.route(msg)
}

func (m *Model) route(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.KeyPressMsg:
		was := m.dialog
		cmd := m.press(msg)
		if m.dialog != nil && m.dialog != was { // to draw it again when it takes keys
			cmd = tea.Batch(cmd, m.w.clock.After(grace, graceMsg{}))
		}
		return cmd
	case tea.PasteMsg:
		return m.paste(msg)
	case tea.MouseMsg:
		return m.mouse(msg)
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		return m.sized()
	case tea.ColorProfileMsg:
		m.profile = msg.Profile
		m.restyle()
	case tea.BackgroundColorMsg:
		if m.w.opts.Theme == ThemeAuto {
			m.dark = msg.IsDark()
			m.restyle()
		}
	case tea.EnvMsg:
		return m.askForSync(msg)
	case tea.InterruptMsg:
		return m.leave()
	default:
		return m.learn(msg)
	}
	return nil
}

// learn takes what commands bring.
func (m *Model) learn(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case newsMsg:
		return tea.Batch(m.hear(msg.news), m.lookAgain(msg.news), m.askSooner(msg.news), m.feed.collect)
	case lostMsg:
		return m.lose(msg.err)
	case reconnectMsg:
		return m.feed.read
	case secondMsg:
		m.tick()
		return tea.Batch(m.queue.look(), m.w.clock.After(secondEvery, secondMsg{}))
	case pollMsg:
		return tea.Batch(m.w.poll(m.wantsUsers()), m.w.clock.After(pollEvery, pollMsg{}))
	case pollDone:
		m.w.learn(msg)
		m.tick()
		return m.look()
	case actedMsg:
		m.acted(msg)
		return m.w.poll(m.wantsUsers())
	case doneMsg:
		m.finish(msg.text, msg.err)
		if msg.err == nil && msg.undo != nil {
			m.undo = undoable{do: msg.undo, until: m.w.now.Add(undoAssignFor)}
		}
		return m.w.poll(m.wantsUsers())
	case jobMsg:
		if m.detail != nil {
			return m.detail.learn(msg)
		}
	case logLinesMsg:
		return m.hearLog(msg)
	case logAgainMsg:
		m.logs().told.waits = false
		return m.followLog()
	case olderMsg:
		return m.learnOlder(msg)
	case restMsg:
		if msg.turn == m.older.turn {
			return tea.Batch(m.askMissing(), m.look())
		}
	case outputsMsg:
		return m.outputs().learn(msg)
	case doctorMsg, doctorAgainMsg:
		return m.hearDoctor(msg)
	case previewMsg:
		m.w.previews.learn(msg)
	}
	return nil
}

// look fetches what belongs to the row under the cursor, where it is shown.
func (m *Model) look() tea.Cmd {
	if p, ok := m.front().(interface{ look() tea.Cmd }); ok && m.detail == nil {
		return p.look()
	}
	return nil
}

func (m *Model) wantsUsers() bool {
	switch m.front().scope() {
	case inUsers, inOutputs, inCharts, inWorkers:
		return true
	}
	return m.line != nil && m.line.complete != nil
}

// hear takes news of the stream.
func (m *Model) hear(n news) tea.Cmd {
	l := &m.w.link
	if n.hello != nil {
		m.w.hello = *n.hello
	}
	if n.snapshot != nil {
		m.w.jobs.replace(n.snapshot.Jobs)
		m.older.begin()
		m.feed.failed = 0
		l.once = true
	}
	if n.snapshot != nil {
		l.since = m.w.now
	}
	if n.snapshot != nil || l.up {
		l.up, l.heard, l.err, l.tries, l.lost = true, m.w.now, nil, 0, time.Time{}
	}
	if len(n.changes) > 0 {
		all := slices.SortedFunc(maps.Values(n.changes), func(a, b api.Job) int {
			return cmp.Or(cmp.Compare(a.Rev, b.Rev), cmp.Compare(a.ID, b.ID))
		})
		for i := range all {
			m.w.note(m.w.jobs.all[all[i].ID], &all[i])
		}
		m.w.jobs.change(all)
	}
	if len(n.standings) > 0 {
		all := make([]api.Standing, 0, len(n.standings))
		for _, s := range n.standings {
			all = append(all, s)
		}
		m.w.jobs.stand(all)
	}
	if n.snapshot != nil {
		m.tick()
	}
	var cmds []tea.Cmd
	if n.snapshot != nil {
		cmds = append(cmds, m.askMissing())
	}
	if m.detail != nil {
		cmds = append(cmds, m.detail.refresh(n))
	}
	return tea.Batch(cmds...)
}

// askSooner asks for the numbers of the header when jobs have changed since.
func (m *Model) askSooner(n news) tea.Cmd {
	if len(n.changes) == 0 || m.w.asking || m.w.now.Sub(m.w.statusAt) < pollSooner {
		return nil
	}
	return m.w.poll(m.wantsUsers())
}

// lookAgain opens the manager's log where somebody looks at it: another manager
// may be there now, which has one.
func (m *Model) lookAgain(n news) tea.Cmd {
	if n.snapshot == nil || m.front().scope() != inLog {
		return nil
	}
	return m.followLog()
}

// lose keeps the last screen and tries again after a while.
func (m *Model) lose(err error) tea.Cmd {
	l := &m.w.link
	if l.up {
		l.up, l.lost = false, m.w.now
		m.w.journal.add(entry{at: m.w.now, level: levelBad, text: m.w.text("connection lost: " + err.Error())})
	}
	l.err = err
	l.tries++
	if m.w.ctx.Err() != nil {
		return tea.Quit
	}
	return m.w.clock.After(m.feed.pause(), reconnectMsg{})
}

// headline holds what costs a walk over all jobs.
type headline struct {
	done, failed int
	whole        bool
}

// tick is what happens once a second.
func (m *Model) tick() {
	m.w.gather()
	m.headline.done, m.headline.failed, m.headline.whole = m.w.lastHour()
	if !m.undo.until.IsZero() && m.w.now.After(m.undo.until) {
		m.undo = undoable{}
	}
}

// press routes a key: to a dialog, to a line that is being typed, to the
// palette, or by the table of bindings.
func (m *Model) press(k tea.KeyPressMsg) tea.Cmd {
	switch {
	case m.dialog != nil:
		d := m.dialog
		done, cmd := d.press(k, m.w.now)
		if done && m.dialog == d {
			m.dialog = nil
		}
		if done && k.String() == "enter" && d.asks() && d.mark == 0 && d.text() != "" {
			m.refuse("nothing was done: " + d.no + " was marked")
		}
		return cmd
	case m.palette != nil:
		return m.pressPalette(k)
	case m.line != nil:
		return m.pressLine(k)
	case m.helping:
		return m.pressHelp(k)
	}
	if m.small() && deedOf(k.String(), everywhere) != quit {
		return nil
	}
	return m.do(deedOf(k.String(), m.here()))
}

// do does what a key or the palette asks for.
func (m *Model) do(d deed) tea.Cmd {
	if i, ok := paneOf[d]; ok {
		return m.show(i)
	}
	switch d {
	case "":
		return nil
	case quit:
		return m.leave()
	case help:
		m.helping = true
	case openPalette:
		m.palette = newPalette(m.here())
	case nextPane:
		return m.show((m.at + 1) % len(m.panes))
	case prevPane:
		return m.show((m.at + len(m.panes) - 1) % len(m.panes))
	case redraw:
		return tea.ClearScreen
	case refreshNow:
		return tea.Batch(m.w.poll(true), m.front().enter())
	case freeMouse:
		m.noMouse = !m.noMouse
	case theme:
		m.nextTheme()
	case pause, drain:
		m.askMode(d)
	case undo:
		return m.takeBack()
	case back:
		return m.goBack()
	case openFilter:
		return m.openFilter()
	default:
		if m.detail != nil {
			return m.detail.act(d)
		}
		return m.front().act(d)
	}
	return nil
}

var paneOf = map[deed]int{goQueue: 0, goOutputs: 1, goWorkers: 2, goWarnings: 3, goUsers: 4, goLog: 5, goCharts: 6, goDoctor: 7}

func (m *Model) show(i int) tea.Cmd {
	m.at, m.detail = i, nil
	m.savePrefs()
	return m.front().enter()
}

// goBack closes what is on top: the job, a folder, the filter, then the marks.
func (m *Model) goBack() tea.Cmd {
	p := m.front()
	if m.detail != nil {
		m.detail = nil
		return nil
	}
	switch b, ok := p.(interface{ back() bool }); {
	case ok && p.filterText() == "" && b.back():
	case p.filterText() != "":
		p.setFilter("")
		m.savePrefs()
	case m.at == 0:
		clear(m.w.jobs.marks)
	}
	return nil
}

// ask opens a dialog.
func (m *Model) ask(d dialog) {
	m.dialog = newDialog(m.w.now, d)
}

// refuse says in the footer why nothing happens.
func (m *Model) refuse(text string) {
	m.progress = progress{text: m.w.text(text), state: "failed", at: m.w.now}
}

// askMode asks before the queue is paused or drained; running again needs no yes.
func (m *Model) askMode(d deed) {
	to := job.ModePaused
	q := dialog{title: "Pause the queue?", yes: "Pause", lines: []string{"New jobs are taken, none is submitted.", "What is in flight goes on."}}
	switch {
	case d == drain && m.w.status.Mode == job.ModeDraining, d == pause && m.w.status.Mode != job.ModeRunning && m.w.status.Mode != "":
		to = job.ModeRunning
		q = dialog{title: "Let the queue run again?", yes: "Run", lines: []string{"Waiting jobs are submitted again; that wakes GPUs."}}
	case d == drain:
		to = job.ModeDraining
		q = dialog{title: "Drain the queue?", yes: "Drain", lines: []string{"No new jobs are taken (503 for callers).", "The jobs that are there finish."}}
	}
	q.act = func(string) tea.Cmd {
		manager := m.w.manager
		return m.simple("queue: "+string(to), actTimeout, func(ctx context.Context) (string, error) {
			_, err := manager.SetMode(ctx, to)
			return "the queue is " + string(to), err
		})
	}
	m.ask(q)
}

// leave ends the panel. With the manager in this process and jobs that have not
// ended it asks first.
func (m *Model) leave() tea.Cmd {
	m.savePrefs()
	open := 0
	for _, r := range m.w.jobs.all { // newer than the status
		if !r.job.State.Terminal() {
			open++
		}
	}
	flying := m.w.status.InFlight
	open = max(open, m.w.status.Depth, flying)
	if !m.w.opts.Embedded || open == 0 || m.dialog != nil {
		return tea.Quit
	}
	d := dialog{title: "Leave with " + count(open, "open job") + "?", yes: "Stop the manager", no: "Stay",
		lines: []string{"The manager runs in this process and stops with it.", fmt.Sprintf("Waiting: %d. In flight: %d.", open-flying, flying),
			"What waits is sent after the next start. What is in flight goes on, and is found again then."},
		act: func(string) tea.Cmd { return tea.Quit }}
	if leave := m.w.opts.LeaveDaemon; leave != nil {
		d.lines = append(d.lines, m.w.st.Quiet.On(`A daemon goes on without a terminal; "qmtui" attaches to it again.`))
		d.also = []button{{"Leave a daemon running", func(string) tea.Cmd {
			leave()
			return tea.Quit
		}}}
	}
	m.ask(d)
	return nil
}

// copy puts text on the clipboard of the terminal, over SSH as well.
func (m *Model) copy(text string) tea.Cmd {
	text = Clean(text)
	m.progress = progress{text: "copied " + text + " (if the terminal allows OSC 52)", state: "done", at: m.w.now}
	return tea.SetClipboard(text)
}

func (m *Model) restyle() {
	*m.w.st = *NewStyles(m.dark, m.profile, m.w.opts.ASCII)
	m.w.previews.forget()
}

// nextTheme walks through dark and light; auto is where it started.
func (m *Model) nextTheme() {
	m.dark = !m.dark
	m.w.opts.Theme = map[bool]Theme{true: ThemeDark, false: ThemeLight}[m.dark]
	m.restyle()
	m.savePrefs()
}

// askForSync turns synchronized output on over SSH, where Bubble Tea does not
// ask for it: a terminal that does not know mode 2026 ignores it.
func (m *Model) askForSync(env tea.EnvMsg) tea.Cmd {
	if _, ssh := env.LookupEnv("SSH_TTY"); !ssh || m.w.opts.NoSync {
		return nil
	}
	return func() tea.Msg {
		return tea.ModeReportMsg{Mode: ansi.ModeSynchronizedOutput, Value: ansi.ModeReset}
	}
}

func (m *Model) sized() tea.Cmd {
	if m.detail != nil {
		return m.detail.sized()
	}
	return m.front().enter()
}

// small reports a screen that the panel does not fit on. One whose size has not
// been told yet is none: keys typed while the panel starts count.
func (m *Model) small() bool {
	return m.width > 0 && m.width < minWidth || m.height > 0 && m.height < minHeight
}
