package face

import (
	"cmp"
	"encoding/json"
	"path"
	"slices"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// File names a delivered file as /view takes it.
type File struct {
	Filename  string `json:"filename"`
	Subfolder string `json:"subfolder"`
	Type      string `json:"type"`
}

// Node is what one node delivered.
type Node struct {
	ID    string
	Files []api.Output
}

// delivered groups the files in the user's folder by node, in the order of the
// nodes; files of an unwanted job, and half ones, are none.
func delivered(v api.View, j job.Job) []Node {
	var nodes []Node
	for _, o := range j.Delivered() {
		i := slices.IndexFunc(nodes, func(n Node) bool { return n.ID == o.Node })
		if i < 0 {
			i = len(nodes)
			nodes = append(nodes, Node{ID: o.Node})
		}
		nodes[i].Files = append(nodes[i].Files, v.Output(j, o))
	}
	for _, n := range nodes {
		slices.SortFunc(n.Files, func(a, b api.Output) int {
			return cmp.Or(cmp.Compare(a.Subfolder, b.Subfolder), cmp.Compare(a.Filename, b.Filename))
		})
	}
	slices.SortStableFunc(nodes, func(a, b Node) int { return cmp.Compare(order(j, a.ID), order(j, b.ID)) })
	return nodes
}

// order is a node's place among those that were to write; others come last.
func order(j job.Job, node string) int {
	i := slices.IndexFunc(j.Expect, func(x job.Expected) bool { return x.Node == node })
	if i < 0 {
		return len(j.Expect)
	}
	return i
}

// output is the object that ComfyUI's executed frame and history hold. The extension's
// outputs.js makes the same, and both are held to internal/api/testdata/kinds.json.
func (n Node) output() map[string]any {
	out := map[string]any{}
	for _, o := range n.Files {
		switch {
		case o.Medium == api.MediumResult:
			if out[o.Medium] == nil { // the page shows one model
				out[o.Medium] = []any{path.Join(o.Subfolder, o.Filename), nil, []any{}}
			}
			continue
		case o.Text != "": // of SaveText, which moves nothing
			texts, _ := out["text"].([]string)
			out["text"] = append(texts, o.Text)
		case o.Animated:
			out["animated"] = []bool{true}
		}
		files, _ := out[o.Medium].([]File)
		out[o.Medium] = append(files, fileOf(o))
	}
	return out
}

func fileOf(o api.Output) File { return File{o.Filename, o.Subfolder, o.Type} }

// outputs is the outputs object of a history entry, in the order of the nodes.
func outputs(nodes []Node) json.RawMessage {
	return object(nodes, func(n Node) (string, any) { return n.ID, n.output() })
}

// object writes a JSON object whose keys keep their order: pages read history
// entries from first to last.
func object[T any](all []T, entry func(T) (string, any)) json.RawMessage {
	b := []byte{'{'}
	for i, one := range all {
		if i > 0 {
			b = append(b, ',')
		}
		key, value := entry(one)
		k, _ := json.Marshal(key) // a string can always be written
		v, err := json.Marshal(value)
		if err != nil {
			v = []byte("null")
		}
		b = append(append(append(b, k...), ':'), v...)
	}
	return append(b, '}')
}
