package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// clientsUser is on whose behalf clients work.
const clientsUser = "user001"

// seen is what a foreign client reports.
type seen struct {
	Events []string `json:"events"`
	Files  []struct {
		Node   string `json:"node"`
		Name   string `json:"name"`
		SHA256 string `json:"sha256"`
	} `json:"files"`
}

// openClientSite is a manager with TCP in front of the simulated fleet, which
// sleeps at first.
func openClientSite(t *testing.T) *site {
	t.Helper()
	if os.Getenv("QMTUI_CLIENTS") == "" {
		t.Skip("QMTUI_CLIENTS is not set: with QMTUI_CLIENTS=1 clients from PyPI and npm are installed into a temporary folder and run against the face")
	}
	return openSite(t, func(p *plan) {
		p.scene.ColdStart = 2 * time.Second
		p.workers = p.scene.Fleet()
		p.config.Auth.Mode, p.config.Server.Listen = "open", "127.0.0.1:0"
	})
}

// face is the address of the user's face: host, port and path.
func (s *site) face() string { return s.manager.server.Addr().String() + "/comfy/" + clientsUser }

// TestForeignClients runs clients that nobody here wrote against the face:
// submit, progress, and the very bytes that the worker wrote.
func TestForeignClients(t *testing.T) {
	s := openClientSite(t)
	t.Run("python", func(t *testing.T) { s.pythonClients(t) })
	t.Run("npm", func(t *testing.T) { s.npmClients(t) })
}

func (s *site) npmClients(t *testing.T) {
	dir := t.TempDir()
	check(t, os.CopyFS(dir, os.DirFS("testdata/clients")))
	runForeign(t, dir, 5*time.Minute, "npm", "install", "--no-audit", "--no-fund", "--loglevel=error")
	// One of them takes no path before /ws: it gets a host of its own, as
	// behind a site's proxy.
	alone := httptest.NewServer(ownHost(s.face()))
	t.Cleanup(alone.Close)
	for _, c := range []struct{ script, address string }{
		{"comfy-ui-client.mjs", s.face()}, {"comfyui-sdk.mjs", s.face()}, {"comfyui-client.mjs", strings.TrimPrefix(alone.URL, "http://")},
	} {
		t.Run(c.script, func(t *testing.T) {
			out := runForeign(t, dir, 2*time.Minute, "node", c.script, c.address, string(clientPrompt(c.script)))
			s.judgeClient(t, readReport(t, out), 1)
		})
	}
}

// ownHost hands everything on to the face, as a site's proxy does.
func ownHost(face string) http.Handler {
	to := &url.URL{Scheme: "http", Host: strings.SplitN(face, "/", 2)[0], Path: "/comfy/" + clientsUser}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.SetXForwarded()
	}}
}

// clientPrompt is a prompt of each client's own, so that no cache answers.
func clientPrompt(prefix string) []byte {
	return fmt.Appendf(nil, `{"1":{"class_type":"EmptyImage","inputs":{"width":64,"height":48,"batch_size":1,"color":%d}},
		"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"clients/%s"}}}`, len(prefix), prefix)
}

// pythonClients runs ComfyUI's own script_examples.
func (s *site) pythonClients(t *testing.T) {
	examples := filepath.Join(os.Getenv("COMFYUI_DIR"), "script_examples")
	if _, err := os.Stat(filepath.Join(examples, "websockets_api_example.py")); os.Getenv("COMFYUI_DIR") == "" || err != nil {
		t.Skip("COMFYUI_DIR does not name a ComfyUI checkout, so its script_examples are not at hand")
	}
	dir := t.TempDir()
	runForeign(t, dir, time.Minute, "python3", "-m", "venv", "venv")
	python := filepath.Join(dir, "venv", "bin", "python")
	runForeign(t, dir, 3*time.Minute, python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "websocket-client==1.9.0")
	t.Run("websockets_api_example.py", func(t *testing.T) {
		code := s.aim(t, filepath.Join(examples, "websockets_api_example.py")) + dumpImages
		check(t, os.WriteFile(filepath.Join(dir, "websockets.py"), []byte(code), 0o644))
		s.judgeClient(t, readReport(t, runForeign(t, dir, 2*time.Minute, python, "websockets.py")), 1)
	})
	t.Run("basic_api_example.py", func(t *testing.T) {
		before := s.done(t)
		check(t, os.WriteFile(filepath.Join(dir, "basic.py"), []byte(s.aim(t, filepath.Join(examples, "basic_api_example.py"))), 0o644))
		runForeign(t, dir, time.Minute, python, "basic.py")
		s.eventually("the prompt of the basic example is done", func() bool { return s.done(t) == before+1 })
	})
}

// dumpImages is put behind ComfyUI's example, which holds the bytes in images.
// It comes that far only when it has heard executing with node null.
const dumpImages = `
import hashlib
print("REPORT " + json.dumps({"events": ["executing"], "files": [
    {"node": node, "name": "", "sha256": hashlib.sha256(data).hexdigest()} for node in images for data in images[node]]}))
`

// aim is the script with the face's address in place of ComfyUI's.
func (s *site) aim(t *testing.T, path string) string {
	t.Helper()
	code, err := os.ReadFile(path)
	check(t, err)
	aimed := bytes.ReplaceAll(code, []byte("127.0.0.1:8188"), []byte(s.face()))
	if bytes.Equal(aimed, code) {
		t.Fatalf("%s does not name the address we know", path)
	}
	return string(aimed)
}

func (s *site) done(t *testing.T) int {
	t.Helper()
	page, err := s.client.Jobs(t.Context(), api.Query{Filter: api.Filter{User: clientsUser, States: []job.State{job.Done}}})
	check(t, err)
	return page.Total
}

// judgeClient holds what a client saw against what stands in the user's folder and
// what the workers wrote.
func (s *site) judgeClient(t *testing.T, r seen, files int) {
	t.Helper()
	t.Logf("events: %s", strings.Join(slices.Compact(r.Events), " "))
	if len(r.Files) != files || len(r.Events) == 0 {
		t.Fatalf("%+v", r)
	}
	delivered, written := hashes(t, s.scene.Users()), hashes(t, s.scene.Share())
	for _, f := range r.Files {
		place, there := delivered[f.SHA256]
		if !there || !strings.Contains(place, clientsUser) || written[f.SHA256] == "" {
			t.Errorf("the client got bytes that nobody wrote: %+v", f)
		}
		t.Logf("bytes equal: %s", place)
	}
}

// hashes maps the SHA-256 of each file below dir to its path.
func hashes(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	check(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		sum := sha256.Sum256(data)
		all[hex.EncodeToString(sum[:])] = path
		return err
	}))
	return all
}

func readReport(t *testing.T, out []byte) seen {
	t.Helper()
	for _, line := range bytes.Split(out, []byte("\n")) {
		if text, ok := bytes.CutPrefix(line, []byte("REPORT ")); ok {
			var r seen
			check(t, json.Unmarshal(text, &r))
			return r
		}
	}
	t.Fatalf("the client reports nothing:\n%s", out)
	return seen{}
}

// runForeign runs a program in dir and returns what it said.
func runForeign(t *testing.T, dir string, bound time.Duration, name string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}
