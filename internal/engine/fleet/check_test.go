package fleet

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

func TestCheck(t *testing.T) {
	fl := open(t, &fake{}, spec())
	got, err := fl.Check("", []byte(`{"9":{"inputs":{"images":["1",0],"filename_prefix":"a/b"},"class_type":"SaveImage"},
		"1":{"class_type":"EmptyImage","inputs":{"width":64,"height":64,"batch_size":4,"color":18446744073709551615}}}`),
		[]byte(`{"auth_token_comfy_org":"t","client_id":"c","extra_pnginfo":{"workflow":{"nodes":[]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := (job.Expected{Node: "9", Class: "SaveImage", Prefix: "a/b", Count: 4}); len(got.Expect) != 1 || got.Expect[0] != want {
		t.Errorf("expect %+v", got.Expect)
	}
	if !strings.Contains(string(got.Workflow), "18446744073709551615") || !strings.HasPrefix(string(got.Workflow), `{"1":{`) {
		t.Errorf("workflow = %s", got.Workflow)
	}
	if s := string(got.Extra); strings.Contains(s, "auth_token") || strings.Contains(s, "client_id") || !strings.Contains(s, "nodes") {
		t.Errorf("extra = %s", s)
	}
	if len(got.Warnings) != 0 {
		t.Errorf("warnings = %+v", got.Warnings)
	}
}

func TestCheckRefuses(t *testing.T) {
	fl := open(t, &fake{}, spec(), func(o *Options) { o.Limits = comfy.Limits{Bytes: 4000} })
	for code, c := range map[string]struct {
		workflow, extra string
		class           job.Class
		nodes           bool
	}{
		"bad_json":      {workflow: `{`, class: job.Invalid},
		"previews_only": {workflow: `{"1":{"class_type":"EmptyImage","inputs":{}},"2":{"class_type":"PreviewImage","inputs":{"images":["1",0]}}}`, class: job.Invalid},
		"too_big":       {workflow: `{"1":"` + strings.Repeat("x", 5000) + `"}`, class: job.TooLarge},
		"bad_inputs":    {workflow: `{"1":{"class_type":"EmptyImage","inputs":{}},"2":{"class_type":"SaveImage","inputs":{"images":["1",0]}}}`, class: job.Invalid, nodes: true},
		"bad_extra":     {workflow: workflow, extra: `[1]`, class: job.Invalid},
	} {
		_, err := fl.Check("", []byte(c.workflow), []byte(c.extra))
		var e *job.Error
		if !errors.As(err, &e) || e.Class != c.class || e.Message == "" {
			t.Errorf("%s: %v", code, err)
			continue
		}
		if e.Code != code && code != "bad_extra" {
			t.Errorf("code %s, want %s: %v", e.Code, code, err)
		}
		var nodes map[string]comfy.NodeError
		if (json.Unmarshal(e.NodeErrors, &nodes) == nil && len(nodes) > 0) != c.nodes {
			t.Errorf("%s: node errors %s", code, e.NodeErrors)
		}
	}
}

func TestCheckWarnsOfUnknownOutputs(t *testing.T) {
	fl := open(t, &fake{}, spec())
	got, err := fl.Check("", []byte(`{"1":{"class_type":"SomebodysUploader","inputs":{}}}`), nil)
	if err != nil || len(got.Warnings) != 1 || got.Warnings[0].Code != "outputs_unknown" || got.Warnings[0].At.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	if !got.Unsure || len(got.Strangers) != 1 || !slices.Contains(slices.Collect(maps.Values(got.Strangers)), "SomebodysUploader") {
		t.Errorf("unsure %v of %v", got.Unsure, got.Strangers)
	}
}

// What a deployment has is known after it was asked while awake, and belongs
// to the deployment that prompts go to.
func TestCheckKnowsTheNodesOfTheDeploymentInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fl := open(t, &fake{}, spec())
		absent := []byte(`{"1":{"class_type":"NotThere","inputs":{}},"9":{"class_type":"MySave","inputs":{"images":["1",0],"filename_prefix":"a"}}}`)
		if _, err := fl.Check("", absent, nil); err != nil {
			t.Errorf("refused without knowing: %v", err)
		}
		if _, err := fl.Refresh(t.Context(), "h200"); err != nil {
			t.Fatal(err)
		}
		_, err := fl.Check("", absent, nil)
		if e := job.AsError(err); codeOf(e) != "unknown_class" {
			t.Errorf("error = %v", err)
		}
	})
}

const loadsFiles = `{"9":{"class_type":"SaveImage","inputs":{"images":["10",0],"filename_prefix":"x"}},
	"10":{"class_type":"LoadImage","inputs":{"image":"sketches/a.png"}},"11":{"class_type":"LoadImage","inputs":{"image":"spare.png [output]"}}}`

func TestCheckListsInputs(t *testing.T) {
	carried := func(o *Options) { o.Inputs = true }
	got, err := open(t, &fake{}, spec(), carried).Check("", []byte(loadsFiles), nil)
	if err != nil || len(got.Inputs) != 2 {
		t.Fatalf("%+v, %v", got.Inputs, err)
	}
	if in := got.Inputs[0]; in.Node != "10" || in.Input != "image" || in.Path != "sketches/a.png" || in.Base != "input" || !in.Needed || in.Noun != "image" {
		t.Errorf("input %+v", in)
	}
	if in := got.Inputs[1]; in.Path != "spare.png" || in.Base != "output" || in.Needed {
		t.Errorf("input %+v", in)
	}
	if got, err := open(t, &fake{}, spec()).Check("", []byte(strings.ReplaceAll(loadsFiles, "sketches/a", "../a")), nil); err != nil || got.Inputs != nil {
		t.Errorf("nothing is carried: %+v, %v", got.Inputs, err)
	}
	for code, bad := range map[string]string{
		"input_name_refused": strings.ReplaceAll(loadsFiles, "spare.png", "../user002/a.png"), // also where no output takes from it
		"input_unnamed":      strings.ReplaceAll(loadsFiles, "sketches/a.png", ""),
		"input_computed":     strings.ReplaceAll(loadsFiles, `"sketches/a.png"`, `["11",0]`),
	} {
		_, err := open(t, &fake{}, spec(), carried).Check("", []byte(bad), nil)
		e := job.AsError(err)
		if e == nil || e.Code != code || e.Class != job.Invalid || !strings.Contains(string(e.NodeErrors), "LoadImage") {
			t.Errorf("%s: %v", code, err)
		}
	}
	spare := strings.ReplaceAll(loadsFiles, "spare.png [output]", "")
	if _, err := open(t, &fake{}, spec(), carried).Check("", []byte(spare), nil); err != nil {
		t.Errorf("nobody needs the node without a file: %v", err)
	}
}

func TestCheckSaysWhereFilesGo(t *testing.T) {
	const picture = `"1":{"class_type":"EmptyImage","inputs":{"width":64,"height":64,"batch_size":1,"color":7}}`
	text := `{"9":{"class_type":"Save Text File","inputs":{"text":"a","path":"texts","filename_prefix":"a"}}}`
	dataset := `{` + picture + `,"8":{"class_type":"SaveTrainingDataset","inputs":{"folder_name":"d"}},"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"a"}}}`
	preview := `{` + picture + `,"9":{"class_type":"PreviewImage","inputs":{"images":["1",0]}}}`
	tagged := func(o *Options) { o.Tag.Prefix, o.SavePreviews = true, true }
	site := func(o *Options) {
		tagged(o)
		o.SaveNodes = comfy.NewSaveNodes([]comfy.SaveNode{{Class: "Save Text File", Folder: "path", Name: "filename_prefix"}})
	}
	for name, c := range map[string]struct {
		raw     string
		options func(*Options)
		places  []string
		warning string
		outside bool
	}{
		"an own folder":           {workflow, tagged, nil, "", false},
		"no own folder":           {text, tagged, []string{""}, "no_own_folder", true},
		"the installation's row":  {text, site, nil, "", false},
		"elsewhere":               {dataset, tagged, nil, "writes_elsewhere", false},
		"a preview":               {preview, tagged, nil, "previews_saved", false},
		"without tags, by prefix": {workflow, func(o *Options) { o.Tag.Prefix = false }, []string{"portrait"}, "", true},
	} {
		got, err := open(t, &fake{}, spec(), c.options).Check("", []byte(c.raw), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(got.Places, c.places) || len(got.Expect) != 1 || got.Expect[0].Outside != c.outside {
			t.Errorf("%s: places %q, expected %+v", name, got.Places, got.Expect)
		}
		if c.warning == "" && len(got.Warnings) != 0 || c.warning != "" && (len(got.Warnings) != 1 || got.Warnings[0].Code != c.warning || got.Warnings[0].Hint == "") {
			t.Errorf("%s: warnings %+v, want %q", name, got.Warnings, c.warning)
		}
	}
	if got, err := open(t, &fake{}, spec(), tagged).Check("", []byte(preview), nil); err != nil || !strings.Contains(string(got.Workflow), `"SaveImage"`) {
		t.Errorf("stored as %s, %v", got.Workflow, err)
	}
}
