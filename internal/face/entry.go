package face

import (
	"encoding/json"
	"maps"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// Entry is a job with the bodies that the queue and the history show.
type Entry struct {
	Job      job.Job
	Workflow json.RawMessage // the prompt
	Extra    json.RawMessage // extra_data; nil for none
	View     api.View
}

// Waiting reports a job that no worker has begun, as far as anybody knows.
func Waiting(j job.Job) bool { return !j.State().Terminal() && j.State() < job.Running }

// Visible reports a job that the history shows: an ended one, but not one that
// was taken from the queue before it began, of which ComfyUI keeps nothing.
func Visible(j job.Job) bool {
	return j.State().Terminal() && (j.State() != job.Cancelled || !j.StartedAt().IsZero())
}

// Item is the job as GET /queue lists it:
// [number, prompt_id, prompt, extra_data, outputs_to_execute].
func (e Entry) Item() []any {
	return []any{Number(e.Job), ID(e.Job), orEmpty(e.Workflow), e.extra(), targets(e.Job)}
}

func orEmpty(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("{}")
	}
	return raw
}

// extra is extra_data with what ComfyUI itself puts there.
func (e Entry) extra() map[string]any {
	out := map[string]any{}
	var given map[string]json.RawMessage
	if json.Unmarshal(e.Extra, &given) == nil {
		for k, v := range maps.All(given) {
			out[k] = v
		}
	}
	if c := NoteOf(e.Job).Client; c != "" {
		out["client_id"] = c
	}
	out["create_time"] = millis(e.Job.Submitted)
	return out
}

// targets is outputs_to_execute: the nodes that write.
func targets(j job.Job) []string {
	out := make([]string, 0, len(j.Expect))
	for _, x := range j.Expect {
		out = append(out, x.Node)
	}
	return out
}

// History is the job as GET /history shows it (transcript 02-prompt-ok).
type History struct {
	Prompt  []any           `json:"prompt"`
	Outputs json.RawMessage `json:"outputs"`
	Status  Status          `json:"status"`
	Meta    json.RawMessage `json:"meta"`
}

// Status is how a run came out.
type Status struct {
	Text      string   `json:"status_str"` // success or error
	Completed bool     `json:"completed"`
	Messages  [][2]any `json:"messages"` // type and data of what was told of it
}

// History is the entry of an ended job.
func (e Entry) History() History {
	nodes := delivered(e.View, e.Job)
	return History{Prompt: e.Item(), Outputs: outputs(nodes), Status: status(e.Job),
		Meta: object(nodes, func(n Node) (string, any) {
			return n.ID, map[string]any{"node_id": n.ID, "display_node": n.ID, "parent_node": nil, "real_node_id": n.ID}
		})}
}

func status(j job.Job) Status {
	s := Status{Text: "error", Messages: [][2]any{}}
	if j.State() == job.Done {
		s.Text, s.Completed = "success", true
	}
	add := func(f Frame) { s.Messages = append(s.Messages, [2]any{f.Type, f.Data}) }
	if !j.StartedAt().IsZero() {
		add(started(j))
		add(cached(j))
	}
	if f, ok := ending(j); ok {
		add(f)
	}
	return s
}

// Histories is the answer of GET /history: entries by prompt_id, oldest first.
func Histories(entries []Entry) json.RawMessage {
	return object(entries, func(e Entry) (string, any) { return ID(e.Job), e.History() })
}
