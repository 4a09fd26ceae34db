package comfy

import (
	"fmt"
	"strings"
)

// RefuseInputs is the refusal of a prompt whose files cannot be had, in the
// words that ComfyUI has for it; nil when no file has a fault. The first file
// gives code and hint, and every node is named in NodeErrors.
func RefuseInputs(files []InputFile) *Refusal {
	var r *Refusal
	more := 0
	for _, f := range files {
		if f.Fault == nil {
			continue
		}
		if r == nil {
			r = refuse(f.Fault.Code, typeFailed, f.sentence(), f.Fault.Hint)
		} else {
			more++
		}
		e, named := r.NodeErrors[f.Node]
		if !named && len(r.NodeErrors) >= maxFaults {
			continue
		}
		e.ClassType, e.DependentOutputs = f.Class, append([]string{}, f.Outputs...)
		e.Errors = append(e.Errors, f.comfyError())
		r.NodeErrors[f.Node] = e
	}
	if r == nil {
		return nil
	}
	if more > 0 {
		r.Message += fmt.Sprintf(" (and %d more)", more)
	}
	r.Err.Message, r.Err.Details = "Prompt outputs failed validation", r.Message
	return r
}

// sentence says what is wrong, with node and input.
func (f InputFile) sentence() string {
	what := f.Input
	if f.Part != "" {
		what += "." + f.Part
	}
	if f.Name != "" {
		what += fmt.Sprintf(" %q", shorten(f.Name))
	}
	return fmt.Sprintf("node %q (%s): %s: %s", shorten(f.Node), shorten(f.Class), what, f.Fault.Sentence)
}

// comfyError is what ComfyUI itself says of a file that is not there
// (transcripts 03-prompt-errors), followed by our reason where it is another.
func (f InputFile) comfyError() ComfyError {
	noun := strings.TrimSpace(f.Noun + " file")
	details := f.Input + " - Invalid " + noun + ": " + shorten(f.Name)
	if f.Fault.Code != "input_missing" {
		details += " (" + f.Fault.Sentence + ")"
	}
	return ComfyError{Type: "custom_validation_failed", Message: "Custom validation failed for node", Details: details,
		ExtraInfo: ExtraInfo{"input_name": f.Input, "received_value": shorten(f.Name), "code": f.Fault.Code}}
}
