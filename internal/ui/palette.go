package ui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"charm.land/bubbles/v2/textinput"
	"github.com/sahilm/fuzzy"
)

// paletteBox finds deeds by name.
type paletteBox struct {
	input  textinput.Model
	offers []binding
	found  []int
	at     int
}

func newPalette(here scope) *paletteBox {
	p := &paletteBox{}
	for _, b := range offered(here) {
		switch b.do {
		case up, down, pageUp, pageDown, top, bottom, openPalette:
		default:
			p.offers = append(p.offers, b)
		}
	}
	p.input = textinput.New()
	p.input.Prompt = ""
	p.input.SetVirtualCursor(false)
	p.input.Focus()
	p.look()
	return p
}

func (p *paletteBox) look() {
	p.found, p.at = p.found[:0], 0
	if p.input.Value() == "" {
		for i := range p.offers {
			p.found = append(p.found, i)
		}
		return
	}
	names := make([]string, len(p.offers))
	for i, b := range p.offers {
		names[i] = string(b.do)
	}
	for _, x := range fuzzy.Find(p.input.Value(), names) {
		p.found = append(p.found, x.Index)
	}
}

func (m *Model) pressPalette(k tea.KeyPressMsg) (cmd tea.Cmd) {
	p := m.palette
	switch k.String() {
	case "esc", "ctrl+c":
		m.palette = nil
	case "up", "ctrl+p":
		p.at = max(0, p.at-1)
	case "down", "ctrl+n", "tab":
		p.at = max(0, min(len(p.found)-1, p.at+1))
	case "enter":
		m.palette = nil
		if p.at < len(p.found) {
			return m.do(p.offers[p.found[p.at]].do)
		}
	default:
		p.input, cmd = p.input.Update(k)
		p.look()
	}
	return cmd
}

func (p *paletteBox) view(st *Styles, w, h int) []string {
	inner := min(76, w-6)
	lines := []string{st.Accent.On(": ") + st.Strong.On(Clean(p.input.Value())) + st.Key.On("_"), ""}
	room := min(len(p.offers), h-8)
	from := max(0, p.at-room+1)
	for i := from; i < min(len(p.found), from+room); i++ {
		b := p.offers[p.found[i]]
		text := fit(fmt.Sprintf(" %-22s %-8s %s", b.do, keyName(b.keys[0]), b.help), inner)
		if i == p.at {
			text = st.Cursor.On(text)
		}
		lines = append(lines, text)
	}
	for len(lines) < room+2 {
		lines = append(lines, "")
	}
	return box(st, st.Frame, "What shall be done?", lines, inner)
}

// helpBox lists the keys that work here: with all words where there is room,
// otherwise in two columns with the deeds' names, and in pages.
func (m *Model) helpBox(w, h int) []string {
	st, all, rows := m.w.st, offered(m.here()), h-4
	cols, inner := 1, min(56, w-6)
	lines := longHelp(st, all)
	if len(lines) > rows && w >= narrow {
		cols, inner = 2, (w-6)/2-1
		if inner < 56 {
			lines = shortHelp(st, all, inner+1)
		}
		inner = min(inner, 56)
	}
	title := "Keys of " + string(m.here())
	if per := rows * cols; len(lines) > per {
		pages := (len(lines) + per - 1) / per
		m.helpPage = min(m.helpPage, pages-1)
		lines = lines[m.helpPage*per : min(len(lines), (m.helpPage+1)*per)]
		title += fmt.Sprintf(", %d of %d (PgDn PgUp)", m.helpPage+1, pages)
	}
	lines, inner = columnsOf(lines, cols, inner+1, rows)
	return box(st, st.Frame, title, lines, min(inner, w-6))
}

// pressHelp turns the pages; any other key closes the help and does what it does.
func (m *Model) pressHelp(k tea.KeyPressMsg) tea.Cmd {
	d := deedOf(k.String(), m.here())
	switch d {
	case down, pageDown:
		m.helpPage++
		return nil
	case up, pageUp:
		m.helpPage = max(0, m.helpPage-1)
		return nil
	}
	m.helping, m.helpPage = false, 0
	if d == help || d == back || d == quit {
		return nil
	}
	return m.do(d)
}

func longHelp(st *Styles, all []binding) []string {
	var lines []string
	for _, b := range all {
		lines = append(lines, st.Key.On(fit(keyList(b.keys), 10))+st.Row.On(fit(b.help, 44)))
	}
	return lines
}

// shortHelp names the deeds only, for small screens.
func shortHelp(st *Styles, all []binding, w int) []string {
	var lines []string
	for _, b := range all {
		lines = append(lines, st.Key.On(fit(keyList(b.keys), 11))+" "+st.Row.On(fit(string(b.do), w-13)))
	}
	return lines
}

// columnsOf lays lines into columns of w cells and at most rows lines.
func columnsOf(lines []string, cols, w, rows int) ([]string, int) {
	per := (len(lines) + cols - 1) / cols
	per = min(max(per, 1), rows)
	out := make([]string, per)
	for i, l := range lines {
		if c := i / per; c < cols {
			out[i%per] = fitStyled(out[i%per], c*w) + l
		}
	}
	return out, cols*w - 1
}
