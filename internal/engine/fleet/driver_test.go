package fleet

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/comfyume/qmtui/internal/comfy"
)

// testDriver is what every driver must do. server gives the driver a fresh
// deployment that f plays, on a real wire.
func testDriver(t *testing.T, server func(t *testing.T, f *fake) driver) {
	request := comfy.Request{Prompt: []byte(`{"1":{"class_type":"MySave","inputs":{}}}`), PromptID: promptID(1)}
	t.Run("submit", func(t *testing.T) {
		f := &fake{}
		got, err := server(t, f).Submit(t.Context(), request)
		if err != nil || got.PromptID != promptID(1) || f.count("POST /prompt") != 1 || len(f.posts) != 1 {
			t.Errorf("%+v, %v, %v", got, err, f.requests)
		}
	})
	t.Run("every failed submit is classified", func(t *testing.T) {
		for status, class := range map[int]comfy.SubmitClass{
			400: comfy.RefusedForGood, 404: comfy.RefusedForGood, 429: comfy.TryLater, 503: comfy.TryLater, 502: comfy.NobodyKnows, 504: comfy.NobodyKnows,
		} {
			f := &fake{prompt: func(posted) (int, string) { return status, "x" }}
			_, err := server(t, f).Submit(t.Context(), request)
			var e *comfy.SubmitError
			if !errors.As(err, &e) || e.Class != class || f.count("") != 1 {
				t.Errorf("%d: %v after %v", status, err, f.requests)
			}
		}
	})
	t.Run("submit ends with its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := server(t, &fake{}).Submit(ctx, request)
		var e *comfy.SubmitError
		if !errors.As(err, &e) || !errors.Is(err, context.Canceled) {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("evidence", func(t *testing.T) {
		f := &fake{history: func(id string) string {
			if id == promptID(1) {
				return entryError
			}
			return ""
		}}
		d := server(t, f)
		if state, got, err := d.Evidence(t.Context(), promptID(1)); err != nil || state != comfy.JobEnded || got == nil || got.Error == nil || got.Error.NodeID != "9" {
			t.Errorf("%v %+v, %v", state, got, err)
		}
		if state, got, err := d.Evidence(t.Context(), promptID(2)); err != nil || state != comfy.JobUnsaid || got != nil {
			t.Errorf("{} gave %v %+v, %v", state, got, err)
		}
		if f.count("GET /history/") != 2 || f.count("GET /api/jobs/") != 1 || f.count("") != 3 {
			t.Errorf("requests: %v", f.requests)
		}
	})
	t.Run("queue", func(t *testing.T) {
		d := server(t, &fake{queue: `{"queue_running":[[0,"a",{},{},[]]],"queue_pending":[[1,"b",{},{},[]],[2,"c",{},{},[]]]}`})
		running, pending, err := d.Queue(t.Context())
		if err != nil || !slices.Equal(running, []string{"a"}) || !slices.Equal(pending, []string{"b", "c"}) {
			t.Errorf("%v, %v, %v", running, pending, err)
		}
	})
	t.Run("worker", func(t *testing.T) {
		d := server(t, &fake{argv: `"main.py"`})
		if got, err := d.Stats(t.Context()); err != nil || got.Version != "0.8.0" || len(got.Argv) != 1 {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := d.Nodes(t.Context()); err != nil || got.Len() != 3 {
			t.Errorf("%v, %v", got, err)
		}
	})
	t.Run("stop by id only", func(t *testing.T) {
		f := &fake{}
		d := server(t, f)
		if d.Stop(t.Context(), "") == nil || f.count("") != 0 {
			t.Errorf("sent without an id: %v", f.requests)
		}
		for range 2 {
			if err := d.Stop(t.Context(), "a"); err != nil {
				t.Error(err)
			}
		}
		if len(f.stopped) != 4 || f.count("POST /api/jobs/") != 1 {
			t.Errorf("%v, %v", f.stopped, f.requests)
		}
	})
}

func TestComfyUIDriver(t *testing.T) {
	testDriver(t, func(t *testing.T, f *fake) driver {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer secret" {
				t.Errorf("%s without its key", r.URL.Path)
			}
			f.note(r.Method + " " + r.URL.Path)
			f.serve(w, r)
		}))
		t.Cleanup(srv.Close)
		d, err := newDriver(Spec{Name: "x", Driver: "comfyui", URL: srv.URL, Key: "secret"}, Options{}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}
