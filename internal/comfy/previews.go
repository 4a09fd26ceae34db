package comfy

import "maps"

// previewSaves are save nodes that take the same input as a preview.
var previewSaves = map[string]string{"PreviewImage": "SaveImage", "PreviewAudio": "SaveAudio"}

// SavingPreviews turns the previews of a prompt that would save nothing into
// save nodes, and gives their ids; none for a prompt that needs no such help.
func (p *Prompt) SavingPreviews(info *ObjectInfo) (*Prompt, []string) {
	if p.mayWrite(info) {
		return p, nil
	}
	q, turned := *p, []string(nil)
	q.nodes = maps.Clone(p.nodes)
	for _, id := range p.order {
		n := *p.nodes[id]
		save, ok := previewSaves[n.class]
		if !ok || info.lacks(save) {
			continue
		}
		n.class, n.inputs = save, maps.Clone(n.inputs)
		n.inputs["filename_prefix"] = "ComfyUI"
		n.links = linksOf(n.inputs)
		q.nodes[id] = &n
		turned = append(turned, id)
	}
	return &q, turned
}
