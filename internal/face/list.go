package face

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// The statuses of GET /jobs. ComfyUI 0.8.0 has the first four; cancelled came later.
var Statuses = []string{"pending", "in_progress", "completed", "failed", "cancelled"}

// StatusOf is a job's status in the words of GET /jobs.
func StatusOf(j job.Job) string {
	switch s := j.State(); {
	case Waiting(j):
		return "pending"
	case !s.Terminal():
		return "in_progress"
	case s == job.Done:
		return "completed"
	case s == job.Cancelled:
		return "cancelled"
	}
	return "failed"
}

// Listed is a job as GET /jobs lists it; fields that are not known are left out.
type Listed struct {
	ID       string         `json:"id"`
	Status   string         `json:"status"`
	Priority float64        `json:"priority"` // the number
	Created  int64          `json:"create_time"`
	Started  int64          `json:"execution_start_time,omitempty"`
	Ended    int64          `json:"execution_end_time,omitempty"`
	Error    any            `json:"execution_error,omitempty"`
	Outputs  int            `json:"outputs_count"`
	Preview  map[string]any `json:"preview_output,omitempty"`
	Workflow string         `json:"workflow_id,omitempty"`
}

// Listed is the job as GET /jobs lists it. It needs no bodies.
func (e Entry) Listed() Listed {
	j := e.Job
	l := Listed{ID: ID(j), Status: StatusOf(j), Priority: Number(j), Created: millis(j.Submitted), Workflow: NoteOf(j).Workflow}
	if l.Workflow == "" {
		l.Workflow = workflowID(e.Extra)
	}
	if !j.State().Terminal() {
		return l // ComfyUI tells no more before the end
	}
	l.Started, l.Ended = millis(j.StartedAt()), millis(j.EndedAt())
	if f, ok := ending(j); ok && f.Type == typeError {
		l.Error = f.Data
	}
	for _, n := range delivered(e.View, j) {
		l.Outputs += len(n.Files)
		if i := slices.IndexFunc(n.Files, previewable); l.Preview == nil && i >= 0 {
			f := n.Files[i]
			l.Preview = map[string]any{"filename": f.Filename, "subfolder": f.Subfolder, "type": f.Type, "nodeId": n.ID, "mediaType": f.Medium}
		}
	}
	return l
}

func previewable(o api.Output) bool {
	return o.Medium == "images" || o.Medium == "audio" || o.Medium == "video" || strings.HasSuffix(strings.ToLower(o.Filename), ".glb")
}

// Detail is the job as GET /jobs/{id} shows it: an ended one with its bodies.
type Detail struct {
	Listed
	Outputs  json.RawMessage `json:"outputs,omitempty"`
	Status   *Status         `json:"execution_status,omitempty"`
	Workflow *Bodies         `json:"workflow,omitempty"`
}

// Bodies is what was submitted.
type Bodies struct {
	Prompt json.RawMessage `json:"prompt"`
	Extra  map[string]any  `json:"extra_data"`
}

// Detail is the job with everything.
func (e Entry) Detail() Detail {
	d := Detail{Listed: e.Listed()}
	if e.Job.State().Terminal() {
		s := status(e.Job)
		d.Outputs, d.Status = outputs(delivered(e.View, e.Job)), &s
		d.Workflow = &Bodies{orEmpty(e.Workflow), e.extra()}
	}
	return d
}

// Jobs is the answer of GET /jobs.
type Jobs struct {
	Jobs       []Listed   `json:"jobs"`
	Pagination Pagination `json:"pagination"`
}

// Pagination says which part of the list it is.
type Pagination struct {
	Offset int  `json:"offset"`
	Limit  *int `json:"limit"` // nil when none was asked for
	Total  int  `json:"total"`
	More   bool `json:"has_more"`
}

// Duration is how long the run took, in milliseconds; zero when not known.
func (l Listed) Duration() int64 {
	if l.Started == 0 || l.Ended == 0 {
		return 0
	}
	return l.Ended - l.Started
}
