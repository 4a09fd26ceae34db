package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
)

// How pictures are shown.
const (
	ImagesBlocks = "blocks" // half blocks, on every terminal
	ImagesKitty  = "kitty"  // kitty's graphics protocol
	ImagesOff    = "off"
)

// ChooseImages is how pictures are shown when "auto", "kitty", "blocks" or
// "off" is asked for in an environment ("NAME=value"). Auto takes kitty only
// where it is known to work. Tmux says that tmux is between the panel and the
// terminal, which only kitty asked for by name goes through. Without 256
// colours there is nothing to number images with, so kitty becomes blocks.
func ChooseImages(asked string, environ []string) (mode string, tmux bool) {
	env := tea.EnvMsg(environ)
	switch asked {
	case ImagesOff:
		return ImagesOff, false
	case ImagesKitty:
		if colorprofile.Env(environ) >= colorprofile.ANSI256 {
			return ImagesKitty, env.Getenv("TMUX") != ""
		}
	case "auto":
		if knowsKitty(env) && !multiplexed(env) && env.Getenv("NO_COLOR") == "" && colorprofile.Env(environ) >= colorprofile.ANSI256 {
			return ImagesKitty, false
		}
	}
	return ImagesBlocks, false
}

// knowsKitty reports the terminals that have Unicode placeholders. WezTerm and
// Konsole speak the protocol without them.
func knowsKitty(env tea.EnvMsg) bool {
	switch env.Getenv("TERM") {
	case "xterm-kitty", "xterm-ghostty":
		return true
	}
	for _, name := range []string{"KITTY_WINDOW_ID", "GHOSTTY_RESOURCES_DIR", "GHOSTTY_BIN_DIR"} {
		if env.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// multiplexed reports tmux and screen.
func multiplexed(env tea.EnvMsg) bool {
	term := env.Getenv("TERM")
	return env.Getenv("TMUX") != "" || env.Getenv("STY") != "" || strings.HasPrefix(term, "tmux") || strings.HasPrefix(term, "screen")
}
