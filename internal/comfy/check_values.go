package comfy

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ownChecks are ComfyUI's own classes that judge inputs themselves, so that
// the server takes values beyond what /object_info lists (VALIDATE_INPUTS and
// validate_inputs in 0.8.0 and 0.33.0). Nodes that load a file are in loaders.
var ownChecks = setOf(
	"ComfySoftSwitchNode", "CustomCombo", "SelectModelDevice", "SelectCLIPDevice", "SelectVAEDevice", "ModelAttentionBackend",
	"FluxProUltraImageNode", "KlingCameraControls", "TripoConversionNode",
)

// DoubtfulInputs says of nodes of custom classes what ComfyUI's own validation
// would refuse, were it not that a custom node may replace it; nil for nothing.
func (p *Prompt) DoubtfulInputs(info *ObjectInfo) []string {
	if info == nil || info.unsure {
		return nil
	}
	f := newFaults(p)
	p.valueFaults(f, info, false)
	var out []string
	for _, id := range slices.SortedFunc(maps.Keys(f.byNode), compareIDs) {
		out = append(out, f.sentence([]string{id}))
	}
	return out
}

// valueFaults finds what ComfyUI's validation (execution.py, validate_inputs,
// 0.3.64 to 0.33.0) would find in the values and links of declared inputs of
// its own classes, or of all others. Like ComfyUI it looks only at what an
// output node needs. What newer types spread over several inputs is left to it.
func (p *Prompt) valueFaults(f *faults, info *ObjectInfo, core bool) {
	if info == nil {
		return
	}
	needed := reach(p.outputNodes(info), p.sources)
	for _, id := range p.order {
		n := p.nodes[id]
		class, known := info.Class(n.class)
		if !known || !needed[id] || class.Core != core || ownChecks[n.class] {
			continue
		}
		for _, in := range slices.Concat(class.Required, class.Optional) {
			value, has := n.inputs[in.Name]
			if !has || in.isDynamic() || in.Upload || namesFile(n.class, in.Name) {
				continue
			}
			if from, slot, linked := LinkOf(value); linked {
				if err := p.typeFault(in, from, slot, info); err != nil {
					f.add(id, *err)
				}
			} else if err, plain := in.valueFault(value); err != nil {
				f.say(id, plain, *err)
			}
		}
	}
}

// namesFile reports an input that names a file which people bring along.
func namesFile(class, input string) bool {
	return slices.ContainsFunc(loaders[class], func(l loader) bool { return l.input == input })
}

// typeFault finds a link whose ends have no type in common. What it cannot
// judge by their names it lets pass: choices, types of the V3 schema, any.
func (p *Prompt) typeFault(in Input, from string, slot int, info *ObjectInfo) *ComfyError {
	source := p.nodes[from]
	if source == nil {
		return nil
	}
	class, known := info.Class(source.class)
	if !known || !class.Core || slot < 0 || slot >= len(class.Types) {
		return nil
	}
	got := class.Types[slot]
	if !isPlainType(got) || !isPlainType(in.Type) {
		return nil
	}
	accepted := strings.Split(in.Type, ",")
	for _, t := range strings.Split(got, ",") {
		if slices.ContainsFunc(accepted, func(a string) bool { return strings.TrimSpace(a) == strings.TrimSpace(t) }) {
			return nil
		}
	}
	return &ComfyError{
		Type: "return_type_mismatch", Message: "Return type mismatch between linked nodes",
		Details:   fmt.Sprintf("%s, received_type(%s) mismatch input_type(%s)", in.Name, shorten(got), shorten(in.Type)),
		ExtraInfo: ExtraInfo{"input_name": in.Name, "received_type": got, "linked_node": linkValue(from, slot)},
	}
}

func isPlainType(t string) bool {
	return t != "" && t != "COMBO" && !strings.Contains(t, "*") && !strings.Contains(t, "COMFY_")
}

// valueFault judges a literal, and says it for people.
func (in Input) valueFault(value any) (*ComfyError, string) {
	if wrapped, ok := value.(map[string]any); ok {
		inner, has := wrapped["__value__"]
		if !has {
			return nil, ""
		}
		value = inner
	}
	switch in.Type {
	case "INT", "FLOAT":
		return in.numberFault(value)
	case "COMBO":
		return in.choiceFault(value)
	}
	return nil, ""
}

func (in Input) choiceFault(value any) (*ComfyError, string) {
	_, list := value.([]any)
	if in.Choices == nil || list || isChoice(value, in.Choices) {
		return nil, ""
	}
	shown := fmt.Sprintf("(list of length %d)", len(in.Choices))
	if len(in.Choices) <= 20 {
		shown = shorten(fmt.Sprint(in.Choices))
	}
	err := &ComfyError{Type: "value_not_in_list", Message: "Value not in list",
		Details:   fmt.Sprintf("%s: '%v' not in %s", in.Name, brief(value), shown),
		ExtraInfo: ExtraInfo{"input_name": in.Name, "received_value": brief(value)}}
	plain := fmt.Sprintf("%s %q is not on the deployment", in.Name, fmt.Sprint(brief(value)))
	switch near := nearestChoice(value, in.Choices); {
	case near != "":
		plain += fmt.Sprintf("; the nearest that is: %q", shorten(near))
		err.ExtraInfo["nearest"] = near
	case len(in.Choices) == 0:
		plain += ", which has nothing to choose from there"
	}
	return err, plain
}

func (in Input) numberFault(value any) (*ComfyError, string) {
	number, ok := pythonNumber(value, in.Type == "INT")
	if !ok {
		return &ComfyError{Type: "invalid_input_type", Message: "Failed to convert an input value to a " + in.Type + " value",
			Details:   fmt.Sprintf("%s, %v", in.Name, brief(value)),
			ExtraInfo: ExtraInfo{"input_name": in.Name, "received_value": brief(value)}}, fmt.Sprintf("%s is no number: %v", in.Name, brief(value))
	}
	for _, bound := range []struct {
		at                 json.Number
		beyond             func(bound float64) bool
		code, word, person string
	}{
		{in.Min, func(b float64) bool { return number < b }, "value_smaller_than_min", "smaller than min", "the least is"},
		{in.Max, func(b float64) bool { return number > b }, "value_bigger_than_max", "bigger than max", "the most is"},
	} {
		if b, err := bound.at.Float64(); err == nil && bound.beyond(b) {
			return &ComfyError{Type: bound.code, Message: fmt.Sprintf("Value %v %s of %s", brief(value), bound.word, bound.at), Details: in.Name,
				ExtraInfo: ExtraInfo{"input_name": in.Name, "received_value": brief(value)}}, fmt.Sprintf("%s is %v; %s %s", in.Name, brief(value), bound.person, bound.at)
		}
	}
	return nil, ""
}

var (
	integerText = regexp.MustCompile(`^[+-]?[0-9]+(_[0-9]+)*$`)
	ascii       = regexp.MustCompile(`^[ -~]*$`)
)

// pythonNumber is what Python's int() or float() makes of a JSON value; false
// when they certainly fail. Text that only Python can judge gives NaN, which is
// beyond no bound.
func pythonNumber(value any, whole bool) (float64, bool) {
	switch v := value.(type) {
	case bool:
		return map[bool]float64{true: 1}[v], true
	case json.Number:
		x, err := v.Float64()
		if err != nil {
			return math.NaN(), true
		}
		if whole {
			x = math.Trunc(x)
		}
		return x, true
	case string:
		text := strings.TrimSpace(v)
		if !ascii.MatchString(text) {
			return math.NaN(), true
		}
		if whole && !integerText.MatchString(text) {
			return 0, false
		}
		if x, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64); err == nil {
			return x, true
		}
		return math.NaN(), strings.ContainsAny(text, "0123456789")
	}
	return 0, false
}

// isChoice compares as Python does: numbers and truth values by what they are worth.
func isChoice(value any, choices []any) bool {
	text, isText := value.(string)
	number, isNumber := worth(value)
	return slices.ContainsFunc(choices, func(c any) bool {
		if t, ok := c.(string); ok {
			return isText && t == text
		}
		n, ok := worth(c)
		return ok && isNumber && n == number
	})
}

func worth(value any) (float64, bool) {
	switch v := value.(type) {
	case bool:
		return map[bool]float64{true: 1}[v], true
	case json.Number:
		x, err := v.Float64()
		return x, err == nil
	}
	return 0, false
}
