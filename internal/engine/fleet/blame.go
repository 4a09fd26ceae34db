package fleet

import (
	"maps"
	"slices"
	"strings"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// maxReason is in runes: ComfyUI lists every choice there was.
const maxReason = 300

// blame names in e the first node, by its id, that ComfyUI found something
// wrong with, and what that was: its own sentence for the whole prompt names
// neither (0.8.0, transcripts 03-prompt-errors).
func blame(e *job.Error, nodes map[string]comfy.NodeError) *job.Error {
	for _, id := range slices.Sorted(maps.Keys(nodes)) {
		n := nodes[id]
		if len(n.Errors) == 0 {
			continue
		}
		e.Node, e.NodeType = id, n.ClassType
		e.Message += ": " + reason(n.Errors[0])
		return e
	}
	return e
}

// reason is one short line of what ComfyUI says of an input.
func reason(e comfy.ComfyError) string {
	text := e.Message
	if e.Details != "" && e.Details != e.Message {
		text += " (" + e.Details + ")"
	}
	line := []rune(strings.Join(strings.Fields(text), " "))
	if len(line) > maxReason {
		return string(line[:maxReason]) + "..."
	}
	return string(line)
}
