package face

import (
	"bytes"
	"encoding/json"
	"path"
	"slices"
	"strings"
)

// uploadKinds are the options by which a node class declares a choice of files
// that people upload (ComfyUI 0.8.0, comfy_api/latest/_io.py), with the endings
// of the files that are offered.
var uploadKinds = map[string][]string{
	"image_upload": pictures, "animated_image_upload": pictures, "video_upload": films, "audio_upload": append(slices.Clone(sounds), films...),
	"file_upload": {".gltf", ".glb", ".obj", ".fbx", ".stl"},
}

var (
	pictures = []string{".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".svg", ".heic"}
	films    = []string{".mp4", ".webm", ".mkv", ".mov", ".avi", ".m4v"}
	sounds   = []string{".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac"}
)

// Nodes is a worker's list of nodes with the choices of uploaded files replaced:
// files are those of the user, below the own input folder. What the workers
// have there is the site's, or staged for others, and no user's to see. It
// returns raw itself when that is no list of nodes.
func Nodes(raw []byte, files []string) []byte {
	var all map[string]json.RawMessage
	if !touched(raw) || json.Unmarshal(raw, &all) != nil {
		return raw
	}
	for _, entry := range all {
		if touched(entry) {
			raw = bytes.Replace(raw, entry, withChoices(entry, files), 1)
		}
	}
	return raw
}

// touched reports that there may be choices to be replaced.
func touched(raw []byte) bool {
	return bytes.Contains(raw, []byte(`_upload"`)) || bytes.Contains(raw, []byte(`qm/`))
}

// withChoices is one node class with the user's files. Only the choices are
// written anew: pages go by the order of the inputs.
func withChoices(raw json.RawMessage, files []string) json.RawMessage {
	var entry struct {
		Input map[string]json.RawMessage `json:"input"`
	}
	if json.Unmarshal(raw, &entry) != nil {
		return raw
	}
	for _, declared := range entry.Input {
		var inputs map[string]json.RawMessage
		if json.Unmarshal(declared, &inputs) != nil {
			continue
		}
		for _, spec := range inputs {
			raw = bytes.Replace(raw, spec, withOwn(spec, files), 1)
		}
	}
	return raw
}

// withOwn is a declared input with the user's files, if it is a choice of
// uploads: [[choices], {options}] or ["COMBO", {"options": [choices]}].
func withOwn(raw json.RawMessage, files []string) json.RawMessage {
	var spec []json.RawMessage
	var options map[string]json.RawMessage
	if json.Unmarshal(raw, &spec) != nil || len(spec) < 2 || json.Unmarshal(spec[1], &options) != nil {
		return raw
	}
	if bytes.Contains(raw, []byte(`qm/`)) {
		spec[0], options["options"] = unstaged(spec[0]), unstaged(options["options"])
		if options["options"] == nil {
			delete(options, "options")
		}
		spec[1] = marshal(options, spec[1])
		raw = marshal(spec, raw)
	}
	for flag, endings := range uploadKinds {
		if string(options[flag]) != "true" {
			continue
		}
		own := marshal(offered(files, flag, endings), nil)
		var choices []any
		if json.Unmarshal(spec[0], &choices) == nil {
			spec[0] = own
		} else if _, has := options["options"]; has {
			options["options"] = own
			spec[1] = marshal(options, spec[1])
		}
		return marshal(spec, raw)
	}
	return raw
}

// unstaged is a list of choices without what is staged for others; anything
// else stays.
func unstaged(raw json.RawMessage) json.RawMessage {
	var choices []any
	if json.Unmarshal(raw, &choices) != nil {
		return raw
	}
	return marshal(slices.DeleteFunc(choices, func(c any) bool {
		name, _ := c.(string)
		return name == "qm" || strings.HasPrefix(name, "qm/") || name == "3d/qm" || strings.HasPrefix(name, "3d/qm/")
	}), raw)
}

// offered are the files that a choice has: those at the top, or below 3d.
func offered(files []string, flag string, endings []string) []string {
	out := []string{}
	for _, f := range files {
		below := strings.HasPrefix(f, "3d/")
		if slices.Contains(endings, strings.ToLower(path.Ext(f))) && (below || flag != "file_upload" && !strings.Contains(f, "/")) && below == (flag == "file_upload") {
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
