package fleet

import (
	"encoding/json"
	"regexp"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// noFile is how ComfyUI's own nodes, and most others, say that a file is not in
// the worker's input folder (0.8.0, transcripts 03-prompt-errors, loadimage_missing).
var noFile = regexp.MustCompile(`Invalid (\w+ )?file: `)

// hinted says what to do about a file that the worker has not got.
func (f *Fleet) hinted(fact job.Fact) job.Fact {
	if fact.Kind != job.Refused || fact.Error == nil || fact.Error.Code != "worker_refused" || !lacksFile(fact.Error.NodeErrors) {
		return fact
	}
	e := *fact.Error
	e.Hint = "the workers have no such file: what users upload reaches them only when share.inputs and users.inputs are set, see docs/inputs.md"
	if f.opts.Inputs {
		e.Hint = "the file was not found in the workers' input folder: start them with --input-directory on the folder that share.inputs is, or give the node a plain file name; see docs/inputs.md"
	}
	fact.Error = &e
	return fact
}

func lacksFile(raw json.RawMessage) bool {
	var nodes map[string]comfy.NodeError
	if json.Unmarshal(raw, &nodes) != nil {
		return false
	}
	for _, n := range nodes {
		for _, e := range n.Errors {
			if e.Type == "custom_validation_failed" && noFile.MatchString(e.Details) {
				return true
			}
		}
	}
	return false
}
