package comfy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func submit(t *testing.T, c *Client) (Receipt, *SubmitError) {
	t.Helper()
	r, err := c.Submit(t.Context(), Request{Prompt: json.RawMessage(`{"1":{}}`), PromptID: "id-1"})
	var failed *SubmitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatalf("an error of type %T: %v", err, err)
	}
	return r, failed
}

func TestSubmitSendsTheRequest(t *testing.T) {
	var method, path, kind, key, body string
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		method, path, body = r.Method, r.URL.Path, string(b)
		kind, key = r.Header.Get("Content-Type"), r.Header.Get("Authorization")
		fmt.Fprint(w, `{"prompt_id": "id-1", "number": -4, "node_errors": {}}`)
	})
	receipt, failed := submit(t, c)
	if failed != nil || receipt.PromptID != "id-1" || receipt.Number != -4 || receipt.NodeErrors != nil {
		t.Errorf("receipt %+v, %v", receipt, failed)
	}
	if method != "POST" || path != "/deployment/prompt" || kind != "application/json" || key != "Bearer secret-key" {
		t.Errorf("%s %s %s %s", method, path, kind, key)
	}
	if body != `{"prompt":{"1":{}},"prompt_id":"id-1"}` {
		t.Errorf("body %s", body)
	}
}

// Every recorded answer to POST /prompt: 200 is a receipt, and each refusal is final
// and keeps ComfyUI's own words.
func TestSubmitReplay(t *testing.T) {
	count := map[string]int{}
	for _, scenario := range []string{"02-prompt-ok", "03-prompt-errors"} {
		for label, e := range transcript(t, scenario) {
			if e.Path != "/prompt" {
				continue
			}
			receipt, failed := submit(t, replay(t, e))
			switch e.Status {
			case 200:
				count["accepted"]++
				if failed != nil || receipt.PromptID == "" {
					t.Errorf("%s: %+v, %v", label, receipt, failed)
				}
			case 400:
				count[failed.Code]++
				if failed.Class != RefusedForGood || failed.Err.Type != failed.Code || failed.Err.Message == "" {
					t.Errorf("%s: %+v", label, failed)
				}
			default:
				count[failed.Code]++
				if failed.Class != RefusedForGood || failed.Code != "malformed_prompt" || failed.Status != e.Status {
					t.Errorf("%s: %+v", label, failed)
				}
			}
		}
	}
	for _, code := range []string{"accepted", "no_prompt", "prompt_no_outputs", "invalid_prompt", "prompt_outputs_failed_validation", "malformed_prompt"} {
		if count[code] < 3 {
			t.Errorf("%s: seen %d times in %v", code, count[code], count)
		}
	}
}

func TestSubmitReplayNodeErrors(t *testing.T) {
	recorded := transcript(t, "03-prompt-errors")
	receipt, failed := submit(t, replay(t, recorded["partial_ok_one_bad_output"]))
	node := receipt.NodeErrors["10"]
	if failed != nil || len(receipt.NodeErrors) != 1 || len(node.Errors) != 1 || node.Errors[0].Type != "exception_during_validation" {
		t.Errorf("accepted with node errors: %+v, %v", receipt, failed)
	}
	_, failed = submit(t, replay(t, recorded["nan_number"]))
	node = failed.NodeErrors["1"]
	if node.ClassType != "EmptyImage" || len(node.DependentOutputs) != 1 || node.DependentOutputs[0] != "9" {
		t.Errorf("an answer with a bare NaN: %+v", failed)
	}
	if node.Errors[0].ExtraInfo["input_name"] != "width" || node.Errors[0].ExtraInfo["received_value"] != nil {
		t.Errorf("extra_info %+v", node.Errors[0].ExtraInfo)
	}
}

const aiohttp500 = "500 Internal Server Error\n\nServer got itself in trouble"

const envoy = "upstream connect error or disconnect/reset before headers. reset reason: "

func TestSubmitClassOfStatus(t *testing.T) {
	for _, c := range []struct {
		status     int
		kind, body string
		class      SubmitClass
		code       string
	}{
		{200, "application/json", `{"prompt_id": 12}`, -1, ""},
		{200, "text/html", "<html>", NobodyKnows, "unreadable_answer"},
		{200, "application/json", "", NobodyKnows, "unreadable_answer"},
		{200, "application/json", `{"number": 1}`, NobodyKnows, "unreadable_answer"},
		{200, "application/json", `[]`, NobodyKnows, "unreadable_answer"},
		{202, "application/json", `{}`, NobodyKnows, "unreadable_answer"},
		{307, "text/html", "", RefusedForGood, "endpoint_or_key"},
		{400, "application/json", `{"error": {"type": "invalid_prompt_id", "message": "no"}, "node_errors": []}`, RefusedForGood, "invalid_prompt_id"},
		{400, "application/json", `{"error": "in words"}`, RefusedForGood, "refused"},
		{400, "text/html", "<html>", RefusedForGood, "refused"},
		{401, "text/plain", "", RefusedForGood, "endpoint_or_key"},
		{403, "text/plain", "", RefusedForGood, "endpoint_or_key"},
		{404, "text/plain", "", RefusedForGood, "endpoint_or_key"},
		{405, "text/plain", "", RefusedForGood, "endpoint_or_key"},
		{408, "text/plain", "", NobodyKnows, "server_error"},
		{413, "text/plain", "", RefusedForGood, "too_large"},
		{429, "text/plain", "", TryLater, "busy"},
		{500, "text/plain; charset=utf-8", aiohttp500, RefusedForGood, "malformed_prompt"},
		{500, "text/html", aiohttp500, NobodyKnows, "server_error"},
		{500, "text/plain", "upstream failed", NobodyKnows, "server_error"},
		{502, "text/plain", aiohttp500, NobodyKnows, "server_error"},
		{503, "text/plain", "", TryLater, "busy"},
		{503, "text/plain", envoy + "remote connection failure, transport failure reason: delayed connect error: 111", TryLater, "busy"},
		{503, "text/plain", envoy + "overflow", TryLater, "busy"},
		{503, "text/plain", envoy + "connection termination", NobodyKnows, "server_error"},
		{504, "text/html", "", NobodyKnows, "server_error"},
		{520, "text/html", "", NobodyKnows, "server_error"},
	} {
		var posts atomic.Int32
		cl := client(t, func(w http.ResponseWriter, r *http.Request) {
			posts.Add(1)
			w.Header().Set("Retry-After", "5")
			w.Header().Set("Location", "/deployment/prompt/")
			exchange{Status: c.status, Type: c.kind, Body: c.body}.serve(w)
		})
		receipt, failed := submit(t, cl)
		if posts.Load() != 1 {
			t.Errorf("%d: %d requests", c.status, posts.Load())
		}
		if c.class < 0 {
			if failed != nil || receipt.PromptID != "12" {
				t.Errorf("%d %s: %+v, %v", c.status, c.body, receipt, failed)
			}
			continue
		}
		if failed == nil || failed.Class != c.class || failed.Code != c.code || failed.Status != c.status {
			t.Errorf("%d %s %q: %+v", c.status, c.kind, c.body, failed)
			continue
		}
		if failed.Class == TryLater && failed.RetryAfter != 5*time.Second {
			t.Errorf("%d: retry after %v", c.status, failed.RetryAfter)
		}
	}
}

func hangUp(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

func TestSubmitClassOfSilence(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer plain.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	noName := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "deployment", IsNotFound: true}
	}}
	for _, c := range []struct {
		name   string
		client *Client
		class  SubmitClass
		code   string
	}{
		{"connection refused", &Client{Base: gone.URL}, TryLater, "unreachable"},
		{"no such host", &Client{Base: "http://deployment", HTTP: &http.Client{Transport: noName}}, TryLater, "unreachable"},
		{"no TLS there", &Client{Base: "https" + strings.TrimPrefix(plain.URL, "http")}, TryLater, "unreachable"},
		{"hang-up before the body is read", client(t, func(w http.ResponseWriter, _ *http.Request) { hangUp(w) }), NobodyKnows, "no_answer"},
		{"hang-up after the body is read", client(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			hangUp(w)
		}), NobodyKnows, "no_answer"},
		{"hang-up in the answer", client(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"prompt_id":`)
			_ = http.NewResponseController(w).Flush()
			hangUp(w)
		}), NobodyKnows, "unreadable_answer"},
		{"an answer without end", client(t, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `{"prompt_id":"`+strings.Repeat("x", submitBody)+`"}`)
		}), NobodyKnows, "unreadable_answer"},
		{"no address", &Client{Base: "deployment"}, RefusedForGood, "endpoint_or_key"},
		{"another scheme", &Client{Base: "ftp://deployment"}, RefusedForGood, "endpoint_or_key"},
	} {
		_, failed := submit(t, c.client)
		if failed == nil || failed.Class != c.class || failed.Code != c.code || failed.Message == "" {
			t.Errorf("%s: %+v", c.name, failed)
		}
	}
}

func TestSubmitGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := client(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	_, err := c.Submit(ctx, Request{})
	var failed *SubmitError
	if !errors.As(err, &failed) || failed.Class != NobodyKnows || !errors.Is(err, context.Canceled) {
		t.Errorf("while the server had it: %v", err)
	}
	_, err = c.Submit(ctx, Request{})
	if !errors.As(err, &failed) || failed.Class != TryLater || !errors.Is(err, context.Canceled) {
		t.Errorf("before it began: %v", err)
	}
}

// A kept connection that the balancer closes at the wrong moment would leave nobody
// knowing: each submit makes its own.
func TestSubmitUsesAFreshConnection(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"prompt_id":"id"}`)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	for range 3 {
		if _, failed := submit(t, &Client{Base: server.URL}); failed != nil {
			t.Fatal(failed)
		}
	}
	if connections.Load() != 3 {
		t.Errorf("%d connections for 3 submits", connections.Load())
	}
}

func TestSubmitPromptThatIsNoJSON(t *testing.T) {
	c := client(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent") })
	_, err := c.Submit(t.Context(), Request{Prompt: json.RawMessage(`{"a": NaN}`)})
	var failed *SubmitError
	if !errors.As(err, &failed) || failed.Class != RefusedForGood || failed.Code != "malformed_prompt" {
		t.Errorf("got %v", err)
	}
}

func TestSubmitErrorIsASentence(t *testing.T) {
	_, failed := submit(t, client(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }))
	const want = "submit prompt: endpoint_or_key: the endpoint answered 404; check the deployment's url and its key"
	if failed.Error() != want {
		t.Errorf("got  %s\nwant %s", failed, want)
	}
}

func FuzzAnswer(f *testing.F) {
	for _, e := range transcript(f, "03-prompt-errors") {
		if len(e.Body) < 700 {
			f.Add([]byte(e.Body))
		}
	}
	f.Add([]byte(`{"prompt_id":[],"node_errors":{"1":null,"2":{"errors":[1,null]}},"error":"x"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := readAnswer(body)
		if err != nil {
			return
		}
		if r, ok := a.receipt(); ok != (r.PromptID != "") {
			t.Errorf("%v %+v", ok, r)
		}
		if e, ok := a.comfyError(); ok && e.Type == "" && e.Message == "" {
			t.Errorf("an empty refusal of %q", body)
		}
	})
}
