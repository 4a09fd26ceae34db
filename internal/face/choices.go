package face

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
)

// uploadKinds are the options by which a node class declares a choice of files
// that people upload (ComfyUI 0.8.0, comfy_api/latest/_io.py), with the endings
// of the files that are offered.
var uploadKinds = map[string][]string{
	"image_upload": pictures, "animated_image_upload": pictures, "video_upload": films, "audio_upload": append(slices.Clone(sounds), films...),
	"file_upload": models3D,
}

// undeclared are the inputs of ComfyUI's own classes that choose such a file
// without saying so, by class and input.
var undeclared = map[[2]string][]string{{"LoadLatent", "latent"}: latents}

var (
	pictures = []string{".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".svg", ".heic", ".exr"}
	films    = []string{".mp4", ".webm", ".mkv", ".mov", ".avi", ".m4v"}
	sounds   = []string{".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac"}
	models3D = []string{".gltf", ".glb", ".obj", ".fbx", ".stl", ".ply", ".spz", ".splat", ".ksplat", ".usdz"}
	latents  = []string{".latent"}
	media    = slices.Concat(pictures, films, sounds, models3D, latents)
)

// noFiles are choices beside those of files: Load3D of 0.33.0, and of custom nodes.
var noFiles = []any{"none", "None", "", "#DATA"}

// Nodes is a worker's list of nodes, made ready to be handed to users: the
// choices of files are those of each user alone. What the workers have in their
// input and output folders is the site's, or somebody's, and no other user's to
// see. The zero value has no node. It never changes.
type Nodes struct {
	classes []string // as listed
	entries map[string]json.RawMessage
	own     map[string]bool // classes whose choices differ between users
	folders map[string][]string
}

// ReadNodes reads what GET /object_info answers; the zero value for anything else.
func ReadNodes(raw []byte) *Nodes {
	n := &Nodes{entries: map[string]json.RawMessage{}, own: map[string]bool{}}
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return n
	}
	for d.More() {
		key, err := d.Token()
		var entry json.RawMessage
		if err == nil {
			err = d.Decode(&entry)
		}
		if err != nil {
			break
		}
		name, _ := key.(string)
		if _, twice := n.entries[name]; !twice {
			n.classes = append(n.classes, name)
		}
		n.entries[name] = entry
		if withChoices(name, entry, nil) != nil {
			n.own[name] = true
		}
	}
	n.folders = modelFolders(n.entries)
	return n
}

// Len is the number of classes.
func (n *Nodes) Len() int { return len(n.classes) }

// WriteTo writes the list for a user, as GET /object_info has it. files are the
// user's, below the own input folder. The error is w's.
func (n *Nodes) WriteTo(w io.Writer, files []string) error {
	sep := "{"
	for _, name := range n.classes {
		key, err := json.Marshal(name)
		if err != nil {
			return err
		}
		for _, b := range [][]byte{[]byte(sep), key, []byte(":"), n.Class(name, files)} {
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
		sep = ","
	}
	if len(n.classes) == 0 {
		_, err := io.WriteString(w, sep+"}\n")
		return err
	}
	_, err := io.WriteString(w, "}\n")
	return err
}

// Class is one class for a user; nil when it is not listed.
func (n *Nodes) Class(name string, files []string) json.RawMessage {
	entry := n.entries[name]
	if n.own[name] {
		if own := withChoices(name, entry, files); own != nil {
			return own
		}
	}
	return entry
}

// withChoices is one node class with the user's files, nil when no choice of it
// is of files. Only the choices are written anew: pages go by the order of the
// inputs.
func withChoices(class string, entry json.RawMessage, files []string) json.RawMessage {
	var declared struct {
		Input map[string]json.RawMessage `json:"input"`
	}
	if json.Unmarshal(entry, &declared) != nil {
		return nil
	}
	out := entry
	found := false
	for _, group := range slices.Sorted(maps.Keys(declared.Input)) {
		var inputs map[string]json.RawMessage
		if json.Unmarshal(declared.Input[group], &inputs) != nil {
			continue
		}
		whole := declared.Input[group]
		for name, spec := range inputs {
			if own := withOwn(undeclared[[2]string{class, name}], spec, files); own != nil {
				found = true
				whole = replaceInput(whole, name, own)
			}
		}
		out = bytes.Replace(out, declared.Input[group], whole, 1)
	}
	if !found {
		return nil
	}
	return out
}

// replaceInput puts own in the place of the declaration of one input, which
// others may resemble.
func replaceInput(group json.RawMessage, name string, own json.RawMessage) json.RawMessage {
	d := json.NewDecoder(bytes.NewReader(group))
	if _, err := d.Token(); err != nil {
		return group
	}
	for d.More() {
		key, err := d.Token()
		var value json.RawMessage
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			return group
		}
		if key == name {
			end := int(d.InputOffset())
			return slices.Concat(group[:end-len(value)], own, group[end:])
		}
	}
	return group
}

// withOwn is a declared input with the user's files, if it is a choice of
// files: [[choices], {options}] or ["COMBO", {"options": [choices]}]. kinds are
// the endings that its class is known to want. nil when it is not.
func withOwn(kinds []string, raw json.RawMessage, files []string) json.RawMessage {
	var spec []json.RawMessage
	if json.Unmarshal(raw, &spec) != nil || len(spec) == 0 {
		return nil
	}
	var options map[string]json.RawMessage
	if len(spec) > 1 && json.Unmarshal(spec[1], &options) != nil {
		options = nil
	}
	for flag, endings := range uploadKinds {
		if string(options[flag]) == "true" {
			kinds = endings
		}
	}
	at3D := string(options["file_upload"]) == "true"
	own := func(list json.RawMessage) (json.RawMessage, bool) {
		var choices []any
		if len(list) == 0 || json.Unmarshal(list, &choices) != nil {
			return list, false
		}
		if kinds != nil {
			noFile := slices.DeleteFunc(choices, func(c any) bool { return !slices.Contains(noFiles, c) })
			for _, f := range offered(files, kinds, at3D) {
				noFile = append(noFile, f)
			}
			return marshal(noFile, list), true
		}
		left := slices.DeleteFunc(slices.Clone(choices), func(c any) bool {
			name, ok := c.(string)
			return ok && isMedia(name) && !slices.Contains(files, name)
		})
		// A list of files stays one that differs between users also when it has none of this one's.
		return marshal(left, list), slices.ContainsFunc(choices, func(c any) bool { name, ok := c.(string); return ok && isMedia(name) })
	}
	choices, found := own(spec[0])
	listed, more := own(options["options"])
	if !found && !more {
		return nil
	}
	spec[0] = choices
	if len(spec) > 1 && options != nil {
		if more {
			options["options"] = listed
		}
		var first string
		if json.Unmarshal(options["default"], &first) == nil && isMedia(first) && !slices.Contains(files, first) {
			delete(options, "default")
		}
		spec[1] = marshal(options, spec[1])
	}
	return marshal(spec, raw)
}

// isMedia reports the name of a file that people upload or render: a choice of
// it is somebody's. "png", ".png" and "*.png" are choices of a format.
func isMedia(name string) bool {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	ending := strings.ToLower(path.Ext(name))
	return len(name) > len(ending) && slices.Contains(media, ending) && !strings.Contains(name, "*")
}

// offered are the files that a choice has: those at the top, or below 3d.
func offered(files, endings []string, at3D bool) []string {
	out := []string{}
	for _, f := range files {
		below := strings.HasPrefix(f, "3d/")
		if slices.Contains(endings, strings.ToLower(path.Ext(f))) && (below || !at3D && !strings.Contains(f, "/")) && below == at3D {
			out = append(out, f)
		}
	}
	slices.Sort(out)
	return out
}

func marshal(v any, otherwise json.RawMessage) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return otherwise
	}
	return b
}
