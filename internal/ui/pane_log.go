package ui

import (
	"fmt"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// logPane shows the manager's own log, or what happened since the panel was
// opened: steps of jobs, warnings, actions and lost connections. With a manager
// that does not tell its log there is only the latter.
type logPane struct {
	listPane
	told   managerLog
	own    bool // what the panel saw is asked for
	follow bool
	least  logLevel
	search string
	lines  []int // places in the journal that are shown
}

var logColumns = []column{
	{id: "at", title: "TIME", width: 8},
	{id: "level", title: "LEVEL", width: 5},
	{id: "about", title: "JOB", width: 8, rank: 1},
	{id: "text", title: "WHAT", width: 20, flex: 1},
}

func newLogPane(m *Model) *logPane {
	p := &logPane{listPane: listPane{m: m}, follow: true}
	p.table = table{columns: logColumns, rows: p}
	return p
}

func (m *Model) logs() *logPane { return m.panes[paneOf[goLog]].(*logPane) }

// ownShown reports whether what the panel saw is shown.
func (p *logPane) ownShown() bool { return p.own || !p.told.heard }

// journal is what is shown.
func (p *logPane) journal() *journal {
	if p.ownShown() {
		return &p.m.w.journal
	}
	return &p.told.journal
}

// levelName is the word of a level in what is shown.
func (p *logPane) levelName(l logLevel) string {
	if p.ownShown() {
		return l.String()
	}
	return toldLevels[l]
}

var toldLevels = []string{"debug", "info", "warn", "error"}

func (p *logPane) enter() tea.Cmd     { return p.m.followLog() }
func (p *logPane) title() string      { return "Log" }
func (p *logPane) scope() scope       { return inLog }
func (p *logPane) filterText() string { return p.search }
func (p *logPane) setFilter(t string) { p.search = t }
func (p *logPane) len() int           { return len(p.lines) }
func (p *logPane) marked(int) bool    { return false }
func (p *logPane) entry(i int) *entry { return &p.journal().entries[p.lines[i]] }
func (p *logPane) key(i int) string   { return strconv.Itoa(p.lines[i] + p.journal().dropped) }
func (p *logPane) find(key string) int {
	n, err := strconv.Atoi(key)
	if err != nil {
		return -1
	}
	n -= p.journal().dropped
	for i, at := range p.lines {
		if at == n {
			return i
		}
	}
	return -1
}

// choose lists the entries that are shown.
func (p *logPane) choose() {
	p.lines = p.lines[:0]
	want := strings.ToLower(p.search)
	all := p.journal().entries
	for i := range all {
		e := &all[i]
		if e.level >= p.least && (want == "" || strings.Contains(strings.ToLower(e.text+" "+e.about), want)) {
			p.lines = append(p.lines, i)
		}
	}
}

func (p *logPane) cell(i int, column string) cell {
	e, st := p.entry(i), p.m.w.st
	k := map[logLevel]Ink{levelStep: st.Quiet, levelEnd: st.Row, levelWarn: st.Warn, levelBad: st.Bad}[e.level]
	switch column {
	case "at":
		return cell{clock(e.at), st.Quiet}
	case "level":
		return cell{p.levelName(e.level), k}
	case "about":
		return cell{e.about, st.Quiet}
	}
	return cell{e.text, k}
}

func (p *logPane) view(w, h int) []string {
	p.choose()
	if p.len() == 0 {
		return pad([]string{"", p.m.w.st.Quiet.On(p.nothing())}, h)
	}
	if p.follow {
		p.table.move(p.len() - 1)
	}
	foot := logFoot(w, h)
	lines := p.table.view(p.m.w.st, w, h-foot)
	if foot == 0 {
		return lines
	}
	e := p.entry(p.table.at)
	title := strings.TrimSpace(clock(e.at) + " " + p.levelName(e.level) + " " + e.about)
	return append(lines, panel(p.m.w.st, title, wrap(e.text, w-4), w, foot)...)
}

// logFoot is how many lines the whole text of the line under the cursor gets:
// none on screens where hardly one is cut off.
func logFoot(w, h int) int {
	switch {
	case w >= 160 || h < 9:
		return 0
	case h < 14:
		return 4
	}
	return 6
}

// nothing says why no line is shown.
func (p *logPane) nothing() string {
	switch {
	case len(p.journal().entries) > 0:
		return "  Nothing matches; Esc shows all, l changes the level."
	case p.ownShown():
		return "  Nothing has happened since the panel was opened."
	}
	return "  The manager has logged nothing."
}

// turn shows the other log, from its end.
func (p *logPane) turn() tea.Cmd {
	if !p.told.heard {
		why := "it has not come yet"
		if p.told.err != nil {
			why = p.told.err.Error()
		}
		p.m.refuse("no log of the manager: " + why)
		return p.m.followLog()
	}
	p.own, p.follow = !p.own, true
	return nil
}

func (p *logPane) act(d deed) tea.Cmd {
	p.choose()
	switch d {
	case follow:
		p.follow = !p.follow
	case level:
		p.least = (p.least + 1) % logLevel(len(levelNames))
	case source:
		return p.turn()
	case open, copyText:
		if p.len() == 0 {
			return nil
		}
		p.table.settle()
		e := p.entry(p.table.at)
		if d == copyText {
			return p.m.copy(e.text)
		}
		if e.job != "" {
			return p.m.openJob(e.job)
		}
	default:
		p.follow = p.follow && d == bottom
		return p.listPane.act(d)
	}
	return nil
}

func (p *logPane) wheel(n int) {
	p.choose()
	p.follow = false
	p.listPane.wheel(n)
}

func (p *logPane) note() string {
	s := fmt.Sprintf("%s of %s", number(len(p.lines)), number(len(p.journal().entries)))
	if p.least > levelStep {
		s = "from " + p.levelName(p.least) + " up  " + s
	}
	if p.follow {
		s = "following  " + s
	}
	switch {
	case p.ownShown():
		return "seen by this panel  " + s
	case p.told.err != nil:
		return "manager's log, cut off  " + s
	}
	return "manager's log  " + s
}
