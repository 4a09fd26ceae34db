package server

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// listener is a client of a WebSocket.
type listener struct {
	*testing.T
	conn *websocket.Conn
}

// open opens a WebSocket of a server that listens on TCP.
func open(t *testing.T, s *Server, path string, headers ...string) (*listener, *http.Response, error) {
	t.Helper()
	h := http.Header{}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	conn, resp, err := websocket.Dial(t.Context(), "ws://"+s.Addr().String()+path, &websocket.DialOptions{HTTPHeader: h})
	if err != nil {
		return nil, resp, err
	}
	conn.SetReadLimit(16 << 20)
	t.Cleanup(func() { conn.CloseNow() })
	return &listener{t, conn}, resp, nil
}

func mustOpen(t *testing.T, s *Server, path string, headers ...string) *listener {
	t.Helper()
	l, _, err := open(t, s, path, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// heard is one frame.
type heard struct {
	Type string         `json:"type"`
	Data map[string]any `json:"data"`
	At   string         `json:"timestamp"`
}

func (l *listener) next() heard {
	l.Helper()
	ctx, cancel := context.WithTimeout(l.Context(), time.Minute)
	defer cancel()
	_, raw, err := l.conn.Read(ctx)
	if err != nil {
		l.Fatal(err)
	}
	var h heard
	if err := json.Unmarshal(raw, &h); err != nil {
		l.Fatalf("%s: %v", raw, err)
	}
	return h
}

// until reads frames up to the first that ok takes.
func (l *listener) until(ok func(heard) bool) []heard {
	l.Helper()
	var all []heard
	for {
		all = append(all, l.next())
		if ok(all[len(all)-1]) {
			return all
		}
	}
}

func kinds(all []heard) []string {
	var out []string
	for _, h := range all {
		out = append(out, h.Type)
	}
	return out
}

// listening is a server on TCP that stops with the test.
func listening(t *testing.T, svc Service, change func(*Options)) (s *Server, stop func()) {
	t.Helper()
	s = newServer(t, svc, func(o *Options) {
		o.Listen, o.Grace = "127.0.0.1:0", 300*time.Millisecond // clients of tests do not read to the end
		if change != nil {
			change(o)
		}
	})
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
	t.Cleanup(stop)
	return s, stop
}

func TestSocketOrigin(t *testing.T) {
	s := newServer(t, newFake(), func(o *Options) { o.PublicURL = "https://workshop.example/x" })
	for _, c := range []struct {
		host    string
		origins []string
		ok      bool
	}{
		{"127.0.0.1:3000", nil, true}, {"127.0.0.1:3000", []string{"http://127.0.0.1:3000"}, true}, {"site.example", []string{"https://SITE.example"}, true},
		{"127.0.0.1:3000", []string{"https://workshop.example"}, true}, {"127.0.0.1:3000", []string{"http://workshop.example"}, false},
		{"127.0.0.1:3000", []string{"http://127.0.0.1:8188"}, false}, {"127.0.0.1:3000", []string{"http://localhost:3000"}, false}, {"127.0.0.1:3000", []string{"null"}, false},
		{"127.0.0.1:3000", []string{""}, false}, {"127.0.0.1:3000", []string{"https://workshop.example.evil.example"}, false},
		{"127.0.0.1:3000", []string{"https://workshop.example@evil.example"}, false}, {"127.0.0.1:3000", []string{"file://127.0.0.1:3000"}, false},
		{"127.0.0.1:3000", []string{"http://x@127.0.0.1:3000"}, false}, {"127.0.0.1:3000", []string{"http://127.0.0.1:3000/path"}, false},
		{"127.0.0.1:3000", []string{"http://127.0.0.1:3000", "https://evil.example"}, false}, {"", []string{"http://"}, false},
	} {
		r := &http.Request{Host: c.host, Header: http.Header{"Origin": c.origins}}
		if err := s.checkSocketOrigin(r); (err == nil) != c.ok {
			t.Errorf("origin %q at %q: %v", c.origins, c.host, err)
		}
	}
}

// A page of another site gets nothing, wherever the caller stands.
func TestCrossOriginSocketIsRefused(t *testing.T) {
	s, _ := listening(t, newFake(), nil)
	for _, path := range []string{"/ws", "/comfy/user001/ws", "/comfy/user001/api/ws?clientId=x"} {
		_, resp, err := open(t, s, path, "Origin: https://evil.example", "X-Remote-User: user001")
		if err == nil || resp == nil || resp.StatusCode != 403 {
			t.Errorf("%s: %v %v", path, resp, err)
		}
		mustOpen(t, s, path, "Origin: http://"+s.Addr().String(), "X-Remote-User: user001")
	}
	wantError(t, ask(s.Handler(), "GET", "/ws", "", "X-Remote-User: user001"), 400, "upgrade_required")
}

func TestSocketTellsOwnJobsOnly(t *testing.T) {
	svc := newFake()
	old := svc.add(t, "user001")
	svc.add(t, "user002")
	s, _ := listening(t, svc, nil)
	mine, all := mustOpen(t, s, "/ws", "X-Remote-User: user001"), mustOpen(t, s, "/ws", "X-Remote-User: admin")
	narrowed := mustOpen(t, s, "/ws?user_id=user002", "X-Remote-User: admin")
	for _, l := range []*listener{mine, all, narrowed} {
		if h := l.next(); h.Type != "hello" || h.Data["caught_up"] != false {
			t.Errorf("begins with %+v", h)
		}
	}
	for l, jobs := range map[*listener]int{mine: 1, all: 2, narrowed: 1} {
		h := l.next()
		if h.Type != "snapshot" || len(h.Data["jobs"].([]any)) != jobs || h.Data["last"] != true {
			t.Errorf("then %+v", h)
		}
	}
	theirs, own := svc.add(t, "user002"), svc.add(t, "user001")
	svc.deliver(t, own.ID, "a.png", []byte("x"))
	got := mine.until(func(h heard) bool { return h.Type == "outputs" })
	for _, h := range got {
		if strings.Contains(mustJSON(t, h.Data), "user002") || h.At == "" {
			t.Errorf("told of another's: %+v", h)
		}
	}
	if last := got[len(got)-1].Data; last["id"] != string(own.ID) || len(last["outputs"].([]any)) != 1 {
		t.Errorf("outputs: %v", last)
	}
	narrowed.until(func(h heard) bool { return h.Type == "job_created" && h.Data["id"] == string(theirs.ID) })
	if _, err := svc.Act(t.Context(), job.Action{Verb: job.DoCancel, Filter: job.Filter{IDs: []job.ID{old.ID}}}); err != nil {
		t.Fatal(err)
	}
	got = mine.until(func(h heard) bool { return h.Type == "job_deleted" })
	if got[len(got)-1].Data["status"] != "cancelled" || !slices.Contains(kinds(got), "job_updated") {
		t.Errorf("a cancel: %v", kinds(got))
	}
	_, resp, _ := open(t, s, "/ws?user_id=user002", "X-Remote-User: user001")
	if resp == nil || resp.StatusCode != 403 {
		t.Errorf("another's feed: %v", resp)
	}
}

func mustJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Whoever comes back with the last revision is told what changed, and no more.
func TestSocketCatchesUp(t *testing.T) {
	svc := newFake()
	first, second := svc.add(t, "user001"), svc.add(t, "user001")
	s, _ := listening(t, svc, nil)
	l := mustOpen(t, s, "/ws", "X-Remote-User: user001")
	rev := l.next().Data["rev"].(float64)
	l.conn.CloseNow()
	svc.deliver(t, second.ID, "a.png", []byte("x"))
	svc.add(t, "user002")
	l = mustOpen(t, s, "/ws?since="+jsonNumber(rev), "X-Remote-User: user001")
	if h := l.next(); h.Data["caught_up"] != true {
		t.Errorf("hello: %+v", h)
	}
	got := l.until(func(h heard) bool { return h.Type == "outputs" })
	if got[0].Type != "job_updated" || got[0].Data["id"] != string(second.ID) || strings.Contains(mustJSON(t, got), string(first.ID)) {
		t.Errorf("caught up with %+v", got)
	}
	for since, status := range map[string]int{"x": 422, "-1": 422} {
		if _, resp, _ := open(t, s, "/ws?since="+since, "X-Remote-User: user001"); resp == nil || resp.StatusCode != status {
			t.Errorf("since=%s: %v", since, resp)
		}
	}
	l = mustOpen(t, s, "/ws?since=99999", "X-Remote-User: user001")
	if got := []heard{l.next(), l.next()}; got[0].Data["caught_up"] != false || got[1].Type != "snapshot" {
		t.Errorf("from a revision of the future: %v", kinds(got))
	}
}

func jsonNumber(f float64) string { b, _ := json.Marshal(f); return string(b) }

func TestSocketsStopCleanly(t *testing.T) {
	svc := newFake()
	s, stop := listening(t, svc, func(o *Options) { o.Grace = time.Minute }) // these clients read to the end
	var all []*listener
	for _, path := range []string{"/ws", "/comfy/user001/ws?clientId=a"} {
		l := mustOpen(t, s, path, "X-Remote-User: user001")
		l.next()
		all = append(all, l)
	}
	ended := make(chan error, len(all))
	for _, l := range all {
		go func() {
			for {
				if _, _, err := l.conn.Read(context.Background()); err != nil {
					ended <- err
					return
				}
			}
		}()
	}
	stop()
	for range all {
		if err := <-ended; websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("ended with %v", err)
		}
	}
	svc.mu.Lock()
	defer svc.mu.Unlock()
	if len(svc.watchers) != 0 || len(s.sockets.all) != 0 {
		t.Errorf("%d watch, %d sockets", len(svc.watchers), len(s.sockets.all))
	}
}

func TestSocketsOfOneUser(t *testing.T) {
	s, _ := listening(t, newFake(), nil)
	for range DefaultLimits.Sockets {
		mustOpen(t, s, "/ws", "X-Remote-User: user001").next()
	}
	if _, resp, err := open(t, s, "/comfy/user001/ws", "X-Remote-User: user001"); err == nil || resp == nil || resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("one more: %v %v", resp, err)
	}
	mustOpen(t, s, "/ws", "X-Remote-User: user002")
}

// What the aspects of a job are, by what changed.
func TestSocketAspects(t *testing.T) {
	ten, eight, wait := 10, 8, 100.0
	queued := api.Job{ID: "j", User: "u", State: job.Queued, Position: &ten, Wait: &wait, Attempts: []api.Attempt{{N: 1}}, Expected: []api.Expected{{Node: "9", Count: 2}}}
	nearer := queued
	nearer.Position = &eight
	sent := queued
	sent.State, sent.Position, sent.Wait, sent.Phase = job.Submitting, nil, nil, "waiting for a GPU, 3s"
	later := sent
	later.Phase = "waiting for a GPU, 5s"
	running := sent
	running.State, running.Phase = job.Running, "rendering"
	stored := running
	stored.Outputs = []api.Output{{ID: "a", State: job.OutputStored, Attempt: 1}, {ID: "b", State: job.OutputSeen, Attempt: 1}}
	for _, c := range []struct {
		name        string
		before, now api.Job
		want        string
	}{
		{"new", api.Job{}, queued, "position estimate progress"}, {"the same", queued, queued, ""}, {"nearer", queued, nearer, "position"},
		{"sent", queued, sent, "position estimate cold_start progress"}, {"still cold", sent, later, "cold_start"}, {"begun", later, running, "progress"},
		{"a file", running, stored, "progress outputs"}, {"the same file", stored, stored, ""},
	} {
		var got []string
		for _, f := range wsAspects(c.before, c.now, nil) {
			got = append(got, f.Type)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
	if p := wsProgressOf(stored); p.Stored != 1 || p.Seen != 2 || p.Expected != 2 {
		t.Errorf("%+v", p)
	}
}
