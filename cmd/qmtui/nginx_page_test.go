package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/crypto/bcrypt"

	"github.com/comfyume/qmtui/assets"
	"github.com/comfyume/qmtui/internal/api"
)

// TestNginx runs Debian's nginx with the configuration that is shipped, TLS
// left out: 20 users log in, each has a page, and no other's.
func TestNginx(t *testing.T) {
	w := openWorkshop(t, workshopPlan{users: 20})
	for i := range w.users {
		user := fmt.Sprintf("user%03d", i+1)
		t.Run(user, func(t *testing.T) {
			t.Parallel()
			w.visit(t, user, fmt.Sprintf("user%03d", (i+1)%w.users+1))
		})
	}
}

// TestNginxStrangers: without a login there is nothing, whatever one claims.
func TestNginxStrangers(t *testing.T) {
	w := openWorkshop(t, workshopPlan{users: 2})
	v := &visitor{T: t, url: w.url, http: &http.Client{CheckRedirect: stay}}
	page := v.get("/user001/?x=1", "Accept", "text/html")
	if page.code != 302 || page.location != "/auth/login?next=/user001/?x=1" {
		t.Errorf("a page: %+v", page)
	}
	for _, path := range []string{"/user001/", "/user001/api/view?filename=a", "/api/jobs", "/comfy/user001/queue"} {
		if got := v.get(path, "X-Remote-User", "user001"); got.code != 401 {
			t.Errorf("%s with a forged header: %+v", path, got)
		}
	}
	if got := v.get("/", "Accept", "text/html"); got.code != 302 || got.location != "/auth/login?next=/" {
		t.Errorf("the bare address: %+v", got)
	}
	if got := v.get("/nobody/"); got.code != 404 {
		t.Errorf("no such page: %+v", got)
	}
	if got := v.get("/user001"); got.code != 301 || got.location != "/user001/" {
		t.Errorf("without a slash: %+v", got)
	}
}

// TestNginxInChromium lets people meet all of it together: the login page, the
// cookie, the extension in their page, and the wall between them.
func TestNginxInChromium(t *testing.T) {
	b, g := findBrowser(t), openGate()
	var local atomic.Int64
	w := openWorkshop(t, workshopPlan{users: 2, change: func(p *plan) { p.front = g.stand }, page: func(s *site, user string) string {
		return serving(s.T, interfacePage(s, user, &local))
	}})
	b.play(t, "nginx.mjs", w.url, (&hand{w.site, g, &local}).serve)
	if n := local.Load(); n != 0 {
		t.Errorf("%d prompts went to the pages' own ComfyUI", n)
	}
}

// TestNginxOriginsInChromium: with an origin for each page, as is the default, a
// page works at its own address, and its scripts have nobody else's rights.
func TestNginxOriginsInChromium(t *testing.T) {
	b, g := findBrowser(t), openGate()
	var local atomic.Int64
	w := openWorkshop(t, workshopPlan{users: 3, origins: true,
		change: func(p *plan) { p.front, p.config.Auth.Admins = g.stand, []string{"user003"} },
		page:   func(s *site, user string) string { return serving(s.T, interfacePage(s, user, &local)) },
		// Browsers resolve names below localhost themselves.
		nginx: strings.NewReplacer("workshop.example", "workshop.localhost", `workshop\.example`, `workshop\.localhost`)})
	b.play(t, "origins.mjs", "http://workshop.localhost"+w.url[strings.LastIndex(w.url, ":"):], (&hand{w.site, g, &local}).serve)
	if n := local.Load(); n != 0 {
		t.Errorf("%d prompts went to the pages' own ComfyUI", n)
	}
}

// TestNginxFace: a page without the extension runs its prompts with the
// manager, as if that were its own ComfyUI.
func TestNginxFace(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t, workshopPlan{users: 2, faced: true})
	v := w.login(t, "user001")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn := v.dial(ctx, "/user001/ws?clientId=c1")
	defer conn.CloseNow()
	nodes := []string{"/user001/api/object_info", "/user001/object_info/KSampler", "/user001/api/models", "/user001/api/experiment/models/checkpoints"}
	for _, path := range nodes {
		if got := v.get(path); got.code != 200 || got.body != "user001 "+strings.TrimPrefix(path, "/user001") {
			t.Errorf("%s before anything is known of the workers: %+v", path, got)
		}
	}
	body := fmt.Sprintf(`{"client_id":"c1","prompt":%s}`, saving("faced"))
	if got := v.post("/user001/api/prompt", body); got.code != 200 || !strings.Contains(got.body, `"prompt_id"`) {
		t.Fatalf("prompt: %+v", got)
	}
	for done := false; !done; {
		_, raw, err := conn.Read(ctx)
		check(t, err)
		done = strings.Contains(string(raw), `"execution_success"`)
	}
	if got := v.get("/user001/api/history?max_items=5"); !strings.Contains(got.body, "faced_00001_.png") {
		t.Errorf("history: %+v", got)
	}
	if got := v.get("/user001/api/view?filename=faced_00001_.png"); got.body != "user001 /api/view?filename=faced_00001_.png" {
		t.Errorf("the picture comes from the user's own ComfyUI: %+v", got)
	}
	for _, path := range nodes {
		if got := v.get(path); got.code != 200 || !json.Valid([]byte(got.body)) || got.header.Get("X-Qmtui-Deployment") == "" {
			t.Errorf("%s, which the workers have listed: %+v", path, got)
		}
	}
	for path, want := range map[string]string{"/user001/models/embeddings": "user001 /models/embeddings", "/user001/api/experiment/models/preview/loras/0/a": "user001 /api/experiment/models/preview/loras/0/a"} {
		if got := v.get(path); got.body != want {
			t.Errorf("%s is the page's own: %+v", path, got)
		}
	}
	for path, want := range map[string]int{"/user002/api/queue": 403, "/user002/api/object_info": 403, "/user002/models": 403, "/user002/history": 403, "/comfy/user002/queue": 403,
		"/user001/../user002/api/jobs": 307} { // to the address as it is meant
		if got := v.get(path); got.code != want {
			t.Errorf("%s: %+v, want %d", path, got, want)
		}
	}
	if got := w.visitorAt(t, "user001").get("/user001/api/object_info"); got.code != 401 {
		t.Errorf("the nodes without a login: %+v", got)
	}
	w.halt()
	if got := v.get("/user001/api/models"); got.code == 200 { // nobody says any more who is logged in
		t.Errorf("models while the manager is away: %+v", got)
	}
	var away struct {
		Error struct{ Type, Message string }
	}
	if got := v.get("/user001/api/queue"); got.code != 503 || json.Unmarshal([]byte(got.body), &away) != nil || away.Error.Type == "" || away.Error.Message == "" {
		t.Errorf("while the manager is away: %+v", got)
	}
}

// visit is one user's whole stay; other is somebody else.
func (w *workshop) visit(t *testing.T, user, other string) {
	v := w.login(t, user)
	for path, want := range map[string]string{
		"/" + user + "/": user + " /",
		"/" + user + "/api/userdata/workflows%2Fa%20b.json?x=%26y": user + " /api/userdata/workflows%2Fa%20b.json?x=%26y",
		"/" + user + "/a//b": user + " /a//b",
	} {
		if got := v.get(path); got.code != 200 || got.body != want {
			t.Errorf("%s: %+v, want %q", path, got, want)
		}
	}
	for _, path := range []string{"/" + other + "/", "/" + user + "/../" + other + "/", "/" + user + "/%2e%2e/" + other + "/x", "/" + user + "/..%2f" + other + "/", "//" + other + "/"} {
		if got := v.get(path); got.code != 403 {
			t.Errorf("%s: %+v, want 403", path, got)
		}
	}
	if got := v.get("/api/jobs?user_id=" + other); got.code != 403 {
		t.Errorf("another's jobs: %+v", got)
	}
	if got := v.get("/"); got.code != 302 || got.location != "/"+user+"/" {
		t.Errorf("the bare address: %+v", got)
	}
	v.echo("/" + user + "/ws")
	v.follow(user)
	if v.post("/auth/logout", ""); v.get("/"+user+"/").code != 401 {
		t.Error("the page is open after the logout")
	}
}

// follow hears of its own job, and of nobody else's, by the WebSocket.
func (v *visitor) follow(user string) {
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	conn := v.dial(ctx, "/ws?user_id="+user)
	defer conn.CloseNow()
	body, _ := json.Marshal(api.SubmitRequest{User: user, Workflow: saving("of-" + user)})
	if got := v.post("/api/jobs", string(body)); got.code != 201 {
		v.Fatalf("submit: %+v", got)
	}
	for {
		_, raw, err := conn.Read(ctx)
		check(v.T, err)
		var f struct {
			Type string
			Data struct {
				User    string `json:"user_id"`
				State   string
				Outputs []api.Output
			}
		}
		check(v.T, json.Unmarshal(raw, &f))
		if f.Data.User != "" && f.Data.User != user {
			v.Fatalf("told of a job of %s: %s", f.Data.User, raw)
		}
		if f.Type == "job_updated" && f.Data.State == "done" {
			if len(f.Data.Outputs) != 1 || f.Data.Outputs[0].Filename != "of-"+user+"_00001_.png" {
				v.Errorf("delivered %+v", f.Data.Outputs)
			}
			return
		}
	}
}

// workshop is a site behind nginx.
type workshop struct {
	*site
	url     string // of nginx
	users   int
	origins bool
}

// workshopPlan is what a workshop is made of.
type workshopPlan struct {
	users   int
	faced   bool // pages have no extension: their calls go to the face
	origins bool // each page has an origin of its own
	// page starts a user's page and returns its address; nil for one that says
	// whose it is and what it was asked for.
	page   func(s *site, user string) string
	change func(*plan)
	nginx  *strings.Replacer // of the files; nil for none
}

const workshopPassword = "correct horse"

// openWorkshop runs nginx with the files that are shipped, in front of a
// manager that lets users in by password.
func openWorkshop(t *testing.T, wp workshopPlan) *workshop {
	t.Helper()
	program := onPath(t, "nginx", "/usr/sbin/nginx")
	manager, front := freeAddress(t), freeAddress(t)
	w := &workshop{url: "http://" + front, users: wp.users, origins: wp.origins}
	w.site = openSite(t, func(p *plan) {
		p.config.Server.Listen, p.config.Server.PublicURL = manager, w.url
		p.config.Auth.Mode, p.config.Auth.Htpasswd = "login", filepath.Join(p.scene.Dir, "htpasswd")
		p.before = func(p plan) { check(t, os.WriteFile(p.config.Auth.Htpasswd, passwords(t, w.users), 0o600)) }
		if wp.change != nil {
			wp.change(p)
		}
	})
	if wp.page == nil {
		wp.page = namingPage
	}
	change, conf := strings.NewReplacer(), "qmtui-one-origin.example"
	if wp.faced {
		change = strings.NewReplacer("#include", "include")
	}
	if wp.nginx != nil {
		change = wp.nginx
	}
	if wp.origins {
		conf = "qmtui.conf"
	}
	w.runNginx(program, nginxFiles(t, w.mkdir(t, "nginx"), conf, manager, front, w.pageMap(wp.page), change))
	return w
}

// runNginx runs it until the test ends.
func (w *workshop) runNginx(program, conf string) {
	w.Helper()
	ctx, stop := context.WithCancel(context.Background())
	said := &logbook{}
	cmd := exec.CommandContext(ctx, program, "-e", "stderr", "-c", conf, "-g", "daemon off;")
	cmd.Stderr = said
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // its workers must end, too
	cmd.WaitDelay = 10 * time.Second
	check(w.T, cmd.Start())
	w.Cleanup(func() {
		stop()
		_ = cmd.Wait()
		if w.Failed() {
			w.Logf("nginx said:\n%s", said.tail(40))
		}
	})
	w.eventually("nginx answers", func() bool {
		resp, err := http.Get(w.url + "/health")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == 200 || resp.StatusCode == 401
	})
}

func passwords(t *testing.T, users int) []byte {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(workshopPassword), bcrypt.MinCost)
	check(t, err)
	var b strings.Builder
	for i := range users {
		fmt.Fprintf(&b, "user%03d:%s\n", i+1, hash)
	}
	return []byte(b.String())
}

// pageMap starts every user's page, and lists them as qmtui-pages.map does.
func (w *workshop) pageMap(page func(*site, string) string) string {
	w.Helper()
	var b strings.Builder
	for i := range w.users {
		user := fmt.Sprintf("user%03d", i+1)
		fmt.Fprintf(&b, "%s %s;\n", user, page(w.site, user))
	}
	return b.String()
}

// serving serves a page until the test ends, and returns its address.
func serving(t *testing.T, page http.Handler) string {
	s := httptest.NewServer(page)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// namingPage says whose it is and what it was asked for.
func namingPage(s *site, user string) string {
	return serving(s.T, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ws" {
			echo(w, r)
			return
		}
		fmt.Fprintf(w, "%s %s", user, r.RequestURI)
	}))
}

func echo(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer conn.CloseNow()
	if kind, b, err := conn.Read(r.Context()); err == nil {
		_ = conn.Write(r.Context(), kind, b)
		_ = conn.Close(websocket.StatusNormalClosure, "")
	}
}

// nginxFiles writes the shipped files with the addresses of this test, and an
// nginx.conf that takes them in as Debian's does.
func nginxFiles(t *testing.T, dir, main, manager, front, pages string, change *strings.Replacer) string {
	t.Helper()
	swap := strings.NewReplacer("listen 80 default_server;", "listen "+front+" default_server;", "listen 80;", "listen "+front+";", "127.0.0.1:3000", manager, "/etc/nginx/conf.d/", dir+"/")
	all, err := fs.ReadDir(assets.Nginx, "nginx")
	check(t, err)
	for _, f := range all {
		shipped, err := fs.ReadFile(assets.Nginx, "nginx/"+f.Name())
		check(t, err)
		content := swap.Replace(change.Replace(string(shipped)))
		if strings.HasSuffix(f.Name(), ".map") {
			content = pages
		}
		check(t, os.WriteFile(filepath.Join(dir, f.Name()), []byte(content), 0o644))
	}
	conf := filepath.Join(dir, "nginx.conf")
	var temp strings.Builder
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temp, "%s_temp_path %s/%s;\n", what, dir, what)
	}
	check(t, os.WriteFile(filepath.Join(dir, "htpasswd"), []byte("user001:{PLAIN}"+workshopPassword+"\n"), 0o644))
	check(t, os.WriteFile(conf, fmt.Appendf(nil, "%sworker_processes auto;\npid %s/nginx.pid;\nevents { worker_connections 768; }\nhttp {\naccess_log off;\n%sinclude %s/%s;\n}\n",
		asOurselves(), dir, temp.String(), dir, main), 0o644))
	return conf
}

// asOurselves keeps workers from becoming a user who may not read the test's folders.
func asOurselves() string {
	if os.Getuid() == 0 {
		return "user root;\n"
	}
	return ""
}

// visitor is one browser.
type visitor struct {
	*testing.T
	url  string
	http *http.Client
}

type visit struct {
	code           int
	body, location string
	header         http.Header
}

func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// urlOf is the address of a user's page, without its path; empty for the
// manager's own.
func (w *workshop) urlOf(user string) string {
	switch {
	case w.origins && user == "":
		return "http://workshop.example"
	case w.origins:
		return "http://" + user + ".workshop.example"
	}
	return w.url
}

// login logs a user in where the user's page is.
func (w *workshop) login(t *testing.T, user string) *visitor {
	t.Helper()
	return w.loginAt(t, user, user)
}

// visitorAt is a browser at the address of somebody's page.
func (w *workshop) visitorAt(t *testing.T, page string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	check(t, err)
	nginx := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(w.url, "http://"))
	}}
	t.Cleanup(nginx.CloseIdleConnections)
	return &visitor{T: t, url: w.urlOf(page), http: &http.Client{Jar: jar, CheckRedirect: stay, Transport: nginx}}
}

// loginAt logs a user in at the address of somebody's page.
func (w *workshop) loginAt(t *testing.T, page, user string) *visitor {
	t.Helper()
	v := w.visitorAt(t, page)
	if got := v.post("/auth/login", fmt.Sprintf(`{"user":%q,"password":%q}`, user, workshopPassword)); got.code != 200 {
		t.Fatalf("login: %+v", got)
	}
	return v
}

func (v *visitor) get(path string, header ...string) visit {
	v.Helper()
	return v.do(http.MethodGet, path, "", header)
}

func (v *visitor) post(path, body string) visit {
	v.Helper()
	return v.do(http.MethodPost, path, body, []string{"Content-Type", "application/json"})
}

// do sends the path as it is written; net/http would tidy it up.
func (v *visitor) do(method, path, body string, header []string) visit {
	v.Helper()
	req, err := http.NewRequestWithContext(v.Context(), method, v.url, strings.NewReader(body))
	check(v.T, err)
	req.URL.Opaque = "//" + req.URL.Host + path
	req.Header.Set("Origin", v.url)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := v.http.Do(req)
	check(v.T, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	check(v.T, err)
	return visit{resp.StatusCode, string(b), resp.Header.Get("Location"), resp.Header}
}

func (v *visitor) dial(ctx context.Context, path string) *websocket.Conn {
	v.Helper()
	u, err := url.Parse(v.url)
	check(v.T, err)
	header := http.Header{"Origin": {v.url}}
	for _, c := range v.http.Jar.Cookies(u) {
		header.Add("Cookie", c.String())
	}
	return v.dialWith(ctx, path, header)
}

func (v *visitor) dialWith(ctx context.Context, path string, header http.Header) *websocket.Conn {
	v.Helper()
	conn, _, err := websocket.Dial(ctx, strings.Replace(v.url, "http", "ws", 1)+path, &websocket.DialOptions{HTTPHeader: header, HTTPClient: &http.Client{Transport: v.http.Transport}})
	check(v.T, err)
	conn.SetReadLimit(1 << 20)
	return conn
}

// echo talks to the page's own ComfyUI by its WebSocket.
func (v *visitor) echo(path string) {
	v.Helper()
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	conn := v.dial(ctx, path)
	defer conn.CloseNow()
	check(v.T, conn.Write(ctx, websocket.MessageText, []byte("hello")))
	if _, b, err := conn.Read(ctx); err != nil || string(b) != "hello" {
		v.Errorf("%s answers %q (%v)", path, b, err)
	}
}
