package face

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/comfyume/qmtui/internal/job"
)

func TestReadPrompt(t *testing.T) {
	for _, c := range []struct {
		body, id, client, workflow string
		front                      bool
	}{
		{body: `{"prompt":{"9":{}}}`},
		{body: `{"prompt":{},"prompt_id":"abc","client_id":"c","front":true}`, id: "abc", client: "c", front: true},
		{body: `{"prompt":{},"prompt_id":null,"client_id":{"a":1},"front":0}`},
		{body: `{"prompt":{},"prompt_id":12345,"number":3,"front":true}`, id: "12345"},
		{body: `{"prompt":{},"extra_data":{"extra_pnginfo":{"workflow":{"id":"wf-1"}}}}`, workflow: "wf-1"},
		{body: `{"prompt":{},"extra_data":{"extra_pnginfo":"a string"}}`},
		{body: `{"prompt":{},"client_id":"` + strings.Repeat("x", 1000) + `"}`},
	} {
		p, err := ReadPrompt([]byte(c.body))
		if err != nil || p.ID != c.id || p.Note.Client != c.client || p.Note.Workflow != c.workflow || p.Front != c.front {
			t.Errorf("%s: %+v %v", c.body, p, err)
		}
		if back := NoteOf(job.Job{Spec: job.Spec{Metadata: p.Note.Metadata()}}); back.Client != p.Note.Client || back.Workflow != p.Note.Workflow || (back.Number == nil) != (p.Note.Number == nil) {
			t.Errorf("%s: the note became %+v", c.body, back)
		}
	}
}

func TestID(t *testing.T) {
	for key, want := range map[string]string{"": "j", "comfy:mine": "mine", "other": "j"} {
		if got := ID(job.Job{Spec: job.Spec{ID: "j", Key: key}}); got != want {
			t.Errorf("key %q: %s", key, got)
		}
	}
}

func FuzzReadPrompt(f *testing.F) {
	for _, body := range []string{`{"prompt":{"1":{"inputs":{"a":["2",0]}},"2":{}},"partial_execution_targets":["1"]}`, `{"prompt":{},"number":"1e3","prompt_id":1}`, `{"prompt":[],"partial_execution_targets":[[]]}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := ReadPrompt(raw)
		if err != nil {
			if e := job.AsError(err); e.Class != job.Invalid || !json.Valid(Refuse(e).NodeErrors) {
				t.Errorf("refused with %v", err)
			}
			return
		}
		if !json.Valid(p.Workflow) || !plain(p.ID) || !plain(p.Note.Client) || p.Note.Metadata() == nil {
			t.Errorf("%+v", p)
		}
	})
}
