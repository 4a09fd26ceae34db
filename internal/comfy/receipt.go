package comfy

import (
	"encoding/json"
	"time"
)

// Receipt is ComfyUI's 200 to POST /prompt. It says that the prompt waits in the queue of
// one replica, not that it runs.
type Receipt struct {
	// PromptID is the id that the server uses. Old servers ignore the one that was
	// sent and make their own, so compare.
	PromptID string
	// Number is the place in that replica's queue; smaller runs first, it may be negative.
	Number float64
	// NodeErrors can be filled on 200 too: the outputs that they name will never
	// produce a file, the others run. Nil when there are none.
	NodeErrors map[string]NodeError
}

// SubmitClass says what may be done after a failed submit.
type SubmitClass int

const (
	// NobodyKnows: the prompt may be running, or about to. Look for its files before a
	// new attempt with a new prompt id. The zero value, because it is the careful one.
	NobodyKnows SubmitClass = iota
	// TryLater: the prompt certainly does not run; the same attempt may be sent again.
	TryLater
	// RefusedForGood: the prompt does not run, and sending it again changes nothing.
	RefusedForGood
)

// String gives the class in lower case, for logs.
func (c SubmitClass) String() string {
	switch c {
	case TryLater:
		return "try later"
	case RefusedForGood:
		return "refused for good"
	}
	return "nobody knows"
}

// SubmitError is every error of Client.Submit.
type SubmitError struct {
	Class SubmitClass
	// Status is the HTTP status, or 0 when there was no answer.
	Status int
	// Code is stable and lower-case: ComfyUI's own type of a refusal
	// (prompt_outputs_failed_validation, ...) or endpoint_or_key, malformed_prompt,
	// too_large, refused, busy, unreachable, no_answer, unreadable_answer, server_error.
	Code string
	// Message is one sentence for people, Hint the next step or "".
	Message, Hint string
	// Err and NodeErrors are what ComfyUI answered; zero and nil when it did not.
	Err        ComfyError
	NodeErrors map[string]NodeError
	// RetryAfter is what the server asked for, at most an hour; zero when it did not.
	RetryAfter time.Duration

	cause error
}

// Error is code, sentence and next step. It never contains the key.
func (e *SubmitError) Error() string {
	text := "submit prompt: " + e.Code + ": " + e.Message
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// Unwrap gives the transport's error, context.Canceled for example, or nil.
func (e *SubmitError) Unwrap() error { return e.cause }

// answer is what POST /prompt says, on 200 as on 400. Every part is read for itself:
// versions and proxies differ in the shape of each.
type answer struct {
	PromptID   json.RawMessage `json:"prompt_id"`
	Number     json.RawMessage `json:"number"`
	Error      json.RawMessage `json:"error"`
	NodeErrors json.RawMessage `json:"node_errors"`
}

func readAnswer(body []byte) (answer, error) {
	var a answer
	err := json.Unmarshal(nullBareNumbers(body), &a)
	return a, err
}

// receipt reports false when there is no prompt id in the answer.
func (a answer) receipt() (Receipt, bool) {
	r := Receipt{PromptID: scalar(a.PromptID), NodeErrors: readNodeErrors(a.NodeErrors)}
	_ = json.Unmarshal(a.Number, &r.Number) // stays 0 when it is no number
	return r, r.PromptID != ""
}

// comfyError reads the error, an object in ComfyUI and a plain text in some proxies.
func (a answer) comfyError() (ComfyError, bool) {
	if text := scalar(a.Error); text != "" {
		return ComfyError{Message: text}, true
	}
	return readComfyError(a.Error)
}

func readComfyError(raw json.RawMessage) (ComfyError, bool) {
	var wire struct {
		Type      json.RawMessage `json:"type"`
		Message   json.RawMessage `json:"message"`
		Details   json.RawMessage `json:"details"`
		ExtraInfo json.RawMessage `json:"extra_info"`
	}
	if json.Unmarshal(raw, &wire) != nil {
		return ComfyError{}, false
	}
	e := ComfyError{Type: scalar(wire.Type), Message: scalar(wire.Message), Details: scalar(wire.Details)}
	_ = json.Unmarshal(wire.ExtraInfo, &e.ExtraInfo) // free-form, for show only
	return e, e.Type != "" || e.Message != ""
}

// readNodeErrors takes the object of ComfyUI; the empty list that old versions send, or
// anything else, is none.
func readNodeErrors(raw json.RawMessage) map[string]NodeError {
	var nodes map[string]struct {
		Errors           []json.RawMessage `json:"errors"`
		DependentOutputs []json.RawMessage `json:"dependent_outputs"`
		ClassType        json.RawMessage   `json:"class_type"`
	}
	if json.Unmarshal(raw, &nodes) != nil || len(nodes) == 0 {
		return nil
	}
	out := make(map[string]NodeError, len(nodes))
	for id, n := range nodes {
		e := NodeError{ClassType: scalar(n.ClassType)}
		for _, raw := range n.Errors {
			one, _ := readComfyError(raw)
			e.Errors = append(e.Errors, one)
		}
		for _, raw := range n.DependentOutputs {
			e.DependentOutputs = append(e.DependentOutputs, scalar(raw))
		}
		out[id] = e
	}
	return out
}

// scalar gives a JSON text as it is and a number or truth value as it is written. Ids
// are texts in ComfyUI's own JSON and numbers in some nodes'. Anything else is "".
func scalar(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' || string(raw) == "null" {
		return ""
	}
	return string(raw)
}
