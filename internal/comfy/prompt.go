package comfy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Prompt is an API-format prompt: nodes by id, each with a class and inputs.
// It is immutable and safe for use by several goroutines. Numbers keep their
// exact text, so a 64-bit seed survives; the order of keys has no meaning.
type Prompt struct {
	nodes   map[string]*node
	order   []string        // ids, sorted as ids are: 2 before 10
	markers map[string]bool // start markers that came along; see tag_own.go
	workers Workers         // what is known of who will run it; see For
}

// node is one node. rest holds every other key, such as _meta.
type node struct {
	id     string
	class  string
	inputs map[string]any
	rest   map[string]any
	links  []link // by input name
}

// Node is a copy of one node, for readers of a prompt.
type Node struct {
	ID, Class string
	// Inputs holds literals (numbers as json.Number) and links; see LinkOf.
	// The map is the caller's, the values in it are shared and read-only.
	Inputs map[string]any
}

// ParsePrompt reads an API-format prompt. The error is a *Refusal. What it
// accepts has only well-formed nodes; whether they fit together is for Check.
// Of a prompt that was read back from a picture it leaves out what a server has
// added; see CleanPrompt.
func ParsePrompt(raw []byte, lim Limits) (*Prompt, error) {
	lim = lim.withDefaults()
	raw = CleanPrompt(raw)
	if r := scan("the prompt", raw, lim); r != nil {
		return nil, r
	}
	value, err := decodeExact(raw)
	if err != nil {
		return nil, refuseJSON(err)
	}
	top, ok := value.(map[string]any)
	if r := faultyShape(top, ok); r != nil {
		return nil, r
	}
	if len(top) > lim.Nodes {
		return nil, refuseTooMany(len(top), lim.Nodes)
	}
	return fromObject(top)
}

// decodeExact reads one JSON value with the text of its numbers.
func decodeExact(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("it is empty")
		}
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the first value")
	}
	return value, nil
}

// faultyShape refuses what is JSON but no API-format prompt.
func faultyShape(top map[string]any, isObject bool) *Refusal {
	switch {
	case !isObject:
		return refuse("not_a_prompt", typeInvalid, "the prompt is not a JSON object of nodes", exportHint)
	case isUIFormat(top):
		return refuse("ui_format", typeInvalid,
			"this is a workflow in ComfyUI's UI format, which only the page can run", exportHint)
	case isWrapped(top):
		return refuse("wrapped_prompt", typeInvalid,
			`this is a whole request body with the prompt under its "prompt" key`, `send the object under "prompt" alone`)
	case len(top) == 0:
		return refuse("empty_prompt", typeNoOutputs, "the prompt has no nodes", exportHint)
	}
	return nil
}

const exportHint = `export it with Workflow > Export (API) and send that file`

func isUIFormat(top map[string]any) bool {
	_, nodes := top["nodes"].([]any)
	_, links := top["links"].([]any)
	return nodes || links
}

func isWrapped(top map[string]any) bool {
	inner, ok := top["prompt"].(map[string]any)
	if !ok {
		return false
	}
	_, isNode := inner["class_type"]
	return !isNode
}

func fromObject(top map[string]any) (*Prompt, error) {
	p := &Prompt{nodes: make(map[string]*node, len(top))}
	faults := newFaults(p)
	for id, value := range top {
		n, fault := newNode(id, value)
		p.nodes[id] = n
		if fault != nil {
			faults.add(id, *fault)
		}
	}
	p.order = slices.SortedFunc(maps.Keys(p.nodes), compareIDs)
	if r := faults.refusal("bad_node", "every node needs a class_type and an inputs object; a page leaves out the class_type of a node that is not installed there: install it, or take it out of the workflow, then export the prompt again"); r != nil {
		r.Err.Type = typeInvalid
		return nil, r
	}
	p.markers = p.findMarkers()
	return p, nil
}

// newNode gives a usable node even when it finds a fault, so that all faults
// of a prompt can be told at once.
func newNode(id string, value any) (*node, *ComfyError) {
	n := &node{id: id}
	object, ok := value.(map[string]any)
	if !ok {
		return n, invalidNode(id, "the node is not an object")
	}
	n.class, _ = object["class_type"].(string)
	inputs, hasInputs := object["inputs"]
	n.inputs, ok = inputs.(map[string]any)
	n.links = linksOf(n.inputs)
	n.rest = maps.Clone(object)
	delete(n.rest, "class_type")
	delete(n.rest, "inputs")
	delete(n.rest, changedKey)
	delete(n.inputs, attemptInput)
	switch {
	case n.class == "":
		return n, invalidNode(id, "Cannot execute because a node is missing the class_type property.")
	case !hasInputs:
		return n, invalidNode(id, "the node has no inputs")
	case !ok:
		return n, invalidNode(id, "the inputs of the node are not an object")
	}
	return n, nil
}

func invalidNode(id, message string) *ComfyError {
	return &ComfyError{Type: typeInvalid, Message: message, Details: fmt.Sprintf("Node ID '#%s'", shorten(id))}
}

// compareIDs sorts 2 before 10 and everything else as text.
func compareIDs(a, b string) int {
	if isWhole(a) && isWhole(b) && len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// Len is the number of nodes.
func (p *Prompt) Len() int { return len(p.order) }

// IDs are the ids of all nodes, 2 before 10. The slice is the caller's.
func (p *Prompt) IDs() []string { return slices.Clone(p.order) }

// Node gives a copy of one node; false when the prompt has no such id.
func (p *Prompt) Node(id string) (Node, bool) {
	n, ok := p.nodes[id]
	if !ok {
		return Node{}, false
	}
	return Node{ID: id, Class: n.class, Inputs: maps.Clone(n.inputs)}, true
}

// MarshalJSON writes the prompt with sorted keys and the exact text of its
// numbers: equal prompts give equal bytes, whatever order they came in.
func (p *Prompt) MarshalJSON() ([]byte, error) {
	return encode(p.objects())
}

func (p *Prompt) objects() map[string]any {
	out := make(map[string]any, len(p.nodes))
	for id, n := range p.nodes {
		out[id] = n.object()
	}
	return out
}

func (n *node) object() map[string]any {
	out := make(map[string]any, len(n.rest)+2)
	maps.Copy(out, n.rest)
	out["class_type"] = n.class
	out["inputs"] = n.inputs
	return out
}

// encode is json.Marshal without the escaping that is meant for HTML.
func encode(value any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return nil, fmt.Errorf("encode JSON: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
