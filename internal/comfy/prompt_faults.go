package comfy

import (
	"fmt"
	"maps"
	"slices"
)

// maxFaults is how many faulty nodes a refusal names; the rest is counted.
const maxFaults = 100

// faults collects what is wrong with single nodes and makes one refusal of it.
type faults struct {
	prompt *Prompt
	byNode map[string][]ComfyError
}

func newFaults(p *Prompt) *faults {
	return &faults{prompt: p, byNode: map[string][]ComfyError{}}
}

func (f *faults) add(id string, err ComfyError) {
	f.byNode[id] = append(f.byNode[id], err)
}

func (f *faults) has(id string) bool { return len(f.byNode[id]) > 0 }

// refusal is nil when there was no fault. Its sentence names the first one.
func (f *faults) refusal(code, hint string) *Refusal {
	if len(f.byNode) == 0 {
		return nil
	}
	ids := slices.SortedFunc(maps.Keys(f.byNode), compareIDs)
	message := f.sentence(ids)
	r := refuse(code, typeFailed, message, hint)
	r.Err.Message, r.Err.Details = "Prompt outputs failed validation", message
	consumers := f.prompt.consumers()
	for _, id := range ids[:min(len(ids), maxFaults)] {
		r.NodeErrors[id] = NodeError{
			Errors:           f.byNode[id],
			DependentOutputs: f.prompt.outputsBehind(id, consumers),
			ClassType:        f.prompt.nodes[id].class,
		}
	}
	return r
}

func (f *faults) sentence(ids []string) string {
	first := f.byNode[ids[0]][0]
	out := f.prompt.name(ids[0]) + ": " + first.Message
	if first.Details != "" {
		out += ": " + first.Details
	}
	if more := len(ids) - 1; more > 0 {
		out += fmt.Sprintf(" (and %d more)", more)
	}
	return out
}

// name is how a node is called in a sentence.
func (p *Prompt) name(id string) string {
	n, ok := p.nodes[id]
	if !ok || n.class == "" {
		return fmt.Sprintf("node %q", id)
	}
	return fmt.Sprintf("node %q (%s)", id, n.class)
}

// outputsBehind lists the output nodes that depend on id. It needs no server's
// word: an output node is one of the core's, or one that nobody takes from.
func (p *Prompt) outputsBehind(id string, consumers map[string][]string) []string {
	out := []string{}
	for met := range reach([]string{id}, func(id string) []string { return consumers[id] }) {
		if n := p.nodes[met]; n != nil && (isCoreOutput(n.class) || len(consumers[met]) == 0) {
			out = append(out, met)
		}
	}
	slices.SortFunc(out, compareIDs)
	return out
}
