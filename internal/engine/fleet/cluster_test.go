package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// cluster plays replicas of ComfyUI behind a balancer that chooses one at
// random for each request, over a wire in memory. Each keeps its queue and its
// history to itself, in memory, and runs one prompt at a time for run.
type cluster struct {
	run     time.Duration
	modern  bool // answers as 0.33.0 does; else as a server before /api/jobs
	dice    *rand.Rand
	choose  func(r *http.Request) int // nil: at random
	mu      sync.Mutex
	nodes   []*replica
	seen    []string
	assets  string
	replace string
}

type replica struct {
	down    bool
	free    time.Time            // when what was sent has ended
	starts  map[string]time.Time // by prompt id
	classes string               // the entries of /object_info beyond the common ones
	argv    string
	version string
}

func newCluster(n int, seed uint64) *cluster {
	c := &cluster{run: 5 * time.Second, dice: rand.New(rand.NewPCG(seed, 7))}
	for range n {
		c.nodes = append(c.nodes, &replica{starts: map[string]time.Time{}, argv: `"main.py","--output-directory","/mnt/share"`})
	}
	return c
}

// restart makes a replica forget everything.
func (c *cluster) restart(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[n].starts, c.nodes[n].free = map[string]time.Time{}, time.Time{}
}

func (c *cluster) setDown(n int, down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[n].down = down
}

func (c *cluster) count(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, r := range c.seen {
		if strings.HasPrefix(r, what) {
			n++
		}
	}
	return n
}

func (c *cluster) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, r.Method+" "+r.URL.Path)
	at := c.dice.IntN(len(c.nodes))
	if c.choose != nil {
		at = c.choose(r)
	}
	n := c.nodes[at]
	if n.down {
		return nil, syscall.ECONNREFUSED
	}
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	w := httptest.NewRecorder()
	c.serve(w, r, n)
	return w.Result(), nil
}

// state is what a replica knows of a prompt: "", pending, in_progress or completed.
func (n *replica) state(id string, run time.Duration) string {
	at, ok := n.starts[id]
	switch now := time.Now(); {
	case !ok:
		return ""
	case now.Before(at):
		return "pending"
	case now.Before(at.Add(run)):
		return "in_progress"
	}
	return "completed"
}

func (c *cluster) serve(w http.ResponseWriter, r *http.Request, n *replica) {
	_, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	const outputs = `{"9":{"images":[{"filename":"x_00001_.png","subfolder":"","type":"output"}]}}`
	status := func() string {
		began := n.starts[id].UnixMilli()
		return fmt.Sprintf(`{"status_str":"success","completed":true,"messages":[["execution_start",{"timestamp":%d}],["execution_success",{"timestamp":%d}]]}`,
			began, began+c.run.Milliseconds())
	}
	switch path := r.URL.Path; {
	case path == "/prompt":
		var p posted
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
			panic(err)
		}
		start := time.Now()
		if n.free.After(start) {
			start = n.free
		}
		n.starts[p.PromptID], n.free = start, start.Add(c.run)
		fmt.Fprintf(w, `{"prompt_id":%q,"number":1,"node_errors":{}}`, p.PromptID)
	case strings.HasPrefix(path, "/history/"):
		if n.state(id, c.run) == "completed" {
			fmt.Fprintf(w, `{%q:{"outputs":%s,"status":%s}}`, id, outputs, status())
			return
		}
		io.WriteString(w, "{}")
	case path == "/queue" && r.Method == http.MethodGet:
		var running, pending []string
		for id := range n.starts {
			item := fmt.Sprintf(`[1,%q,{},{},[]]`, id)
			switch n.state(id, c.run) {
			case "in_progress":
				running = append(running, item)
			case "pending":
				pending = append(pending, item)
			}
		}
		fmt.Fprintf(w, `{"queue_running":[%s],"queue_pending":[%s]}`, strings.Join(running, ","), strings.Join(pending, ","))
	case c.modern && strings.HasPrefix(path, "/api/jobs/") && r.Method == http.MethodGet:
		id = strings.TrimPrefix(path, "/api/jobs/")
		switch s := n.state(id, c.run); s {
		case "":
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `{"error": "Job not found"}`)
		case "completed":
			fmt.Fprintf(w, `{"id":%q,"status":"completed","outputs":%s,"execution_status":%s}`, id, outputs, status())
		default:
			fmt.Fprintf(w, `{"id":%q,"status":%q}`, id, s)
		}
	case c.modern && strings.HasSuffix(path, "/cancel"):
		id = strings.TrimSuffix(strings.TrimPrefix(path, "/api/jobs/"), "/cancel")
		s := n.state(id, c.run)
		delete(n.starts, id)
		fmt.Fprintf(w, `{"cancelled":%v}`, s == "pending" || s == "in_progress")
	case path == "/queue" || path == "/interrupt":
	case path == "/system_stats":
		version := n.version
		if version == "" {
			version = "0.33.0"
		}
		fmt.Fprintf(w, `{"system":{"comfyui_version":%q,"argv":[%s]},"devices":[]}`, version, n.argv)
	case path == "/object_info":
		io.WriteString(w, "{"+commonClasses+n.classes+"}")
	case strings.HasPrefix(path, "/object_info/"):
		var all map[string]json.RawMessage
		if err := json.Unmarshal([]byte("{"+commonClasses+n.classes+"}"), &all); err != nil {
			panic(err)
		}
		out := map[string]json.RawMessage{}
		if entry, ok := all[id]; ok {
			out[id] = entry
		}
		if err := json.NewEncoder(w).Encode(out); err != nil {
			panic(err)
		}
	case path == "/node_replacements" && c.replace != "":
		io.WriteString(w, c.replace)
	case path == "/api/assets" && c.assets != "":
		io.WriteString(w, c.assets)
	default:
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "404: Not Found")
	}
}

const commonClasses = `"MyImage":{"input":{"required":{}},"output":["IMAGE"],"output_node":false},
	"MySave":{"input":{"required":{"images":["IMAGE"],"filename_prefix":["STRING",{}]}},"output":[],"output_node":true},
	"Upscale":{"input":{"required":{"image":["IMAGE"],"model":[["sub/x.pth"]]}},"output":["IMAGE"],"python_module":"nodes"},
	"EmptyImage":{"input":{}},"SaveImage":{"input":{},"output_node":true}`

// plain is a deployment that never sleeps.
func plain() Spec {
	s := spec()
	s.ScaleToZero = false
	return s
}

func (c *cluster) open(t testing.TB, s Spec, change ...func(*Options)) *Fleet {
	t.Helper()
	s.URL = "https://gpu.example"
	o := Options{Deployments: []Spec{s}, HTTP: &http.Client{Transport: c}, Tag: Tagging{Prefix: true}}
	for _, f := range change {
		f(&o)
	}
	fl, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return fl
}

// send submits attempt n and follows it, beside others.
func (c *cluster) send(t testing.TB, fl *Fleet, n int, others ...job.Flight) {
	t.Helper()
	fl.Follow(append(others, flight(n, job.Submitting)))
	if fact := fl.Submit(context.Background(), submission(n)); fact.Kind != job.Acknowledged {
		t.Fatalf("fact = %+v", fact)
	}
	fl.Follow(append(others, flight(n, job.Accepted)))
}

// of are the facts of one kind.
func (c *facts) of(kind job.Kind) []job.Fact {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []job.Fact
	for _, f := range c.list {
		if f.Kind == kind {
			out = append(out, f)
		}
	}
	return out
}
