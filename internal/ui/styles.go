package ui

import (
	"image/color"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/comfyume/qmtui/internal/job"
)

// Theme is the choice of colours.
type Theme string

// The themes. The zero value asks the terminal for its background.
const (
	ThemeAuto  Theme = "auto"
	ThemeDark  Theme = "dark"
	ThemeLight Theme = "light"
)

// Ink paints text: it is the escape sequence that begins a style. The empty
// Ink leaves text as it is. Painting thousands of cells with a ready-made
// sequence costs a tenth of what building a style for each costs.
type Ink string

const inkEnd = "\x1b[m"

// On paints clean text.
func (k Ink) On(s string) string {
	if k == "" || s == "" {
		return s
	}
	return string(k) + s + inkEnd
}

func ink(s lipgloss.Style) Ink {
	open, _, _ := strings.Cut(s.Render("x"), "x")
	return Ink(open)
}

// Styles is every style of the panel. What a colour says is said by a word, a
// glyph or an attribute as well, so that NO_COLOR loses nothing.
type Styles struct {
	Title, Bar, BarQuiet, BarWarn, BarBad, BarGood Ink
	Tab, TabOn, Head, Row, Cursor, Marked          Ink
	Quiet, Strong, Accent, Good, Busy, Wait, Warn  Ink
	Bad, Key, Rule, Frame, Danger, Button          Ink
	ButtonOn, Stale, Match                         Ink

	glyphs glyphs
	ascii  bool
	colour bool
}

// palette is the colours of one theme.
type palette struct {
	text, quiet, accent, good, busy, wait, warn, bad, bar, barText, cursor, onAccent color.Color
}

func hex(s string) color.Color { return lipgloss.Color(s) }

var (
	darkPalette = palette{
		text: hex("#D7DAE0"), quiet: hex("#7F8694"), accent: hex("#A78BFA"), good: hex("#5FD38D"), busy: hex("#4CC9F0"), wait: hex("#C9B458"),
		warn: hex("#F2B950"), bad: hex("#FF6B6B"), bar: hex("#262B3A"), barText: hex("#E6E9F0"), cursor: hex("#343B52"), onAccent: hex("#15131F"),
	}
	lightPalette = palette{
		text: hex("#24292F"), quiet: hex("#6B7280"), accent: hex("#6D28D9"), good: hex("#15803D"), busy: hex("#0369A1"), wait: hex("#8A6D00"),
		warn: hex("#B45309"), bad: hex("#C81E1E"), bar: hex("#E7E9F2"), barText: hex("#1F2430"), cursor: hex("#DCE3F7"), onAccent: hex("#FFFFFF"),
	}
	// Named for terminals of 256 colours: what is rounded to them turns the grey
	// of the bars into blue.
	middleDark = palette{text: hex("253"), quiet: hex("245"), accent: hex("141"), good: hex("78"), busy: hex("81"), wait: hex("179"),
		warn: hex("215"), bad: hex("203"), bar: hex("236"), barText: hex("255"), cursor: hex("239"), onAccent: hex("234")}
	middleLight = palette{text: hex("235"), quiet: hex("243"), accent: hex("55"), good: hex("28"), busy: hex("25"), wait: hex("94"),
		warn: hex("130"), bad: hex("160"), bar: hex("254"), barText: hex("235"), cursor: hex("189"), onAccent: hex("231")}
	// sixteenDark and sixteenLight name the terminal's own colours: what a
	// scheme makes of them is what its owner chose.
	sixteenDark = palette{text: hex("7"), quiet: hex("8"), accent: hex("13"), good: hex("10"), busy: hex("14"), wait: hex("3"),
		warn: hex("11"), bad: hex("9"), bar: hex("4"), barText: hex("15"), cursor: hex("8"), onAccent: hex("0")}
	sixteenLight = palette{text: hex("0"), quiet: hex("8"), accent: hex("5"), good: hex("2"), busy: hex("4"), wait: hex("3"),
		warn: hex("3"), bad: hex("1"), bar: hex("7"), barText: hex("0"), cursor: hex("7"), onAccent: hex("15")}
)

// NewStyles makes the styles for a background, a terminal's colours and,
// where ascii is set, glyphs that every font has.
func NewStyles(dark bool, profile colorprofile.Profile, ascii bool) *Styles {
	s := plainStyles()
	if profile >= colorprofile.ANSI || profile == colorprofile.Unknown {
		s = colourStyles(paletteFor(dark, profile))
	}
	s.ascii, s.glyphs = ascii, unicodeGlyphs
	if ascii {
		s.glyphs = asciiGlyphs
	}
	return s
}

func paletteFor(dark bool, profile colorprofile.Profile) palette {
	switch {
	case profile == colorprofile.ANSI && dark:
		return sixteenDark
	case profile == colorprofile.ANSI:
		return sixteenLight
	case profile == colorprofile.ANSI256 && dark:
		return middleDark
	case profile == colorprofile.ANSI256:
		return middleLight
	case dark:
		return darkPalette
	}
	return lightPalette
}

func colourStyles(p palette) *Styles {
	n := lipgloss.NewStyle
	fg := func(c color.Color) Ink { return ink(n().Foreground(c)) }
	bar := func(c color.Color) Ink { return ink(n().Background(p.bar).Foreground(c)) }
	return &Styles{
		Title: ink(n().Background(p.accent).Foreground(p.onAccent).Bold(true)),
		Bar:   bar(p.barText), BarQuiet: bar(p.quiet), BarWarn: ink(n().Background(p.bar).Foreground(p.warn).Bold(true)),
		BarBad: ink(n().Background(p.bar).Foreground(p.bad).Bold(true)), BarGood: bar(p.good),
		Tab: fg(p.quiet), TabOn: ink(n().Foreground(p.accent).Bold(true).Underline(true)),
		Head: ink(n().Foreground(p.quiet).Bold(true)), Row: fg(p.text),
		Cursor: ink(n().Background(p.cursor).Foreground(p.barText).Bold(true)), Marked: ink(n().Foreground(p.accent).Bold(true)),
		Quiet: fg(p.quiet), Strong: ink(n().Foreground(p.text).Bold(true)), Accent: fg(p.accent), Good: fg(p.good), Busy: fg(p.busy),
		Wait: fg(p.wait), Warn: fg(p.warn), Bad: fg(p.bad), Key: ink(n().Foreground(p.accent).Bold(true)), Rule: fg(p.quiet), Frame: fg(p.accent),
		Danger: ink(n().Foreground(p.bad).Bold(true)), Button: fg(p.quiet),
		ButtonOn: ink(n().Background(p.accent).Foreground(p.onAccent).Bold(true)), Stale: fg(p.quiet),
		Match: ink(n().Foreground(p.accent).Underline(true)), colour: true,
	}
}

// plainStyles are for NO_COLOR and terminals without colours.
func plainStyles() *Styles {
	n := lipgloss.NewStyle
	bold, faint, reverse := ink(n().Bold(true)), ink(n().Faint(true)), ink(n().Reverse(true))
	return &Styles{
		Title: ink(n().Reverse(true).Bold(true)), Bar: "", BarQuiet: faint, BarWarn: bold, BarBad: ink(n().Bold(true).Underline(true)),
		TabOn: ink(n().Bold(true).Underline(true)), Head: bold, Cursor: reverse, Marked: bold, Quiet: faint, Strong: bold, Accent: bold,
		Warn: bold, Bad: bold, Key: bold, Danger: bold, ButtonOn: reverse, Stale: faint, Match: ink(n().Underline(true)),
	}
}

// glyphs are the signs of the panel; all are one cell wide.
type glyphs struct {
	state                                                                map[job.State]string
	cursor, mark, rule, bar, barEmpty, beam, chosen, dot, warn, up, down string
	link, stale, vline, fold, unfold, arrow, corner, tee, user           string
	spark                                                                []string
	box                                                                  lipgloss.Border
}

var unicodeGlyphs = glyphs{
	state: map[job.State]string{job.Queued: "○", job.Submitting: "◌", job.Accepted: "◔", job.Running: "●", job.Rendered: "◕",
		job.Done: "✓", job.Failed: "✗", job.Cancelled: "⊘", job.Lost: "?"},
	cursor: "▌", mark: "◆", rule: "─", bar: "█", barEmpty: "░", beam: "▇", chosen: "▸", dot: "·", warn: "▲", up: "↑", down: "↓", link: "●", stale: "○", vline: "│",
	fold: "▸", unfold: "▾", arrow: "→", corner: "└", tee: "├", user: "@",
	spark: []string{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}, box: lipgloss.RoundedBorder(),
}

var asciiGlyphs = glyphs{
	state: map[job.State]string{job.Queued: ".", job.Submitting: ":", job.Accepted: "o", job.Running: "*", job.Rendered: "%",
		job.Done: "+", job.Failed: "x", job.Cancelled: "-", job.Lost: "?"},
	cursor: ">", mark: "#", rule: "-", bar: "#", barEmpty: ".", beam: "#", chosen: ">", dot: "-", warn: "!", up: "^", down: "v", link: "*", stale: "o", vline: "|",
	fold: "+", unfold: "-", arrow: ">", corner: "`", tee: "|", user: "@",
	spark: []string{"_", ".", "-", "=", "+", "*", "%", "#"}, box: lipgloss.ASCIIBorder(),
}

// stateInk is the colour of a job's state.
func (s *Styles) stateInk(st job.State) Ink {
	switch st {
	case job.Queued:
		return s.Wait
	case job.Submitting, job.Accepted:
		return s.Accent
	case job.Running, job.Rendered:
		return s.Busy
	case job.Done:
		return s.Good
	case job.Failed, job.Lost:
		return s.Bad
	}
	return s.Quiet
}

// text is a string from outside as it may stand on this terminal.
func (s *Styles) text(t string) string {
	t = Clean(t)
	if !s.ascii || printableASCII(t) {
		return t
	}
	return strings.Map(func(r rune) rune {
		if r > '~' {
			return '?'
		}
		return r
	}, t)
}
