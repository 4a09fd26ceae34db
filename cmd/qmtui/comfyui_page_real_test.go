package main

import (
	"context"
	"io/fs"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/comfyume/qmtui/assets"
	"github.com/comfyume/qmtui/internal/simulator"
)

// TestRealComfyUIPage opens the real page, as a real ComfyUI serves it with
// the extension among its custom nodes, in Chromium: a user's page runs
// without a GPU, and a simulated fleet renders. It needs COMFYUI_DIR.
func TestRealComfyUIPage(t *testing.T) {
	comfyUI := findCheckout(t)
	b := findBrowser(t)
	g := &gate{open: make(chan struct{})}
	close(g.open)
	s := openPageSite(t, func(s *pageSite) http.Handler { return userPages(s, comfyUI, "user001", "user002") }, func(p *plan) {
		p.front = g.stand
		p.workers.Render = simulator.Span{Min: 2 * time.Second, Max: 2 * time.Second}
	})
	s.awakened()
	pictures := os.Getenv("QMTUI_PICTURES")
	if pictures == "" {
		pictures = t.TempDir()
	}
	b.play(t, "comfyui.mjs", map[string]string{"site": s.front.URL, "pictures": pictures}, func(ask string) string { return s.serve(g, ask) })
}

// userPages runs a ComfyUI for each user, whose output folder is the user's
// own, and serves it below /user/.
func userPages(s *pageSite, c checkout, users ...string) http.Handler {
	ports := freePorts(s.T, len(users))
	mux := http.NewServeMux()
	var pages []*replica
	for i, user := range users {
		page := c.startPage(s.T, ports[i], s.mkdir(s.T, filepath.Join("users", user)))
		pages = append(pages, page)
		mux.Handle("/"+user+"/", http.StripPrefix("/"+user, httputil.NewSingleHostReverseProxy(page.url)))
	}
	for _, p := range pages {
		s.Logf("a page's ComfyUI %s", p.ready(s.T).Version)
	}
	return mux
}

// startPage runs a ComfyUI with the extension among its custom nodes, for
// somebody who has seen the welcome already.
func (c checkout) startPage(t *testing.T, port int, outputs string) *replica {
	t.Helper()
	dir := t.TempDir()
	flags := serverFlags(t, dir, port, outputs)
	orFatal(t, copyExtension(filepath.Join(dir, "nodes")))
	orFatal(t, os.MkdirAll(filepath.Join(dir, "user", "default"), 0o755))
	orFatal(t, os.WriteFile(filepath.Join(dir, "user", "default", "comfy.settings.json"), []byte(`{"Comfy.TutorialCompleted": true}`), 0o644))
	log, err := os.Create(filepath.Join(dir, "comfyui.log"))
	orFatal(t, err)
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, c.python, append([]string{"main.py"}, flags...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	orFatal(t, cmd.Start())
	r := &replica{url: &url.URL{Scheme: "http", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}, log: log.Name(), ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		stop()
		<-r.ended
		_ = log.Close()
	})
	return r
}

// copyExtension puts the extension into a custom_nodes folder, as an admin does.
func copyExtension(nodes string) error {
	return fs.WalkDir(assets.QueueRedirect, "queue_redirect", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		to := filepath.Join(nodes, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		content, err := fs.ReadFile(assets.QueueRedirect, path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, content, 0o644)
	})
}
