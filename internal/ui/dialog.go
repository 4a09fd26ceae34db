package ui

import (
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"charm.land/bubbles/v2/textinput"
)

// grace is how long a new dialog ignores keys: what was already on the line
// when it opened must not answer it.
const grace = 400 * time.Millisecond

// dialog asks something. Its default is always No.
type dialog struct {
	title string
	lines []string // styled
	yes   string   // the word on the button that acts
	no    string   // empty means No
	// typed must be typed to say yes; empty for none.
	typed string
	// entry asks for a text; check says what is wrong with it.
	entry   bool
	label   string
	check   func(string) string
	suggest []string
	danger  bool

	act    func(text string) tea.Cmd
	input  textinput.Model
	onYes  bool
	opened time.Time
	wrong  string
}

// newDialog opens a dialog at now.
func newDialog(now time.Time, d dialog) *dialog {
	d.opened = now
	if d.no == "" {
		d.no = "No"
	}
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
		if d.entry && len(d.suggest) > 0 {
			d.complete()
			return false, nil
		}
		d.onYes = !d.onYes
	case "left", "right", "shift+tab", "up", "down":
		d.onYes = !d.onYes
	case "y", "Y", "n", "N":
		if d.asks() {
			return false, d.typeKey(k)
		}
		if strings.ToLower(key) == "n" {
			return true, nil
		}
		d.onYes = true
		return d.enter()
	default:
		return false, d.typeKey(k)
	}
	return false, nil
}

func (d *dialog) typeKey(k tea.KeyPressMsg) (cmd tea.Cmd) {
	if !d.asks() {
		return nil
	}
	d.wrong = ""
	d.input, cmd = d.input.Update(k)
	return cmd
}

// complete walks through the suggestions.
func (d *dialog) complete() {
	now := d.input.Value()
	next := d.suggest[0]
	for i, s := range d.suggest {
		if s == now {
			next = d.suggest[(i+1)%len(d.suggest)]
		}
	}
	d.input.SetValue(next)
	d.input.CursorEnd()
}

// enter presses the marked button. A field that is filled in counts as the
// person's yes.
func (d *dialog) enter() (bool, tea.Cmd) {
	text := strings.TrimSpace(d.input.Value())
	switch {
	case d.typed != "" && text != d.typed:
		if text == "" && !d.onYes {
			return true, nil
		}
		d.wrong = "type " + d.typed + " to go on, or press Esc"
		return false, nil
	case d.entry && text == "" && !d.onYes:
		return true, nil
	case d.entry && d.check != nil && d.check(text) != "":
		d.wrong = d.check(text)
		return false, nil
	case !d.asks() && !d.onYes:
		return true, nil
	}
	return true, d.act(text)
}

// view draws the box for a screen w cells wide.
func (d *dialog) view(st *Styles, w int, now time.Time) []string {
	inner := min(72, w-6)
	var lines []string
	for _, l := range d.lines {
		lines = append(lines, wrapStyled(l, inner)...)
	}
	if d.asks() {
		lines = append(lines, "", d.field(st, inner))
	}
	if len(d.suggest) > 0 {
		lines = append(lines, st.Quiet.On(fit("Tab: "+strings.Join(d.suggest, ", "), inner)))
	}
	if d.wrong != "" {
		lines = append(lines, st.Bad.On(fit(d.wrong, inner)))
	}
	lines = append(lines, "", d.buttons(st, inner, now))
	edge := st.Frame
	if d.danger {
		edge = st.Danger
	}
	return box(st, edge, d.title, lines, inner)
}

func (d *dialog) field(st *Styles, inner int) string {
	label := d.label
	if d.typed != "" {
		label = "Type " + d.typed + " to confirm:"
	}
	room := max(4, min(32, inner-width(label)-1))
	return st.Strong.On(label) + " " + st.Key.On(fit(Clean(d.input.Value())+"_", room))
}

func (d *dialog) buttons(st *Styles, inner int, now time.Time) string {
	no, yes := "[ "+d.no+" ]", "[ "+d.yes+" ]"
	if d.onYes {
		no, yes = st.Button.On(no), st.ButtonOn.On("["+st.glyphs.chosen+d.yes+" ]")
	} else {
		no, yes = st.ButtonOn.On("["+st.glyphs.chosen+d.no+" ]"), st.Button.On(yes)
	}
	line := no + "   " + yes
	if now.Sub(d.opened) < grace {
		return line
	}
	hint := "y/n"
	if d.asks() {
		hint = "Enter / Esc"
	}
	gap := inner - fitWidth(line) - width(hint)
	if gap < 1 {
		return line
	}
	return line + blank(gap) + st.Quiet.On(hint)
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
