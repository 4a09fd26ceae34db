package comfy

import (
	"encoding/json"
	"slices"
	"strings"
)

// MergeObjectInfo is what a server has that answered in several ways, because
// its replicas differ: every class that one of them has, and of one that they
// declare differently what any of them accepts. The first is the newest; nil
// ones are passed over. It changes none of them.
func MergeObjectInfo(infos ...*ObjectInfo) *ObjectInfo {
	infos = slices.DeleteFunc(slices.Clone(infos), func(x *ObjectInfo) bool { return x == nil })
	if len(infos) < 2 {
		return append(infos, nil)[0]
	}
	out := &ObjectInfo{classes: map[string]Class{}, entries: map[string]json.RawMessage{}, replaced: map[string]bool{}}
	for _, info := range infos {
		for name, class := range info.classes {
			if first, known := out.classes[name]; known && string(out.entries[name]) != string(info.entries[name]) {
				out.classes[name] = mergeClasses(first, class)
			} else if !known {
				out.classes[name], out.entries[name] = class, info.entries[name]
			}
		}
		for name := range info.replaced {
			out.replaced[name] = true
		}
	}
	out.raw = entriesJSON(out.entries)
	return out
}

// mergeClasses accepts what either accepts.
func mergeClasses(a, b Class) Class {
	out := Class{Output: a.Output, Core: a.Core && b.Core, Slots: a.Slots}
	if a.Slots != b.Slots || !slices.Equal(a.Types, b.Types) {
		out.Slots = -1
	} else {
		out.Types = a.Types
	}
	names := map[string]bool{}
	for _, in := range slices.Concat(a.Required, a.Optional, b.Required, b.Optional) {
		if names[in.Name] {
			continue
		}
		names[in.Name] = true
		x, inA := a.input(in.Name)
		y, inB := b.input(in.Name)
		_, optionalA := a.optional(in.Name)
		_, optionalB := b.optional(in.Name)
		if inA && inB {
			in = mergeInputs(x, y)
		}
		if inA && inB && !optionalA && !optionalB {
			out.Required = append(out.Required, in)
		} else {
			out.Optional = append(out.Optional, in)
		}
	}
	byName := func(a, b Input) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(out.Required, byName)
	slices.SortFunc(out.Optional, byName)
	return out
}

func mergeInputs(a, b Input) Input {
	out := Input{Name: a.Name, Type: a.Type, Default: a.Default, Upload: a.Upload || b.Upload}
	if a.Type != b.Type {
		out.Type = "*"
		return out
	}
	if a.Min == b.Min {
		out.Min = a.Min
	}
	if a.Max == b.Max {
		out.Max = a.Max
	}
	if a.Choices != nil && b.Choices != nil {
		out.Choices = slices.Clone(a.Choices)
		for _, x := range b.Choices {
			if !isChoice(x, out.Choices) {
				out.Choices = append(out.Choices, x)
			}
		}
	}
	return out
}
