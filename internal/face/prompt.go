package face

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/comfyume/qmtui/internal/job"
)

// Prompt is the body of POST /prompt, read.
type Prompt struct {
	ID       string          // the client's prompt_id; empty for none
	Workflow json.RawMessage // what shall run: the prompt, or the part of it that was asked for
	Extra    json.RawMessage // extra_data; nil for none
	// Front says that it shall run before the user's other prompts.
	Front bool
	Note  Note
}

// body is POST /prompt as ComfyUI reads it. Keys that are not here are ignored.
type body struct {
	Prompt  json.RawMessage `json:"prompt"`
	ID      json.RawMessage `json:"prompt_id"`
	Client  json.RawMessage `json:"client_id"`
	Number  json.RawMessage `json:"number"`
	Front   json.RawMessage `json:"front"`
	Extra   json.RawMessage `json:"extra_data"`
	Targets json.RawMessage `json:"partial_execution_targets"`
}

// maxText bounds a prompt_id and a client_id, in bytes.
const maxText = 150

// ReadPrompt reads the body of POST /prompt. Errors are *job.Error; [Refuse]
// puts them into ComfyUI's words.
func ReadPrompt(raw []byte) (Prompt, error) {
	var b body
	if err := json.Unmarshal(raw, &b); err != nil {
		return Prompt{}, refused("bad_json", "the body is not a JSON object: "+err.Error(), `send {"prompt": {...}}`)
	}
	if none(b.Prompt) {
		return Prompt{}, refused("no_prompt", "No prompt provided", "No prompt provided")
	}
	p := Prompt{Workflow: b.Prompt, Note: Note{Client: readClient(b.Client), Workflow: workflowID(b.Extra)}}
	if !none(b.Extra) {
		p.Extra = b.Extra
	}
	var err error
	if p.ID, err = readID(b.ID); err != nil {
		return Prompt{}, err
	}
	if p.Note.Number, err = readNumber(b.Number); err != nil {
		return Prompt{}, err
	}
	p.Front = truthy(b.Front) && p.Note.Number == nil
	if !none(b.Targets) {
		p.Workflow, err = part(b.Prompt, b.Targets)
	}
	return p, err
}

func refused(code, message, hint string) *job.Error {
	return &job.Error{Code: code, Class: job.Invalid, Message: message, Hint: hint}
}

func none(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// readID reads a prompt_id: text, or a number as older servers took it
// (transcript 02-prompt-ok).
func readID(raw json.RawMessage) (string, error) {
	if none(raw) {
		return "", nil
	}
	id, ok := text(raw)
	if n := json.Number(""); !ok && json.Unmarshal(raw, &n) == nil {
		id, ok = n.String(), true
	}
	if !ok || !plain(id) {
		return "", refused("invalid_prompt_id", fmt.Sprintf("prompt_id %.60s is not plain text of at most %d characters", raw, maxText), "use a UUID")
	}
	return id, nil
}

// readClient is a client_id; one that is not plain text is none.
func readClient(raw json.RawMessage) string {
	if id, ok := text(raw); ok && plain(id) {
		return id
	}
	return ""
}

func readNumber(raw json.RawMessage) (*float64, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	s, ok := text(raw)
	if !ok {
		s = string(raw)
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n-n != 0 { // infinite, or not a number
		return nil, refused("invalid_number", fmt.Sprintf("number %.60s is not a number", raw), "leave it out")
	}
	return &n, nil
}

// truthy is what Python takes for true.
func truthy(raw json.RawMessage) bool {
	switch string(bytes.TrimSpace(raw)) {
	case "", "null", "false", "0", `""`, "[]", "{}":
		return false
	}
	return true
}

func text(raw json.RawMessage) (string, bool) {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}

// plain reports printable ASCII of bounded length: what an idempotency key may hold.
func plain(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return len(s) <= maxText
}

// workflowID is the id of the page's workflow in extra_data; empty for none.
func workflowID(extra json.RawMessage) string {
	var x struct {
		PNG struct {
			Workflow struct {
				ID json.RawMessage `json:"id"`
			} `json:"workflow"`
		} `json:"extra_pnginfo"`
	}
	if json.Unmarshal(extra, &x) != nil {
		return ""
	}
	if id, ok := text(x.PNG.Workflow.ID); ok && plain(id) {
		return id
	}
	return ""
}
