package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// meter writes down every call.
type meter struct {
	mu   sync.Mutex
	said []string
}

func (m *meter) called(method, route string) func(int, bool) {
	return func(status int, stream bool) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.said = append(m.said, fmt.Sprint(method, " ", route, " ", status, " ", stream))
	}
}

func TestMeterHearsEveryCall(t *testing.T) {
	svc, m := newFake(), &meter{}
	s, err := New(Options{Service: svc, Meter: m.called})
	if err != nil {
		t.Fatal(err)
	}
	h := s.SocketHandler()
	ask(h, "GET", "/api/jobs/"+string(fakeID(7)), "")
	ask(h, "GET", "/health", "")
	ask(h, "GET", "/no/such/path", "")
	ask(h, "PUT", "/health", "")
	svc.err = context.DeadlineExceeded
	ask(h, "POST", "/api/jobs", "{}")
	want := []string{"GET /api/jobs/{id} 404 false", "GET /health 200 false", "GET  404 false", "PUT  405 false", "POST /api/jobs 422 false"}
	if slices.Compare(m.said, want) != 0 {
		t.Errorf("heard %q, want %q", m.said, want)
	}
}

// TestMetricsAreForAdmins: figures tell what people do, so a plain user has no use of them.
func TestMetricsAreForAdmins(t *testing.T) {
	figures := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "qmtui_up 1\n") })
	s, err := New(Options{Service: newFake(), Metrics: figures, TrustedProxies: loopback, UserHeader: "X-Remote-User", Admins: []string{"admin"}, RequireUser: true, MetricsReaders: []string{"prometheus"}})
	if err != nil {
		t.Fatal(err)
	}
	if w := ask(s.SocketHandler(), "GET", "/metrics", ""); w.Code != 200 || !strings.Contains(w.Body.String(), "qmtui_up") {
		t.Errorf("the socket got %d: %s", w.Code, w.Body)
	}
	for user, status := range map[string]int{"admin": 200, "prometheus": 200, "user001": 403} {
		if w := ask(s.Handler(), "GET", "/metrics", "", "X-Remote-User: "+user); w.Code != status {
			t.Errorf("%s got %d: %s", user, w.Code, w.Body)
		}
	}
	if w := ask(s.Handler(), "GET", "/api/orphans", "", "X-Remote-User: prometheus"); w.Code != 403 {
		t.Errorf("a reader of metrics reads orphans as well: %d %s", w.Code, w.Body)
	}
	bare, err := New(Options{Service: newFake()})
	if err != nil {
		t.Fatal(err)
	}
	if w := ask(bare.SocketHandler(), "GET", "/metrics", ""); w.Code != 404 {
		t.Errorf("without metrics: %d", w.Code)
	}
}
