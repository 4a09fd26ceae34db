package sshd

import (
	"slices"
	"strings"
)

// told are the variables that say what a terminal can do; no other comes in.
var told = []string{"COLORTERM", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "LANG", "LC_ALL", "LC_CTYPE",
	"KITTY_WINDOW_ID", "GHOSTTY_RESOURCES_DIR", "GHOSTTY_BIN_DIR", "TMUX", "STY", "WT_SESSION"}

// environ is what a visitor's terminal says of itself.
func environ(term string, sent []string) []string {
	out := []string{"TERM=" + plain(term), "SSH_TTY=ssh"}
	for _, pair := range sent {
		name, value, _ := strings.Cut(pair, "=")
		if slices.Contains(told, name) && len(out) < 2*len(told) {
			out = append(out, name+"="+plain(value))
		}
	}
	return out
}

// plain cuts a value to ASCII that can be seen, at most 256 bytes.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 256)]
}

// The largest screen that is drawn, whatever a client claims: every cell costs
// memory here.
const (
	maxWidth  = 600
	maxHeight = 300
)

// sized is a size that can be drawn; what is not known is 80 by 24.
func sized(width, height int) Size {
	if width <= 0 || height <= 0 {
		return Size{80, 24}
	}
	return Size{min(width, maxWidth), min(height, maxHeight)}
}
