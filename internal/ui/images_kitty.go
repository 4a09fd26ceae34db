package ui

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/ansi/kitty"
)

// Kitty's graphics protocol by Unicode placeholders: the picture is handed to
// the terminal once, outside of the cells, and stands wherever cells with
// U+10EEEE are, so that a renderer of cells can move, cover and clear it.
// https://sw.kovidgoyal.net/kitty/graphics-protocol/#unicode-placeholders

// maxPlaced is how many rows or columns a placement has at most: the protocol
// has 297 diacritics to number them.
const maxPlaced = 297

// placeholders is the text that shows image (at most 255) in w by h cells. The
// colour says which image, the diacritics say which part of it, so a line can
// be cut anywhere.
func placeholders(image, w, h int) []string {
	lines := make([]string, 0, h)
	for y := range h {
		var b strings.Builder
		fmt.Fprintf(&b, "\x1b[38;5;%dm", image)
		for x := range w {
			b.WriteRune(kitty.Placeholder)
			b.WriteRune(kitty.Diacritic(y))
			b.WriteRune(kitty.Diacritic(x))
		}
		lines = append(lines, b.String()+inkEnd)
	}
	return lines
}

// transmission gives a PNG to the terminal under a number and places it, as
// yet unseen, on w by h cells: one sequence for each 4096 bytes of base64.
func transmission(image, w, h int, png []byte) []string {
	parts := chunks(png)
	out := make([]string, 0, len(parts))
	for i, part := range parts {
		more := "m=1"
		if i == len(parts)-1 {
			more = "m=0"
		}
		options := []string{"q=2", more}
		if i == 0 {
			options = []string{"a=T", "U=1", "f=100", "t=d", "q=2", fmt.Sprintf("i=%d", image), fmt.Sprintf("c=%d", w), fmt.Sprintf("r=%d", h), more}
		}
		out = append(out, ansi.KittyGraphics([]byte(part), options...))
	}
	return out
}

// chunks is the base64 of b in pieces that the protocol allows.
func chunks(b []byte) []string {
	text := base64.StdEncoding.EncodeToString(b)
	var out []string
	for len(text) > kitty.MaxChunkSize {
		out = append(out, text[:kitty.MaxChunkSize])
		text = text[kitty.MaxChunkSize:]
	}
	return append(out, text)
}

// placing puts an image that the terminal holds on w by h cells.
func placing(image, w, h int) string {
	return ansi.KittyGraphics(nil, "a=p", "U=1", "q=2", fmt.Sprintf("i=%d", image), fmt.Sprintf("c=%d", w), fmt.Sprintf("r=%d", h))
}

// unplacing takes an image off the screen; the terminal keeps its pixels.
func unplacing(image int) string {
	return ansi.KittyGraphics(nil, "a=d", "d=i", "q=2", fmt.Sprintf("i=%d", image))
}

// freeing makes the terminal forget an image.
func freeing(image int) string {
	return ansi.KittyGraphics(nil, "a=d", "d=I", "q=2", fmt.Sprintf("i=%d", image))
}

// throughTmux is what tmux hands on as it is, where "allow-passthrough" is on.
func throughTmux(seq string) string { return ansi.TmuxPassthrough(seq) }
