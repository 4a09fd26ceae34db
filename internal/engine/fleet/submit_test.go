package fleet

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

func TestSubmitTagsAndAcknowledges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		got := open(t, f, spec()).Submit(t.Context(), submission(1))
		if got.Kind != job.Acknowledged || got.Job != "job-1" || got.Attempt != 1 || got.PromptID != promptID(1) ||
			got.Evidence != job.ByPlatform || got.At.IsZero() || got.Error != nil {
			t.Errorf("fact = %+v", got)
		}
		p := f.posts[0]
		if prefix := p.Prompt["9"].Inputs["filename_prefix"]; prefix != "qm/"+promptID(1)+"/9/portrait" {
			t.Errorf("prefix = %v", prefix)
		}
		if p.PromptID != promptID(1) || !p.has("EmptyImage") {
			t.Errorf("posted %+v: no id or no marker", p)
		}
		claim := p.ExtraData["extra_pnginfo"].(map[string]any)["qm"].(map[string]any)
		if claim["job"] != "job-1" || claim["attempt"] != float64(1) || claim["prompt_id"] != promptID(1) {
			t.Errorf("metadata = %v", claim)
		}
	})
}

func TestSubmitFates(t *testing.T) {
	reset := errors.New("connection reset by peer")
	for name, c := range map[string]struct {
		status     int
		body       string
		header     http.Header
		broken     error
		kind       job.Kind
		code       string
		class      job.Class
		transient  bool
		retryAfter int
		state      job.Warmth
	}{
		"refused by ComfyUI": {status: 400, kind: job.Refused, code: "worker_refused", class: job.Invalid, state: job.WarmthWarm,
			body: `{"error":{"type":"prompt_outputs_failed_validation","message":"Prompt outputs failed validation","details":"","extra_info":{}},
				"node_errors":{"9":{"errors":[{"type":"required_input_missing","message":"Required input is missing","details":"images","extra_info":{"x":NaN}}],"dependent_outputs":["9"],"class_type":"SaveImage"}}}`},
		"wrong shape": {status: 500, body: "500 Internal Server Error\n\nServer got itself in trouble", kind: job.Refused, code: "malformed_prompt",
			header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, class: job.Invalid, state: job.WarmthWarm},
		"missing key":   {status: 404, body: "not found", kind: job.Refused, code: "endpoint_or_key", class: job.Unavailable, transient: true, state: job.WarmthFailing},
		"a proxy's 413": {status: 413, kind: job.Refused, code: "too_large", class: job.TooLarge, state: job.WarmthUnknown},
		"busy": {status: 503, header: http.Header{"Retry-After": {"17"}}, kind: job.Refused, code: "try_later", class: job.Unavailable,
			transient: true, retryAfter: 17, state: job.WarmthUnknown},
		"bad gateway":     {status: 502, body: "<html>502</html>", kind: job.Unanswered, code: "server_error", class: job.Unavailable, state: job.WarmthUnknown},
		"reset":           {broken: reset, kind: job.Unanswered, code: "no_answer", class: job.Unavailable, state: job.WarmthUnknown},
		"not ComfyUI":     {status: 200, body: "<html>hello</html>", kind: job.Unanswered, code: "unreadable_answer", class: job.Unavailable, state: job.WarmthUnknown},
		"200 with no id":  {status: 200, body: `{"ok":true}`, kind: job.Unanswered, code: "unreadable_answer", class: job.Unavailable, state: job.WarmthUnknown},
		"unknown in node": {status: 400, body: `{"error":"nope"}`, kind: job.Refused, code: "worker_refused", class: job.Invalid, state: job.WarmthWarm},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{prompt: func(posted) (int, string) { return c.status, c.body }, header: c.header,
					broken: func(*http.Request) error { return c.broken }}
				fl := open(t, f, spec())
				got := fl.Submit(t.Context(), submission(1))
				e := got.Error
				if got.Kind != c.kind || e == nil || e.Code != c.code || e.Class != c.class || e.Transient != c.transient || e.RetryAfter != c.retryAfter {
					t.Errorf("fact = %+v, error %+v", got, e)
				}
				if e != nil && (e.Message == "" || strings.Contains(e.Error(), "secret")) {
					t.Errorf("message = %q", e.Error())
				}
				if n := f.count(""); n != 1 {
					t.Errorf("%d requests for one submit: %v", n, f.requests)
				}
				if d := fl.Deployments()[0]; d.State != c.state {
					t.Errorf("deployment is %s (%s), want %s", d.State, d.Because, c.state)
				}
			})
		})
	}
}

func TestSubmitKeepsNodeErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const nodes = `"node_errors":{"5":{"errors":[{"type":"t","message":"m","details":"","extra_info":{}}],"dependent_outputs":["15","12"],"class_type":"X"}}`
		f := &fake{prompt: func(p posted) (int, string) {
			return 200, `{"prompt_id":"` + p.PromptID + `","number":3,` + nodes + `}`
		}}
		got := open(t, f, spec()).Submit(t.Context(), submission(1))
		if got.Kind != job.Acknowledged || !slices.Equal(got.Dropped, []string{"12", "15"}) {
			t.Errorf("dropped = %v, kind %s", got.Dropped, got.Kind)
		}
		if got.Error == nil || got.Error.Code != "outputs_dropped" || !strings.Contains(string(got.Error.NodeErrors), `"class_type":"X"`) {
			t.Errorf("error = %+v", got.Error)
		}
	})
}

// The start marker keeps a prompt valid whose own outputs are all faulty: that
// is a refusal, or the job would wait for files that never come.
func TestSubmitIsRefusedWhenOnlyTheMarkerIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const nodes = `"node_errors":{"4":{"errors":[{"type":"value_not_in_list","message":"m","details":"","extra_info":{}}],"dependent_outputs":["9"],"class_type":"X"}}`
		f := &fake{prompt: func(p posted) (int, string) {
			return 200, `{"prompt_id":"` + p.PromptID + `","number":3,` + nodes + `}`
		}}
		got := open(t, f, spec()).Submit(t.Context(), submission(1))
		if got.Kind != job.Refused || got.Error == nil || got.Error.Code != "worker_refused" || got.Error.Transient || len(got.Error.NodeErrors) == 0 {
			t.Errorf("fact = %+v, error %+v", got, got.Error)
		}
	})
}

func TestSubmitGivesUpAtItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{boot: time.Hour}
		fl := open(t, f, spec())
		began := time.Now()
		got := fl.Submit(t.Context(), submission(1))
		if took := time.Since(began); took != 15*time.Minute {
			t.Errorf("took %s", took)
		}
		if got.Kind != job.Unanswered || got.Error.Code != "no_answer" || !strings.Contains(got.Error.Message, "15m") {
			t.Errorf("fact = %+v, %v", got, got.Error)
		}
	})
}

func TestSubmitStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{boot: time.Hour}
		fl := open(t, f, spec())
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		got := fl.Submit(ctx, submission(1))
		if got.Kind != job.Unanswered || got.Error.Code != "no_answer" {
			t.Errorf("fact = %+v, %v", got, got.Error)
		}
		if d := fl.Deployments()[0]; d.State == job.WarmthFailing || d.Error != nil {
			t.Errorf("our own end counts against the deployment: %+v", d)
		}
	})
}

func TestSubmitOfWhatCannotBeSent(t *testing.T) {
	f := &fake{}
	fl := open(t, f, spec())
	elsewhere, garbled, noID := submission(1), submission(1), submission(1)
	elsewhere.Deployment, garbled.Workflow, noID.PromptID = "b300", []byte("{"), "../x"
	for code, s := range map[string]job.Submission{"unknown_deployment": elsewhere, "bad_json": garbled, "internal": noID} {
		got := fl.Submit(t.Context(), s)
		if got.Kind != job.Refused || got.Error == nil || got.Error.Code != code || got.At.IsZero() {
			t.Errorf("%s: fact = %+v, %v", code, got, got.Error)
		}
	}
	if n := f.count(""); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// refusing plays a server that has none of the classes given.
func refusing(newer bool, classes ...string) func(posted) (int, string) {
	return func(p posted) (int, string) {
		for _, c := range classes {
			switch {
			case p.has(c) && newer:
				return 400, `{"error":{"type":"missing_node_type","message":"Node 'x' not found. The custom node may not be installed.","details":"Node ID '#1'",
					"extra_info":{"node_id":"1","class_type":"` + c + `","node_title":"x"}},"node_errors":{}}`
			case p.has(c):
				return 400, `{"error":{"type":"invalid_prompt","message":"Cannot execute because node ` + c + ` does not exist.","details":"Node ID '#1'","extra_info":{}},"node_errors":{}}`
			}
		}
		return 200, `{"prompt_id":"` + p.PromptID + `","number":1,"node_errors":{}}`
	}
}

func TestSubmitWithoutTheMarkerWhereItIsUnknown(t *testing.T) {
	for _, newer := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{prompt: refusing(newer, "EmptyImage", "SaveImage")}
			fl := open(t, f, spec())
			for n := range 3 {
				if got := fl.Submit(t.Context(), submission(n+1)); got.Kind != job.Acknowledged {
					t.Fatalf("submit %d: %+v %v", n+1, got, got.Error)
				}
			}
			if n := f.count("POST /prompt"); n != 4 {
				t.Errorf("%d posts for 3 submits, want one extra and then remembered", n)
			}
			if p := f.posts[3]; p.Prompt["9"].Inputs["filename_prefix"] != "qm/"+promptID(3)+"/9/portrait" {
				t.Errorf("the prefix went with the marker: %+v", p)
			}
		})
	}
}

func TestSubmitWithoutTheMarkerWhenTheNodesAreNotListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{prompt: refusing(false, "EmptyImage"), broken: func(r *http.Request) error {
			if r.URL.Path == "/object_info" {
				return errors.New("reset")
			}
			return nil
		}}
		fl := open(t, f, spec())
		for n := range 2 {
			if got := fl.Submit(t.Context(), submission(n+1)); got.Kind != job.Acknowledged {
				t.Fatalf("submit %d: %+v %v", n+1, got, got.Error)
			}
		}
		if n := f.count("POST /prompt"); n != 3 {
			t.Errorf("%d posts, want 3", n)
		}
	})
}

func TestSubmitWithoutStringConcatenate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{prompt: refusing(false, "StringConcatenate", "EmptyImage")}
		s := submission(1)
		s.Workflow = []byte(`{"1":{"class_type":"MyImage","inputs":{}},"2":{"class_type":"PrimitiveString","inputs":{"value":"a"}},
			"9":{"class_type":"MySave","inputs":{"images":["1",0],"filename_prefix":["2",0]}}}`)
		if got := open(t, f, spec()).Submit(t.Context(), s); got.Kind != job.Acknowledged {
			t.Fatalf("fact = %+v, %v", got, got.Error)
		}
		if p := f.posts[len(f.posts)-1]; p.Prompt["9"].Inputs["filename_prefix"] != "qm/"+promptID(1)+"/9/ComfyUI" {
			t.Errorf("posted %+v", p)
		}
	})
}

func TestSubmitDoesNotRepeatForTheUsersOwnMissingNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{prompt: refusing(false, "MySave")}
		got := open(t, f, spec()).Submit(t.Context(), submission(1))
		if got.Kind != job.Refused || got.Error.Code != "worker_refused" || !strings.Contains(got.Error.Message, "MySave") {
			t.Errorf("fact = %+v, %v", got, got.Error)
		}
		if n := f.count("POST /prompt"); n != 1 {
			t.Errorf("requests: %v", f.requests)
		}
	})
}

// A worker without nodes refuses every prompt: that is told apart from a prompt
// with a node that the worker lacks.
func TestSubmitToAWorkerWithoutNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{prompt: refusing(false, "MySave"), nodes: "{}"}
		fl := open(t, f, spec())
		got := fl.Submit(t.Context(), submission(1))
		if got.Kind != job.Refused || got.Error.Code != "no_nodes" || !got.Error.Transient || got.Error.Hint == "" {
			t.Errorf("fact = %+v, %v", got, got.Error)
		}
		if d := fl.Deployments()[0]; !d.NoNodes || d.Answered.IsZero() {
			t.Errorf("deployment = %+v", d)
		}
		f.nodes = `{"SaveImage":{}}`
		if d, err := fl.Refresh(t.Context(), spec().Name); err != nil || d.NoNodes {
			t.Errorf("after it has nodes: %+v, %v", d, err)
		}
	})
}

// TestSubmitNamesStagedInputs: the POST has the workers' names, and what is
// done about a file that the worker has not got depends on who carries it.
func TestSubmitNamesStagedInputs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lacks := `{"error":{"type":"prompt_outputs_failed_validation","message":"Prompt outputs failed validation","details":"","extra_info":{}},
			"node_errors":{"10":{"errors":[{"type":"custom_validation_failed","message":"Custom validation failed for node","details":"image - Invalid image file: a.png","extra_info":{"input_name":"image"}}],"dependent_outputs":["9"],"class_type":"LoadImage"}}}`
		for _, carried := range []bool{true, false} {
			f := &fake{prompt: func(posted) (int, string) { return 400, lacks }}
			s := submission(1)
			s.Workflow, s.User = []byte(loadsFiles), "user001"
			if carried {
				s.Inputs = []job.Input{{Node: "10", Input: "image", Base: "input", Path: "sketches/a.png", Sum: strings.Repeat("0", 64)}}
			}
			got := open(t, f, spec(), func(o *Options) { o.Inputs = carried }).Submit(t.Context(), s)
			want, hint := "sketches/a.png", "only when share.inputs"
			if carried {
				want, hint = "qm/user001/"+strings.Repeat("0", 64)+"/input/sketches/a.png", "--input-directory"
			}
			if name := f.posts[0].Prompt["10"].Inputs["image"]; name != want {
				t.Errorf("the worker is to load %v, want %s", name, want)
			}
			if name := f.posts[0].Prompt["11"].Inputs["image"]; name != "spare.png [output]" {
				t.Errorf("what was not staged became %v", name)
			}
			if got.Kind != job.Refused || got.Error.Code != "worker_refused" || got.Error.Node != "10" || !strings.Contains(got.Error.Hint, hint) {
				t.Errorf("fact %+v, %+v", got, got.Error)
			}
		}
	})
}

// TestRow13DroppedBesideAStranger: a node that nobody knows runs although a preview, or the only known save node, was dropped: the
// server renders, so that this is no refusal.
func TestRow13DroppedBesideAStranger(t *testing.T) {
	for dropped, workflow := range map[string]string{
		"10": `{"4":{"class_type":"LoadImage","inputs":{"image":"a.png"}},"7":{"class_type":"Zork Save","inputs":{"images":["4",0]}},"10":{"class_type":"PreviewImage","inputs":{"images":["4",0]}}}`,
		"9":  `{"4":{"class_type":"LoadImage","inputs":{"image":"a.png"}},"7":{"class_type":"Zork Save","inputs":{"images":["4",0]}},"9":{"class_type":"SaveImage","inputs":{"images":["4",0],"filename_prefix":"x"}}}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{prompt: func(p posted) (int, string) {
				return 200, `{"prompt_id":"` + p.PromptID + `","number":3,"node_errors":{"` + dropped + `":{"errors":[{"type":"t","message":"m","details":"","extra_info":{}}],"dependent_outputs":["` + dropped + `"],"class_type":"X"}}}`
			}}
			s := submission(1)
			s.Workflow = []byte(workflow)
			got := open(t, f, spec()).Submit(t.Context(), s)
			if got.Kind != job.Acknowledged {
				t.Errorf("node %s dropped: %s %+v, although the server runs the prompt with node 7", dropped, got.Kind, got.Error)
			}
		})
	}
}
