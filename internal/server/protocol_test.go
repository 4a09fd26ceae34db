package server

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

var update = flag.Bool("update", false, "write the real answers into docs/protocol.md")

const protocolDoc = "../../docs/protocol.md"

var heading = regexp.MustCompile("(?m)^### `([A-Z]+) ([^`]+)`\n")

// Every route has its section in docs/protocol.md and every section its
// route; an example of an answer is what the server really answers.
func TestProtocolDocument(t *testing.T) {
	raw, err := os.ReadFile(protocolDoc)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(raw)
	at := heading.FindAllStringSubmatchIndex(doc, -1)
	var described []string
	out := doc[:at[0][0]]
	for i, m := range at {
		end := len(doc)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		method, path := doc[m[2]:m[3]], doc[m[4]:m[5]]
		described = append(described, method+" "+path)
		out += withAnswer(t, doc[m[0]:end], method, path)
	}
	var routes []string
	for _, rt := range newServer(t, newFake(), nil).routes() {
		routes = append(routes, rt.method+" "+rt.path)
	}
	slices.Sort(described)
	slices.Sort(routes)
	if !slices.Equal(described, routes) {
		t.Errorf("described:\n%s\nroutes:\n%s", strings.Join(described, "\n"), strings.Join(routes, "\n"))
	}
	if *update {
		if err := os.WriteFile(protocolDoc, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if out != doc {
		t.Errorf("docs/protocol.md does not show what the server answers; run go test ./internal/server -run TestProtocolDocument -update\n%s", firstDifference(doc, out))
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d: %q, really %q", i+1, x[i], y[i])
		}
	}
	return "one is longer"
}

// withAnswer is a section with the real answer in its first JSON block; a
// section without one stays as it is.
func withAnswer(t *testing.T, section, method, path string) string {
	from := strings.Index(section, "```json\n")
	if from < 0 {
		return section
	}
	from += len("```json\n")
	to := from + strings.Index(section[from:], "```")
	return section[:from] + example(t, method, path) + section[to:]
}

// example is the real answer of a route, in a small world.
func example(t *testing.T, method, path string) string {
	svc, done, waiting, o := exampleWorld(t)
	s := newServer(t, svc, func(o *Options) {
		o.Now, o.Audit, o.Forget = func() time.Time { return epoch.Add(90 * time.Second) }, keptDeeds, forgotten
	})
	rt := route{method: method, path: path}
	id := done
	if strings.HasSuffix(path, "/cancel") || strings.HasSuffix(path, "/priority") {
		id = waiting
	}
	w := ask(s.Handler(), method, fill(rt, id, o), exampleBodies[method+" "+path])
	if w.Code >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(w.Body.Bytes()), "", "  "); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

var exampleBodies = map[string]string{
	"POST " + api.PathJobs:          `{"user_id":"user001","workflow":{"9":{"class_type":"SaveImage","inputs":{}}},"name":"sunrise"}`,
	"POST " + api.PathActions:       `{"action":"cancel","filter":{"user_id":"user001","status":["pending"]},"dry_run":true}`,
	"PATCH " + api.PathJobPriority:  `{"priority":1}`,
	"POST " + api.PathUserForget:    `{"user_id":"user001"}`,
	"POST " + api.PathOrphanAssign:  `{"user_id":"user001"}`,
	"POST " + api.PathOrphanDiscard: `{"reason":"a test of last week"}`,
}

// exampleWorld has a delivered job, a waiting one, and an output.
func exampleWorld(t *testing.T) (*fakeService, job.ID, job.ID, job.OutputID) {
	svc := newFake()
	submit := func(name string) job.ID {
		j, _, err := svc.Submit(t.Context(), job.Request{User: "user001", Name: name, Priority: job.Normal, Caller: job.Caller{Name: "user001"},
			Workflow: []byte(`{"9":{"class_type":"SaveImage","inputs":{}}}`), Metadata: []byte(`{"scene":4}`)})
		if err != nil {
			t.Fatal(err)
		}
		return j.ID
	}
	done, waiting := submit("sunset"), submit("dawn")
	o := svc.deliver(t, done, "film/sunset_00001_.png", make([]byte, 1000))
	return svc, done, waiting, o.ID
}
