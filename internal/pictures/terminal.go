package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

// terminal is a virtual terminal with a program in it.
type terminal struct {
	mu   sync.Mutex // guards screen, which the reader writes
	scr  *vt.Emulator
	tty  *os.File
	cmd  *exec.Cmd
	done chan struct{} // closed when the program's output has ended
}

// open starts the program in a terminal of columns by rows cells.
func open(cmd *exec.Cmd) (*terminal, error) {
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: columns, Rows: rows})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	t := &terminal{scr: vt.NewEmulator(columns, rows), tty: tty, cmd: cmd, done: make(chan struct{})}
	go func() { _, _ = io.Copy(tty, t.scr) }() // the terminal's answers to questions
	go t.read()
	return t, nil
}

func (t *terminal) read() {
	defer close(t.done)
	buf := make([]byte, 64<<10)
	for {
		n, err := t.tty.Read(buf)
		t.mu.Lock()
		_, _ = t.scr.Write(buf[:n])
		t.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (t *terminal) close() {
	_ = t.cmd.Process.Kill()
	_ = t.cmd.Wait()
	_ = t.tty.Close()
}

func (t *terminal) press(keys string) error {
	_, err := io.WriteString(t.tty, keys)
	return err
}

// await waits until the screen shows text.
func (t *terminal) await(ctx context.Context, text string) error {
	for !strings.Contains(t.text(), text) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the screen never showed %q", text)
		case <-t.done:
			return fmt.Errorf("the program ended before the screen showed %q", text)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

func (t *terminal) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.scr.String()
}

// cells copies what stands on the screen.
func (t *terminal) cells() [][]uv.Cell {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([][]uv.Cell, rows)
	for y := range all {
		all[y] = make([]uv.Cell, columns)
		for x := range all[y] {
			if c := t.scr.CellAt(x, y); c != nil {
				all[y][x] = *c
			}
		}
	}
	return all
}
