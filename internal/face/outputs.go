package face

import (
	"cmp"
	"encoding/json"
	"path"
	"slices"
	"strings"

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
	ID       string
	Class    string // empty when the prompt did not tell
	Medium   string // images, audio, 3d, ...
	Files    []File
	animated bool
}

// delivered groups the files in the user's folder by node, in the order of the
// nodes; files of an unwanted job, and half ones, are none.
func delivered(v api.View, j job.Job) []Node {
	var nodes []Node
	for _, o := range j.Delivered() {
		i := slices.IndexFunc(nodes, func(n Node) bool { return n.ID == o.Node })
		if i < 0 {
			class := classOf(j, o.Node)
			i = len(nodes)
			nodes = append(nodes, Node{ID: o.Node, Class: class, Medium: mediumOf(class, o.Dest)})
		}
		shown := v.Output(j.User, o)
		nodes[i].Files = append(nodes[i].Files, File{shown.Filename, shown.Subfolder, shown.Type})
		nodes[i].animated = nodes[i].animated || moves(nodes[i].Class, o.Dest)
	}
	for _, n := range nodes {
		slices.SortFunc(n.Files, func(a, b File) int {
			return cmp.Or(cmp.Compare(a.Subfolder, b.Subfolder), cmp.Compare(a.Filename, b.Filename))
		})
	}
	slices.SortStableFunc(nodes, func(a, b Node) int { return cmp.Compare(order(j, a.ID), order(j, b.ID)) })
	return nodes
}

func classOf(j job.Job, node string) string {
	if i := order(j, node); i < len(j.Expect) {
		return j.Expect[i].Class
	}
	return ""
}

// order is a node's place among those that were to write; others come last.
func order(j job.Job, node string) int {
	i := slices.IndexFunc(j.Expect, func(x job.Expected) bool { return x.Node == node })
	if i < 0 {
		return len(j.Expect)
	}
	return i
}

// mediumOf is the key under which ComfyUI reports files of a class
// (transcript 07-metadata); of an unknown class, by the file's name.
func mediumOf(class, name string) string {
	if class == "VHS_VideoCombine" {
		return "gifs"
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".flac", ".mp3", ".opus", ".ogg", ".wav":
		return "audio"
	case ".latent":
		return "latents"
	case ".glb":
		return "3d"
	}
	return "images"
}

// moves reports what a page shows as a moving picture. Of an animated PNG only
// the class tells.
func moves(class, name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".mp4", ".webm", ".mkv", ".mov":
		return true
	}
	return class == "SaveAnimatedPNG" || class == "SaveAnimatedWEBP"
}

// output is the object that ComfyUI's executed frame and history hold.
func (n Node) output() map[string]any {
	out := map[string]any{n.Medium: n.Files}
	if n.animated && n.Medium == "images" {
		out["animated"] = []bool{true}
	}
	return out
}

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
