package server

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

const recordedClient = "11111111-2222-3333-4444-555555555555"

// asAny is a frame as it was recorded.
func asAny(h heard) any { return map[string]any{"type": h.Type, "data": map[string]any(h.Data)} }

func isEnd(h heard) bool { return h.Type == "executing" && h.Data["node"] == nil }

// A whole run is told in ComfyUI's frames, in its order, each in its shape.
func TestFaceFrames(t *testing.T) {
	svc := newFake()
	s, _ := listening(t, svc, nil)
	l := mustOpen(t, s, "/comfy/user001/ws?clientId="+recordedClient, "X-Remote-User: user001")
	first := l.next()
	wantShape(t, recordedFrame(t, "status"), asAny(first))
	if first.Data["sid"] != recordedClient {
		t.Errorf("sid: %v", first.Data)
	}
	posted(t, s.Handler(), wholeBody)
	l.until(func(h heard) bool { return h.Type == "notification" })
	svc.deliver(t, fakeID(1), "t02/client_00001_.png", []byte("x"))
	got := l.until(isEnd)
	want := []string{"execution_start", "execution_cached", "progress", "progress_state", "executed", "execution_success", "status", "executing"}
	if have := kinds(got); !slices.Equal(have, want) {
		t.Errorf("told %v, want %v", have, want)
	}
	for _, h := range got {
		node1 := ".data.nodes.1" // ComfyUI's own node, of which nobody tells us
		wantShape(t, renamed(t, lastRecorded(t, h.Type), `"1"`, `"9"`), asAny(h), node1)
		if id := h.Data["prompt_id"]; h.Type != "status" && id != recordedID {
			t.Errorf("%s is about %v", h.Type, id)
		}
	}
}

// lastRecorded is the last recorded frame of a type: the fullest.
func lastRecorded(t testing.TB, kind string) any {
	t.Helper()
	all := recorded(t, "frames").([]any)
	for _, f := range slices.Backward(all) {
		if f.(map[string]any)["type"] == kind {
			return f
		}
	}
	t.Fatalf("no frame %q was recorded", kind)
	return nil
}

// Failures and interrupts, in the frames that a page's dialog reads.
func TestFaceBadEnds(t *testing.T) {
	svc := newFake()
	s, _ := listening(t, svc, nil)
	l := mustOpen(t, s, "/comfy/user001/api/ws?clientId="+recordedClient, "X-Remote-User: user001")
	for n, kind := range []string{"execution_error", "execution_interrupted"} {
		posted(t, s.Handler(), strings.Replace(wholeBody, recordedID, kind, 1))
		l.until(func(h heard) bool { return h.Type == "notification" })
		id := fakeID(n + 1)
		end := job.Fact{Job: id, Kind: job.Broke, Attempt: 1, At: epoch, Evidence: job.ByHistory,
			Error: &job.Error{Code: "execution_error", Message: "no shape", Node: "9", NodeType: "SaveImage", Traceback: []string{"line 1\n"}}}
		if kind == "execution_interrupted" {
			end = job.Fact{Job: id, Kind: job.Withdrawn, Attempt: 1, At: epoch, Evidence: job.ByManager}
		}
		svc.mu.Lock()
		check(t, svc.record(job.Fact{Job: id, Kind: job.Assigned, Attempt: 1, At: epoch, PromptID: "w" + kind, Deployment: "h200", Evidence: job.ByManager},
			job.Fact{Job: id, Kind: job.Started, Attempt: 1, At: epoch, Evidence: job.ByPlatform}, end))
		svc.mu.Unlock()
		got := l.until(isEnd)
		i := slices.Index(kinds(got), kind)
		if i < 0 || !slices.Equal(kinds(got)[i:], []string{kind, "status", "executing"}) {
			t.Fatalf("told %v", kinds(got))
		}
		wantShape(t, recordedFrame(t, kind), asAny(got[i]), ".data.current_inputs", ".data.current_outputs", ".data.executed")
	}
}

// Only the client that submitted hears of a run; other pages of the user hear
// how many remain, other users nothing.
func TestFaceFramesOfOthers(t *testing.T) {
	svc := newFake()
	s, _ := listening(t, svc, nil)
	bystander := mustOpen(t, s, "/comfy/user001/ws?clientId=other", "X-Remote-User: user001")
	stranger := mustOpen(t, s, "/comfy/user002/ws?clientId="+recordedClient, "X-Remote-User: user002")
	bystander.next() // its greeting, counted before anything is posted
	stranger.next()
	posted(t, s.Handler(), wholeBody)
	svc.deliver(t, fakeID(1), "a.png", []byte("x"))
	remaining := func(n float64) func(heard) bool {
		return func(h heard) bool {
			status, _ := h.Data["status"].(map[string]any)
			return h.Type == "status" && status["exec_info"].(map[string]any)["queue_remaining"] == n && h.Data["sid"] == nil
		}
	}
	svc.add(t, "user001")
	for _, h := range bystander.until(remaining(1)) {
		if slices.Contains([]string{"execution_start", "execution_cached", "executing", "progress", "executed", "execution_success"}, h.Type) {
			t.Errorf("another page of the user hears %+v", h)
		}
	}
	svc.add(t, "user002")
	if h := stranger.next(); !remaining(1)(h) {
		t.Errorf("another user hears %+v", h)
	}
}

// A client that was away is told what it missed, also by a manager that was
// started anew, and what it was told long ago is not told again.
func TestFaceReconnects(t *testing.T) {
	svc := newFake()
	var later atomic.Int64
	later.Store(int64(2 * time.Minute)) // jobs of the fake end a minute after epoch
	byClock := func(o *Options) { o.Now = func() time.Time { return epoch.Add(time.Duration(later.Load())) } }
	s, stop := listening(t, svc, byClock)
	path := "/comfy/user001/ws?clientId=" + recordedClient
	l := mustOpen(t, s, path, "X-Remote-User: user001")
	l.next()
	posted(t, s.Handler(), wholeBody)
	l.until(func(h heard) bool { return h.Type == "notification" })
	l.conn.CloseNow() // the laptop is closed
	svc.deliver(t, fakeID(1), "a.png", []byte("x"))
	for _, when := range []string{"the same manager", "a manager started anew"} {
		got := mustOpen(t, s, path, "X-Remote-User: user001").until(isEnd)
		if have := kinds(got); !slices.Contains(have, "executed") || !slices.Contains(have, "execution_success") {
			t.Errorf("%s: caught up with %v", when, have)
		}
		stop()
		s, stop = listening(t, svc, byClock)
	}
	later.Add(int64(2 * replay))
	l = mustOpen(t, s, path, "X-Remote-User: user001")
	l.next()
	svc.add(t, "user001")
	if h := l.next(); h.Type != "status" {
		t.Errorf("an old end is told again: %+v", h)
	}
}

// What a client says of itself is answered; anything else is not minded.
func TestFaceFeatureFlags(t *testing.T) {
	s, _ := listening(t, newFake(), nil)
	l := mustOpen(t, s, "/comfy/user001/ws", "X-Remote-User: user001")
	if sid, _ := l.next().Data["sid"].(string); len(sid) != 32 {
		t.Errorf("sid %q", sid)
	}
	for _, text := range []string{"not json", "[]", `{"type":"feature_flags","data":{}}`} {
		check(t, l.conn.Write(t.Context(), 1, []byte(text)))
	}
	wantShape(t, recordedFrame(t, "feature_flags"), asAny(l.next()), ".data.extension", ".data.supports_preview_metadata")
}

func TestFaceClientsAreForgotten(t *testing.T) {
	var all clientMemories
	for n := range maxClients + 5 {
		all.keep("u", string(rune(n)), clientMemory{at: epoch.Add(time.Duration(n) * time.Second)})
	}
	if len(all.all) != maxClients {
		t.Errorf("%d are remembered", len(all.all))
	}
	if got := all.resume("u", string(rune(0)), epoch); !got.at.Equal(epoch.Add(-replay)) {
		t.Errorf("the oldest is remembered: %v", got.at)
	}
	if got := all.resume("u", string(rune(maxClients)), epoch); !got.at.Equal(epoch.Add(maxClients * time.Second)) {
		t.Errorf("a new one is forgotten: %v", got.at)
	}
}
