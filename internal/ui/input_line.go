package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"charm.land/bubbles/v2/textinput"
)

// inputLine is the filter while it is typed: it works with every key.
type inputLine struct {
	input  textinput.Model
	before string // what Esc goes back to
	hint   string
	set    func(string)
	// complete completes the end of a text and tells what fits; nil where
	// nothing can be completed.
	complete func(string) (completed string, fits []string)
	fits     []string
}

func (m *Model) openFilter() tea.Cmd {
	if !filters(m.here()) {
		return nil
	}
	l := &inputLine{before: m.filtering(), set: m.front().setFilter}
	if m.detail != nil {
		l.set = m.detail.setSearch
	} else if m.at == 0 {
		l.hint = "user: state: node: err:  ! is not  Tab completes"
		l.complete = func(s string) (string, []string) { return completeFilter(s, m.w.userNames()) }
	}
	l.input = textinput.New()
	l.input.Prompt, l.input.CharLimit = "", 200
	l.input.SetVirtualCursor(false)
	l.input.SetValue(l.before)
	l.input.CursorEnd()
	l.input.Focus()
	m.line = l
	if l.complete == nil {
		return nil
	}
	return m.w.poll(true)
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
	case "tab":
		if l.complete != nil {
			text, _ := l.complete(l.input.Value())
			l.input.SetValue(text)
			l.input.CursorEnd()
		}
		return m.typed(nil)
	}
	l.input, cmd = l.input.Update(k)
	return m.typed(cmd)
}

// typed takes what stands in the line now.
func (m *Model) typed(cmd tea.Cmd) tea.Cmd {
	l := m.line
	l.set(l.input.Value())
	if l.complete != nil {
		_, l.fits = l.complete(l.input.Value())
	}
	return tea.Batch(cmd, m.rest())
}

// paste puts pasted text into the line or the field that is open.
func (m *Model) paste(p tea.PasteMsg) (cmd tea.Cmd) {
	p.Content = Clean(p.Content)
	switch {
	case m.dialog != nil && m.dialog.entry && m.w.now.Sub(m.dialog.opened) >= grace:
		m.dialog.input, cmd = m.dialog.input.Update(p)
		m.dialog.edited()
	case m.dialog == nil && m.line != nil:
		m.line.input, cmd = m.line.input.Update(p)
		cmd = m.typed(cmd)
	}
	return cmd
}

// view draws the line; problem says what is wrong with the text.
func (l *inputLine) view(st *Styles, w int, problem string) string {
	text := Clean(l.input.Value())
	s := st.Accent.On(" / ") + st.Strong.On(keepEnd(text, w/2)) + st.Key.On("_")
	switch {
	case text == "":
		s += "  " + st.Quiet.On(l.hint)
	case len(l.fits) > 1 || len(l.fits) == 1 && !strings.HasSuffix(text, l.fits[0]):
		s += "  " + st.Quiet.On("Tab: "+st.text(strings.Join(l.fits, ", ")))
	case problem != "":
		s += "  " + st.Bad.On(st.text(problem))
	}
	return s
}
