package face

import (
	"encoding/json"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// Refusal is the body of a POST /prompt that is refused, as the page's error
// dialog and every client read it (transcript 03-prompt-errors).
type Refusal struct {
	Error      Fault           `json:"error"`
	NodeErrors json.RawMessage `json:"node_errors"`
}

// Fault is one error in ComfyUI's form.
type Fault struct {
	Type    string   `json:"type"`
	Message string   `json:"message"`
	Details string   `json:"details"`
	Extra   struct{} `json:"extra_info"`
}

// typeOf holds the codes for which ComfyUI has a type of its own.
var typeOf = map[string]string{
	"no_prompt": "no_prompt", "invalid_prompt_id": "invalid_prompt_id",
	"no_outputs": "prompt_no_outputs", "previews_only": "prompt_no_outputs", "empty_prompt": "prompt_no_outputs",
}

// Refuse puts an error into ComfyUI's words.
func Refuse(e *job.Error) Refusal {
	r := Refusal{Error: Fault{Type: e.Code, Message: e.Message, Details: e.Hint}, NodeErrors: json.RawMessage("{}")}
	if known := api.FromError(e).NodeErrors; len(known) > len("{}") {
		r.NodeErrors = known
	}
	switch t, ok := typeOf[e.Code]; {
	case ok:
		r.Error.Type = t
	case len(r.NodeErrors) > len("{}"):
		r.Error.Type = "prompt_outputs_failed_validation"
	case e.Class == job.Invalid || e.Class == job.TooLarge:
		r.Error.Type = "invalid_prompt"
	}
	return r
}
