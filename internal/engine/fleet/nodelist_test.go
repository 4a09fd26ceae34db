package fleet

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

const (
	newNode     = `,"NewNode":{"input":{"required":{"image":["IMAGE"]}},"output":["IMAGE"]}`
	withNewNode = `{"1":{"class_type":"MyImage","inputs":{}},"2":{"class_type":"NewNode","inputs":{"image":["1",0]}},
		"9":{"class_type":"MySave","inputs":{"images":["2",0],"filename_prefix":"a"}}}`
)

func upscaled(model string) []byte {
	m, _ := json.Marshal(model)
	return []byte(`{"1":{"class_type":"MyImage","inputs":{}},"2":{"class_type":"Upscale","inputs":{"image":["1",0],"model":` + string(m) + `}},
		"9":{"class_type":"MySave","inputs":{"images":["2",0],"filename_prefix":"a"}}}`)
}

func codesOf(w []job.Warning) string {
	var all []string
	for _, x := range w {
		all = append(all, x.Code)
	}
	return strings.Join(all, ",")
}

// A custom node that is installed later is found without a restart of the manager.
func TestRow05ANewCustomNodeIsFoundOnAMiss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(1, 1)
		fl := c.open(t, spec())
		if _, err := fl.Refresh(t.Context(), "h200"); err != nil {
			t.Fatal(err)
		}
		if _, err := fl.Check("", []byte(withNewNode), nil); codeOf(job.AsError(err)) != "unknown_class" {
			t.Errorf("right after a fresh list: %v", err)
		}
		elapse(t, time.Minute)
		if _, err := fl.Check("", []byte(withNewNode), nil); codeOf(job.AsError(err)) != "unknown_class" {
			t.Errorf("a minute later: %v", err)
		}
		c.nodes[0].classes = newNode
		elapse(t, time.Minute)
		if got, err := fl.Check("", []byte(withNewNode), nil); err != nil || len(got.Warnings) != 0 {
			t.Errorf("after it was installed: %+v, %v", got.Warnings, err)
		}
	})
}

// An old list warns and wakes nobody.
func TestRow05AnOldListLetsTheWorkerDecide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(1, 1)
		fl := c.open(t, spec())
		if _, err := fl.Refresh(t.Context(), "h200"); err != nil {
			t.Fatal(err)
		}
		elapse(t, time.Hour)
		before := c.count("")
		got, err := fl.Check("", []byte(withNewNode), nil)
		if err != nil || codesOf(got.Warnings) != "node_list_old" || !strings.Contains(got.Warnings[0].Message, "NewNode") || !strings.Contains(got.Warnings[0].Message, "1h ago") {
			t.Errorf("%+v, %v", got.Warnings, err)
		}
		if got, err := fl.Check("", upscaled("gone.pth"), nil); err != nil || len(got.Warnings) != 0 {
			t.Errorf("values are checked by an old list: %+v, %v", got.Warnings, err)
		}
		only := []byte(`{"1":{"class_type":"NewSave","inputs":{}}}`)
		if _, err := fl.Check("", only, nil); err != nil {
			t.Errorf("the unknown class may be the one that saves: %v", err)
		}
		if n := c.count("") - before; n != 0 {
			t.Errorf("a sleeping deployment was asked %d times", n)
		}
	})
}

// One replica whose import failed does not poison the list, whoever answers first.
func TestRow05OneReplicaWithAFailedImport(t *testing.T) {
	for _, replicas := range []int{2, 3} {
		refused := 0
		for seed := range uint64(100) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(replicas, seed)
				for _, r := range c.nodes[1:] {
					r.classes = newNode
				}
				first := true
				c.choose = func(r *http.Request) int { // the broken one answers first
					if first && r.URL.Path == "/object_info" {
						first = false
						return 0
					}
					return c.dice.IntN(replicas)
				}
				fl := c.open(t, plain())
				if _, err := fl.Refresh(t.Context(), "h200"); err != nil {
					t.Fatal(err)
				}
				for range 3 {
					elapse(t, 20*time.Second)
					if _, err := fl.Check("", []byte(withNewNode), nil); err != nil {
						refused++
					}
				}
			})
		}
		if refused > 3 {
			t.Errorf("%d replicas: refused %d of 300 times", replicas, refused)
		}
	}
}

func TestRow05AWrongChoiceIsRefusedBeforeItCostsAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(2, 1)
		fl := c.open(t, spec())
		if _, err := fl.Refresh(t.Context(), "h200"); err != nil {
			t.Fatal(err)
		}
		_, err := fl.Check("", upscaled(`sub\x.pth`), nil)
		e := job.AsError(err)
		if codeOf(e) != "bad_inputs" || !strings.Contains(e.Message, `"sub/x.pth"`) {
			t.Fatalf("error = %v", err)
		}
		var nodes map[string]comfy.NodeError
		if err := json.Unmarshal(e.NodeErrors, &nodes); err != nil || nodes["2"].Errors[0].Type != "value_not_in_list" || nodes["2"].Errors[0].ExtraInfo["input_name"] != "model" {
			t.Errorf("node errors %s, %v", e.NodeErrors, err)
		}
		// A model that was just brought is on the next list, also of one replica only.
		c.nodes[1].classes = `,"Upscale":{"input":{"required":{"image":["IMAGE"],"model":[["sub/x.pth","new.pth"]]}},"output":["IMAGE"],"python_module":"nodes"}`
		elapse(t, time.Minute)
		if got, err := fl.Check("", upscaled("new.pth"), nil); err != nil || len(got.Warnings) != 0 {
			t.Errorf("%+v, %v", got.Warnings, err)
		}
	})
}

// Many jobs with the same fault cost few questions.
func TestRow05RepeatedMissesAreNotAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(2, 1)
		fl := c.open(t, plain())
		if _, err := fl.Refresh(t.Context(), "h200"); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if _, err := fl.Check("", []byte(withNewNode), nil); codeOf(job.AsError(err)) != "unknown_class" {
				t.Fatal(err)
			}
		}
		if n := c.count("GET /object_info"); n > 2+enoughReplies {
			t.Errorf("asked %d times for 100 jobs", n)
		}
	})
}

// A deployment that does not answer in time makes nobody wait twice.
func TestRow05AQuestionThatFailsDecidesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		fl := open(t, f, spec())
		if _, err := fl.Refresh(t.Context(), "h200"); err != nil {
			t.Fatal(err)
		}
		elapse(t, time.Minute)
		f.broken = func(*http.Request) error { return errors.New("reset") }
		before := f.count("")
		for range 10 {
			if got, err := fl.Check("", []byte(withNewNode), nil); err != nil || codesOf(got.Warnings) != "node_list_old" {
				t.Errorf("%+v, %v", got.Warnings, err)
			}
		}
		if n := f.count("") - before; n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

// While in use the list is read every few minutes, and at once when a server of
// another version answers.
func TestRow05TheListIsReadAgainWhileInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(1, 1)
		c.run = time.Hour
		fl := c.open(t, plain())
		_, stop := start(t, fl)
		defer stop()
		c.send(t, fl, 1)
		elapse(t, 21*time.Minute)
		if n := c.count("GET /object_info"); n < 4 || n > 6 {
			t.Errorf("read %d times in 21m", n)
		}
		before := c.count("GET /object_info")
		c.mu.Lock()
		c.nodes[0].version, c.nodes[0].classes = "0.34.0", newNode
		c.mu.Unlock()
		elapse(t, 3*time.Minute) // a question about the server, and one after it
		if n := c.count("GET /object_info") - before; n == 0 || !strings.Contains(string(fl.Nodes("").JSON), "NewNode") {
			t.Errorf("read %d times after the update", n)
		}
	})
}

// Servers that replace old classes take them, and get the _meta without which
// they fail on them.
func TestRow25ReplacedClassesAreAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(1, 1)
		c.replace = `{"NewNode":[{"new_node_id":"MyImage","old_node_id":"NewNode"}]}`
		fl := c.open(t, plain())
		if _, err := fl.Refresh(t.Context(), "h200"); err != nil {
			t.Fatal(err)
		}
		if got, err := fl.Check("", []byte(withNewNode), nil); err != nil || len(got.Warnings) != 0 {
			t.Errorf("%+v, %v", got.Warnings, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		fl := open(t, f, spec())
		x := submission(1)
		x.Workflow = []byte(`{"1":{"class_type":"T2IAdapterLoader","inputs":{}},"9":{"class_type":"MySave","inputs":{"images":["1",0],"filename_prefix":"a"}}}`)
		meta := ""
		f.prompt = func(p posted) (int, string) {
			meta = p.Prompt["1"].Meta["title"] + "/" + p.Prompt["9"].Meta["title"]
			return http.StatusOK, `{"prompt_id":"` + p.PromptID + `","number":1,"node_errors":{}}`
		}
		if fact := fl.Submit(t.Context(), x); fact.Kind != job.Acknowledged || meta != "T2IAdapterLoader/" {
			t.Errorf("%+v, titles %q", fact, meta)
		}
	})
}

// A prompt is held against the deployment that it is for, not against the one
// that was used before.
func TestRow05AnotherDeploymentHasTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := newCluster(1, 1), newCluster(1, 2)
		fresh.nodes[0].classes = newNode
		both := hosts{"old.example": old, "fresh.example": fresh}
		fl, err := New(Options{HTTP: &http.Client{Transport: both}, Deployments: []Spec{{Name: "h200", URL: "http://old.example"}, {Name: "b300", URL: "http://fresh.example"}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"h200", "b300"} {
			if _, err := fl.Refresh(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		if fact := fl.Submit(t.Context(), submission(1)); fact.Kind != job.Acknowledged {
			t.Fatalf("fact = %+v", fact)
		}
		if _, err := fl.Check("", []byte(withNewNode), nil); codeOf(job.AsError(err)) != "unknown_class" {
			t.Errorf("the one that was used: %v", err)
		}
		if got, err := fl.Check("b300", []byte(withNewNode), nil); err != nil || len(got.Warnings) != 0 {
			t.Errorf("the one that has it: %+v, %v", got.Warnings, err)
		}
	})
}

// hosts are several servers on one wire.
type hosts map[string]http.RoundTripper

func (h hosts) RoundTrip(r *http.Request) (*http.Response, error) { return h[r.URL.Host].RoundTrip(r) }

// Whether unknown nodes save anything is asked where that wakes nobody.
func TestRow20APromptOfUnknownNodesWaitsForTheNodeList(t *testing.T) {
	const (
		shows = `,"MyShow":{"input":{"required":{"image":["IMAGE"]}},"output":[],"output_node":true}`
		raw   = `{"1":{"class_type":"MyExportImage","inputs":{}},"9":{"class_type":"PreviewImage","inputs":{"images":["1",0]}}}`
	)
	classes := `,"MyExportImage":{"input":{"required":{}},"output":["IMAGE"]},"PreviewImage":{"input":{"required":{"images":["IMAGE"]}},"output":[],"output_node":true}` + shows
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(1, 1)
		c.nodes[0].classes = classes
		fl := c.open(t, plain())
		if _, err := fl.Check("", []byte(raw), nil); codeOf(job.AsError(err)) != "previews_only" {
			t.Errorf("a deployment that never sleeps: %v", err)
		}
		if n := c.count("GET /object_info"); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(1, 1)
		c.nodes[0].classes = classes
		c.setDown(0, true)
		fl := c.open(t, plain())
		for range 3 {
			if _, err := fl.Check("", []byte(raw), nil); err != nil {
				t.Errorf("nobody knows the nodes: %v", err)
			}
		}
		if n := c.count("GET /object_info"); n != 1 {
			t.Errorf("a server that is down is asked %d times", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(1, 1)
		c.nodes[0].classes = classes
		fl := c.open(t, spec())
		if _, err := fl.Check("", []byte(raw), nil); err != nil || c.count("") != 0 {
			t.Errorf("a sleeping deployment: %v, asked %d times", err, c.count(""))
		}
		c.send(t, fl, 1) // another job wakes it
		s := submission(2)
		s.Workflow = []byte(raw)
		posts := c.count("POST /prompt")
		got := fl.Submit(t.Context(), s)
		if got.Kind != job.Refused || got.Error == nil || got.Error.Code != "previews_only" || got.Error.Transient || !strings.Contains(got.Error.Message, "PreviewImage") {
			t.Errorf("a waiting job, once the nodes can be had: %+v, %+v", got, got.Error)
		}
		if n := c.count("POST /prompt") - posts; n != 0 {
			t.Errorf("it was sent %d times", n)
		}
	})
}

// What only newer servers do not save is asked about as well.
func TestRow24AnOlderServerSavesTheDataset(t *testing.T) {
	const dataset = `{"1":{"class_type":"MyImage","inputs":{}},"9":{"class_type":"SaveTrainingDataset","inputs":{"latents":["1",0],"folder_name":"mine"}}}`
	class := `,"SaveTrainingDataset":{"input":{"required":{"latents":["IMAGE"],"folder_name":["STRING",{}]}},"output":[],"output_node":true}`
	for newer, want := range map[string]string{"": "", `,"SaveImageAdvanced":{"input":{},"output_node":true}`: "previews_only"} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(1, 1)
			c.nodes[0].classes = class + newer
			fl := c.open(t, plain())
			if _, err := fl.Check("", []byte(dataset), nil); err != nil && codeOf(job.AsError(err)) != want || err == nil && want != "" {
				t.Errorf("with %q: %v, want %q", newer, err, want)
			}
		})
	}
}
