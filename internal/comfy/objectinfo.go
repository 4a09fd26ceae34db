package comfy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ObjectInfo is what GET /object_info says of a server's nodes. A nil
// *ObjectInfo is valid and knows nothing. It never changes after
// ParseObjectInfo and may be shared by goroutines.
type ObjectInfo struct {
	classes map[string]Class
	raw     []byte
}

// Class is one entry of /object_info, reduced to what a check needs.
type Class struct {
	// Output is output_node: the server starts its run from such nodes.
	Output bool
	// Required and Optional are the declared inputs, hidden ones left out.
	Required, Optional []Input
	// Slots is the number of outputs, or -1 when the entry does not say.
	Slots int
	// Types are the types of the outputs, "" for one that is a list of choices.
	Types []string
	// Core says that it comes with ComfyUI, as far as the entry says, and Lists
	// that an output is a list: what takes from it may run several times.
	Core, Lists bool
}

// Input is one declared input. Type is "STRING", "IMAGE" and so on, "COMBO" for
// a list of choices, "" when the entry does not say. Default is the default of
// a STRING input, "" otherwise. Upload says that it names a file that people
// upload: a choice, or a text such as the mask of Painter.
type Input struct {
	Name, Type, Default string
	Upload              bool
}

// ParseObjectInfo reads the answer of GET /object_info or /object_info/{class}.
// It survives bare NaN and Infinity, which custom nodes declare as bounds, and
// entries of an unknown shape, which it keeps by name only. raw may not be
// changed afterwards.
func ParseObjectInfo(raw []byte) (*ObjectInfo, error) {
	var entries map[string]json.RawMessage
	raw = nullBareNumbers(raw)
	if err := json.Unmarshal(raw, &entries); err != nil {
		return nil, fmt.Errorf("read object_info: %w", err)
	}
	if entries == nil {
		return nil, errors.New("read object_info: it is not an object")
	}
	info := &ObjectInfo{classes: make(map[string]Class, len(entries)), raw: raw}
	for name, entry := range entries {
		info.classes[name] = readClass(entry)
	}
	return info, nil
}

// Class gives the entry of one node class; false when the server has no such
// class or nothing is known of the server.
func (info *ObjectInfo) Class(name string) (Class, bool) {
	if info == nil {
		return Class{}, false
	}
	c, ok := info.classes[name]
	return c, ok
}

// JSON is the answer as it was read, with null for bare NaN and Infinity; nil
// for nil. Nobody may change it.
func (info *ObjectInfo) JSON() []byte {
	if info == nil {
		return nil
	}
	return info.raw
}

// Len is the number of classes that the server has; 0 for nil.
func (info *ObjectInfo) Len() int {
	if info == nil {
		return 0
	}
	return len(info.classes)
}

// lacks reports whether the server is known not to have a class.
func (info *ObjectInfo) lacks(name string) bool {
	if info == nil {
		return false
	}
	_, ok := info.classes[name]
	return !ok
}

func readClass(raw json.RawMessage) Class {
	var entry struct {
		OutputNode bool   `json:"output_node"`
		IsList     []bool `json:"output_is_list"`
		Module     string `json:"python_module"`
		Output     []any
		Input      struct{ Required, Optional map[string]json.RawMessage }
	}
	if err := json.Unmarshal(raw, &entry); err != nil {
		return Class{Slots: -1}
	}
	c := Class{Output: entry.OutputNode, Slots: -1}
	if entry.Output != nil {
		c.Slots = len(entry.Output)
	}
	for _, t := range entry.Output {
		kind, _ := t.(string)
		c.Types = append(c.Types, kind)
	}
	c.Core = entry.Module == "nodes" || strings.HasPrefix(entry.Module, "comfy_extras.")
	c.Lists = slices.Contains(entry.IsList, true)
	c.Required = readInputs(entry.Input.Required)
	c.Optional = readInputs(entry.Input.Optional)
	return c
}

func readInputs(declared map[string]json.RawMessage) []Input {
	out := make([]Input, 0, len(declared))
	for name, raw := range declared {
		out = append(out, readInput(name, raw))
	}
	slices.SortFunc(out, func(a, b Input) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// readInput reads [type] or [type, options]; type is a word or a list of choices.
func readInput(name string, raw json.RawMessage) Input {
	in := Input{Name: name}
	var spec []json.RawMessage
	if json.Unmarshal(raw, &spec) != nil || len(spec) == 0 {
		return in
	}
	var choices []any
	if json.Unmarshal(spec[0], &in.Type) != nil && json.Unmarshal(spec[0], &choices) == nil {
		in.Type = "COMBO"
	}
	if in.Type == "STRING" && len(spec) > 1 {
		var options struct{ Default any }
		if json.Unmarshal(spec[1], &options) == nil {
			in.Default, _ = options.Default.(string)
		}
	}
	if (in.Type == "COMBO" || in.Type == "STRING") && len(spec) > 1 {
		in.Upload = isUpload(spec[1])
	}
	return in
}

// isUpload reads the options of a choice.
func isUpload(raw json.RawMessage) bool {
	var options map[string]any
	if json.Unmarshal(raw, &options) != nil {
		return false
	}
	return slices.ContainsFunc(uploads, func(name string) bool { return options[name] == true })
}

// input finds a declared input.
func (c Class) input(name string) (Input, bool) {
	for _, list := range [][]Input{c.Required, c.Optional} {
		if i := slices.IndexFunc(list, func(in Input) bool { return in.Name == name }); i >= 0 {
			return list[i], true
		}
	}
	return Input{}, false
}

// optional finds a declared input that a prompt may leave out.
func (c Class) optional(name string) (Input, bool) {
	i := slices.IndexFunc(c.Optional, func(in Input) bool { return in.Name == name })
	if i < 0 {
		return Input{}, false
	}
	return c.Optional[i], true
}

// isDynamic reports an input of the V3 schema that stands in a prompt as
// several, such as COMFY_AUTOGROW_V3 "images" as "images.image0".
func (in Input) isDynamic() bool { return strings.HasPrefix(in.Type, "COMFY_") }
