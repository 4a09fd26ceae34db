package server

import (
	"encoding/json"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

func TestWhoMaySubmit(t *testing.T) {
	body := func(user string) string { return `{"user_id":"` + user + `","workflow":{}}` }
	for _, c := range []struct {
		name, peer, user string
		headers          []string
		status           int
		code             string // of the error; else the caller's name
		login            bool
	}{
		{name: "loopback is believed", peer: "127.0.0.1:1", user: "user001", status: 201, code: "user001"},
		{name: "loopback by IPv6", peer: "[::1]:1", user: "user001", status: 201, code: "user001"},
		{name: "proxy names the user", peer: "127.0.0.1:1", user: "user001", headers: []string{"X-Remote-User: user001"}, status: 201, code: "user001"},
		{name: "body says another", peer: "127.0.0.1:1", user: "user002", headers: []string{"X-Remote-User: user001"}, status: 403, code: "wrong_user"},
		{name: "admin for a user", peer: "127.0.0.1:1", user: "user002", headers: []string{"X-Remote-User: admin"}, status: 201, code: "admin"},
		{name: "proxy without a name", peer: "127.0.0.1:1", user: "user002", headers: []string{"X-Forwarded-For: 198.51.100.7"}, status: 201, code: "user002"},
		{name: "forged header from afar", peer: "198.51.100.7:1", user: "user001", headers: []string{"X-Remote-User: user001"}, status: 403, code: "not_trusted"},
		{name: "forged address from afar", peer: "198.51.100.7:1", user: "user001", headers: []string{"X-Forwarded-For: 127.0.0.1"}, status: 403, code: "not_trusted"},
		{name: "proxy of another network", peer: "10.1.2.3:1", user: "user001", headers: []string{"X-Remote-User: user001"}, status: 201, code: "user001"},
		{name: "IPv4 in IPv6", peer: "[::ffff:10.1.2.3]:1", user: "user001", headers: []string{"X-Remote-User: user001"}, status: 201, code: "user001"},
		{name: "two names", peer: "127.0.0.1:1", user: "user001", headers: []string{"X-Remote-User: user001", "X-Remote-User: admin"}, status: 403, code: "bad_user_header"},
		{name: "odd name", peer: "127.0.0.1:1", user: "user001", headers: []string{"X-Remote-User: ../x"}, status: 403, code: "bad_user_header"},
		{name: "login is required", peer: "127.0.0.1:1", user: "user001", login: true, status: 401, code: "login_required"},
		{name: "logged in", peer: "127.0.0.1:1", user: "user001", headers: []string{"X-Remote-User: user001"}, login: true, status: 201, code: "user001"},
		{name: "rebound name", peer: "127.0.0.1:1", user: "user001", headers: []string{"Host: evil.example"}, status: 403, code: "bad_host"},
		{name: "own name", peer: "127.0.0.1:1", user: "user001", headers: []string{"Host: LOCALHOST:3000"}, status: 201, code: "user001"},
		{name: "no address", peer: "@", user: "user001", status: 403, code: "not_trusted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			svc := newFake()
			h := newServer(t, svc, func(o *Options) {
				o.RequireUser = c.login
				o.TrustedProxies = append([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, loopback...)
			}).Handler()
			w := askFrom(h, c.peer, "POST", "/api/jobs", body(c.user), c.headers...)
			if c.status >= 300 {
				wantError(t, w, c.status, c.code)
				return
			}
			if w.Code != c.status || svc.callers[0].Name != c.code {
				t.Errorf("%d %s by %+v", w.Code, w.Body, svc.callers)
			}
		})
	}
}

// TestLimitsRow06HeaderNeedsTheSecret: a process at the proxy's address is not
// the proxy. A caller without the secret is nobody, and no admin.
func TestLimitsRow06HeaderNeedsTheSecret(t *testing.T) {
	h := newServer(t, newFake(), func(o *Options) { o.RequireUser, o.ProxySecret = true, "0123456789abcdef" }).Handler()
	for _, secret := range [][]string{nil, {""}, {"0123456789abcdeF"}, {"0123456789abcdef0"}, {"x", "0123456789abcdef"}} {
		headers := []string{"X-Remote-User: admin"}
		for _, text := range secret {
			headers = append(headers, ProxySecretHeader+": "+text)
		}
		wantError(t, ask(h, "POST", "/api/queue/pause", "", headers...), 403, "bad_proxy_secret")
	}
	if w := ask(h, "POST", "/api/queue/pause", "", "X-Remote-User: admin", ProxySecretHeader+": 0123456789abcdef"); w.Code != 200 {
		t.Errorf("the proxy: %d %s", w.Code, w.Body)
	}
	wantError(t, ask(h, "GET", "/api/jobs", "", ProxySecretHeader+": 0123456789abcdef"), 401, "login_required")
}

// TestLimitsRow06PagesHaveTheirUsersRights: at a page's address a caller has
// the rights of its user and no more.
func TestLimitsRow06PagesHaveTheirUsersRights(t *testing.T) {
	h := newServer(t, newFake(), nil).Handler()
	page := api.HeaderPage + ": user001"
	for _, c := range []struct {
		method, path, user string
		want               int
	}{
		{"GET", "/api/jobs", "user001", 200}, {"GET", "/api/jobs", "user002", 403}, {"GET", "/api/jobs", "admin", 403},
		{"POST", "/api/queue/pause", "admin", 403}, {"GET", "/api/audit", "admin", 403}, {"GET", "/health", "admin", 200},
		{"GET", "/auth/verify", "user001", 204}, {"GET", "/auth/verify", "admin", 204}, {"GET", "/auth/verify", "user002", 403},
	} {
		if w := ask(h, c.method, c.path, "", "X-Remote-User: "+c.user, page, "X-Original-URI: /user001/"); w.Code != c.want {
			t.Errorf("%s %s by %s: %d %s, want %d", c.method, c.path, c.user, w.Code, w.Body, c.want)
		}
	}
	for _, w := range []*httptest.ResponseRecorder{
		ask(h, "GET", "/auth/verify", "", "X-Remote-User: admin", page, "X-Original-URI: /user002/"),
		ask(h, "GET", "/api/jobs", "", "X-Remote-User: user001", page, api.HeaderPage+": user002"),
		ask(h, "POST", "/api/queue/pause", "", page), // without a login, anybody on this machine is an admin
	} {
		if w.Code != 403 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

// A user whom the proxy names sees and touches their own things only.
func TestUsersAreApart(t *testing.T) {
	svc := newFake()
	s := newServer(t, svc, nil)
	h := s.Handler()
	j := svc.add(t, "user001")
	o := svc.deliver(t, j.ID, "a.png", somePicture(t, 4, 4))
	waiting := svc.add(t, "user001")
	svc.add(t, "user002")
	for _, rt := range s.routes() {
		if !strings.Contains(rt.path, "{") || strings.Contains(rt.path, "worker") || strings.Contains(rt.path, "orphan") {
			continue
		}
		w := ask(h, rt.method, fill(rt, waiting.ID, o.ID), goodBodies[rt.method+" "+rt.path], "X-Remote-User: user002")
		wantError(t, w, 403, "wrong_user")
	}
	var jobs []api.Job
	w := ask(h, "GET", "/api/jobs", "", "X-Remote-User: user002")
	if err := json.Unmarshal(w.Body.Bytes(), &jobs); err != nil || len(jobs) != 1 || jobs[0].User != "user002" || w.Header().Get(api.HeaderTotal) != "1" {
		t.Errorf("jobs: %s", w.Body)
	}
	wantError(t, ask(h, "GET", "/api/jobs?user_id=user001", "", "X-Remote-User: user002"), 403, "wrong_user")
	wantError(t, ask(h, "POST", "/api/jobs/actions", `{"action":"cancel","filter":{"user_id":"user001"}}`, "X-Remote-User: user002"), 403, "wrong_user")
	w = ask(h, "POST", "/api/jobs/actions", `{"action":"cancel","ids":["`+string(waiting.ID)+`"]}`, "X-Remote-User: user002")
	if got, _ := svc.Job(waiting.ID); w.Code != 200 || got.State() != job.Queued || !strings.Contains(w.Body.String(), `"matched":0`) {
		t.Errorf("cancelled another's: %s", w.Body)
	}
	w = ask(h, "GET", "/api/users", "", "X-Remote-User: user002")
	if strings.Contains(w.Body.String(), "user001") {
		t.Errorf("users: %s", w.Body)
	}
	w = ask(h, "GET", "/api/workers", "", "X-Remote-User: user002")
	if strings.Contains(w.Body.String(), "gpu.example") || !strings.Contains(w.Body.String(), `"class":"Flat Saver","plain":true`) || strings.Contains(w.Body.String(), string(fakeID(1))) {
		t.Errorf("workers: %s", w.Body)
	}
	w = ask(h, "GET", "/api/workers", "", "X-Remote-User: admin")
	if !strings.Contains(w.Body.String(), string(fakeID(1))) {
		t.Errorf("workers for an admin: %s", w.Body)
	}
}

func TestAdminsOnly(t *testing.T) {
	h := newServer(t, newFake(), nil).Handler()
	for _, as := range []string{"X-Remote-User: user001", "X-Forwarded-For: 198.51.100.1"} {
		for _, c := range [][3]string{
			{"POST", "/api/queue/pause", ""}, {"POST", "/api/queue/resume", ""}, {"POST", "/api/queue/drain", ""},
			{"GET", "/api/orphans", ""}, {"POST", "/api/orphans/x/assign", `{"user_id":"user001"}`}, {"POST", "/api/orphans/x/discard", ""},
			{"POST", "/api/workers/h200/activate", ""}, {"POST", "/api/workers/h200/warm", ""}, {"POST", "/api/workers/h200/check", ""},
		} {
			wantError(t, ask(h, c[0], c[1], c[2], as), 403, "admin_only")
		}
	}
	for _, more := range []string{`"priority":0`, `"deployment":"h200"`} {
		w := ask(h, "POST", "/api/jobs", `{"user_id":"user001","workflow":{},`+more+`}`, "X-Remote-User: user001")
		wantError(t, w, 403, "admin_only")
	}
	if w := ask(h, "POST", "/api/queue/pause", "", "X-Remote-User: admin"); w.Code != 200 {
		t.Errorf("admin: %d %s", w.Code, w.Body)
	}
}
