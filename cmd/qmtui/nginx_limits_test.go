package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/comfyume/qmtui/internal/server"
)

// TestLimitsRow06PagesGetNoLogin: whatever a browser sends, the login of the
// manager does not reach the server of a page, with a call or a WebSocket.
func TestLimitsRow06PagesGetNoLogin(t *testing.T) {
	for _, origins := range []bool{true, false} {
		t.Run(fmt.Sprintf("origins=%v", origins), func(t *testing.T) {
			w := openWorkshop(t, workshopPlan{users: 2, origins: origins, page: tellingPage})
			v := w.login(t, "user001")
			u, err := url.Parse(v.url)
			check(t, err)
			var session, device string
			for _, c := range v.http.Jar.Cookies(u) {
				if strings.HasSuffix(c.Name, "-device") {
					device = c.Value
				} else {
					session = c.Value
				}
			}
			v.http.Jar = nil
			text, err := server.AddToken(w.config.State.Dir, server.Token{User: "user001", Name: "page"})
			check(t, err)
			good := "qmtui=" + session
			for name, c := range map[string]struct {
				cookie, authorization, passes string
			}{
				"session":           {cookie: good},
				"session and own":   {cookie: "theme=dark; " + good + "; lang=nl", passes: "theme=dark; lang=nl"},
				"own alone":         {cookie: "theme=dark; lang=nl", authorization: "Bearer " + text, passes: "theme=dark; lang=nl"},
				"device":            {cookie: good + "; qmtui-device=" + device + "; a=b", passes: "a=b"},
				"with https":        {cookie: good + "; __Host-qmtui=" + session + "; __Host-qmtui-device=" + device},
				"many by that name": {cookie: strings.Repeat("qmtui-device=x; ", 20) + good},
				"name in capitals":  {cookie: good + "; QMTUI=" + session},
				"no blank":          {cookie: "a=b;" + good + ";c=d", passes: "a=b;c=d"},
				"within quotes":     {cookie: `a="; ` + good + `; b="`},
				"bearer":            {authorization: "bearer " + text},
				"basic as well":     {cookie: good, authorization: "Basic dXNlcjAwMTpjb3JyZWN0IGhvcnNl"},
			} {
				header := []string{}
				if c.cookie != "" {
					header = append(header, "Cookie", c.cookie)
				}
				if c.authorization != "" {
					header = append(header, "Authorization", c.authorization)
				}
				got := v.get("/user001/echo", header...)
				if got.code != 200 {
					t.Errorf("%s: %+v", name, got)
				}
				heard := heardBy(t, got.body)
				if strings.Contains(heard.Cookie, session) || device != "" && strings.Contains(heard.Cookie, device) || heard.Authorization != "" || heard.Secret != "" {
					t.Errorf("%s: the page was told %+v", name, heard)
				}
				if c.passes != "" && heard.Cookie != c.passes {
					t.Errorf("%s: of the page's own cookies %q came, want %q", name, heard.Cookie, c.passes)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			conn := v.dialWith(ctx, "/user001/ws", http.Header{"Origin": {v.url}, "Cookie": {good + "; theme=dark"}, "Authorization": {"Bearer " + text}})
			defer conn.CloseNow()
			_, raw, err := conn.Read(ctx)
			check(t, err)
			if heard := heardBy(t, string(raw)); heard.Cookie != "theme=dark" && heard.Cookie != "" || heard.Authorization != "" {
				t.Errorf("by the WebSocket: %+v", heard)
			}
		})
	}
}

// TestLimitsRow06PagesLeadNowhere: a server of a page cannot make nginx fetch
// another user's page, or a call of the manager, in the name of who looks at it.
func TestLimitsRow06PagesLeadNowhere(t *testing.T) {
	for _, origins := range []bool{true, false} {
		t.Run(fmt.Sprintf("origins=%v", origins), func(t *testing.T) {
			w := openWorkshop(t, workshopPlan{users: 2, origins: origins, page: tellingPage})
			v := w.login(t, "user001")
			for _, to := range []string{"/user002/echo", "/api/jobs", "/auth/verify"} {
				if got := v.get("/user001/lead?to=" + to); got.code != 200 || heardBy(t, got.body).User != "user001" {
					t.Errorf("led to %s: %+v", to, got)
				}
			}
			if got := v.get("/user001/worker.js").header.Get("Service-Worker-Allowed"); got != "" {
				t.Errorf("a page's service worker may have %q", got)
			}
		})
	}
}

// TestLimitsRow06PagesOfTheirOwnOrigin: with the configuration that is shipped
// as the default, a page's scripts have nobody's rights but its user's, also
// while an admin looks at it.
func TestLimitsRow06PagesOfTheirOwnOrigin(t *testing.T) {
	w := openWorkshop(t, workshopPlan{users: 3, origins: true, page: tellingPage, change: func(p *plan) { p.config.Auth.Admins = []string{"user003"} }})
	own := w.login(t, "user001")
	for path, want := range map[string]int{"/user001/echo": 200, "/user002/echo": 403, "/api/jobs": 200, "/api/audit": 403, "/comfy/user001/queue": 200, "/comfy/user002/queue": 403} {
		if got := own.get(path); got.code != want {
			t.Errorf("the user on %s: %+v, want %d", path, got, want)
		}
	}
	admin := w.loginAt(t, "user001", "user003") // an admin looks at the page of user001
	for path, want := range map[string]int{"/user001/echo": 200, "/user002/echo": 403, "/user003/echo": 403, "/api/audit": 403, "/api/jobs": 403, "/comfy/user001/queue": 403, "/health": 200} {
		if got := admin.get(path); got.code != want {
			t.Errorf("scripts of the page, for the admin, on %s: %+v, want %d", path, got, want)
		}
	}
	if got := admin.post("/api/queue/pause", "{}"); got.code != 403 || !strings.Contains(got.body, "page_of_another") {
		t.Errorf("a page pauses the queue as an admin: %+v", got)
	}
	home := w.loginAt(t, "", "user003")
	for path, want := range map[string]int{"/api/audit": 200, "/": 302, "/user001/echo": 302, "/nobody/": 404} {
		if got := home.get(path); got.code != want {
			t.Errorf("the admin at the manager's own address, %s: %+v, want %d", path, got, want)
		}
	}
	if got := home.get("/user001/a%2Fb?c=d"); got.location != w.urlOf("user001")+"/user001/a%2Fb?c=d" {
		t.Errorf("an old address leads to %q", got.location)
	}
	// Pages of other users are another origin of the same site: the browser
	// sends the cookie, so nginx looks at Origin.
	if got := own.do(http.MethodPost, "/user001/echo", "", []string{"Origin", w.urlOf("user002")}); got.code != 403 {
		t.Errorf("another user's page posts: %+v", got)
	}
	if got := own.do(http.MethodGet, "/user001/ws", "", []string{"Origin", w.urlOf("user002"), "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}); got.code != 403 {
		t.Errorf("another user's page opens a WebSocket: %+v", got)
	}
}

// heard is what a page's server was told.
type heard struct{ User, Cookie, Authorization, Secret string }

func heardBy(t *testing.T, body string) (h heard) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &h); err != nil {
		t.Errorf("%q: %v", body, err)
	}
	return h
}

// tellingPage answers with what it was told, and tries to lead nginx elsewhere.
func tellingPage(s *site, user string) string {
	return serving(s.T, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		says, _ := json.Marshal(heard{user, strings.Join(r.Header.Values("Cookie"), " | "), strings.Join(r.Header.Values("Authorization"), " | "), r.Header.Get("X-Qmtui-Proxy-Secret")})
		switch r.URL.Path {
		case "/ws":
			conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
			if err != nil {
				return
			}
			defer conn.CloseNow()
			_ = conn.Write(r.Context(), websocket.MessageText, says)
			_ = conn.Close(websocket.StatusNormalClosure, "")
			return
		case "/lead":
			w.Header().Set("X-Accel-Redirect", r.URL.Query().Get("to"))
		case "/worker.js":
			w.Header().Set("Service-Worker-Allowed", "/")
		}
		_, _ = w.Write(says)
	}))
}

// TestLimitsRow06BasicAuthWithASecret: where nginx knows the users, the secret
// that it sends keeps every other process from naming one, and stays its own.
func TestLimitsRow06BasicAuthWithASecret(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	w := openWorkshop(t, workshopPlan{users: 1, origins: true, page: tellingPage,
		nginx: strings.NewReplacer("proxy_secret_file.\nproxy_set_header X-Remote-User \"\";\nproxy_set_header X-Qmtui-Proxy-Secret \"\";",
			"proxy_secret_file.\nproxy_set_header X-Remote-User $remote_user;\nproxy_set_header X-Qmtui-Proxy-Secret \""+secret+"\";",
			"client_max_body_size 100m;", `client_max_body_size 100m; auth_basic "workshop"; auth_basic_user_file htpasswd;`),
		change: func(p *plan) {
			p.config.Auth.Htpasswd, p.before = "", nil
			p.config.Server.UserHeader, p.config.Server.ProxySecret = "X-Remote-User", secret
		}})
	v := w.visitorAt(t, "user001")
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("user001:"+workshopPassword))
	if got := v.get("/user001/echo"); got.code != 401 {
		t.Errorf("a stranger: %+v", got)
	}
	if got := v.get("/api/jobs", "Authorization", basic); got.code != 200 {
		t.Errorf("the manager: %+v", got)
	}
	got := v.get("/user001/echo", "Authorization", basic, "X-Qmtui-Proxy-Secret", "x")
	if got.code != 200 {
		t.Fatalf("the page: %+v", got)
	}
	if h := heardBy(t, got.body); h.Authorization != "" || h.Secret != "" || h.Cookie != "" {
		t.Errorf("the page was told %+v", h)
	}
	for _, s := range []string{"", "x"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+w.config.Server.Listen+"/api/audit", nil)
		check(t, err)
		req.Header.Set("X-Remote-User", "admin")
		req.Header.Set("X-Qmtui-Proxy-Secret", s)
		resp, err := http.DefaultClient.Do(req)
		check(t, err)
		resp.Body.Close()
		if resp.StatusCode != 403 {
			t.Errorf("a process on this machine is an admin with the secret %q: %d", s, resp.StatusCode)
		}
	}
}
