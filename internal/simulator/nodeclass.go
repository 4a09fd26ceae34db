package simulator

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Version is the ComfyUI that a replica answers as.
type Version string

// The versions that the simulator was recorded from.
const (
	V08 Version = "0.8.0"
	V33 Version = "0.33.0"
)

// ParseVersion reads "0.8" or "0.33", with or without the last number.
func ParseVersion(s string) (Version, error) {
	for _, v := range []Version{V08, V33} {
		if s == string(v) || s+".0" == string(v) {
			return v, nil
		}
	}
	return "", fmt.Errorf("unknown ComfyUI version %q: use 0.8 or 0.33", s)
}

// objectInfo holds the node lists. object_info.json has the output nodes and
// common inputs recorded from ComfyUI 0.8.0, the loaders, samplers and latents
// that the usual prompts need, and two sources of the simulator's own, QMSVG
// and QMMesh, for formats that need a model. object_info_0.33.json has what
// 0.33.0 says of its output nodes and of a few sources, without tooltips;
// custom_nodes.json the custom nodes that every replica has.
//
//go:embed object_info.json object_info_0.33.json custom_nodes.json node_replacements.json
var objectInfo embed.FS

// catalog is the node list of one version.
type catalog struct {
	classes map[string]*class
	info    *object // the answer to GET /object_info
}

// without is the catalog less one class.
func (c *catalog) without(name string) *catalog {
	if c.classes[name] == nil {
		return c
	}
	less := &catalog{classes: map[string]*class{}, info: c.info.copy()}
	less.info.pop(name)
	for k, v := range c.classes {
		if k != name {
			less.classes[k] = v
		}
	}
	return less
}

var catalogs = map[Version]func() *catalog{
	V08: sync.OnceValue(func() *catalog { return readCatalog("object_info.json", "custom_nodes.json") }),
	V33: sync.OnceValue(func() *catalog { return readCatalog("object_info.json", "object_info_0.33.json", "custom_nodes.json") }),
}

// catalog is the version's node list; it is never changed.
func (v Version) catalog() *catalog { return catalogs[v]() }

// readCatalog merges node lists; a later file wins.
func readCatalog(files ...string) *catalog {
	c := &catalog{classes: map[string]*class{}, info: dict()}
	for _, file := range files {
		list := embedded(file)
		for _, name := range list.keys {
			info := list.values[name].(*object)
			c.classes[name] = newClass(name, info)
			c.info.set(name, info)
		}
	}
	return c
}

func embedded(file string) *object {
	text, err := objectInfo.ReadFile(file)
	if err != nil {
		panic("simulator: " + err.Error())
	}
	v, err := loads(text)
	if err != nil {
		panic("simulator: " + file + ": " + err.Error())
	}
	return v.(*object)
}

// replacements are the class names that 0.33.0 replaces, as it lists them.
var replacements = sync.OnceValue(func() *object { return embedded("node_replacements.json") })

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

func newClass(name string, info *object) *class {
	c := &class{name: name, info: info}
	c.output, _ = info.values["output_node"].(bool)
	c.returns, _ = info.values["output"].([]any)
	groups, _ := info.values["input"].(*object)
	c.inputs = declaredInputs(groups, "")
	return c
}

// declaredInputs reads the groups "required" and "optional"; prefix stands
// before every name.
func declaredInputs(groups *object, prefix string) []input {
	var all []input
	for _, group := range []string{"required", "optional"} {
		declared, _ := groups.values[group].(*object)
		if declared == nil {
			continue
		}
		for _, key := range declared.keys {
			all = append(all, newInput(prefix+key, group == "required", declared.values[key].([]any)))
		}
	}
	return all
}

// dynamicCombo is a choice that brings inputs of its own.
const dynamicCombo = "COMFY_DYNAMICCOMBO_V3"

// taken are the inputs that a class takes with these values: to a dynamic
// combo belong the inputs of the choice made, under "name.input" (0.33.0). An
// unknown choice or none brings no inputs, and passes.
func taken(declared []input, values *object) []input {
	all := slices.Clone(declared)
	for _, in := range declared {
		if in.kind != dynamicCombo {
			continue
		}
		options, _ := in.options.values["options"].([]any)
		for _, o := range options {
			if option := o.(*object); repr(option.values["key"]) == repr(values.values[in.name]) {
				all = append(all, taken(declaredInputs(option.values["inputs"].(*object), in.name+"."), values)...)
			}
		}
	}
	return all
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
