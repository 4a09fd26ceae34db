package ui

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// node is one node of a prompt in API format.
type node struct {
	id     string
	Class  string                     `json:"class_type"`
	Inputs map[string]json.RawMessage `json:"inputs"`
	Meta   struct {
		Title string `json:"title"`
	} `json:"_meta"`
}

// readNodes reads a prompt's nodes in the order of their numbers; nil when it
// is no prompt.
func readNodes(workflow []byte) []node {
	var all map[string]node
	if json.Unmarshal(workflow, &all) != nil {
		return nil
	}
	out := make([]node, 0, len(all))
	for _, id := range slices.SortedFunc(maps.Keys(all), byNumber) {
		n := all[id]
		n.id = id
		out = append(out, n)
	}
	return out
}

func byNumber(a, b string) int {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	if errX == nil && errY == nil {
		return x - y
	}
	return strings.Compare(a, b)
}

// generation is what people want to know of how a picture was made. Unknown
// fields are empty.
type generation struct {
	prompt, seed, model string
}

// readGeneration finds it in a prompt: the first text, seed and model that
// stand as values in nodes that have inputs of these names.
func readGeneration(workflow []byte) (g generation) {
	for _, n := range readNodes(workflow) {
		for name, into := range map[string]*string{"text": &g.prompt, "seed": &g.seed, "noise_seed": &g.seed,
			"ckpt_name": &g.model, "unet_name": &g.model, "model_name": &g.model} {
			if v, ok := n.Inputs[name]; ok && *into == "" {
				*into = scalar(v)
			}
		}
	}
	return g
}

// scalar is a JSON value as text; empty for lists (links) and objects.
func scalar(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	if len(v) > 0 && (v[0] == '[' || v[0] == '{' || string(v) == "null") {
		return ""
	}
	return string(v)
}
