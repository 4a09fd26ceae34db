package face

import (
	"encoding/json"
)

// part is the prompt reduced to what the targets need: ComfyUI runs only the
// output nodes among them (transcript 03-prompt-errors, partial_targets).
func part(prompt, targets json.RawMessage) (json.RawMessage, error) {
	var ids []any
	var nodes map[string]json.RawMessage
	if json.Unmarshal(targets, &ids) != nil || json.Unmarshal(prompt, &nodes) != nil {
		return nil, refused("invalid_targets", "partial_execution_targets is not a list of nodes of the prompt", "leave it out to run the whole prompt")
	}
	need := map[string]json.RawMessage{}
	var todo []string
	for _, id := range ids {
		if name, ok := id.(string); ok {
			todo = append(todo, name)
		}
	}
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		raw, known := nodes[id]
		if _, seen := need[id]; seen || !known {
			continue
		}
		need[id] = raw
		todo = append(todo, links(raw)...)
	}
	if len(need) == 0 {
		return nil, refused("no_outputs", "Prompt has no outputs", "none of partial_execution_targets is in the prompt")
	}
	return json.Marshal(need)
}

// links lists the nodes that a node's inputs come from.
func links(node json.RawMessage) []string {
	var n struct {
		Inputs map[string]json.RawMessage `json:"inputs"`
	}
	if json.Unmarshal(node, &n) != nil {
		return nil
	}
	var from []string
	for _, in := range n.Inputs {
		var link []any
		if json.Unmarshal(in, &link) != nil || len(link) != 2 {
			continue
		}
		if id, ok := link[0].(string); ok {
			from = append(from, id)
		}
	}
	return from
}
