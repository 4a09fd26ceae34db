// Command pictures makes the pictures of the README from the demo: it runs the
// demo, attaches a panel to it on a virtual terminal, presses keys, and paints
// what the terminal shows.
//
//	go run ./internal/ui/pictures -out docs/pictures
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/ui"
)

func main() {
	log.SetFlags(0)
	out := flag.String("out", "docs/pictures", "folder for the pictures")
	font := flag.String("font", "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf", "monospaced font; its bold one is looked for beside it")
	flag.Parse()
	if err := produce(context.Background(), *out, *font); err != nil {
		log.Fatal(err)
	}
}

func produce(ctx context.Context, out, font string) error {
	p, err := newPainter(font)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "qmtui-pictures-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	client, stop, err := startDemo(ctx, dir)
	if err != nil {
		return err
	}
	defer stop()
	if err := film(ctx, client, p, filepath.Join(out, "panel.gif")); err != nil {
		return err
	}
	return stills(ctx, client, p, out)
}

// startDemo builds the binary and runs the demo with enough jobs that it goes
// on until the pictures are made.
func startDemo(ctx context.Context, dir string) (*api.Client, func(), error) {
	binary, play := filepath.Join(dir, "qmtui"), filepath.Join(dir, "demo")
	if b, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/qmtui").CombinedOutput(); err != nil {
		return nil, nil, fmt.Errorf("build qmtui (run this in the repository's root): %w\n%s", err, b)
	}
	c := exec.CommandContext(ctx, binary, "demo", "--headless", "--dir", play, "--users", "12", "--jobs", "25", "--replicas", "2",
		"--cold-start", "6s", "--faults", "execution-error:0.06,slow-visibility:0.2,foreign-file:0.05", "--seed", "7")
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		return nil, nil, err
	}
	client, err := api.Dial(filepath.Join(play, "state", "qmtui.sock"))
	if err == nil {
		err = ready(ctx, client)
	}
	return client, func() { _ = c.Process.Kill(); _ = c.Wait() }, err
}

func ready(ctx context.Context, c *api.Client) error {
	for range 100 {
		if _, err := c.QueueStatus(ctx); err == nil {
			return nil
		} else if !errors.Is(err, api.ErrNoDaemon) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("the demo's manager did not come up")
}

func options(c *api.Client) ui.Options {
	return ui.Options{Manager: ui.Attach(c), Host: "render-01", Theme: ui.ThemeDark}
}

// stills are the pictures, each with the keys that lead to it.
func stills(ctx context.Context, c *api.Client, p *painter, out string) error {
	s := open(ctx, options(c), 120, 32)
	defer s.close()
	s.wait(4 * time.Second)
	for _, shot := range []struct {
		name string
		keys []string
		wait time.Duration
	}{
		{"panel-queue", nil, 0},
		{"panel-cancel", []string{"*", "c"}, 1200 * time.Millisecond},
		{"panel-job", []string{"esc", "esc", "/", "text:state:done text-to-image", "enter", "enter"}, 1500 * time.Millisecond},
		{"panel-outputs", []string{"esc", "esc", "2", "down", "down", "enter", "/", "text:.png", "enter"}, 2500 * time.Millisecond},
		{"panel-workers", []string{"3"}, 1500 * time.Millisecond},
		{"panel-users", []string{"5"}, 1500 * time.Millisecond},
		{"panel-charts", []string{"7"}, 1500 * time.Millisecond},
	} {
		s.press(shot.keys...)
		s.wait(shot.wait)
		if err := p.png(s.terminal, filepath.Join(out, shot.name+".png")); err != nil {
			return err
		}
		fmt.Println(shot.name)
	}
	return nil
}

// film is a moving picture: what a minute with the panel looks like.
func film(ctx context.Context, c *api.Client, p *painter, path string) error {
	s := open(ctx, options(c), 100, 28)
	defer s.close()
	s.wait(14 * time.Second) // past the cold start
	var f reel
	take := func(hold time.Duration, keys ...string) {
		s.press(keys...)
		s.wait(350 * time.Millisecond)
		f.add(p.image(s.terminal), hold)
	}
	for range 4 {
		take(700 * time.Millisecond)
		s.wait(500 * time.Millisecond)
	}
	for _, typed := range []string{"/u", "ser:", "user", "00"} {
		take(300*time.Millisecond, "text:"+typed)
	}
	take(900*time.Millisecond, "3", "enter")
	take(400*time.Millisecond, "space")
	take(400*time.Millisecond, "space")
	take(1800*time.Millisecond, "c")
	s.wait(time.Second)
	take(400*time.Millisecond, "esc")
	take(700*time.Millisecond, "esc", "esc", "2", "down", "down", "enter")
	s.wait(time.Second)
	s.press("/", "text:.png", "enter")
	s.wait(time.Second)
	take(1500 * time.Millisecond)
	take(1500*time.Millisecond, "3")
	take(2000*time.Millisecond, "7")
	return f.write(path)
}
