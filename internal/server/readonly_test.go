package server

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// Every call that is not a look is refused on the second socket, whatever the
// client thinks, and none of them reaches the engine.
func TestReadOnlyDoorRefusesEveryDeed(t *testing.T) {
	svc := newFake()
	s := newServer(t, svc, nil)
	j := svc.add(t, "user001")
	before := len(svc.callers)
	h, n := s.ReadOnlyHandler(), 0
	for _, r := range s.routes() {
		if r.method == http.MethodGet {
			continue
		}
		path := strings.NewReplacer("{id}", string(j.ID), "{name}", "h200", "{user}", "user001").Replace(r.path)
		got := askFrom(h, "root", r.method, path, "")
		if got.Code != http.StatusForbidden || !strings.Contains(got.Body.String(), `"read_only"`) {
			t.Errorf("%s %s: %d %s", r.method, path, got.Code, got.Body)
		}
		n++
	}
	if n < 10 || len(svc.callers) != before || svc.mode != job.ModeRunning {
		t.Errorf("%d calls were tried, %d reached the engine", n, len(svc.callers)-before)
	}
}

// A call with GET must not change anything, since the door lets it through.
func TestLooksChangeNothing(t *testing.T) {
	svc := newFake()
	s := newServer(t, svc, nil)
	j := svc.add(t, "user001")
	rev, callers := svc.rev, len(svc.callers)
	for _, r := range s.routes() {
		if r.method == http.MethodGet && r.path != api.PathEvents && r.path != api.PathLog {
			askFrom(s.ReadOnlyHandler(), "root", r.method, strings.NewReplacer("{id}", string(j.ID), "{user}", "user001").Replace(r.path), "")
		}
	}
	if svc.rev != rev || len(svc.callers) != callers {
		t.Errorf("revision %d became %d, %d calls acted", rev, svc.rev, len(svc.callers)-callers)
	}
}

func TestReadOnlySocket(t *testing.T) {
	path := filepath.Join(shortDir(t), "ro")
	svc := newFake()
	_, socket := serve(t, svc, func(o *Options) { o.ReadOnlySocket = path })
	j := svc.add(t, "user001")
	looking := dial(t, path)
	if got, err := looking.Job(t.Context(), j.ID); err != nil || got.ID != j.ID {
		t.Errorf("%v %v", got.ID, err)
	}
	_, err := looking.Cancel(t.Context(), j.ID)
	wantCode(t, err, "read_only")
	for c, want := range map[*api.Client]bool{looking: true, socket: false} {
		stream, err := c.Events(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		e, err := stream.Next()
		if err != nil || e.Hello == nil || e.Hello.ReadOnly != want {
			t.Errorf("%s: %+v %v", c.Target(), e.Hello, err)
		}
		stream.Close()
	}
	if _, err := socket.Cancel(t.Context(), j.ID); err != nil {
		t.Errorf("the other socket: %v", err)
	}
}
