package main

import (
	"io/fs"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/comfyume/qmtui/assets"
	"github.com/comfyume/qmtui/internal/simulator"
)

// TestRealComfyUIPage opens the real page, as a real ComfyUI serves it with
// the extension among its custom nodes, in Chromium: a user's page runs
// without a GPU, and a simulated fleet renders. It needs COMFYUI_DIR. With
// COMFYUI_FRONTEND, the page is the one in that folder: the "static" of a
// comfyui-frontend-package other than the installed one.
func TestRealComfyUIPage(t *testing.T) {
	comfyUI := findCheckout(t)
	b := findBrowser(t)
	g := openGate()
	s := openPageSite(t, func(s *pageSite) http.Handler {
		h, _ := userPages(s, comfyUI, "user001", "user002")
		return h
	}, func(p *plan) {
		p.front = g.stand
		p.workers.Render = simulator.Span{Min: 2 * time.Second, Max: 2 * time.Second}
	})
	s.awakened("user009")
	b.play(t, "comfyui.mjs", s.front.URL, (&hand{s.site, g, &s.local}).serve)
}

// TestRealComfyUIPageFaced is the other way to put it in a site: the real page
// has no extension, and the nginx that is shipped sends its calls to the face.
func TestRealComfyUIPageFaced(t *testing.T) {
	comfyUI := findCheckout(t)
	b, g := findBrowser(t), openGate()
	var pages []*replica
	w := openWorkshop(t, workshopPlan{users: 2, faced: true,
		change: func(p *plan) { p.front, p.config.Users.Subfolder = g.stand, "" },
		page: func(s *site, user string) string {
			page := comfyUI.startPage(s.T, freePorts(s.T, 1)[0], s.mkdir(s.T, filepath.Join("users", user)), nil)
			pages = append(pages, page)
			return page.url.Host
		}})
	for _, p := range pages {
		p.ready(t)
	}
	w.awakened("user002")
	b.play(t, "faced.mjs", w.url, (&hand{w.site, g, new(atomic.Int64)}).serve)
	for _, p := range pages {
		if n := p.ran(t); n != 0 {
			t.Errorf("%d prompts ran on a page's own ComfyUI", n)
		}
	}
}

// userPages runs a ComfyUI for each user, whose output folder is the user's
// own, and serves it below /user/.
func userPages(s *pageSite, c checkout, users ...string) (h http.Handler, pages []*replica) {
	ports := freePorts(s.T, len(users))
	mux := http.NewServeMux()
	for i, user := range users {
		page := c.startPage(s.T, ports[i], s.mkdir(s.T, filepath.Join("users", user)), func(dir string) {
			orFatal(s.T, copyExtension(customNodes(dir)))
		})
		pages = append(pages, page)
		mux.Handle("/"+user+"/", http.StripPrefix("/"+user, httputil.NewSingleHostReverseProxy(page.url)))
	}
	for _, p := range pages {
		s.Logf("a page's ComfyUI %s", p.ready(s.T).Version)
	}
	return mux, pages
}

// startPage runs the ComfyUI of a user who has seen the welcome already.
func (c checkout) startPage(t *testing.T, port int, outputs string, prepare func(dir string)) *replica {
	t.Helper()
	return c.start(t, port, outputs, func(dir string) {
		orFatal(t, os.MkdirAll(filepath.Join(dir, "user", "default"), 0o755))
		orFatal(t, os.WriteFile(filepath.Join(dir, "user", "default", "comfy.settings.json"), []byte(`{"Comfy.TutorialCompleted": true}`), 0o644))
		if prepare != nil {
			prepare(dir)
		}
	})
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
