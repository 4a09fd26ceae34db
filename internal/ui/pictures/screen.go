package main

import (
	"bytes"
	"context"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/vt"

	"github.com/comfyume/qmtui/internal/ui"
)

// screen is a panel on a virtual terminal.
type screen struct {
	terminal *vt.SafeEmulator
	program  *tea.Program
	done     chan struct{}
}

func open(ctx context.Context, o ui.Options, w, h int) *screen {
	s := &screen{terminal: vt.NewSafeEmulator(w, h), done: make(chan struct{})}
	s.program = tea.NewProgram(ui.New(ctx, o), tea.WithContext(ctx), tea.WithInput(nil), tea.WithOutput(newlines{s.terminal}), tea.WithWindowSize(w, h),
		tea.WithColorProfile(colorprofile.TrueColor), tea.WithEnvironment([]string{"TERM=xterm-256color"}), tea.WithoutSignalHandler())
	go func() {
		defer close(s.done)
		_, _ = s.program.Run()
	}()
	s.program.Send(tea.WindowSizeMsg{Width: w, Height: h})
	return s
}

// newlines does what a terminal that is not in raw mode does, and what Bubble
// Tea counts on when it has no terminal to set: a line feed also goes to the
// beginning of the line.
type newlines struct{ terminal *vt.SafeEmulator }

func (n newlines) Write(b []byte) (int, error) {
	_, err := n.terminal.Write(bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")))
	return len(b), err
}

func (s *screen) close() {
	s.program.Quit()
	<-s.done
}

func (s *screen) wait(d time.Duration) { time.Sleep(d) }

var special = map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "down": tea.KeyDown, "up": tea.KeyUp, "end": tea.KeyEnd}

// press sends keys by name; what begins with "text:" is typed.
func (s *screen) press(keys ...string) {
	for _, k := range keys {
		if text, ok := strings.CutPrefix(k, "text:"); ok {
			for _, r := range text {
				s.key(string(r))
			}
			continue
		}
		s.key(k)
	}
}

func (s *screen) key(k string) {
	code, ok := special[k]
	switch {
	case ok:
		s.program.Send(tea.KeyPressMsg{Code: code})
	case k == "space", k == " ":
		s.program.Send(tea.KeyPressMsg{Code: tea.KeySpace, Text: " "})
	default:
		s.program.Send(tea.KeyPressMsg{Code: []rune(k)[0], Text: k})
	}
	time.Sleep(60 * time.Millisecond) // what it asks the manager for comes back
}
