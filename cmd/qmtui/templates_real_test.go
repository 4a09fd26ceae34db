package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/job"
)

// template is what the frontend makes of one that ComfyUI ships.
type template struct {
	Output   map[string]json.RawMessage `json:"output"`
	Workflow json.RawMessage            `json:"workflow"`
	Error    string                     `json:"error"`
}

// collection receives templates from the frontend, which a real server serves.
type collection struct {
	mu   sync.Mutex // guards what follows
	all  map[string]template
	page *httputil.ReverseProxy
}

func (c *collection) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutPrefix(r.URL.Path, "/collected/")
	if !ok {
		c.page.ServeHTTP(w, r)
		return
	}
	var t template
	if err := json.NewDecoder(r.Body).Decode(&t); err != nil {
		t.Error = err.Error()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[name] = t
}

// TestTemplatesOnComfyUI submits every template that ComfyUI ships, as the
// real frontend would send it, to a manager that knows the real list of
// nodes. The queue is paused, so nothing is rendered. Models and input files
// are taken to be there. Each is accepted with files expected, or refused for
// a reason that holds: some old templates have inputs that their own version's
// nodes refuse. QMTUI_TEMPLATES names a file that keeps what the
// frontend made of the templates, and is read when it is there.
func TestTemplatesOnComfyUI(t *testing.T) {
	catalogue := &modelCatalogue{}
	s := openStage(t, stagePlan{servers: 1, api: true, front: catalogue.inFrontOf})
	templates := s.collectTemplates(t)
	catalogue.add(s.nodes, templates)
	if _, err := s.client.SetMode(t.Context(), job.ModePaused); err != nil {
		t.Fatal(err)
	}
	if _, err := s.client.CheckWorker(t.Context(), realDeployment); err != nil {
		t.Fatal(err)
	}
	outcomes := map[string][]string{}
	for i, name := range slices.Sorted(maps.Keys(templates)) {
		kind, said := s.tryTemplate(t, demo.User(i/20+1), name, templates[name]) // nobody may have too many waiting
		outcomes[kind] = append(outcomes[kind], name+": "+said)
	}
	var table strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(outcomes)) {
		fmt.Fprintf(&table, "%5d %s\n", len(outcomes[kind]), kind)
	}
	t.Logf("%d templates of ComfyUI %s:\n%s", len(templates), s.version, table.String())
	for _, kind := range slices.Sorted(maps.Keys(outcomes)) {
		if kind == "accepted" || kind == "accepted, a count is unknown" {
			continue
		}
		t.Logf("%s:\n  %s", kind, strings.Join(outcomes[kind], "\n  "))
	}
	for kind, names := range outcomes {
		if !strings.HasPrefix(kind, "accepted") && kind != "refused: previews_only" && kind != "refused: bad_node" && kind != "refused: bad_inputs" || kind == unexpected {
			t.Errorf("%d templates are %s", len(names), kind)
		}
	}
	if n := s.balancer.count(asked.posts); n != 0 {
		t.Errorf("%d prompts were sent to the server", n)
	}
}

func (s *realStage) collectTemplates(t *testing.T) map[string]template {
	t.Helper()
	kept := os.Getenv("QMTUI_TEMPLATES")
	if raw, err := os.ReadFile(kept); kept != "" && err == nil {
		var all map[string]template
		orFatal(t, json.Unmarshal(raw, &all))
		return all
	}
	b := findBrowser(t)
	c := &collection{all: map[string]template{}, page: httputil.NewSingleHostReverseProxy(s.replicas[0].url)}
	site := httptest.NewServer(c)
	defer site.Close()
	began := time.Now()
	b.play(t, "templates.mjs", site.URL, func(string) string { return "" })
	t.Logf("the frontend made prompts of %d templates in %s", len(c.all), seconds(began))
	if kept != "" {
		raw, err := json.Marshal(c.all)
		orFatal(t, errors.Join(err, os.WriteFile(kept, raw, 0o644)))
	}
	return c.all
}

// tryTemplate submits one and says what came of it.
func (s *realStage) tryTemplate(t *testing.T, user, name string, x template) (kind, said string) {
	t.Helper()
	if x.Error != "" {
		return "the frontend makes no prompt of it", x.Error
	}
	raw, err := json.Marshal(x.Output)
	orFatal(t, err)
	extra, err := json.Marshal(map[string]any{"extra_pnginfo": map[string]any{"workflow": x.Workflow}})
	orFatal(t, err)
	r := api.SubmitRequest{User: user, Name: name, Workflow: raw, Extra: extra}
	s.provide(t, r.User, raw)
	j, _, err := s.client.Submit(t.Context(), r)
	var e *job.Error
	if errors.As(err, &e) {
		// Two of the reasons that templates give are held against the prompt itself, the third against the server.
		if saves := s.savesIn(x); e.Code == "previews_only" && len(saves) > 0 {
			t.Errorf("%s is refused because it saves nothing, and has %v", name, saves)
		}
		if e.Code == "bad_node" && !slices.ContainsFunc(slices.Collect(maps.Values(x.Output)), func(n json.RawMessage) bool { return !bytes.Contains(n, []byte(`"class_type"`)) }) {
			t.Errorf("%s is refused because a node has no class, and all have one", name)
		}
		if e.Code == "bad_inputs" {
			s.checkBadInputs(t, name, x, raw, e.NodeErrors)
		}
		return "refused: " + e.Code, e.Message + "; " + e.Hint + eachError(e.NodeErrors)
	}
	orFatal(t, err)
	var warned []string
	for _, w := range j.Warnings {
		warned = append(warned, w.Code+": "+w.Message)
	}
	kind = "accepted"
	for _, id := range s.savesIn(x) {
		if !slices.ContainsFunc(j.Expected, func(e api.Expected) bool { return e.Node == id }) {
			return unexpected, fmt.Sprintf("node %s is not among the %d that are expected", id, len(j.Expected))
		}
	}
	switch {
	case len(j.Expected) == 0:
		kind = "accepted, nothing expected"
	case len(warned) > 0:
		kind = "accepted with a warning"
	case slices.ContainsFunc(j.Expected, func(e api.Expected) bool { return e.Count == 0 }):
		kind = "accepted, a count is unknown"
	}
	var expected []string
	for _, e := range j.Expected {
		expected = append(expected, fmt.Sprintf("%s (%s) %d", e.Node, e.Class, e.Count))
	}
	return kind, strings.Join(append(expected, warned...), "; ")
}

// badInput is an input that is refused, and ComfyUI's type of error for it.
type badInput struct{ node, input, kind string }

func badInputs(byNode map[string]comfy.NodeError) map[badInput]bool {
	out := map[badInput]bool{}
	for id, n := range byNode {
		for _, e := range n.Errors {
			input, _ := e.ExtraInfo["input_name"].(string)
			out[badInput{id, input, e.Type}] = true
		}
	}
	return out
}

// checkBadInputs compares a refusal with what the server itself answers to
// the prompt. A file that a template names must not be refused: it is taken to
// be there, while the server has none.
func (s *realStage) checkBadInputs(t *testing.T, name string, x template, prompt []byte, refused json.RawMessage) {
	t.Helper()
	var ours map[string]comfy.NodeError
	orFatal(t, json.Unmarshal(refused, &ours))
	var theirs *comfy.SubmitError
	if _, err := s.replicas[0].client().Submit(t.Context(), comfy.Request{Prompt: prompt, PromptID: "template"}); !errors.As(err, &theirs) || theirs.Status != http.StatusBadRequest {
		t.Errorf("%s is refused for its inputs; the server answers %v", name, err)
		return
	}
	refusedHere, confirmed := badInputs(ours), badInputs(theirs.NodeErrors)
	if len(refusedHere) == 0 {
		t.Errorf("%s is refused for its inputs, and no input is named", name)
	}
	for bad := range refusedHere {
		if !confirmed[bad] {
			t.Errorf("%s is refused for %+v; the server answers %+v", name, bad, theirs.NodeErrors)
		}
		var n struct {
			Inputs map[string]any `json:"inputs"`
		}
		orFatal(t, json.Unmarshal(x.Output[bad.node], &n))
		if file, _ := n.Inputs[bad.input].(string); path.Ext(file) != "" {
			t.Errorf("%s is refused for the file %s", name, file)
		}
	}
}

// unexpected is what a template must not be: one of its save nodes counts as switched off or doomed.
const unexpected = "accepted, a save node is not expected"

// savesIn are the nodes of a template's prompt that the server starts a run
// from and that are known to save files wherever their inputs lead them. Those
// whose files only their task names, beside what a save node makes of the same,
// are waited for by nobody.
func (s *realStage) savesIn(x template) []string {
	rows := comfy.NewSaveNodes(comfy.SaveNodeRows())
	var out []string
	for id, raw := range x.Output {
		var n struct {
			Class string `json:"class_type"`
		}
		if json.Unmarshal(raw, &n) != nil {
			continue
		}
		row, known := rows[n.Class]
		class, _ := s.nodes.Class(n.Class)
		if known && class.Output && row.None == "" && row.Elsewhere == "" && len(row.OffWhen) == 0 && (row.Place == nil || *row.Place != "" || row.Metadata != false) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// eachError is each error of ComfyUI's node_errors.
func eachError(raw json.RawMessage) string {
	var byNode map[string]comfy.NodeError
	if json.Unmarshal(raw, &byNode) != nil {
		return ""
	}
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(byNode)) {
		for _, e := range byNode[id].Errors {
			fmt.Fprintf(&b, "\n      node %s (%s): %s: %s", id, byNode[id].ClassType, e.Message, e.Details)
		}
	}
	return b.String()
}

// provide puts every input file that a prompt names into the user's folder.
func (s *realStage) provide(t *testing.T, user string, raw []byte) {
	t.Helper()
	p, err := comfy.ParsePrompt(raw, comfy.Limits{})
	if err != nil {
		return // its submission says why
	}
	for _, f := range p.InputFiles(s.nodes) {
		to := filepath.Join(s.uploads, user, filepath.FromSlash(f.Path))
		switch f.Base {
		case comfy.BaseTemp:
			to = filepath.Join(s.uploads, user, "temp", filepath.FromSlash(f.Path))
		case comfy.BaseOutput:
			to = filepath.Join(s.users, user, filepath.FromSlash(f.Path))
		}
		if f.Path == "" || f.Fault != nil {
			continue
		}
		orFatal(t, os.MkdirAll(filepath.Dir(to), 0o755))
		orFatal(t, os.WriteFile(to, []byte(f.Path), 0o644))
	}
}

// modelCatalogue stands in front of a server and adds to the choices of its
// nodes the model files that templates name, as if they were all installed.
type modelCatalogue struct {
	mu    sync.Mutex
	names map[string]map[string][]string // by class and input
}

var modelEndings = []string{".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".sft", ".onnx"}

// add finds the model files that templates name.
func (c *modelCatalogue) add(info *comfy.ObjectInfo, templates map[string]template) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names = map[string]map[string][]string{}
	for _, x := range templates {
		for _, raw := range x.Output {
			var n struct {
				Class  string         `json:"class_type"`
				Inputs map[string]any `json:"inputs"`
			}
			if json.Unmarshal(raw, &n) != nil {
				continue
			}
			for input, value := range n.Inputs {
				text, ok := value.(string)
				if !ok || !slices.Contains(modelEndings, strings.ToLower(path.Ext(text))) {
					continue
				}
				if c.names[n.Class] == nil {
					c.names[n.Class] = map[string][]string{}
				}
				if !slices.Contains(c.names[n.Class][input], text) {
					c.names[n.Class][input] = append(c.names[n.Class][input], text)
				}
			}
		}
	}
}

func (c *modelCatalogue) inFrontOf(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/object_info" {
			next.ServeHTTP(w, r)
			return
		}
		r.Header.Del("Accept-Encoding")
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		body, err := c.completed(rec.Body.Bytes())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.Copy(w, bytes.NewReader(body))
	})
}

// completed adds the choices; what it does not know it leaves as it is.
func (c *modelCatalogue) completed(raw []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var classes map[string]map[string]any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&classes); err != nil {
		return nil, err
	}
	for class, inputs := range c.names {
		groups, _ := classes[class]["input"].(map[string]any)
		for input, names := range inputs {
			for _, group := range []string{"required", "optional"} {
				declared, _ := groups[group].(map[string]any)
				spec, _ := declared[input].([]any)
				if len(spec) == 0 {
					continue
				}
				if choices, ok := spec[0].([]any); ok {
					for _, n := range names {
						choices = append(choices, n)
					}
					spec[0] = choices
				} else if options, ok := last(spec).(map[string]any); ok && options["options"] != nil {
					choices, _ := options["options"].([]any)
					for _, n := range names {
						choices = append(choices, n)
					}
					options["options"] = choices
				}
			}
		}
	}
	return json.Marshal(classes)
}

func last(list []any) any { return list[len(list)-1] }
