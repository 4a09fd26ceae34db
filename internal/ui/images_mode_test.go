package ui

import "testing"

func TestChooseImages(t *testing.T) {
	for _, c := range []struct {
		name, asked string
		env         []string
		mode        string
		tmux        bool
	}{
		{"kitty", "auto", []string{"TERM=xterm-kitty"}, ImagesKitty, false},
		{"ghostty", "auto", []string{"TERM=xterm-ghostty"}, ImagesKitty, false},
		{"kitty under another name", "auto", []string{"TERM=xterm-256color", "KITTY_WINDOW_ID=3"}, ImagesKitty, false},
		{"ghostty under another name", "auto", []string{"TERM=xterm-256color", "GHOSTTY_RESOURCES_DIR=/usr/share/ghostty"}, ImagesKitty, false},
		{"any other terminal", "auto", []string{"TERM=xterm-256color", "COLORTERM=truecolor"}, ImagesBlocks, false},
		{"the protocol without placeholders", "auto", []string{"TERM=wezterm"}, ImagesBlocks, false},
		{"kitty behind tmux", "auto", []string{"TERM=tmux-256color", "TMUX=/tmp/tmux-0/default,1,0", "KITTY_WINDOW_ID=3"}, ImagesBlocks, false},
		{"tmux under kitty's name", "auto", []string{"TERM=xterm-kitty", "TMUX=/tmp/tmux-0/default,1,0"}, ImagesBlocks, false},
		{"tmux on another machine", "auto", []string{"TERM=tmux-256color", "KITTY_WINDOW_ID=3"}, ImagesBlocks, false},
		{"kitty behind screen", "auto", []string{"TERM=screen-256color", "STY=1.pts", "KITTY_WINDOW_ID=3"}, ImagesBlocks, false},
		{"no colours", "auto", []string{"TERM=xterm-kitty", "NO_COLOR=1"}, ImagesBlocks, false},
		{"an empty NO_COLOR says nothing", "auto", []string{"TERM=xterm-kitty", "NO_COLOR="}, ImagesKitty, false},
		{"16 colours", "auto", []string{"TERM=xterm", "KITTY_WINDOW_ID=3"}, ImagesBlocks, false},
		{"nothing known", "auto", nil, ImagesBlocks, false},
		{"by name", "kitty", []string{"TERM=xterm-256color"}, ImagesKitty, false},
		{"by name in tmux", "kitty", []string{"TERM=tmux-256color", "TMUX=/tmp/tmux-0/default,1,0"}, ImagesKitty, true},
		{"by name without colours", "kitty", []string{"TERM=xterm-kitty", "NO_COLOR=1"}, ImagesBlocks, false},
		{"by name with 16 colours", "kitty", []string{"TERM=xterm"}, ImagesBlocks, false},
		{"blocks in kitty", "blocks", []string{"TERM=xterm-kitty"}, ImagesBlocks, false},
		{"off in kitty", "off", []string{"TERM=xterm-kitty"}, ImagesOff, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if mode, tmux := ChooseImages(c.asked, c.env); mode != c.mode || tmux != c.tmux {
				t.Errorf("got %s, tmux %t; want %s, %t", mode, tmux, c.mode, c.tmux)
			}
		})
	}
}
