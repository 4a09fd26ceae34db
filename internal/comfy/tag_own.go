package comfy

import (
	"regexp"
	"strings"
)

// A picture carries the prompt that made it, with our tags in it. Dragged back
// and submitted again, that prompt must not collect tags upon tags, and its old
// start marker is nobody's output: what is ours is recognised and taken off.
var (
	ownPrefixForm = regexp.MustCompile(`^` + Root + `/[0-9A-Za-z-]{1,64}/([^/]+)/`)
	ownFolderForm = regexp.MustCompile(`^` + Root + `/[0-9A-Za-z-]{1,64}/([^/]+)$`)
	markerForm    = regexp.MustCompile(`^` + Root + `/[0-9A-Za-z-]{1,64}/` + StartedFolder + `/s$`)
)

// maxOwn is how many tags are taken off one prefix. Tagging never makes more
// than one; what is left of a forged pile keeps its first folder and so is
// refused as prefix_reserved.
const maxOwn = 8

// ownPrefix is the user's part of a prefix: "qm/<id>/9/portrait" is "portrait".
func ownPrefix(prefix string) string {
	for range maxOwn {
		m := ownPrefixForm.FindStringSubmatch(prefix)
		if m == nil || !isNodeFolder(m[1]) {
			return prefix
		}
		prefix = strings.TrimPrefix(prefix, m[0])
	}
	return prefix
}

func isNodeFolder(seg string) bool {
	_, err := DecodeNode(seg)
	return err == nil
}

// ownLink is the user's link behind any string nodes that Tagged put in.
func (p *Prompt) ownLink(l link) link {
	for range maxOwn { // a cycle ends here too
		n := p.nodes[l.from]
		if n == nil || n.class != "StringConcatenate" || n.inputs["delimiter"] != "/" {
			return l
		}
		folder, _ := n.inputs["string_a"].(string)
		m := ownFolderForm.FindStringSubmatch(folder)
		from, slot, linked := LinkOf(n.inputs["string_b"])
		if m == nil || !isNodeFolder(m[1]) || !linked {
			return l
		}
		l.from, l.slot = from, slot
		if from, slot, ok := p.tamed(l); ok {
			l.from, l.slot = from, slot
		}
	}
	return l
}

// tamed is the link behind the StringReplace that Tagged put before a prefix.
func (p *Prompt) tamed(l link) (from string, slot int, ok bool) {
	n := p.nodes[l.from]
	if n == nil || n.class != "StringReplace" || n.inputs["find"] != climb || !strings.HasPrefix(n.id, Root+"-tame-") {
		return "", 0, false
	}
	return LinkOf(n.inputs["string"])
}

// findMarkers recognises the save nodes of start markers. One that another node
// takes from is not of our making.
func (p *Prompt) findMarkers() map[string]bool {
	out := map[string]bool{}
	consumers := p.consumers()
	for id, n := range p.nodes {
		prefix, _ := n.inputs["filename_prefix"].(string)
		if n.class == "SaveImage" && markerForm.MatchString(prefix) && len(consumers[id]) == 0 {
			out[id] = true
		}
	}
	return out
}
