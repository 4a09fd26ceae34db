package ui

import (
	tea "charm.land/bubbletea/v2"
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

func acknowledgedWord(x *warning) string {
	if x.acked {
		return ", acknowledged"
	}
	return ", a acknowledges"
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
	case d == copyText:
		return p.m.copy(x.code + ": " + x.text)
	default:
		return p.listPane.act(d)
	}
	return nil
}
