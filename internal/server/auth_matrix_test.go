package server

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
)

// TestMatrixHasEveryRoute keeps a new route from being forgotten.
func TestMatrixHasEveryRoute(t *testing.T) {
	rows := map[string]bool{}
	for _, row := range wholeMatrix() {
		rows[row.route] = true
		if n := len(strings.Fields(row.cells)); n != len(matrixCallers) {
			t.Errorf("%s has %d cells for %d callers", row.route, n, len(matrixCallers))
		}
	}
	s := newServer(t, newFake(), nil)
	for _, rt := range append(s.routes(), s.mounted()...) {
		if !rows[rt.method+" "+rt.path] {
			t.Errorf("%s %s is not in the matrix: say there who may call it", rt.method, rt.path)
		}
		delete(rows, rt.method+" "+rt.path)
	}
	for route := range rows {
		t.Errorf("%s is in the matrix, and is no route", route)
	}
}

// matrixWorld makes the callers once, and a server for each cell.
type matrixWorld struct {
	*loginWorld
	token, revoked, stolen, changed string
	looking, lookingAdmin           string
	inputs                          string
	picture                         []byte
}

func newMatrixWorld(t *testing.T) *matrixWorld {
	m := &matrixWorld{loginWorld: newLoginWorld(t), inputs: t.TempDir(), picture: somePicture(t, 4, 4)}
	old := m.server(newFake(), nil)
	m.stolen = m.logIn(old, "admin", "third secret")
	if w := askFrom(old.Handler(), afar, "GET", "/api/queue/status", "", m.stolen); w.Code != 200 {
		t.Fatalf("before the logout: %d %s", w.Code, w.Body)
	}
	if w := askFrom(old.Handler(), afar, "POST", "/auth/logout", "", m.stolen); w.Code != 204 {
		t.Fatalf("logout: %d %s", w.Code, w.Body)
	}
	m.passwords("user001", "an older secret", "user002", "another secret", "admin", "third secret")
	m.changed = m.logIn(old, "user001", "an older secret")
	m.passwords("user001", goodSecret, "user002", "another secret", "admin", "third secret")
	m.token, m.revoked = m.newToken(Token{User: user001, Name: "good"}), m.newToken(Token{User: user001, Name: "bad"})
	m.looking, m.lookingAdmin = m.newToken(Token{User: user001, Name: "look", ReadOnly: true}), m.newToken(Token{User: "admin", Name: "look", ReadOnly: true})
	if n, err := RevokeTokens(m.dir, "user001", "bad"); n != 1 || err != nil {
		t.Fatalf("revoke: %d %v", n, err)
	}
	m.age()
	return m
}

func (m *matrixWorld) newToken(t Token) string {
	m.t.Helper()
	token, err := AddToken(m.dir, t)
	if err != nil {
		m.t.Fatal(err)
	}
	return "Authorization: Bearer " + token
}

// as is the door, the address and the headers of a caller.
func (m *matrixWorld) as(s *Server, caller string) (h http.Handler, peer string, headers []string) {
	h, peer = s.Handler(), afar
	switch caller {
	case "loopback":
		peer = "127.0.0.1:40000"
	case "bare":
		return h, proxyPeer, []string{"X-Forwarded-For: 198.51.100.7"}
	case "user001", "user002", "admin":
		headers = []string{m.mint(s, caller, m.now)}
	case "proxy":
		return h, proxyPeer, []string{"X-Remote-User: user001", "X-Forwarded-For: 198.51.100.7"}
	case "forged":
		headers = []string{"X-Remote-User: admin", "X-Forwarded-For: 10.0.0.1", "X-Real-Ip: 127.0.0.1", "Forwarded: for=127.0.0.1"}
	case "token":
		headers = []string{m.token}
	case "revoked":
		headers = []string{m.revoked}
	case "expired":
		headers = []string{m.mint(s, "user001", m.now.Add(-s.logins.ttl-time.Second))}
	case "stolen":
		headers = []string{m.stolen}
	case "changed":
		headers = []string{m.changed}
	case "altered":
		headers = []string{strings.Replace(m.mint(s, "user001", m.now), ".user001.", ".admin.", 1)}
	case "socket":
		h, peer = s.SocketHandler(), "root"
	case "looking socket":
		h, peer = s.ReadOnlyHandler(), "root"
	case "looking token":
		headers = []string{m.looking}
	case "looking admin":
		headers = []string{m.lookingAdmin}
	case "asks for it":
		headers = []string{m.mint(s, user001, m.now), api.HeaderReadOnly + ": 1"}
	case "asks for it too":
		peer, headers = "127.0.0.1:40000", []string{api.HeaderReadOnly + ": 1"}
	}
	return h, peer, headers
}

func (m *matrixWorld) populate(svc *fakeService) map[string]fakeWorld {
	m.t.Helper()
	return map[string]fakeWorld{user001: svc.populate(m.t, user001, m.picture), user002: svc.populate(m.t, user002, m.picture)}
}

// figures stands for the metrics.
var figures = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("up 1\n")) })

// call makes the call of a cell in a fresh world.
func (m *matrixWorld) call(row matrixRow, caller string) (*fakeService, *httptest.ResponseRecorder) {
	m.t.Helper()
	svc := newFake()
	things := m.populate(svc)
	whose := row.whose
	if whose == nobodysThing {
		whose = user001
	}
	s := m.server(svc, func(o *Options) {
		o.Inputs, o.Metrics, o.Log, o.Doctor, o.Audit = m.inputs, figures, &LogTail{}, &fakeDoctor{}, keptDeeds
		o.Forget = forgotten
		o.Log.Govern(&slog.LevelVar{})
	})
	h, peer, headers := m.as(s, caller)
	method, path, _ := strings.Cut(row.route, " ")
	body, kind := matrixBody(row.route, whose)
	if kind != "" {
		headers = append(headers, kind)
	}
	if row.route == "GET "+api.PathVerify {
		headers = append(headers, "X-Original-URI: /"+whose+"/view?filename=a.png")
	}
	return svc, send(h, peer, method, matrixPath(path, whose, things[whose]), body, headers...)
}

// matrixPath fills a route's places with things of that user.
func matrixPath(path, whose string, w fakeWorld) string {
	id := string(w.waiting)
	switch {
	case path == api.PathJobRetry:
		id = string(w.cancelled)
	case strings.HasPrefix(path, "/api/outputs/"):
		id = string(w.output)
	case strings.HasPrefix(path, "/api/orphans/"):
		id = "0123456789abcdef01234567"
	case path == api.PathSocket:
		path += "?user_id=" + whose
	case strings.HasPrefix(path, facePrefix) && strings.HasSuffix(path, "/view"):
		path += "?filename=a.png"
	}
	return strings.NewReplacer("{user}", whose, "{name}", "h200", "{id}", id, "{class}", "SaveImage", "{folder}", "loras").Replace(path)
}

// matrixBody is a good body of a call, and its type when it is not JSON.
func matrixBody(route, whose string) (body, kind string) {
	method, path, _ := strings.Cut(route, " ")
	switch {
	case route == "POST "+api.PathLogin:
		return `{"user":"` + whose + `","password":"` + goodSecret + `"}`, ""
	case method == "POST" && strings.Contains(path, "/upload/"):
		return "--x\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\npicture\r\n--x--\r\n", "Content-Type: multipart/form-data; boundary=x"
	case method == "POST" && strings.HasPrefix(path, facePrefix):
		return `{"prompt":{"9":{"class_type":"SaveImage","inputs":{}}},"clear":true,"job_ids":[]}`, ""
	}
	return strings.ReplaceAll(goodBodies[route], "user001", whose), ""
}

// Every cell: who calls which route for whose things. What is refused changes
// nothing, and nobody but the caller is named to the engine.
func TestAccessMatrix(t *testing.T) {
	m := newMatrixWorld(t)
	quiet := newFake() // a world in which nothing was done
	m.populate(quiet)
	for _, row := range wholeMatrix() {
		letters := strings.Fields(row.cells)
		for i, letter := range letters {
			m.checkCell(quiet, row, matrixCallers[i], letter)
		}
		for looker, other := range matrixLookers {
			m.checkCell(quiet, row, looker, row.looks(letters[slices.Index(matrixCallers, other)]))
		}
	}
}

// checkCell makes the call of a cell and judges what came of it.
func (m *matrixWorld) checkCell(quiet *fakeService, row matrixRow, caller, letter string) {
	m.t.Helper()
	svc, w := m.call(row, caller)
	want := map[string]int{"o": row.status, "x": 403, "-": 401}[letter]
	if w.Code != want {
		m.t.Errorf("%s of %q by %s: %d %s, want %d", row.route, row.whose, caller, w.Code, w.Body, want)
	}
	if letter != "o" && (len(svc.callers) > 0 || svc.rev != quiet.rev) {
		m.t.Errorf("%s of %q by %s was refused, and reached the engine as %+v", row.route, row.whose, caller, svc.callers)
	}
	for _, c := range svc.callers {
		if !slices.Contains(namesOf(caller), c.Name) {
			m.t.Errorf("%s by %s reached the engine as %q", row.route, caller, c.Name)
		}
	}
}

// namesOf are the names that the engine may hear for a caller.
func namesOf(caller string) []string {
	switch caller {
	case "proxy", "token", "looking token", "asks for it":
		return []string{user001}
	case "socket", "looking socket":
		return []string{"root"}
	case "looking admin":
		return []string{"admin"}
	}
	return []string{caller}
}

// What lists show: everybody's own things, and all to admins.
func TestAccessMatrixOfLists(t *testing.T) {
	m := newMatrixWorld(t)
	for _, row := range matrixLists {
		for i, letter := range strings.Fields(row.cells) {
			_, w := m.call(row, matrixCallers[i])
			shown := w.Code == row.status && strings.Contains(w.Body.String(), row.whose)
			if shown != (letter == "o") || w.Code != row.status && strings.Contains(w.Body.String(), row.whose) {
				t.Errorf("%s by %s shows things of %s: %v, want %s\n%d %s", row.route, matrixCallers[i], row.whose, shown, letter, w.Code, w.Body)
			}
		}
	}
}

// At a face of their own, users find none of what is another's.
func TestFaceShowsOnlyItsUser(t *testing.T) {
	m := newMatrixWorld(t)
	svc := newFake()
	things := m.populate(svc)
	mine, theirs := things[user001], things[user002]
	s := m.server(svc, nil)
	cookie := m.mint(s, user001, m.now)
	for _, path := range []string{"/history", "/api/history", "/jobs", "/queue", "/history/" + string(theirs.waiting), "/jobs/" + string(theirs.waiting)} {
		w := askFrom(s.Handler(), afar, "GET", "/comfy/user001"+path, "", cookie)
		if strings.Contains(w.Body.String(), string(theirs.waiting)) || strings.Contains(w.Body.String(), string(theirs.cancelled)) || strings.Contains(w.Body.String(), user002) {
			t.Errorf("%s shows another's: %s", path, w.Body)
		}
	}
	for path, body := range map[string]string{
		"/queue": `{"delete":["` + string(theirs.waiting) + `"]}`, "/interrupt": `{"prompt_id":"` + string(theirs.waiting) + `"}`,
		"/jobs/cancel": `{"job_ids":["` + string(theirs.waiting) + `"]}`, "/jobs/" + string(theirs.waiting) + "/cancel": "",
	} {
		askFrom(s.Handler(), afar, "POST", "/comfy/user001"+path, body, cookie)
	}
	askFrom(s.Handler(), afar, "POST", "/comfy/user001/queue", `{"clear":true}`, cookie)
	if j, _ := svc.Job(theirs.waiting); j.State().Terminal() {
		t.Error("another's job was cancelled")
	}
	if j, _ := svc.Job(mine.waiting); !j.State().Terminal() {
		t.Error("the own job was not cancelled, so this test shows nothing")
	}
	for _, user := range []string{"..", "user001%2f..%2fuser002", "USER001", "user001.", "user002", "%2e%2e", "user001%00"} {
		if w := askFrom(s.Handler(), afar, "GET", "/comfy/"+user+"/queue", "", cookie); w.Code < 300 || strings.Contains(w.Body.String(), string(theirs.cancelled)) {
			t.Errorf("%s: %d %s", user, w.Code, w.Body)
		}
	}
}
