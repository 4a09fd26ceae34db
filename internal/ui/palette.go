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
	inner := min(64, w-6)
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

// helpBox lists every key that works here, in two columns where there is room.
func (m *Model) helpBox(w, h int) []string {
	st := m.w.st
	var lines []string
	for _, b := range offered(m.here()) {
		lines = append(lines, st.Key.On(fit(keyList(b.keys), 11))+" "+st.Row.On(fit(b.help, 44)))
	}
	inner := 56
	if rows := h - 4; len(lines) > rows {
		cols := min((w-6)/57, (len(lines)+rows-1)/rows)
		if cols < 2 {
			cols = 2
			inner = (w-6)/cols - 1
			lines = shortHelp(st, offered(m.here()), inner+1)
		}
		lines, inner = columnsOf(lines, cols, inner+1, rows)
	}
	return box(st, st.Frame, "Keys of "+string(m.here()), lines, min(inner, w-6))
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
