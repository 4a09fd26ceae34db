package ui

import (
	tea "charm.land/bubbletea/v2"

	"charm.land/bubbles/v2/textinput"
)

// inputLine is the filter while it is typed: it works with every key.
type inputLine struct {
	input  textinput.Model
	before string // what Esc goes back to
	hint   string
	set    func(string)
}

func (m *Model) openFilter() {
	if !filters(m.here()) {
		return
	}
	l := &inputLine{before: m.filtering(), set: m.front().setFilter}
	if m.detail != nil {
		l.set = m.detail.setSearch
	} else if m.at == 0 {
		l.hint = "user: state: node: err:  ! turns a word around"
	}
	l.input = textinput.New()
	l.input.Prompt, l.input.CharLimit = "", 200
	l.input.SetVirtualCursor(false)
	l.input.SetValue(l.before)
	l.input.CursorEnd()
	l.input.Focus()
	m.line = l
}

func (m *Model) pressLine(k tea.KeyPressMsg) (cmd tea.Cmd) {
	l := m.line
	switch k.String() {
	case "enter":
		m.line = nil
		m.savePrefs()
		return m.look()
	case "esc", "ctrl+c":
		l.set(l.before)
		m.line = nil
		return m.look()
	case "up", "down", "pgup", "pgdown":
		return m.do(deedOf(k.String(), m.here()))
	default:
		l.input, cmd = l.input.Update(k)
		l.set(l.input.Value())
		cmd = tea.Batch(cmd, m.rest())
	}
	return cmd
}

// paste puts pasted text into the line or the field that is open.
func (m *Model) paste(p tea.PasteMsg) (cmd tea.Cmd) {
	p.Content = Clean(p.Content)
	switch {
	case m.dialog != nil && m.dialog.entry && m.w.now.Sub(m.dialog.opened) >= grace:
		m.dialog.input, cmd = m.dialog.input.Update(p)
	case m.dialog == nil && m.line != nil:
		m.line.input, cmd = m.line.input.Update(p)
		m.line.set(m.line.input.Value())
		cmd = tea.Batch(cmd, m.rest())
	}
	return cmd
}

func (l *inputLine) view(st *Styles, w int) string {
	text := Clean(l.input.Value())
	s := st.Accent.On(" / ") + st.Strong.On(keepEnd(text, w/2)) + st.Key.On("_")
	if text == "" {
		s += "  " + st.Quiet.On(l.hint)
	}
	return s
}
