package comfy

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Refusal says why a prompt is not sent. It is an error of one sentence, and
// carries the body that ComfyUI itself would have answered, so that a page
// shows it in its own dialog.
type Refusal struct {
	// Code is stable, lower_case, for programs: ui_format, previews_only, ...
	Code string
	// Message is one sentence for people, without the code.
	Message string
	// Hint is the next step, or "".
	Hint string
	// Status is the HTTP status to answer with: 400, 413 or 422.
	Status int
	// Err and NodeErrors are ComfyUI's {"error", "node_errors"}. NodeErrors is
	// never nil, and is empty when no node is to blame.
	Err        ComfyError
	NodeErrors map[string]NodeError
}

// Error is the sentence, with the code in front and the next step behind.
func (r *Refusal) Error() string {
	if r.Hint == "" {
		return r.Code + ": " + r.Message
	}
	return r.Code + ": " + r.Message + "; " + r.Hint
}

// ComfyError is one error as ComfyUI writes it (transcript 03-prompt-errors).
type ComfyError struct {
	Type      string    `json:"type"`
	Message   string    `json:"message"`
	Details   string    `json:"details"`
	ExtraInfo ExtraInfo `json:"extra_info"`
}

// ExtraInfo is the open part of a ComfyError. Nil is written as {}, because
// pages read fields of it without looking.
type ExtraInfo map[string]any

// MarshalJSON writes nil as {}.
func (e ExtraInfo) MarshalJSON() ([]byte, error) {
	if e == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(map[string]any(e))
}

// NodeError is what is wrong with one node. DependentOutputs names the output
// nodes that cannot run because of it.
type NodeError struct {
	Errors           []ComfyError `json:"errors"`
	DependentOutputs []string     `json:"dependent_outputs"`
	ClassType        string       `json:"class_type"`
}

// Types of error that ComfyUI uses for a whole prompt.
const (
	typeInvalid   = "invalid_prompt"
	typeNoOutputs = "prompt_no_outputs"
	typeFailed    = "prompt_outputs_failed_validation"
)

// refuse makes a refusal that no node is to blame for.
func refuse(code, errType, message, hint string) *Refusal {
	return &Refusal{
		Code: code, Message: message, Hint: hint, Status: http.StatusBadRequest,
		Err:        ComfyError{Type: errType, Message: message, Details: hint},
		NodeErrors: map[string]NodeError{},
	}
}

func (r *Refusal) withStatus(status int) *Refusal {
	r.Status = status
	return r
}

func refuseTooBig(what string, size, limit int64) *Refusal {
	return refuse("too_big", typeInvalid,
		fmt.Sprintf("%s has %d bytes, more than the limit of %d", what, size, limit),
		"upload pictures as inputs instead of embedding them in the prompt").withStatus(http.StatusRequestEntityTooLarge)
}

func refuseTooDeep(what string, limit int) *Refusal {
	return refuse("too_deep", typeInvalid,
		fmt.Sprintf("%s nests deeper than %d levels", what, limit),
		"no ComfyUI export does that; check how the file was made").withStatus(http.StatusUnprocessableEntity)
}

func refuseTooMany(nodes, limit int) *Refusal {
	return refuse("too_many_nodes", typeInvalid,
		fmt.Sprintf("the prompt has %d nodes, more than the limit of %d", nodes, limit),
		"split the workflow").withStatus(http.StatusUnprocessableEntity)
}

func refuseNumber(what, text string) *Refusal {
	return refuse("bad_number", typeInvalid,
		what+" contains "+shorten(text)+", which is not a finite JSON number",
		"give the input a finite value")
}

func refuseText(message string) *Refusal {
	return refuse("bad_text", typeInvalid, message, "save the file as UTF-8")
}

func refuseJSON(err error) *Refusal {
	return refuse("bad_json", typeInvalid, "the prompt is not JSON: "+err.Error(),
		`export it again with Workflow > Export (API)`)
}
