package ui

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
)

// liveTerminal is a virtual terminal for a whole program: it notes how much is
// written and the graphics commands.
type liveTerminal struct {
	t        *testing.T
	mu       sync.Mutex
	e        *vt.Emulator // under mu
	written  bytes.Buffer // under mu
	commands chan string
	drawn    chan struct{}
}

func newLiveTerminal(t *testing.T, w, h int) *liveTerminal {
	g := &liveTerminal{t: t, e: vt.NewEmulator(w, h), commands: make(chan string, 200), drawn: make(chan struct{}, 1)}
	g.e.RegisterApcHandler(func(b []byte) bool {
		g.commands <- string(b)
		return true
	})
	return g
}

func (g *liveTerminal) Write(b []byte) (int, error) {
	g.mu.Lock()
	g.written.Write(b)
	_, err := g.e.Write(bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")))
	g.mu.Unlock()
	select {
	case g.drawn <- struct{}{}:
	default:
	}
	return len(b), err
}

// gets waits for the next command and fails unless it begins as it should.
func (g *liveTerminal) gets(want string) string {
	g.t.Helper()
	select {
	case got := <-g.commands:
		if !strings.HasPrefix(got, want) {
			g.t.Fatalf("the terminal got %.80q, want %q", got, want)
		}
		return got
	case <-time.After(60 * time.Second):
		g.t.Fatalf("the terminal did not get %q", want)
	}
	return ""
}

// until waits until what is drawn is as wanted. It looks again after each write.
func (g *liveTerminal) until(what string, ok func(*vt.Emulator) bool) {
	g.t.Helper()
	end := time.After(60 * time.Second)
	for {
		g.mu.Lock()
		good := ok(g.e)
		g.mu.Unlock()
		if good {
			return
		}
		select {
		case <-g.drawn:
		case <-end:
			g.t.Fatalf("the terminal never showed %s", what)
		}
	}
}

// shows waits until a text stands on the screen.
func (g *liveTerminal) shows(text string) {
	g.t.Helper()
	g.until(text, func(e *vt.Emulator) bool {
		for y := range e.Height() {
			if strings.Contains(lineText(e, y), text) {
				return true
			}
		}
		return false
	})
}

// showsImage waits until as many cells show an image.
func (g *liveTerminal) showsImage(image, cells int) {
	g.t.Helper()
	g.until(fmt.Sprintf("image %d in %d cells", image, cells), func(e *vt.Emulator) bool { return imageCells(e, image) == cells })
}

// take is what was written since the last time.
func (g *liveTerminal) take() []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := bytes.Clone(g.written.Bytes())
	g.written.Reset()
	return out
}

func imageCells(e *vt.Emulator, image int) (n int) {
	for y := range e.Height() {
		for x := range e.Width() {
			c := e.CellAt(x, y)
			if c != nil && strings.HasPrefix(c.Content, "\U0010EEEE") && c.Style.Fg == ansi.IndexedColor(image) {
				n++
			}
		}
	}
	return n
}
