// Command pictures draws the pictures of the README from the running demo: it
// plays the panel in a terminal of its own, presses keys, and writes what
// stands there as PNG and as one GIF. Run it with "make pictures".
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// The size of the terminal, in cells.
const columns, rows = 120, 32

func main() {
	bin := flag.String("bin", "bin/qmtui", "the program to show")
	out := flag.String("out", "docs/pictures", "folder to write to")
	font := flag.String("font", "/usr/share/fonts/truetype/dejavu", "folder with DejaVuSansMono.ttf and DejaVuSansMono-Bold.ttf (Debian: fonts-dejavu-core)")
	flag.Parse()
	if err := run(*bin, *out, *font); err != nil {
		log.Fatal("pictures: ", err)
	}
}

func run(bin, out, fonts string) error {
	pen, err := newPen(fonts)
	if err != nil {
		return err
	}
	home, err := os.MkdirTemp("", "qmtui-pictures-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, "demo", "--users", "12", "--jobs", "8", "--replicas", "4", "--faults", "all", "--seed", "7", "--cold-start", "4s")
	cmd.Env = []string{"TERM=xterm-256color", "COLORTERM=truecolor", "HOME=" + home, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}
	t, err := open(cmd)
	if err != nil {
		return err
	}
	defer t.close()
	film := &film{}
	if err := play(ctx, t, script, pen, film, out); err != nil {
		return fmt.Errorf("%w; the screen was:\n%s", err, t.text())
	}
	return film.write(filepath.Join(out, "panel.gif"))
}

// scene is one step of the script: wait until the screen shows something,
// press keys, let the panel go on for a while, and perhaps take a picture.
type scene struct {
	until   string // text to wait for; empty for nothing
	press   string
	stay    time.Duration
	picture string // file name; empty for none
}

// frameEvery is the time between two frames of the film.
const frameEvery = 350 * time.Millisecond

func play(ctx context.Context, t *terminal, script []scene, pen *pen, film *film, out string) error {
	for _, s := range script {
		if err := t.await(ctx, s.until); err != nil {
			return err
		}
		if err := t.press(s.press); err != nil {
			return err
		}
		for end := time.Now().Add(s.stay); time.Now().Before(end); {
			time.Sleep(frameEvery)
			film.add(pen.draw(t.cells()), frameEvery)
		}
		if s.picture == "" {
			continue
		}
		if err := writePNG(filepath.Join(out, s.picture), pen.draw(t.cells())); err != nil {
			return err
		}
	}
	return nil
}

// script shows the panes in the order in which an admin meets them.
var script = []scene{
	{until: "queued", stay: 2 * time.Second},
	{until: "running", stay: 3 * time.Second},
	{until: "done", stay: 4 * time.Second, picture: "panel-queue.png"},
	{press: "?", stay: 1500 * time.Millisecond, picture: "panel-help.png"},
	{press: "\x1b", stay: 700 * time.Millisecond},
	{press: "/", stay: 350 * time.Millisecond},
	{press: "state:done\r", stay: 1500 * time.Millisecond},
	{press: "\r", stay: 2500 * time.Millisecond, picture: "panel-job.png"},
	{press: "\x1b", stay: 350 * time.Millisecond},
	{press: "2", stay: time.Second},
	{press: "jjj\r", stay: 700 * time.Millisecond},
	{press: "j", stay: 2 * time.Second, picture: "panel-outputs.png"},
	{press: "\x1b", stay: 350 * time.Millisecond},
	{press: "3", stay: 2 * time.Second, picture: "panel-workers.png"},
	{press: "7", stay: 2 * time.Second, picture: "panel-charts.png"},
	{press: "1", stay: time.Second},
}
