package simulator

import (
	_ "embed"
	"strings"
	"sync"
)

// objectInfoJSON is what a replica answers to GET /object_info: the output
// nodes and common inputs recorded from ComfyUI 0.8.0, the loaders, samplers
// and latents that the usual prompts need, and two sources of the
// simulator's own, QMSVG and QMMesh, for formats that need a model.
//
//go:embed object_info.json
var objectInfoJSON []byte

// input is one declared input of a node class.
type input struct {
	name     string
	required bool
	kind     any     // "INT", "IMAGE", ... or the []any of a combo
	config   any     // [kind, options], as error answers repeat it
	options  *object // min, max, options, default; never nil
}

// class is a node class as /object_info describes it.
type class struct {
	name    string
	inputs  []input
	returns []any
	output  bool
	info    *object
}

// classes reads objectInfoJSON once; the result is never changed.
var classes = sync.OnceValue(func() map[string]*class {
	v, err := loads(objectInfoJSON)
	if err != nil {
		panic("simulator: object_info.json: " + err.Error())
	}
	all := map[string]*class{}
	info := v.(*object)
	for _, name := range info.keys {
		all[name] = newClass(name, info.values[name].(*object))
	}
	return all
})

func newClass(name string, info *object) *class {
	c := &class{name: name, info: info}
	c.output, _ = info.values["output_node"].(bool)
	c.returns, _ = info.values["output"].([]any)
	groups, _ := info.values["input"].(*object)
	for _, group := range []string{"required", "optional"} {
		declared, _ := groups.values[group].(*object)
		if declared == nil {
			continue
		}
		for _, key := range declared.keys {
			c.inputs = append(c.inputs, newInput(key, group == "required", declared.values[key].([]any)))
		}
	}
	return c
}

func newInput(name string, required bool, declared []any) input {
	in := input{name: name, required: required, kind: declared[0], options: dict()}
	if len(declared) > 1 {
		in.options = declared[1].(*object)
	}
	in.config = []any{in.kind, in.options}
	return in
}

// choices lists what a combo accepts; ok is false for any other input.
func (in input) choices() (list []any, ok bool) {
	if list, ok := in.kind.([]any); ok {
		return list, true
	}
	if in.kind == "COMBO" {
		list, _ := in.options.values["options"].([]any)
		return list, true
	}
	return nil, false
}

// accepts says whether a link of the received type fits this input
// (validate_node_input of ComfyUI: "*" fits anything).
func (in input) accepts(received any) bool {
	if received == "*" || in.kind == "*" {
		return true
	}
	want, ok := in.kind.(string)
	got, ok2 := received.(string)
	if !ok || !ok2 {
		return repr(in.kind) == repr(received)
	}
	for _, w := range strings.Split(want, ",") {
		if w == got {
			return true
		}
	}
	return false
}
