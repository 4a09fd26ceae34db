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
	classes  map[string]Class
	entries  map[string]json.RawMessage // one for each class, as it was read
	replaced map[string]bool            // classes that the server replaces by others
	unsure   bool                       // see Unsure
	raw      []byte
}

// Class is one entry of /object_info, reduced to what a check needs.
type Class struct {
	// Output is output_node: the server starts its run from such nodes.
	Output bool
	// Required and Optional are the declared inputs, hidden ones left out.
	Required, Optional []Input
	// Slots is the number of outputs, or -1 when the entry does not say. Types
	// are their types, "" for one that is a list of choices.
	Slots int
	Types []string
	// Core says that the class is ComfyUI's own and not a custom node's, and Lists
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
	// Choices are those of a COMBO: text, json.Number and bool. They are nil
	// where the entry does not list what the server would accept.
	Choices []any
	// Min and Max are the bounds of an INT or FLOAT; "" for none.
	Min, Max json.Number
}

// ParseObjectInfo reads the answer of GET /object_info or /object_info/{class}.
// It survives bare NaN and Infinity, which custom nodes declare as bounds, and
// entries of an unknown shape, which it keeps by name only. Choices that name
// what is staged for users, or their attempts' outputs, are left out. raw may
// not be changed afterwards.
func ParseObjectInfo(raw []byte) (*ObjectInfo, error) {
	var entries map[string]json.RawMessage
	raw = nullBareNumbers(raw)
	if err := json.Unmarshal(raw, &entries); err != nil {
		return nil, fmt.Errorf("read object_info: %w", err)
	}
	if entries == nil {
		return nil, errors.New("read object_info: it is not an object")
	}
	if withoutStaged(entries) {
		raw = entriesJSON(entries)
	}
	info := &ObjectInfo{classes: make(map[string]Class, len(entries)), entries: entries, raw: raw}
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

// JSON is the answer as it was read, with null for bare NaN and Infinity and
// without choices that ParseObjectInfo left out; nil for nil. Nobody may change
// it, and it never changes: the same bytes are the same list.
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

// Unsure is the same list for checks that must refuse nothing because of what
// it lacks: it is old, or another replica may answer otherwise.
func (info *ObjectInfo) Unsure() *ObjectInfo {
	if info == nil {
		return nil
	}
	out := *info
	out.unsure = true
	return &out
}

// Replacing is the same list on a server that replaces old classes, as GET
// /node_replacements of newer servers lists them. Nil info stays nil.
func (info *ObjectInfo) Replacing(old []string) *ObjectInfo {
	if info == nil || len(old) == 0 {
		return info
	}
	out := *info
	out.replaced = setOf(old...)
	return &out
}

// lacks reports whether the server is known not to have a class, nor to
// replace it by one that it has.
func (info *ObjectInfo) lacks(name string) bool {
	return info != nil && !info.has(name) && !info.replaced[name]
}

func (info *ObjectInfo) has(name string) bool {
	_, ok := info.Class(name)
	return ok
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
	c := Class{Output: entry.OutputNode, Slots: -1, Core: isCoreModule(entry.Module)}
	if entry.Output != nil {
		c.Slots = len(entry.Output)
	}
	for _, t := range entry.Output {
		kind, _ := t.(string)
		c.Types = append(c.Types, kind)
	}
	c.Lists = slices.Contains(entry.IsList, true)
	c.Required = readInputs(entry.Input.Required)
	c.Optional = readInputs(entry.Input.Optional)
	return c
}

// isCoreModule reports a Python module of ComfyUI itself (0.3.64 to 0.33.0).
func isCoreModule(name string) bool {
	return name == "nodes" || strings.HasPrefix(name, "comfy_extras.") || strings.HasPrefix(name, "comfy_api_nodes.")
}

func readInputs(declared map[string]json.RawMessage) []Input {
	out := make([]Input, 0, len(declared))
	for name, raw := range declared {
		out = append(out, readInput(name, raw))
	}
	slices.SortFunc(out, func(a, b Input) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// readInput reads [type] or [type, options]; type is a word or a list of
// choices, which newer entries have among the options.
func readInput(name string, raw json.RawMessage) Input {
	in := Input{Name: name}
	var spec []json.RawMessage
	if json.Unmarshal(raw, &spec) != nil || len(spec) == 0 {
		return in
	}
	var options map[string]any
	if len(spec) > 1 {
		options, _ = readExact(spec[1]).(map[string]any)
	}
	switch t := readExact(spec[0]).(type) {
	case string:
		in.Type = t
		in.Choices = choicesOf(options["options"])
	case []any:
		in.Type, in.Choices = "COMBO", choicesOf(t)
	}
	in.Upload = slices.ContainsFunc(uploads, func(name string) bool { return options[name] == true })
	switch in.Type {
	case "STRING":
		in.Default, _ = options["default"].(string)
	case "COMBO":
		if options["remote"] != nil || options["multiselect"] == true {
			in.Choices = nil
		}
	case "INT", "FLOAT":
		in.Min, _ = options["min"].(json.Number)
		in.Max, _ = options["max"].(json.Number)
	}
	return in
}

// readExact reads JSON with the text of its numbers; nil when it is none.
func readExact(raw json.RawMessage) any {
	value, err := decodeExact(raw)
	if err != nil {
		return nil
	}
	return value
}

// choicesOf are plain choices; nil for anything else.
func choicesOf(value any) []any {
	list, _ := value.([]any)
	for _, x := range list {
		switch x.(type) {
		case string, json.Number, bool:
		default:
			return nil
		}
	}
	return list
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
