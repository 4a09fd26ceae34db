package server

import (
	"fmt"
	"testing"
)

// A name that nobody has is refused where names are known, whoever gives it;
// a proxy's user needs no line in the password file.
func TestUnknownUser(t *testing.T) {
	world := newLoginWorld(t)
	world.passwords("user001", goodSecret, "user003", "fresh secret", "admin", "third secret")
	s := world.server(newFake(), nil)
	submit := func(user string) string {
		return fmt.Sprintf(`{"user_id":%q,"workflow":{"9":{"class_type":"SaveImage","inputs":{}}}}`, user)
	}
	asAdmin := []string{"X-Remote-User: admin"}
	for _, c := range []struct {
		name, path, body string
		headers          []string
		status           int
	}{
		{"in the file", "/api/jobs", submit("user003"), asAdmin, 201},
		{"had a job", "/api/jobs", submit("user002"), asAdmin, 201},
		{"mistyped", "/api/jobs", submit("usr001"), asAdmin, 422},
		{"the proxy's own", "/api/jobs", submit("guest7"), []string{"X-Remote-User: guest7"}, 201},
		{"doctor's canary", "/api/jobs", submit("qmtui-canary"), asAdmin, 201},
		{"an orphan for nobody", "/api/orphans/0123456789abcdef01234567/assign", `{"user_id":"usr001"}`, asAdmin, 422},
	} {
		w := askFrom(s.Handler(), proxyPeer, "POST", c.path, c.body, c.headers...)
		if c.status == 422 {
			wantError(t, w, 422, "unknown_user")
		} else if w.Code != c.status {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
	}
	open := newServer(t, newFake(), nil)
	if w := ask(open.Handler(), "POST", "/api/jobs", submit("nobody-yet")); w.Code != 201 {
		t.Errorf("without a password file: %d %s", w.Code, w.Body)
	}
}
