package doctor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
)

// worker is a ComfyUI with the given command line, clock and checkpoints.
func worker(t *testing.T, argv, checkpoints string, skew time.Duration) config.Deployment {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
		switch r.URL.Path {
		case "/w/system_stats":
			fmt.Fprintf(w, `{"system":{"comfyui_version":"0.3.50","argv":%s},"devices":[]}`, argv)
		case "/w/object_info":
			fmt.Fprintf(w, `{"CheckpointLoaderSimple":{"input":{"required":{"ckpt_name":[%s]}}}}`, checkpoints)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	d := config.NewDeployment("w")
	d.URL, d.ScaleToZero = s.URL+"/w", false
	return d
}

// TestAskedWorker asks workers that are set up wrongly. Case 3 of the field:
// the one without --output-directory.
func TestAskedWorker(t *testing.T) {
	v := Visit{Prompts: map[string][]byte{"a": []byte(`{"1":{"class_type":"CheckpointLoaderSimple","inputs":{"ckpt_name":"sdxl.safetensors"}}}`)}}
	good := worker(t, `["main.py","--output-directory","/o"]`, `["sdxl.safetensors"]`, 0)
	bad := worker(t, `["main.py"]`, `["other.safetensors"]`, time.Hour)
	lost := good
	lost.URL = strings.TrimSuffix(good.URL, "/w") + "/other"
	for want, d := range map[string]config.Deployment{
		"answers set off off old there not_known agrees not_known not_known":                   good,
		"answers missing off off old models not_known skewed not_known not_known":              bad,
		"key not_known off not_known not_known not_known not_known agrees not_known not_known": lost,
	} {
		o := v.seeWorker(t.Context(), known{}, d)
		o.MachineIsLocal = false // as if it were elsewhere
		if got := codes(judgeWorker(o)); got != want {
			t.Errorf("%s: %s, want %s", d.URL, got, want)
		}
	}
}

// TestKeyThatIsNotHere: a deployment whose key only the manager has is not
// asked without it, which would look like a wrong key.
func TestKeyThatIsNotHere(t *testing.T) {
	d := worker(t, `[]`, `[]`, 0)
	d.KeyEnv = "SERVERLESS_API_KEY"
	if o := (Visit{}).seeWorker(t.Context(), known{}, d); o.Asked || !strings.Contains(o.WhyNotAsked, "key") {
		t.Errorf("it saw %+v", o)
	}
}

// TestWebServer compares what answers at the address with the manager.
func TestWebServer(t *testing.T) {
	answer := ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != api.PathHealth || answer == "404" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, answer)
	}))
	defer s.Close()
	k := known{health: api.Health{Status: "healthy", Uptime: 100}, at: time.Now()}
	for body, want := range map[string]string{
		`{"status":"healthy","uptime_seconds":100.4}`: "", `{"status":"healthy","uptime_seconds":9000}`: "another manager",
		`<html>welcome to nginx</html>`: "something else", `404`: "404 Not Found",
	} {
		answer = body
		why, failed := sameHealth(t.Context(), s.URL+"/", k)
		if failed != nil || (want == "") != (why == "") || !strings.Contains(why, want) {
			t.Errorf("%s: %v %q, want %q", body, failed, why, want)
		}
	}
	if got := dialable(":3000") + " " + dialable("0.0.0.0:80") + " " + dialable("[::]:80") + " " + dialable("10.0.0.1:80"); got != "127.0.0.1:3000 127.0.0.1:80 127.0.0.1:80 10.0.0.1:80" {
		t.Errorf("dialled %s", got)
	}
}

// TestForgedHeader: a proxy that hands on what callers send, one that does not, and a site without a login.
func TestForgedHeader(t *testing.T) {
	for name, c := range map[string]struct {
		user func(r *http.Request) string // whom the manager sees
		want bool
	}{
		"handed on":      {func(r *http.Request) string { return r.Header.Get("X-Remote-User") }, true},
		"taken out":      {func(*http.Request) string { return "" }, false},
		"needs no login": {func(*http.Request) string { return "anyone" }, false},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c.user(r) == "" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			fmt.Fprint(w, `{"mode":"running"}`)
		}))
		cfg := config.Config{Server: config.Server{PublicURL: s.URL, UserHeader: "X-Remote-User"}}
		if got := believesForged(t.Context(), cfg); got != c.want {
			t.Errorf("%s: believed %v", name, got)
		}
		cfg.Server.UserHeader = ""
		if believesForged(t.Context(), cfg) {
			t.Errorf("%s: believed a header that the configuration does not name", name)
		}
		s.Close()
	}
}

// TestNginxDefault: the page of Debian's default site, and another.
func TestNginxDefault(t *testing.T) {
	for page, want := range map[string]bool{"<h1>Welcome to nginx!</h1>": true, "<h1>Hello</h1>": false} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) }))
		if got := nginxDefault(t.Context(), s.URL); got != want {
			t.Errorf("%s: %v", page, got)
		}
		s.Close()
	}
}

// TestLoginFileOfAnother: as root, the file is judged with the manager's rights.
func TestLoginFileOfAnother(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may take on another user's rights")
	}
	path := filepath.Join(openWay(t), "htpasswd")
	if err := os.WriteFile(path, []byte("user001:$2y$05$"+strings.Repeat("a", 53)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for uid, want := range map[int]string{0: "good", 1000: "unreadable"} {
		o := LoginSeen{Path: path, Login: true, Listens: true}
		o.look(Who{UID: uid, GID: uid, Manager: true})
		if got := judgeLogin(o).Code; got != want {
			t.Errorf("user id %d: %s, want %s", uid, got, want)
		}
	}
}

// TestExamineIsWhole runs everything against a manager that is not there, on
// folders that are: nothing panics, every stage speaks, in the documented order.
func TestExamineIsWhole(t *testing.T) {
	dir := t.TempDir()
	v := Visit{Config: config.Default(), TF: "testdata/tofu/good", Manager: &fakeManager{err: api.ErrNoDaemon}}
	v.Config.State.Dir, v.Config.Share.Outputs, v.Config.Users.Outputs = dir, dir, dir
	v.Config.Deployments = []config.Deployment{config.NewDeployment("h200-spot")}
	place, last := map[string]int{}, 0
	for i, c := range Checks() {
		place[c.Name] = i
	}
	seen := map[string]bool{}
	for _, r := range v.Examine(t.Context()) {
		if at := place[r.Name]; at < last && !strings.HasPrefix(r.Name, "tf-") {
			t.Errorf("%s comes too late", r.Name)
		} else {
			last = at
		}
		if r.Code == "panic" {
			t.Errorf("%s: %s", r.Name, r.Reason)
		}
		seen[r.Name] = true
	}
	for _, c := range Checks() {
		if !seen[c.Name] && !strings.HasPrefix(c.Name, "canary") {
			t.Errorf("%s said nothing", c.Name)
		}
	}
}
