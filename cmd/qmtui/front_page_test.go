package main

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/comfyume/qmtui/assets"
)

// pageSite is a site as participants meet it: a proxy that knows who somebody
// is by a cookie, a page for each user, and the manager behind /api and /ws.
type pageSite struct {
	*site
	front *httptest.Server
	local atomic.Int64 // prompts that a page's own ComfyUI was given
}

// openPageSite opens a site with the users' pages at /user.../; page serves them.
func openPageSite(t *testing.T, page func(*pageSite) http.Handler, change func(*plan)) *pageSite {
	t.Helper()
	listen := freeAddress(t)
	s := &pageSite{site: openSite(t, func(p *plan) {
		p.config.Server.Listen, p.config.Auth.Mode = listen, "auto"
		if change != nil {
			change(p)
		}
	})}
	mux := http.NewServeMux()
	manager := asUser(toManager(listen))
	for _, at := range []string{"/api/", "/ws", "/auth/", "/comfy/"} {
		mux.Handle(at, manager)
	}
	mux.Handle("/", page(s))
	s.front = httptest.NewServer(mux)
	t.Cleanup(s.front.Close)
	return s
}

func toManager(listen string) http.Handler {
	to := &url.URL{Scheme: "http", Host: listen}
	p := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.SetXForwarded()
		r.Out.Host = r.In.Host
	}}
	p.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) {
		http.Error(w, "bad gateway", http.StatusBadGateway)
	}
	return p
}

// asUser is what a site's login does: it says who somebody is, whatever they say.
func asUser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("X-Remote-User")
		if c, err := r.Cookie("who"); err == nil {
			r.Header.Set("X-Remote-User", c.Value)
		}
		next.ServeHTTP(w, r)
	})
}

// interfacePages serves every user's page below /user.../.
func interfacePages(s *pageSite) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		http.StripPrefix("/"+user, interfacePage(s.site, user, &s.local)).ServeHTTP(w, r)
	})
}

// interfacePage serves a page with the real page's app and api, the extension
// as it is shipped, and a ComfyUI that only shows the user's own files. local
// counts the prompts that this ComfyUI is given.
func interfacePage(s *site, user string, local *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/")
		switch name, isExtension := strings.CutPrefix(path, "extensions/queue_redirect/"); {
		case isExtension:
			web, _ := fs.Sub(assets.QueueRedirect, "queue_redirect/web")
			http.ServeFileFS(w, r, web, name)
		case path == "api/extensions":
			_ = json.NewEncoder(w).Encode([]string{"/extensions/queue_redirect/queue_redirect.js"})
		case path == "api/view":
			q := r.URL.Query()
			http.ServeFile(w, r, filepath.Join(s.scene.Users(), user, q.Get("subfolder"), q.Get("filename")))
		case path == "api/object_info":
			_, _ = w.Write([]byte(`{"PageOnly":{"name":"PageOnly","input":{}},"LoadImage":{"name":"LoadImage","input":{"required":{"image":[["mine.png"],{"image_upload":true}]}}}}`))
		case path == "api/queue":
			_, _ = w.Write([]byte(`{"queue_running":[],"queue_pending":[]}`))
		case path == "api/prompt":
			local.Add(1)
			_, _ = w.Write([]byte(`{"prompt_id":"own","number":1,"node_errors":{}}`))
		case path == "ws":
			echo(w, r)
		case strings.HasPrefix(path, "api/"):
			_, _ = w.Write([]byte(`{}`))
		case path == "":
			body, err := os.ReadFile("testdata/page/index.html")
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write(body)
		default:
			http.ServeFile(w, r, filepath.Join("testdata/page", filepath.Clean("/"+path)))
		}
	})
}
