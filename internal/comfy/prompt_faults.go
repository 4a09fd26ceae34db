package comfy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxFaults is how many faulty nodes a refusal names; the rest is counted.
const maxFaults = 100

// faults collects what is wrong with single nodes and makes one refusal of it.
type faults struct {
	prompt *Prompt
	byNode map[string][]ComfyError
	// plain is what a person is told of a node where ComfyUI's own words are poor.
	plain map[string]string
}

func newFaults(p *Prompt) *faults {
	return &faults{prompt: p, byNode: map[string][]ComfyError{}, plain: map[string]string{}}
}

func (f *faults) add(id string, err ComfyError) {
	f.byNode[id] = append(f.byNode[id], err)
}

// say adds a fault with its sentence for people; the first one of a node stays.
func (f *faults) say(id, sentence string, err ComfyError) {
	f.add(id, err)
	if f.plain[id] == "" {
		f.plain[id] = sentence
	}
}

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
	said := f.plain[ids[0]]
	if said == "" {
		said = strings.TrimSuffix(first.Message+": "+first.Details, ": ")
	}
	out := f.prompt.name(ids[0]) + ": " + said
	if more := len(ids) - 1; more > 0 {
		out += fmt.Sprintf(" (and %d more)", more)
	}
	return out
}

// name is how a node is called in a sentence.
func (p *Prompt) name(id string) string {
	n, ok := p.nodes[id]
	if !ok || n.class == "" {
		return fmt.Sprintf("node %q", shorten(id))
	}
	return fmt.Sprintf("node %q (%s)", shorten(id), shorten(n.class))
}

// shorten keeps foreign text in a message below 80 bytes or so.
func shorten(text string) string {
	const most = 77
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

// brief is a value as an error may repeat it: short text and small things only.
func brief(value any) any {
	switch v := value.(type) {
	case string:
		return shorten(v)
	case nil, bool, json.Number:
		return v
	}
	return fmt.Sprintf("(%s)", kindOf(value))
}

func kindOf(value any) string {
	if _, ok := value.([]any); ok {
		return "list"
	}
	return "object"
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
