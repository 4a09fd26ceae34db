package ui

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// Lines around the body.
const (
	headLines = 3
	footLines = 2
)

// View draws the screen.
func (m *Model) View() tea.View {
	v := tea.NewView(m.screen())
	v.AltScreen = true
	v.WindowTitle = "qmtui " + Clean(m.w.opts.Host)
	if !m.noMouse {
		v.MouseMode = tea.MouseModeCellMotion
	}
	return v
}

func (m *Model) screen() string {
	w, h := m.width, m.height
	if w == 0 || h == 0 {
		return ""
	}
	if m.small() {
		return fit(fmt.Sprintf("The panel needs %dx%d cells; this is %dx%d.", minWidth, minHeight, w, h), w)
	}
	lines := m.head(w)
	lines = append(lines, m.body(w, h-headLines-footLines)...)
	lines = append(lines, m.foot(w)...)
	switch {
	case m.dialog != nil:
		lines = overlay(lines, m.dialog.view(m.w.st, w, h, m.w.now), w, h)
	case m.palette != nil:
		lines = overlay(lines, m.palette.view(m.w.st, w, h), w, h)
	case m.helping:
		lines = overlay(lines, m.helpBox(w, h), w, h)
	}
	out := strings.Join(lines, "\n")
	if m.w.st.ascii {
		out = strings.ReplaceAll(out, "…", "~")
	}
	return out
}

// body is the pane or the job, dimmed while the manager is away.
func (m *Model) body(w, h int) []string {
	stale := m.stale()
	if stale { // ages stand still with what they belong to
		now := m.w.now
		m.w.now = m.w.link.heard
		defer func() { m.w.now = now }()
	}
	var lines []string
	if m.detail != nil {
		lines = m.detail.view(w, h)
	} else {
		lines = m.front().view(w, h)
	}
	for i, l := range lines {
		if stale {
			lines[i] = m.w.st.Stale.On(ansi.Strip(l))
		}
	}
	return pad(lines, h)
}

// stale reports that the manager is away, and what is shown was true once.
func (m *Model) stale() bool { return !m.w.link.up && m.w.link.once }

// head is the header: where we are attached, how the queue is, and the tabs.
func (m *Model) head(w int) []string {
	queue := m.headQueue(w)
	if m.stale() {
		queue = m.w.st.BarQuiet.On(ansi.Strip(queue))
	}
	return []string{m.headLink(w), queue, m.tabs(w)}
}

// spread puts left and right at the ends of a bar of w cells.
func spread(left, right string, w int, bar Ink) string {
	gap := w - fitWidth(left) - fitWidth(right)
	if gap < 1 {
		left = ansi.TruncateWc(left, max(0, w-fitWidth(right)-1), "…")
		gap = w - fitWidth(left) - fitWidth(right)
	}
	return left + bar.On(blank(gap)) + right
}

func (m *Model) headLink(w int) string {
	st, l := m.w.st, m.w.link
	where := m.w.opts.Host
	if where == "" {
		where = m.w.manager.Target()
	}
	where = m.w.text(where)
	if l.up && w >= narrow { // while it is away there is more to say
		where += " " + st.glyphs.dot + " " + m.w.opts.Attached + " " + m.w.text(m.w.hello.Version)
	}
	left := st.Title.On(" qmtui ") + st.Bar.On(" "+where+"  ")
	switch {
	case l.up:
		left += st.BarGood.On(st.glyphs.link + " live " + m.linkAge())
	case !l.once:
		left += st.BarWarn.On(st.glyphs.stale + " connecting" + m.trying())
	default:
		left += st.BarBad.On(st.glyphs.stale + " stale " + since(m.w.now, l.heard) + ", reconnecting")
	}
	return spread(left, m.headWarnings()+m.headMode(), w, st.Bar)
}

// linkAge is how long the connection stands, or how long nothing was heard once
// that is worth a word: a stream brings at least a heartbeat every ten seconds.
func (m *Model) linkAge() string {
	if d := m.w.now.Sub(m.w.link.heard); d > 12*time.Second {
		return "but silent for " + age(d)
	}
	return "for " + age(m.w.now.Sub(m.w.link.since))
}

func (m *Model) trying() string {
	if m.w.link.err == nil {
		return ""
	}
	return ": " + m.w.text(job.AsError(m.w.link.err).Message)
}

func (m *Model) headWarnings() string {
	st := m.w.st
	n, bad := m.w.unacknowledged()
	if n == 0 {
		return ""
	}
	k := st.BarWarn
	if bad {
		k = st.BarBad
	}
	return k.On(st.glyphs.warn + " " + count(n, "warning") + "  ")
}

func (m *Model) headMode() string {
	st := m.w.st
	ro := ""
	if m.w.hello.ReadOnly {
		ro = st.BarWarn.On("read-only ")
	}
	switch m.w.status.Mode {
	case job.ModePaused:
		return ro + st.BarWarn.On("PAUSED ")
	case job.ModeDraining:
		return ro + st.BarWarn.On("DRAINING ")
	case job.ModeRunning:
		return ro + st.BarQuiet.On("running ")
	}
	return ro
}

func (m *Model) headQueue(w int) string {
	st, s := m.w.st, m.w.status
	if m.w.statusAt.IsZero() {
		return st.Bar.On(blank(w))
	}
	sep := st.BarQuiet.On(" " + st.glyphs.vline + " ")
	flight, beside, hour := "in flight", api.BesideSlots(s.NoSlot, s.Elsewhere), "1h: "
	switch {
	case w < narrow:
		flight, beside, hour = "flight", "", ""
	case w < 100:
		beside = api.BesideSlots(s.NoSlot, 0)
	}
	left := st.Bar.On(fmt.Sprintf(" queue %s", number(s.Depth))) + sep + st.Bar.On(fmt.Sprintf("%s %d/%d%s", flight, s.Occupied(), s.Capacity, beside)) + sep
	least := ""
	if !m.headline.whole {
		least = ">"
	}
	left += st.Bar.On(hour) + st.BarGood.On(least+number(m.headline.done)+" done") + st.Bar.On(" ")
	if m.headline.failed > 0 {
		left += st.BarBad.On(least + number(m.headline.failed) + " failed")
	} else {
		left += st.BarQuiet.On("0 failed")
	}
	return spread(left, m.headDeployment(), w, st.Bar)
}

// headDeployment is the active deployment with its state and price.
func (m *Model) headDeployment() string {
	st := m.w.st
	d := m.w.worker(m.w.status.Active)
	if d == nil {
		return st.BarWarn.On("no active deployment ")
	}
	k := st.Bar
	switch {
	case d.Stopped != nil:
		k = st.BarBad
	case d.State == job.WarmthWarm:
		k = st.BarGood
	case d.State == job.Warming || d.State == job.WarmthUnknown:
		k = st.BarWarn
	case d.State == job.WarmthFailing:
		k = st.BarBad
	}
	out := st.Bar.On(m.w.text(d.Name)+" ") + k.On(m.warmth(d))
	if d.PricePerHour > 0 && m.width >= narrow {
		out += st.Bar.On(fmt.Sprintf(" %.2f/h", d.PricePerHour))
	}
	return out + st.Bar.On(" ")
}

func (m *Model) tabs(w int) string {
	st := m.w.st
	titles, gap := m.tabTitles()
	for i, t := range titles {
		k := st.Tab
		if i == m.at {
			k = st.TabOn
		}
		titles[i] = k.On(t)
	}
	return fitStyled(" "+strings.Join(titles, blank(gap)), w)
}

// narrow is the width below which the header uses short words.
const narrow = 76

var shortTitles = map[scope]string{inQueue: "Queue", inOutputs: "Out", inWorkers: "Work", inWarnings: "Warn", inUsers: "Users", inLog: "Log", inCharts: "Chart", inDoctor: "Doc"}

// tabTitles are the titles of the tabs and how many cells stand between them:
// one where there is not enough room for two.
func (m *Model) tabTitles() (titles []string, gap int) {
	all := 1
	for i, p := range m.panes {
		titles = append(titles, m.tabTitle(i, p))
		all += width(titles[i])
	}
	if all+2*(len(titles)-1) > m.width {
		return titles, 1
	}
	return titles, 2
}

func (m *Model) tabTitle(i int, p pane) string {
	title := p.title()
	if m.width < narrow {
		title = shortTitles[p.scope()]
	}
	if n, _ := m.w.unacknowledged(); p.scope() == inWarnings && n > 0 {
		title += m.w.st.glyphs.warn + strconv.Itoa(n)
	}
	return strconv.Itoa(i+1) + " " + title
}

// foot is the last action or the filter, then the keys.
func (m *Model) foot(w int) []string {
	return []string{m.footLine(w), m.footKeys(w)}
}

// progressFor is how long the end of an action stays in the footer.
const progressFor = 12 * time.Second

func (m *Model) footLine(w int) string {
	st := m.w.st
	right := ""
	if n, ok := m.front().(interface{ note() string }); ok && m.detail == nil {
		right = st.Quiet.On(n.note() + " ")
	}
	left := m.footLeft(w)
	return spread(left, right, w, "")
}

func (m *Model) footLeft(w int) string {
	st := m.w.st
	switch {
	case m.line != nil:
		return m.line.view(st, w, m.filterProblem())
	case m.undo.do != nil:
		left := max(0, int(m.undo.until.Sub(m.w.now).Seconds()+0.999))
		said := st.Good.On(" " + m.progress.text)
		if m.progress.state == "failed" {
			said = st.Bad.On(" failed: ") + st.Row.On(m.progress.text)
		}
		return said + "  " + st.Key.On("u") + st.Strong.On(fmt.Sprintf(" undo (%ds)", left))
	case m.progress.text != "" && (m.progress.state == "started" || m.w.now.Sub(m.progress.at) < progressFor):
		k := map[string]Ink{"started": st.Busy, "done": st.Good, "failed": st.Bad}[m.progress.state]
		return k.On(" "+m.progress.state+": ") + st.Row.On(m.progress.text)
	case m.filtering() != "":
		line := st.Accent.On(" / ") + st.Strong.On(m.w.text(m.filtering()))
		if p := m.filterProblem(); p != "" {
			line += "  " + st.Bad.On(m.w.text(p))
		}
		return line + st.Quiet.On("  Esc shows all")
	}
	return ""
}

// filterProblem says what is wrong with the filter of the queue.
func (m *Model) filterProblem() string {
	if m.detail != nil || m.at != 0 {
		return ""
	}
	return m.w.jobs.filter.problem
}

func (m *Model) filtering() string {
	if m.detail != nil {
		return m.detail.search
	}
	return m.front().filterText()
}

func (m *Model) footKeys(w int) string {
	st := m.w.st
	var b strings.Builder
	used := 1
	b.WriteString(" ")
	for _, k := range offered(m.here()) {
		if k.short == "" {
			continue
		}
		name := keyName(k.keys[0])
		n := width(name) + 1 + width(k.short) + 2
		if used+n > w {
			break
		}
		used += n
		b.WriteString(st.Key.On(name) + " " + st.Quiet.On(k.short) + "  ")
	}
	return b.String()
}
