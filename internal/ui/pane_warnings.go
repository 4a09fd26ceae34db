package ui

import (
	"cmp"
	"context"

	tea "charm.land/bubbletea/v2"

	"github.com/comfyume/qmtui/internal/job"
)

// warningsPane lists what needs a person, since when, and what to do.
type warningsPane struct {
	listPane
	records[warning]
}

var warningColumns = []column{
	{id: "sign", title: " ", width: 1},
	{id: "since", title: "SINCE", width: 5, right: true},
	{id: "code", title: "WHAT", width: 20, rank: 2},
	{id: "text", title: "SENTENCE", width: 20, flex: 3},
	{id: "hint", title: "WHAT TO DO", width: 36, flex: 2, rank: 3},
}

func newWarningsPane(m *Model) *warningsPane {
	p := &warningsPane{listPane{m: m}, records[warning]{func() []warning { return m.w.warnings }, func(x *warning) string { return x.key }}}
	p.table = table{columns: warningColumns, rows: p}
	return p
}

func (p *warningsPane) title() string { return "Warnings" }
func (p *warningsPane) scope() scope  { return inWarnings }

func (p *warningsPane) cell(i int, column string) cell {
	x, st := &p.m.w.warnings[i], p.m.w.st
	k := st.Warn
	switch {
	case x.acked:
		k = st.Quiet
	case x.bad:
		k = st.Bad
	}
	switch column {
	case "sign":
		if x.acked {
			return cell{st.glyphs.state[100], st.Quiet}
		}
		return cell{st.glyphs.warn, k}
	case "since":
		return cell{since(p.m.w.now, x.since), st.Quiet}
	case "code":
		return cell{p.m.w.text(x.code), k}
	case "text":
		return cell{x.text, k}
	case "hint":
		return cell{x.hint, st.Row}
	}
	return cell{}
}

func (p *warningsPane) view(w, h int) []string {
	st := p.m.w.st
	x := p.under(&p.table)
	if x == nil {
		return pad([]string{"", st.Good.On("  " + st.glyphs.state[100] + " Nothing needs a person now.")}, h)
	}
	foot := min(8, max(5, h/3))
	lines := p.table.view(st, w, h-foot)
	text := []string{}
	for _, l := range wrap(x.text, w-6) {
		text = append(text, st.Strong.On(l))
	}
	for _, l := range wrap(x.hint, w-8) {
		text = append(text, st.Accent.On(st.glyphs.arrow)+" "+l)
	}
	text = append(text, st.Quiet.On("since "+clock(x.since)+acknowledgedWord(x)))
	return append(lines, panel(st, p.m.w.text(x.code), text, w, foot)...)
}

// opens says what Enter does about warnings of a code.
var opens = map[string]string{"orphans": "shows them", "budget_reached": "goes beyond it", "share_changed": "accepts it"}

func acknowledgedWord(x *warning) string {
	word := ", a acknowledges"
	if x.acked {
		word = ", acknowledged"
	}
	if x.job != "" || opens[x.code] != "" {
		word += ", Enter " + cmp.Or(opens[x.code], "opens the job")
	}
	return word
}

func (p *warningsPane) act(d deed) tea.Cmd {
	x := p.under(&p.table)
	switch {
	case x == nil:
		return nil
	case d == acknowledge:
		if p.m.w.acked[x.key] {
			delete(p.m.w.acked, x.key)
		} else {
			p.m.w.acked[x.key] = true
		}
		p.m.w.gather()
	case d == open && x.job != "":
		return p.m.openJob(x.job)
	case d == open && x.code == "orphans":
		return p.m.show(paneOf[goOutputs])
	case d == liftBudget, d == open && x.code == "budget_reached":
		p.m.askLift()
	case d == acceptShare, d == open && x.code == "share_changed":
		p.m.askAccept()
	case d == copyText:
		return p.m.copy(x.code + ": " + x.text)
	default:
		return p.listPane.act(d)
	}
	return nil
}

// askLift asks before jobs are sent beyond a budget that is reached. Like
// "qmtui queue resume --over-budget" it ends a pause as well.
func (m *Model) askLift() {
	x := m.w.toldWarning("budget_reached")
	if x == nil {
		m.refuse("no budget is reached, so there is none to go beyond")
		return
	}
	lines := []string{m.w.text(x.Message), "", m.w.st.Warn.On("Jobs are sent beyond every budget until midnight, which costs money."), "The warning stays, with your name."}
	if m.w.status.Mode != job.ModeRunning {
		lines = append(lines, "The queue is "+string(m.w.status.Mode)+"; it runs again as well.")
	}
	manager := m.w.manager
	m.ask(dialog{title: "Spend beyond today's budget?", yes: "Spend", danger: true, lines: lines, act: func(string) tea.Cmd {
		return m.simple("spend beyond the budget", actTimeout, func(ctx context.Context) (string, error) {
			if _, err := manager.LiftBudget(ctx); err != nil {
				return "", err
			}
			_, err := manager.SetMode(ctx, job.ModeRunning)
			return "the budget is lifted until midnight", err
		})
	}})
}

// askAccept asks before another file system is taken for the share.
func (m *Model) askAccept() {
	s, manager := m.w.status.Share, m.w.manager
	lines := []string{"What is mounted at " + m.w.text(s.Path) + " now counts as the share from now on.",
		m.w.st.Warn.On("If it is another one, jobs whose files are on the old one are rendered again, which costs money.")}
	if s.Error != nil {
		lines = append([]string{m.w.st.Strong.On(m.w.text(s.Error.Message)), ""}, lines...)
	}
	m.ask(dialog{title: "Take it for the share?", yes: "Accept", danger: true, lines: lines, act: func(string) tea.Cmd {
		return m.simple("accept the share", actTimeout, func(ctx context.Context) (string, error) {
			_, err := manager.AcceptShare(ctx)
			return "the share is what is mounted there now", err
		})
	}})
}
