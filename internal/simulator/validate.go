package simulator

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// verdict is what ComfyUI's validate_prompt returns: either a refusal (its
// "error" object), or the output nodes that will run. nodeErrors may be
// non-empty in both cases; the outputs it names never run.
type verdict struct {
	refusal    *object
	outputs    []string
	nodeErrors *object
}

// exception is a Python exception: it becomes a 500 outside validation and
// an "exception_during_validation" inside it.
type exception struct{ kind, message string }

func (e *exception) Error() string { return e.kind + ": " + e.message }

// result is the fate of one node: valid, or not, with its own reasons. A
// node below a broken one is invalid without reasons.
type result struct {
	valid   bool
	reasons []any
}

type validation struct {
	server
	prompt *object
	done   map[string]result
	order  []string         // keys of done in the order they were first set
	open   []string         // the nodes under way, from an output upwards
	cycles map[string][]any // reasons of the nodes that stand in a cycle
}

// server is what a replica knows when it checks a prompt.
type server struct {
	classes   map[string]*class
	modern    bool // 0.33
	inputFile func(name string) bool
}

// validate checks and, like ComfyUI, converts a prompt in place: "64"
// becomes 64 where an INT is declared. The error is an *exception: a shape
// ComfyUI does not survive, which it answers with 500.
func (s server) validate(prompt any, targets []any) (verdict, error) {
	nodes, err := asNodes(prompt)
	if err != nil {
		return verdict{}, err
	}
	outputs, refusal, err := s.outputNodes(nodes, targets)
	if err != nil || refusal != nil {
		return verdict{refusal: refusal, nodeErrors: dict()}, err
	}
	if len(outputs) == 0 {
		return verdict{refusal: refusalOf("prompt_no_outputs", "Prompt has no outputs", ""), nodeErrors: dict()}, nil
	}
	v := &validation{server: s, prompt: nodes, done: map[string]result{}, cycles: map[string][]any{}}
	return v.outputs(outputs), nil
}

// asNodes admits what Python's loop over a prompt survives: an object, or an
// empty list or string.
func asNodes(prompt any) (*object, error) {
	switch p := prompt.(type) {
	case *object:
		return p, nil
	case []any:
		if len(p) == 0 {
			return dict(), nil
		}
	case string:
		if p == "" {
			return dict(), nil
		}
	}
	return nil, &exception{"TypeError", "the prompt is not an object of nodes"}
}

func (s server) outputNodes(nodes *object, targets []any) (outputs []string, refusal *object, err error) {
	for _, id := range nodes.keys {
		node, ok := nodes.values[id].(*object)
		if !ok {
			return nil, nil, &exception{"TypeError", "node " + id + " is not an object"}
		}
		kind, has := node.get("class_type")
		c := s.classes[text(kind)]
		switch {
		case (!has || c == nil) && s.modern:
			return nil, missingType(id, node, kind), nil
		case !has:
			return nil, refusalOf("invalid_prompt", "Cannot execute because a node is missing the class_type property.", "Node ID '#"+id+"'"), nil
		case c == nil:
			return nil, refusalOf("invalid_prompt", "Cannot execute because node "+text(kind)+" does not exist.", "Node ID '#"+id+"'"), nil
		}
		if c.output && (targets == nil || slices.Contains(targets, any(id))) {
			outputs = append(outputs, id)
		}
	}
	return outputs, nil, nil
}

// missingType is 0.33's refusal of a class that it does not have (kind), or of
// a node without one (nil).
func missingType(id string, node *object, kind any) *object {
	title := dig(node, "_meta", "title")
	message := "Node '" + text(cmp.Or(title, any("ID #"+id))) + "' has no class_type. The workflow may be corrupted or a custom node is missing."
	if kind != nil {
		title = cmp.Or(title, kind)
		message = "Node '" + text(title) + "' not found. The custom node may not be installed."
	}
	refusal := refusalOf("missing_node_type", message, "Node ID '#"+id+"'")
	refusal.set("extra_info", dict("node_id", id, "class_type", kind, "node_title", title))
	return refusal
}

func refusalOf(kind, message, details string) *object {
	return dict("type", kind, "message", message, "details", details, "extra_info", dict())
}

func (v *validation) outputs(ids []string) verdict {
	good, nodeErrors, details := []string{}, dict(), []string{}
	for _, id := range ids {
		r, err := v.node(id)
		if err != nil {
			r = result{reasons: []any{duringValidation(err)}}
			v.set(id, r)
		}
		if r.valid {
			good = append(good, id)
			continue
		}
		for _, reason := range r.reasons {
			reason := reason.(*object)
			details = append(details, text(reason.values["message"])+": "+text(reason.values["details"]))
		}
		v.blame(nodeErrors, id)
	}
	if len(good) > 0 {
		return verdict{outputs: good, nodeErrors: nodeErrors}
	}
	refusal := refusalOf("prompt_outputs_failed_validation", "Prompt outputs failed validation", strings.Join(details, "\n"))
	return verdict{refusal: refusal, nodeErrors: nodeErrors}
}

// blame adds every broken node seen so far to the answer, with the output
// that depends on it, exactly as loosely as ComfyUI does.
func (v *validation) blame(nodeErrors *object, output string) {
	for _, id := range v.order {
		r := v.done[id]
		if r.valid || len(r.reasons) == 0 {
			continue
		}
		entry, ok := nodeErrors.values[id].(*object)
		if !ok {
			kind := v.prompt.values[id].(*object).values["class_type"]
			entry = dict("errors", r.reasons, "dependent_outputs", []any{}, "class_type", kind)
			nodeErrors.set(id, entry)
		}
		entry.set("dependent_outputs", append(entry.values["dependent_outputs"].([]any), output))
	}
}

func (v *validation) set(id string, r result) {
	if _, has := v.done[id]; !has {
		v.order = append(v.order, id)
	}
	v.done[id] = r
}

// node validates one node and everything above it. A cycle makes the nodes
// of the cycle invalid, in 0.8 without a reason (transcripts 03, cycle).
func (v *validation) node(id string) (result, error) {
	if r, ok := v.done[id]; ok {
		return r, nil
	}
	if i := slices.Index(v.open, id); i >= 0 {
		if v.modern {
			v.cycle(v.open[i:])
		}
		return result{}, nil
	}
	v.open = append(v.open, id)
	defer func() { v.open = v.open[:len(v.open)-1] }()
	node := v.prompt.values[id].(*object)
	inputs, err := inputsOf(node)
	if err != nil {
		return result{}, err
	}
	c := v.classes[text(node.values["class_type"])]
	r := result{valid: true}
	for _, in := range taken(c.inputs, inputs) {
		reason, ok, err := v.input(c, in, inputs)
		if err != nil {
			return result{}, err
		}
		r.valid = r.valid && ok
		if reason != nil {
			r.reasons = append(r.reasons, reason)
		}
	}
	r.reasons = append(r.reasons, v.cycles[id]...)
	v.set(id, r)
	return r, nil
}

// cycle gives each of the nodes the reason that 0.33 gives.
func (v *validation) cycle(ids []string) {
	var steps []string
	var nodes []any
	for _, id := range ids {
		steps = append(steps, id+" ("+text(v.prompt.values[id].(*object).values["class_type"])+")")
		nodes = append(nodes, id)
	}
	path := strings.Join(append(steps, steps[0]), " -> ")
	for _, id := range ids {
		v.cycles[id] = []any{problem("dependency_cycle", "Dependency cycle detected", path, dict("node_id", id, "cycle_nodes", nodes))}
	}
}

// inputsOf is prompt[id]['inputs'] and what follows when it is no object.
func inputsOf(node *object) (*object, error) {
	raw, has := node.get("inputs")
	switch inputs := raw.(type) {
	case *object:
		return inputs, nil
	case []any, string:
		return dict(), nil
	case nil:
		if !has {
			return nil, &exception{"KeyError", "'inputs'"}
		}
		return nil, &exception{"TypeError", "argument of type 'NoneType' is not iterable"}
	default:
		return nil, &exception{"TypeError", "argument of type '" + typeName(raw) + "' is not iterable"}
	}
}

func (v *validation) input(c *class, in input, inputs *object) (reason *object, valid bool, err error) {
	value, has := inputs.get(in.name)
	if !has {
		if !in.required || in.kind == dynamicCombo { // recorded: prompt-errors-0.33, format_missing
			return nil, true, nil
		}
		last := in.name[strings.LastIndex(in.name, ".")+1:] // of "format.quality", as 0.33 says it
		return problem("required_input_missing", "Required input is missing", last, dict("input_name", in.name)), false, nil
	}
	if link, ok := value.([]any); ok {
		return v.link(in, link)
	}
	reason = v.literal(c, in, inputs, value)
	return reason, reason == nil, nil
}

func (v *validation) link(in input, link []any) (reason *object, valid bool, err error) {
	if len(link) != 2 {
		extra := dict("input_name", in.name, "input_config", in.config, "received_value", link)
		return problem("bad_linked_input", "Bad linked input, must be a length-2 list of [node_id, slot_index]", in.name, extra), false, nil
	}
	id, received, err := v.source(link)
	if err != nil {
		return nil, false, err
	}
	if !in.accepts(received) {
		details := fmt.Sprintf("%s, received_type(%s) mismatch input_type(%s)", in.name, text(received), text(in.kind))
		extra := dict("input_name", in.name, "input_config", in.config, "received_type", received, "linked_node", link)
		return problem("return_type_mismatch", "Return type mismatch between linked nodes", details, extra), false, nil
	}
	r, err := v.node(id)
	if err != nil {
		v.set(id, result{reasons: []any{duringInner(err, in, link)}})
		return nil, false, nil
	}
	return nil, r.valid, nil
}

// source finds the node a link names and the type of its slot.
func (v *validation) source(link []any) (id string, received any, err error) {
	switch link[0].(type) {
	case []any:
		return "", nil, &exception{"TypeError", "unhashable type: 'list'"}
	case *object:
		return "", nil, &exception{"TypeError", "unhashable type: 'dict'"}
	}
	id, ok := link[0].(string)
	node, has := v.prompt.values[id].(*object)
	if !ok || !has {
		return "", nil, &exception{"KeyError", repr(link[0])}
	}
	returns := v.classes[text(node.values["class_type"])].returns
	slot, ok := link[1].(integer)
	if !ok {
		return "", nil, &exception{"TypeError", "tuple indices must be integers or slices, not " + typeName(link[1])}
	}
	i, err := strconv.Atoi(string(slot))
	if i < 0 {
		i += len(returns)
	}
	if err != nil || i < 0 || i >= len(returns) {
		return "", nil, &exception{"IndexError", "tuple index out of range"}
	}
	return id, returns[i], nil
}

func problem(kind, message, details string, extra *object) *object {
	return dict("type", kind, "message", message, "details", details, "extra_info", extra)
}

func duringValidation(err error) *object {
	e := err.(*exception)
	extra := dict("exception_type", e.kind, "traceback", traceback("validate_inputs"))
	return problem("exception_during_validation", "Exception when validating node", e.message, extra)
}

func duringInner(err error, in input, link []any) *object {
	e := err.(*exception)
	extra := dict("input_name", in.name, "input_config", in.config, "exception_message", e.message,
		"exception_type", e.kind, "traceback", traceback("validate_inputs"), "linked_node", link)
	return problem("exception_during_inner_validation", "Exception when validating inner node", e.message, extra)
}

// traceback stands for Python's: one frame, so that clients which show it
// have something to show.
func traceback(function string) []any {
	return []any{"  File \"/srv/ComfyUI/execution.py\", line 518, in " + function + "\n    (simulated)\n"}
}

func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case integer:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case []any:
		return "list"
	}
	return "dict"
}
