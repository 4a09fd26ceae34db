package doctor

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/comfyume/qmtui/internal/comfy"
)

// needs is what prompts ask of a worker.
type needs struct {
	prompts int
	classes map[string]bool
	models  map[model]bool
}

// model is a file that a node's input names.
type model struct{ class, input, file string }

// needsOf reads prompts in API format; one that is not is left out.
func needsOf(prompts map[string][]byte) needs {
	n := needs{classes: map[string]bool{}, models: map[model]bool{}}
	for _, raw := range prompts {
		var nodes map[string]struct {
			Class  string         `json:"class_type"`
			Inputs map[string]any `json:"inputs"`
		}
		if json.Unmarshal(raw, &nodes) != nil {
			continue
		}
		n.prompts++
		for _, node := range nodes {
			n.classes[node.Class] = true
			for input, v := range node.Inputs {
				if file, ok := v.(string); ok && comfy.IsModelFile(file) {
					n.models[model{node.Class, input, file}] = true
				}
			}
		}
	}
	return n
}

// missing lists the classes and the model files that a worker lacks, sorted.
// An input whose choices the worker does not list counts as served.
func (n needs) missing(info *comfy.ObjectInfo) (classes, models []string) {
	lacks := map[string]bool{}
	for c := range n.classes {
		if _, ok := info.Class(c); !ok {
			classes = append(classes, c)
		}
	}
	choices := choicesOf(info.JSON())
	for m := range n.models {
		if list, known := choices[m.class][m.input]; known && !slices.Contains(list, m.file) {
			lacks[m.file] = true
		}
	}
	slices.Sort(classes)
	return classes, slices.Sorted(maps.Keys(lacks))
}

// choicesOf reads the lists of choices of /object_info: class, input, choices.
// There are two forms: [["a", "b"], {...}] and ["COMBO", {"options": ["a"]}].
func choicesOf(raw []byte) map[string]map[string][]string {
	out := map[string]map[string][]string{}
	var each map[string]json.RawMessage
	if json.Unmarshal(raw, &each) != nil {
		return out
	}
	for class, entry := range each {
		var e struct {
			Input map[string]map[string]json.RawMessage `json:"input"`
		}
		if json.Unmarshal(entry, &e) != nil {
			continue // a custom node of another shape
		}
		out[class] = map[string][]string{}
		for _, group := range e.Input {
			for name, spec := range group {
				if list, ok := choices(spec); ok {
					out[class][name] = list
				}
			}
		}
	}
	return out
}

func choices(spec json.RawMessage) ([]string, bool) {
	var parts []json.RawMessage
	if json.Unmarshal(spec, &parts) != nil || len(parts) == 0 {
		return nil, false
	}
	var list []string
	if json.Unmarshal(parts[0], &list) == nil {
		return list, true
	}
	var options struct{ Options []string }
	if len(parts) > 1 && json.Unmarshal(parts[1], &options) == nil && options.Options != nil {
		return options.Options, true
	}
	return nil, false
}
