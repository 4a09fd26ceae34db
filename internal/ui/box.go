package ui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// fitWidth is the width of a styled line.
func fitWidth(s string) int { return ansi.StringWidthWc(s) }

// wrapStyled breaks a styled line.
func wrapStyled(s string, w int) []string {
	if fitWidth(s) <= w {
		return []string{s}
	}
	k, text := inked(s)
	lines := strings.Split(ansi.WrapWc(text, w, " "), "\n")
	for i, l := range lines {
		lines[i] = k.On(l)
	}
	return lines
}

// inked takes a line of one style apart, so that each part of it can have the
// style; a line of several styles stays as it is.
func inked(s string) (Ink, string) {
	open, rest, ok := strings.Cut(s, "m")
	text, ends := strings.CutSuffix(rest, inkEnd)
	if !ok || !ends || !strings.HasPrefix(open, "\x1b[") || strings.Contains(text, "\x1b") {
		return "", s
	}
	return Ink(open + "m"), text
}

// box frames lines that are at most inner cells wide.
func box(st *Styles, edge Ink, title string, lines []string, inner int) []string {
	b := st.glyphs.box
	title = " " + fit(title, min(width(title), inner-2)) + " "
	out := []string{edge.On(b.TopLeft+b.Top) + st.Strong.On(title) + edge.On(strings.Repeat(b.Top, max(0, inner+1-width(title)))+b.TopRight)}
	for _, l := range lines {
		out = append(out, edge.On(b.Left)+" "+fitStyled(l, inner)+" "+edge.On(b.Right))
	}
	return append(out, edge.On(b.BottomLeft+strings.Repeat(b.Bottom, inner+2)+b.BottomRight))
}

// overlay lays a box over the middle of a screen of w by h cells.
func overlay(screen, over []string, w, h int) []string {
	if len(over) == 0 {
		return screen
	}
	if n := len(over); n > h && h > 4 { // the buttons at the end matter most
		over = append(append([]string(nil), over[:h-4]...), over[n-4:]...)
	}
	bw := fitWidth(over[0])
	x, y := max(0, (w-bw)/2), max(0, (h-len(over))/2)
	out := append([]string(nil), screen...)
	for i, l := range over {
		if y+i >= len(out) {
			break
		}
		out[y+i] = splice(out[y+i], l, x, bw)
	}
	return out
}

// splice puts part, n cells wide, into a styled line at cell x.
func splice(line, part string, x, n int) string {
	return fitStyled(ansi.TruncateWc(line, x, ""), x) + inkEnd + part + inkEnd + ansi.TruncateLeftWc(line, x+n, "")
}

// panel is a box that fills w by h cells.
func panel(st *Styles, title string, lines []string, w, h int) []string {
	if w < 6 || h < 3 {
		return pad(nil, h)
	}
	if len(lines) > h-2 {
		lines = lines[:h-2]
	}
	return box(st, st.Rule, title, pad(lines, h-2), w-4)
}

// beside joins two blocks of lines; the left one is padded to w cells.
func beside(left, right []string, w int) []string {
	out := make([]string, max(len(left), len(right)))
	for i := range out {
		l, r := "", ""
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		out[i] = fitStyled(l, w) + r
	}
	return out
}
