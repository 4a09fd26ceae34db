package comfy

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// exchange is one recorded answer of ComfyUI 0.8.0. Body is the text of the answer,
// bare NaN included.
type exchange struct {
	Label, Method, Path string
	Status              int
	Type, Body          string
}

// transcript reads the recorded exchanges of one scenario, by label.
func transcript(t testing.TB, name string) map[string]exchange {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata/transcripts", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found := map[string]exchange{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e exchange
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		found[e.Label] = e
	}
	if err := lines.Err(); err != nil || len(found) == 0 {
		t.Fatalf("%s: %d exchanges, %v", name, len(found), err)
	}
	return found
}

// serve answers every request with e and tells what came.
func (e exchange) serve(w http.ResponseWriter) {
	w.Header().Set("Content-Type", e.Type)
	w.WriteHeader(e.Status)
	_, _ = io.WriteString(w, e.Body)
}

// replay is a client of a server that answers with e and insists on its method and path.
func replay(t *testing.T, e exchange) *Client {
	t.Helper()
	return client(t, func(w http.ResponseWriter, r *http.Request) {
		if path := "/deployment" + e.Path; r.Method != e.Method || r.URL.EscapedPath() != path {
			t.Errorf("%s: asked %s %s, recorded %s %s", e.Label, r.Method, r.URL.EscapedPath(), e.Method, path)
		}
		e.serve(w)
	})
}

func client(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return &Client{Base: server.URL + "/deployment/", Key: "secret-key"}
}

func TestQueueReplay(t *testing.T) {
	for _, c := range []struct {
		scenario, label    string
		running, pending   int
		firstOf, lastOfAll string
	}{
		{"01-get", "queue", 0, 0, "", ""},
		{"09b-queue-order-last-node", "queue", 1, 7, "8917e33e-1b48-4487-b115-52a99a8d3695", "8104ecec-9623-4f69-898a-9e673c0a092c"},
		{"15-aftercrash", "queue", 0, 0, "", ""},
	} {
		running, pending, err := replay(t, transcript(t, c.scenario)[c.label]).Queue(t.Context())
		if err != nil || len(running) != c.running || len(pending) != c.pending {
			t.Errorf("%s: %v, %v, %v", c.scenario, running, pending, err)
		}
		if c.running > 0 && running[0] != c.firstOf {
			t.Errorf("%s: running %v", c.scenario, running)
		}
		if c.pending > 0 && !strings.Contains(strings.Join(pending, " "), c.lastOfAll) {
			t.Errorf("%s: pending %v", c.scenario, pending)
		}
	}
}

func TestStopCalls(t *testing.T) {
	var got []string
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.URL.Path+" "+string(body)+" "+r.Header.Get("Authorization"))
	})
	if err := errors.Join(c.DeleteQueued(t.Context(), "id-1"), c.Interrupt(t.Context(), "id-2")); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`POST /deployment/queue {"delete":["id-1"]} Bearer secret-key`,
		`POST /deployment/interrupt {"prompt_id":"id-2"} Bearer secret-key`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("sent\n%s", strings.Join(got, "\n"))
	}
}

// An interrupt without an id stops whatever runs there.
func TestNoPromptIDIsNeverSent(t *testing.T) {
	c := client(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("sent %s", r.URL) })
	_, err := c.History(t.Context(), "")
	for _, err := range []error{err, c.Interrupt(t.Context(), ""), c.DeleteQueued(t.Context(), "")} {
		if !errors.Is(err, errNoPromptID) {
			t.Errorf("got %v", err)
		}
	}
}

func TestSystemStatsReplay(t *testing.T) {
	stats, err := replay(t, transcript(t, "01-get")["system_stats"]).SystemStats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if stats.Version != "0.8.0" || !strings.HasPrefix(stats.Python, "3.13.5") || stats.PyTorch != "2.6.0+debian" || stats.OS != "linux" {
		t.Errorf("got %+v", stats)
	}
	if len(stats.Devices) != 1 || stats.Devices[0] != (Device{"cpu", "cpu", 25276502016, 24477040640}) {
		t.Errorf("devices %+v", stats.Devices)
	}
	if dir, ok := stats.OutputDirectory(); dir != "/srv/comfy/a/out" || !ok {
		t.Errorf("output directory %q, %v", dir, ok)
	}
}

func TestOutputDirectory(t *testing.T) {
	for _, c := range []struct {
		argv, want string
		found      bool
	}{
		{"main.py", "", false},
		{"main.py --output-directory /mnt/sfs/outputs --cpu", "/mnt/sfs/outputs", true},
		{"main.py --output-directory=/mnt/sfs/outputs", "/mnt/sfs/outputs", true},
		{"main.py --output-directory /a --output-directory=/b", "/b", true},
		{"main.py --output-directory", "", false},
		{"main.py --output-directory-x /a", "", false},
	} {
		dir, found := SystemStats{Argv: strings.Fields(c.argv)}.OutputDirectory()
		if dir != c.want || found != c.found {
			t.Errorf("%s: %q, %v", c.argv, dir, found)
		}
	}
}

func TestObjectInfoReplay(t *testing.T) {
	recorded := transcript(t, "01-get")["object_info_SaveImage"]
	recorded.Path = "/object_info"
	info, err := replay(t, recorded).ObjectInfo(t.Context())
	if err != nil || info.lacks("SaveImage") || !info.lacks("EmptyImage") {
		t.Errorf("got %v, %v", info, err)
	}
}

func TestAnswersThatAreNoAnswers(t *testing.T) {
	for _, c := range []struct {
		status int
		header string
		code   string
		wait   time.Duration
	}{
		{404, "", "endpoint_or_key", 0}, {401, "", "endpoint_or_key", 0}, {403, "", "endpoint_or_key", 0},
		{302, "", "endpoint_or_key", 0}, {429, "7", "busy", 7 * time.Second}, {503, "99999", "busy", time.Hour},
		{503, "-3", "busy", 0}, {500, "", "server_error", 0}, {502, "", "server_error", 0}, {418, "", "refused", 0},
	} {
		seen := 0
		cl := client(t, func(w http.ResponseWriter, r *http.Request) {
			seen++
			w.Header().Set("Retry-After", c.header)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			fmt.Fprint(w, "no\x1b[31m \u202e", strings.Repeat("x", 9000), r.Header.Get("Authorization"))
		})
		_, err := cl.History(t.Context(), "id")
		var answer *AnswerError
		if !errors.As(err, &answer) || answer.Status != c.status || answer.Code != c.code || answer.RetryAfter != c.wait || seen != 1 {
			t.Errorf("%d: %v after %d requests: %+v", c.status, err, seen, answer)
		}
		if strings.ContainsAny(err.Error(), "\x1b\u202e") || len(err.Error()) > 500 {
			t.Errorf("%d: %q", c.status, err)
		}
	}
}

func TestRetryAfterAsDate(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	header := http.Header{"Retry-After": {now.Add(90 * time.Second).Format(http.TimeFormat)}}
	if got := retryAfter(header, now); got != 90*time.Second {
		t.Errorf("got %v", got)
	}
}

// A server, or something in front of it, may repeat the key anywhere in its answer.
func TestKeyIsInNoError(t *testing.T) {
	const key = "secret-key"
	for _, body := range []string{
		key, `{"error":{"type":"` + key + `","message":"` + key + `","details":"` + key + `"},"node_errors":{"` + key + `":{}}}`,
		`{"` + key + `":` + key,
	} {
		for _, status := range []int{200, 400, 401, 500, 503} {
			c := client(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				fmt.Fprint(w, body)
			})
			_, submit := c.Submit(t.Context(), Request{PromptID: "id"})
			_, history := c.History(t.Context(), "id")
			_, stats := c.SystemStats(t.Context())
			_, info := c.ObjectInfo(t.Context())
			for _, err := range []error{submit, history, stats, info} {
				if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, key) {
					t.Errorf("%d: %s", status, text)
				}
			}
		}
	}
	raw := client(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		_, _ = io.WriteString(conn, "HTTP/9 "+key+"\r\n\r\n")
		_ = conn.Close()
	})
	if _, err := raw.History(t.Context(), "id"); err == nil || strings.Contains(err.Error(), key) {
		t.Errorf("broken answer: %v", err)
	}
	for _, bad := range []*Client{{Base: "http://u:" + key + "@127.0.0.1:1", Key: key}, {Base: "http://[" + key, Key: key}, {Base: "http://127.0.0.1:1", Key: key + "\n"}} {
		if _, err := bad.History(t.Context(), "id"); err == nil || strings.Contains(err.Error(), key) {
			t.Errorf("%v", err)
		}
	}
}

func TestAnswerTooLarge(t *testing.T) {
	c := client(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "12345678") })
	if _, err := c.call(t.Context(), http.MethodGet, "/x", nil, 8); err != nil {
		t.Error(err)
	}
	if _, err := c.call(t.Context(), http.MethodGet, "/x", nil, 7); err == nil {
		t.Error("8 bytes passed a limit of 7")
	}
}

func TestPrepareSeesEveryRequest(t *testing.T) {
	var got []string
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("X-Inference-Id"))
		fmt.Fprint(w, `{"prompt_id":"id"}`)
	})
	c.Prepare = func(r *http.Request) { r.Header.Set("X-Inference-Id", "chosen") }
	if _, err := c.Submit(t.Context(), Request{}); err != nil {
		t.Error(err)
	}
	if h, err := c.History(t.Context(), "id"); h != nil || err != nil {
		t.Errorf("a receipt read as history: %+v, %v", h, err)
	}
	if strings.Join(got, " ") != "chosen chosen" {
		t.Errorf("got %q", got)
	}
}

// slow answers after a while on the bubble's clock, or fails when the context ends.
type slow time.Duration

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-time.After(time.Duration(s)):
	}
	body := io.NopCloser(strings.NewReader(`{"prompt_id":"id","number":1}`))
	return &http.Response{StatusCode: 200, Body: body, Request: r}, nil
}

func TestOnlySubmitWaitsForAColdStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Client{Base: "http://deployment", HTTP: &http.Client{Transport: slow(14 * time.Minute)}}
		start := time.Now()
		if _, err := c.Submit(t.Context(), Request{}); err != nil || time.Since(start) != 14*time.Minute {
			t.Errorf("submit: %v after %v", err, time.Since(start))
		}
		start = time.Now()
		_, err := c.History(t.Context(), "id")
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != lookTimeout {
			t.Errorf("history: %v after %v", err, time.Since(start))
		}
	})
}
