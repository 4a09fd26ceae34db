package face

import (
	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// The types of frames that are told apart here.
const (
	TypeStatus    = "status"
	typeError     = "execution_error"
	typeExecuting = "executing"
)

// Frame is one message of the WebSocket.
type Frame struct {
	Type string `json:"type"`
	Data any    `json:"data"`
	// All says that it is for every page of the user, not only for the client
	// that submitted the prompt (ComfyUI 0.8.0, transcript 02-prompt-ok).
	All bool `json:"-"`
}

// fields is the data of a frame.
type fields = map[string]any

// Remaining tells how many of the user's prompts have not ended. sid is told
// once, in the first frame of a connection; empty for none.
func Remaining(n int, sid string) Frame {
	data := fields{"status": fields{"exec_info": fields{"queue_remaining": n}}}
	if sid != "" {
		data["sid"] = sid
	}
	return Frame{Type: TypeStatus, Data: data, All: true}
}

// Features is what the server can do, as GET /features and the frame of that name tell it.
// A page takes the frame for all that its server can do, so what the page's own ComfyUI
// answers, the manager's interface, node replacements and kinds of models, is told as
// ComfyUI 0.33.0 tells it; older pages know no such flags. There are no live pictures from
// a distant worker, and no assets, which would list what was rendered without the files
// that the manager delivers.
func Features(maxUpload int64) map[string]any {
	return fields{
		"supports_preview_metadata": false, "max_upload_size": maxUpload, "assets": false,
		"extension": fields{"manager": fields{"supports_v4": true}}, "node_replacements": true, "supports_model_type_tags": true,
	}
}

// FeatureFlags answers a client that tells its own.
func FeatureFlags(maxUpload int64) Frame {
	return Frame{Type: "feature_flags", Data: Features(maxUpload), All: true}
}

// Notification tells a page why nothing runs yet. Pages mark the prompt as
// waiting for a machine by the words at its beginning.
func Notification(j job.Job, s job.Standing) Frame {
	value := s.Phase
	if st := j.State(); st == job.Submitting || st == job.Accepted {
		value = "Waiting for a machine: " + s.Phase
	}
	return Frame{Type: "notification", Data: fields{"value": value, "id": ID(j)}, All: true}
}

func started(j job.Job) Frame {
	return Frame{Type: "execution_start", Data: fields{"prompt_id": ID(j), "timestamp": millis(j.StartedAt())}}
}

// cached names no node: nobody tells us which ones a worker had.
func cached(j job.Job) Frame {
	return Frame{Type: "execution_cached", Data: fields{"nodes": []string{}, "prompt_id": ID(j), "timestamp": millis(j.StartedAt())}}
}

// ending is the frame of a job's end; false for one that has not ended.
func ending(j job.Job) (Frame, bool) {
	data := fields{"prompt_id": ID(j), "timestamp": millis(j.EndedAt())}
	switch j.State() {
	case job.Done:
		return Frame{Type: "execution_success", Data: data}, true
	case job.Failed, job.Lost:
		return Frame{Type: typeError, Data: blame(j, data)}, true
	case job.Cancelled:
		data["node_id"], data["node_type"], data["executed"] = "", "", wrote(j)
		return Frame{Type: "execution_interrupted", Data: data}, true
	}
	return Frame{}, false
}

// blame fills in what the page's dialog reads; a node that nobody named is "".
func blame(j job.Job, data fields) fields {
	e := j.Failure()
	if e == nil {
		e = &job.Error{Code: j.State().String(), Message: "the job is " + j.State().String()}
	}
	data["node_id"], data["node_type"], data["executed"] = e.Node, e.NodeType, wrote(j)
	plain := *e
	plain.Node = "" // stands in a field of its own
	data["exception_message"], data["exception_type"] = api.Sentence(&plain), e.Code
	data["traceback"] = append([]string{}, e.Traceback...)
	data["current_inputs"], data["current_outputs"] = fields{}, []string{}
	return data
}

// wrote lists the nodes of which files stand on the share.
func wrote(j job.Job) []string {
	out := []string{}
	for _, x := range j.Expect {
		if _, t := tally(j, x.Node); t > 0 {
			out = append(out, x.Node)
		}
	}
	return out
}

// tally counts a node's files of the current attempt: stored, and seen at all.
func tally(j job.Job, node string) (stored, seen int) {
	for _, o := range j.OutputsOf(j.Current().N) {
		if o.Node != node || o.State == job.OutputAbandoned || o.State == job.OutputVanished {
			continue
		}
		if seen++; o.State == job.OutputStored {
			stored++
		}
	}
	return stored, seen
}
