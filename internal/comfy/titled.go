package comfy

import "maps"

// replacedClasses are those that servers of 0.33.0 replace when they lack them
// (comfy_extras/nodes_replacements.py).
var replacedClasses = setOf("ResizeImagesByLongerEdge", "ImageBatch", "ImageScaleBy", "T2IAdapterLoader", "Load3DAnimation", "Preview3DAnimation",
	"SDV_img2vid_Conditioning", "ConditioningAverage ")

// Titled gives nodes of classes that the server may replace the _meta that the
// page would send: without one POST /prompt of 0.33.0 answers 500 to them
// (app/node_replace_manager.py). With nil info those classes are ComfyUI's own
// old ones. The prompt itself stays as it is.
func (p *Prompt) Titled(info *ObjectInfo) *Prompt {
	out := p
	for _, id := range p.order {
		n := p.nodes[id]
		_, has := n.rest["_meta"].(map[string]any)
		if has || info.has(n.class) || !replacedClasses[n.class] && !(info != nil && info.replaced[n.class]) {
			continue
		}
		if out == p {
			c := *p
			c.nodes = maps.Clone(p.nodes)
			out = &c
		}
		named := *n
		named.rest = maps.Clone(n.rest)
		if named.rest == nil {
			named.rest = map[string]any{}
		}
		named.rest["_meta"] = map[string]any{"title": n.class}
		out.nodes[id] = &named
	}
	return out
}
