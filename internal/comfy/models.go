package comfy

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// modelSuffixes are those of files that ComfyUI loads from its models folders
// (0.8.0, folder_paths.supported_pt_extensions), and GGUF of popular custom nodes.
var modelSuffixes = []string{".safetensors", ".sft", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".pkl", ".gguf"}

// IsModelFile reports a name that a loader node would take for a model.
func IsModelFile(name string) bool {
	return slices.Contains(modelSuffixes, strings.ToLower(path.Ext(strings.ReplaceAll(name, `\`, "/"))))
}

// Bounds of a set of models: what is beyond them is left out.
const (
	maxModels    = 32
	maxModelName = 255
)

// Models are the model files that the prompt's loaders name, sorted, each
// once: what a worker that has just started must load. A name that is computed
// in the graph is not known. The slice is the caller's.
func (p *Prompt) Models() []string {
	set := map[string]bool{}
	for _, n := range p.nodes {
		for _, v := range n.inputs {
			if name, ok := v.(string); ok && len(name) <= maxModelName && IsModelFile(name) {
				set[name] = true
			}
		}
	}
	all := slices.Sorted(maps.Keys(set))
	return all[:min(len(all), maxModels)]
}
