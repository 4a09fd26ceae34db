package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// fake plays a deployment with the answers of ComfyUI 0.8.0 (transcripts
// 01-get, 02-prompt-ok, 03-prompt-errors, 04-exec-error) over a wire in memory,
// so that it works inside synctest's bubble.
type fake struct {
	boot    time.Duration          // how long the answer to anything takes while cold
	history func(id string) string // the entry of a prompt; "" for none
	prompt  func(body posted) (int, string)
	header  http.Header                 // of the answer to a prompt
	broken  func(r *http.Request) error // an error of the transport after connecting
	argv    string
	nodes   string // what /object_info answers; "" for three classes

	mu       sync.Mutex
	warm     bool
	requests []string
	posts    []posted
	queue    string
	stopped  []string
}

// posted is the body of POST /prompt.
type posted struct {
	Prompt map[string]struct {
		Class  string            `json:"class_type"`
		Inputs map[string]any    `json:"inputs"`
		Meta   map[string]string `json:"_meta"`
	} `json:"prompt"`
	PromptID  string         `json:"prompt_id"`
	ExtraData map[string]any `json:"extra_data"`
}

func (p posted) has(class string) bool {
	for _, n := range p.Prompt {
		if n.Class == class {
			return true
		}
	}
	return false
}

func (f *fake) client() *http.Client { return &http.Client{Transport: f} }

// RoundTrip serves the request in the caller's place, until its context ends.
func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	f.note(r.Method + " " + r.URL.Path)
	if !f.awaken(r.Context()) {
		return nil, r.Context().Err()
	}
	if f.broken != nil {
		if err := f.broken(r); err != nil {
			return nil, err
		}
	}
	w := httptest.NewRecorder()
	f.serve(w, r)
	return w.Result(), nil
}

func (f *fake) note(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, what)
}

// awaken waits as long as a cold machine needs.
func (f *fake) awaken(ctx context.Context) bool {
	f.mu.Lock()
	cold := !f.warm && f.boot > 0
	f.mu.Unlock()
	if cold && !pause(ctx, f.boot) {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.warm = true
	return true
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case path == "/prompt":
		f.takePrompt(w, r)
	case strings.HasPrefix(path, "/history/"):
		f.tellHistory(w, strings.TrimPrefix(path, "/history/"))
	case path == "/system_stats":
		fmt.Fprintf(w, `{"system":{"comfyui_version":"0.8.0","python_version":"3.13.5","argv":[%s]},
			"devices":[{"name":"cuda:0 H200","type":"cuda","vram_total":150,"vram_free":140}]}`, f.argv)
	case path == "/object_info" && f.nodes != "":
		io.WriteString(w, f.nodes)
	case path == "/object_info":
		io.WriteString(w, `{"PrimitiveString":{"input":{"required":{"value":["STRING",{}]}},"output":["STRING"],"output_node":false},
			"MyImage":{"input":{"required":{}},"output":["IMAGE"],"output_node":false},
			"MySave":{"input":{"required":{"images":["IMAGE"],"filename_prefix":["STRING",{}]}},"output":[],"output_node":true}}`)
	case path == "/queue" && r.Method == http.MethodGet:
		f.tellQueue(w)
	case path == "/queue", path == "/interrupt":
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		f.stopped = append(f.stopped, path+" "+string(body))
		f.mu.Unlock()
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (f *fake) takePrompt(w http.ResponseWriter, r *http.Request) {
	var p posted
	if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
		panic(err)
	}
	f.mu.Lock()
	f.posts = append(f.posts, p)
	f.mu.Unlock()
	status, body := http.StatusOK, `{"prompt_id":"`+p.PromptID+`","number":1,"node_errors":{}}`
	if f.prompt != nil {
		status, body = f.prompt(p)
	}
	for k, v := range f.header {
		w.Header()[k] = v
	}
	w.WriteHeader(status)
	io.WriteString(w, body)
}

func (f *fake) tellHistory(w io.Writer, id string) {
	entry := ""
	if f.history != nil {
		entry = f.history(id)
	}
	if entry == "" {
		io.WriteString(w, "{}")
		return
	}
	fmt.Fprintf(w, `{%q:%s}`, id, entry)
}

func (f *fake) tellQueue(w io.Writer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.queue == "" {
		f.queue = `{"queue_running":[],"queue_pending":[]}`
	}
	io.WriteString(w, f.queue)
}

// count counts requests that begin with what; all for "".
func (f *fake) count(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, r := range f.requests {
		if strings.HasPrefix(r, what) {
			n++
		}
	}
	return n
}

const (
	entrySuccess = `{"prompt":[1,"id",{},{},["9"]],"outputs":{"9":{"images":[{"filename":"x_00001_.png","subfolder":"qm/a/9","type":"output"}]}},
		"status":{"status_str":"success","completed":true,"messages":[
		["execution_start",{"prompt_id":"id","timestamp":1795419423737}],["execution_success",{"prompt_id":"id","timestamp":1795419435737}]]}}`
	entryError = `{"prompt":[66,"id",{},{},["9"]],"outputs":{},"status":{"status_str":"error","completed":false,"messages":[
		["execution_start",{"prompt_id":"id","timestamp":1795418861115}],
		["execution_error",{"prompt_id":"id","node_id":"9","node_type":"SaveImage","executed":[],"exception_message":"'str' object has no attribute 'shape'\n",
		"exception_type":"AttributeError","traceback":["  File \"execution.py\", line 518, in execute\n"],"current_inputs":{},"current_outputs":[]}]]}}`
	entryHiddenError = `{"outputs":{},"status":{"status_str":"success","completed":true,"messages":[
		["execution_error",{"prompt_id":"id","node_id":"3","node_type":"KSampler","exception_message":"CUDA out of memory.","exception_type":"torch.OutOfMemoryError","traceback":[]}]]}}`
	entryInterrupted = `{"outputs":{},"status":{"status_str":"error","completed":false,"messages":[
		["execution_interrupted",{"prompt_id":"id","node_id":"11","node_type":"ImageBlur","executed":["10","1"],"timestamp":1795419426848}]]}}`
	workflow = `{"1":{"class_type":"MyImage","inputs":{}},"9":{"class_type":"MySave","inputs":{"images":["1",0],"filename_prefix":"portrait"}}}`
)

// promptID is a prompt id that every server accepts.
func promptID(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func spec() Spec {
	return Spec{Name: "h200", URL: "https://gpu.example/h200", Key: "secret", KeepAlive: 5 * time.Second, ScaleToZero: true}
}

// open makes a fleet of one deployment that f plays at its root.
func open(t *testing.T, f *fake, s Spec, change ...func(*Options)) *Fleet {
	t.Helper()
	s.URL = "https://gpu.example"
	o := Options{Deployments: []Spec{s}, HTTP: f.client(), Tag: Tagging{Prefix: true, Metadata: true, Marker: true}}
	for _, c := range change {
		c(&o)
	}
	out, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func submission(n int) job.Submission {
	return job.Submission{Job: "job-1", Attempt: n, PromptID: promptID(n), Deployment: "h200", User: "user001",
		Workflow: []byte(workflow), Timeout: 15 * time.Minute}
}

func flight(n int, s job.State) job.Flight {
	return job.Flight{Job: "job-1", Attempt: n, PromptID: promptID(n), Deployment: "h200", State: s}
}

// facts collects what Run reports.
type facts struct {
	mu   sync.Mutex
	list []job.Fact
}

func (c *facts) add(f job.Fact) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, f)
}

func (c *facts) kinds() []job.Kind {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []job.Kind
	for _, f := range c.list {
		out = append(out, f.Kind)
	}
	return out
}

// start runs the fleet and returns what stops it and waits for its end.
func start(t *testing.T, f *Fleet) (*facts, func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	got, done := &facts{}, make(chan error)
	go func() { done <- f.Run(ctx, got.add) }()
	return got, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	}
}

// elapse lets simulated time pass, and what comes at its last moment come.
func elapse(t *testing.T, d time.Duration) {
	t.Helper()
	pause(t.Context(), d)
	synctest.Wait()
}
