package ui

import (
	"slices"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"charm.land/bubbles/v2/textinput"
)

// grace is how long a new dialog ignores keys: what was already on the line
// when it opened must not answer it.
const grace = 400 * time.Millisecond

// dialog asks something. Its first button changes nothing and is marked when it
// opens; Enter presses the button that is marked.
type dialog struct {
	title string
	lines []string // styled
	yes   string   // the word on the button that acts
	no    string   // empty means No
	also  []button // between them
	// typed must be typed to act; empty for none.
	typed string
	// entry asks for a text; check says what is wrong with it.
	entry bool
	label string
	check func(string) string
	// names complete the text; one of them moves the mark by itself, any other
	// text needs the person to move it. suggest is shown while nothing is typed.
	names, suggest []string
	danger         bool
	// picture draws what the question is about in at most w by h cells; nil for
	// nothing.
	picture func(w, h int) []string

	act     func(text string) tea.Cmd
	input   textinput.Model
	buttons []button
	mark    int // of buttons
	opened  time.Time
	wrong   string
}

// button is a word and what it does; nil for nothing.
type button struct {
	word string
	act  func(text string) tea.Cmd
}

// newDialog opens a dialog at now.
func newDialog(now time.Time, d dialog) *dialog {
	d.opened = now
	if d.no == "" {
		d.no = "No"
	}
	d.buttons = append(append([]button{{word: d.no}}, d.also...), button{d.yes, d.act})
	d.input = textinput.New()
	d.input.Prompt = ""
	d.input.SetVirtualCursor(false)
	d.input.CharLimit = 100
	d.input.SetWidth(30)
	if d.asks() {
		d.input.Focus()
	}
	return &d
}

// asks reports whether there is a field to type into.
func (d *dialog) asks() bool { return d.entry || d.typed != "" }

func (d *dialog) text() string { return strings.TrimSpace(d.input.Value()) }

// last is the button that acts.
func (d *dialog) last() int { return len(d.buttons) - 1 }

// press handles a key; done says that the dialog closes, cmd what follows.
func (d *dialog) press(k tea.KeyPressMsg, now time.Time) (done bool, cmd tea.Cmd) {
	if now.Sub(d.opened) < grace {
		return false, nil
	}
	switch key := k.String(); key {
	case "esc", "ctrl+c":
		return true, nil
	case "enter":
		return d.enter()
	case "tab":
		if d.complete() {
			return false, nil
		}
		d.turn(1)
	case "right", "down":
		d.turn(1)
	case "left", "shift+tab", "up":
		d.turn(-1)
	case "y", "Y", "n", "N":
		switch {
		case d.asks():
			return false, d.typeKey(k)
		case strings.ToLower(key) == "n":
			return true, nil
		case len(d.also) > 0: // yes to what?
			return false, nil
		}
		d.mark = d.last()
		return d.enter()
	default:
		return false, d.typeKey(k)
	}
	return false, nil
}

func (d *dialog) turn(by int) { d.mark = (d.mark + by + len(d.buttons)) % len(d.buttons) }

func (d *dialog) typeKey(k tea.KeyPressMsg) (cmd tea.Cmd) {
	if !d.asks() {
		return nil
	}
	d.input, cmd = d.input.Update(k)
	d.edited()
	return cmd
}

// edited marks the button that acts when the text is what it must be, and the
// first one when it is not.
func (d *dialog) edited() {
	d.wrong, d.mark = "", 0
	if text := d.text(); d.typed != "" && text == d.typed || d.entry && slices.Contains(d.names, text) {
		d.mark = d.last()
	}
}

// complete completes the text as far as the names that fit agree. It reports
// whether the text is still no whole name: then Tab has nothing to mark.
func (d *dialog) complete() bool {
	text := d.text()
	if !d.entry || slices.Contains(d.names, text) {
		return false
	}
	completed, fits := complete(text, d.names)
	if completed != text {
		d.input.SetValue(completed)
		d.input.CursorEnd()
		d.edited()
	}
	return len(fits) > 0
}

// enter presses the marked button.
func (d *dialog) enter() (bool, tea.Cmd) {
	b, text := d.buttons[d.mark], d.text()
	switch {
	case b.act == nil:
		return true, nil
	case d.typed != "" && text != d.typed:
		d.wrong = "type " + d.typed + " to go on, or press Esc"
		return false, nil
	case d.entry && d.check != nil && d.check(text) != "":
		d.wrong = d.check(text)
		return false, nil
	}
	return true, b.act(text)
}

// view draws the box for a screen of w by h cells.
func (d *dialog) view(st *Styles, w, h int, now time.Time) []string {
	inner := min(72, w-6)
	var lines []string
	for _, l := range d.lines {
		lines = append(lines, wrapStyled(l, inner)...)
	}
	if d.asks() {
		lines = append(lines, "", d.field(st, inner))
	}
	if s := d.offers(); s != "" {
		lines = append(lines, st.Quiet.On(fit(st.text(s), inner)))
	}
	if d.wrong != "" {
		lines = append(lines, st.Bad.On(fit(d.wrong, inner)))
	}
	lines = append(append(lines, ""), d.row(st, inner, now)...)
	if d.picture != nil {
		if room := min(16, h-len(lines)-3); room > 2 {
			if pic := d.picture(inner, room); len(pic) > 0 {
				lines = append(append(slices.Clone(pic), ""), lines...)
			}
		}
	}
	edge := st.Frame
	if d.danger {
		edge = st.Danger
	}
	return box(st, edge, d.title, lines, inner)
}

// offers says what Tab completes, or that the text is a name not known here.
func (d *dialog) offers() string {
	text := d.text()
	_, fits := complete(text, d.names)
	switch {
	case !d.entry || len(d.names) == 0:
		return ""
	case text == "" && len(d.suggest) > 0:
		return "Perhaps: " + strings.Join(d.suggest, ", ")
	case len(fits) == 0 && d.check != nil && d.check(text) != "":
		return d.check(text)
	case len(fits) == 0:
		return "No job here is of that name. Tab marks " + d.yes + " all the same."
	case len(fits) == 1 && fits[0] == text:
		return ""
	}
	return "Tab: " + strings.Join(fits, ", ")
}

func (d *dialog) field(st *Styles, inner int) string {
	label := d.label
	if d.typed != "" {
		label = "Type " + d.typed + " to confirm:"
	}
	room := max(4, min(32, inner-width(label)-1))
	return st.Strong.On(label) + " " + st.Key.On(fit(Clean(d.input.Value())+"_", room))
}

// row is the buttons: in one line where they fit, otherwise one below the other.
func (d *dialog) row(st *Styles, inner int, now time.Time) []string {
	var words []string
	for i, b := range d.buttons {
		if i == d.mark {
			words = append(words, st.ButtonOn.On("["+st.glyphs.chosen+b.word+" ]"))
		} else {
			words = append(words, st.Button.On("[ "+b.word+" ]"))
		}
	}
	between := "   "
	if len(d.also) > 0 {
		between = "  "
	}
	line := strings.Join(words, between)
	if fitWidth(line) > inner {
		return words
	}
	hint := "y/n"
	if d.asks() || len(d.also) > 0 {
		hint = "Tab Enter Esc"
	}
	gap := inner - fitWidth(line) - width(hint)
	if gap < 1 || now.Sub(d.opened) < grace {
		return []string{line}
	}
	return []string{line + blank(gap) + st.Quiet.On(hint)}
}

// quantity is what must be typed before n jobs, some of them running, are
// touched; empty for few.
func quantity(n, running int) string {
	if n > manyJobs || running > 0 {
		return strconv.Itoa(n)
	}
	return ""
}

// manyJobs is how many jobs one keystroke may touch.
const manyJobs = 10
