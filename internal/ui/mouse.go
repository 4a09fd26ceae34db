package ui

import tea "charm.land/bubbletea/v2"

// wheelRows is how far one turn of the wheel goes.
const wheelRows = 3

// mouse routes clicks and the wheel. A dialog hears no clicks: a stray one
// must not answer it.
func (m *Model) mouse(msg tea.MouseMsg) tea.Cmd {
	if m.dialog != nil || m.palette != nil || m.helping || m.small() {
		return nil
	}
	e := msg.Mouse()
	switch msg.(type) {
	case tea.MouseWheelMsg:
		n := wheelRows
		if e.Button == tea.MouseWheelUp {
			n = -n
		}
		if m.detail != nil {
			m.detail.scroll(n)
		} else {
			m.front().wheel(n)
		}
	case tea.MouseClickMsg:
		if e.Button == tea.MouseLeft {
			return m.click(e.X, e.Y)
		}
	}
	return nil
}

func (m *Model) click(x, y int) tea.Cmd {
	if y == headLines-1 {
		return m.clickTab(x)
	}
	if m.detail == nil && y >= headLines && y < m.height-footLines {
		return m.front().click(y - headLines)
	}
	return nil
}

func (m *Model) clickTab(x int) tea.Cmd {
	at := 1
	titles, gap := m.tabTitles()
	for i, t := range titles {
		end := at + width(t)
		if x >= at && x < end {
			return m.show(i)
		}
		at = end + gap
	}
	return nil
}
