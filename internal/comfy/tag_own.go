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
	ownFolderForm = regexp.MustCompile(`^(?:/(?:.*/)?)?` + Root + `/[0-9A-Za-z-]{1,64}/([^/]+)(?:/|$)`)
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

// ownFolder is the user's part of a folder: "qm/<id>/9/portraits" and, as nodes
// name it that want an absolute one, "/mnt/out/qm/<id>/9/portraits".
func ownFolder(folder string) string {
	for range maxOwn {
		m := ownFolderForm.FindStringSubmatch(folder)
		if m == nil || !isNodeFolder(m[1]) {
			return folder
		}
		folder = strings.TrimPrefix(folder, m[0])
	}
	return folder
}

func isNodeFolder(seg string) bool {
	_, err := DecodeNode(seg)
	return err == nil
}

// ownLink is the user's link behind any string nodes that Tagged put in.
func (p *Prompt) ownLink(l link) link {
	for range maxOwn { // a cycle ends here too
		if from, slot, ok := p.tamed(l); ok {
			l.from, l.slot = from, slot
		}
		n := p.nodes[l.from]
		if n == nil || n.class != "StringConcatenate" || n.inputs["delimiter"] != "/" {
			return l
		}
		folder, _ := n.inputs["string_a"].(string)
		from, slot, linked := LinkOf(n.inputs["string_b"])
		if folder == "" || ownFolder(folder) != "" || !linked {
			return l
		}
		l.from, l.slot = from, slot
	}
	return l
}

// tamed is the link behind the StringReplace that Tagged put before a prefix or
// a name.
func (p *Prompt) tamed(l link) (from string, slot int, ok bool) {
	n := p.nodes[l.from]
	if n == nil || n.class != "StringReplace" {
		return "", 0, false
	}
	tame := n.inputs["find"] == climb && strings.HasPrefix(n.id, Root+"-tame-")
	name := n.inputs["find"] == "/" && strings.HasPrefix(n.id, Root+"-name-")
	if !tame && !name {
		return "", 0, false
	}
	return LinkOf(n.inputs["string"])
}

// dropHelpers takes the nodes out that Tagged put in for an earlier attempt,
// once nobody but save nodes takes from them: these are linked anew.
func (p *Prompt) dropHelpers(nodes map[string]any, info *ObjectInfo) {
	for id := range p.helpers(info) {
		delete(nodes, id)
	}
}

func (p *Prompt) helpers(info *ObjectInfo) map[string]bool {
	own := map[string]bool{}
	for id, n := range p.nodes {
		_, _, tamed := p.tamed(link{from: id})
		behind := p.ownLink(link{from: id})
		joins := behind.from != id && strings.HasPrefix(id, Root+"-prefix-")
		width, _ := number(n, "width", 1)
		started := n.class == "EmptyImage" && strings.HasPrefix(id, Root+"-started-image") && width == 1
		if tamed || joins || started {
			own[id] = true
		}
	}
	if len(own) == 0 {
		return nil
	}
	relinked := map[link]bool{} // links of save nodes that are put back or made anew
	for _, s := range p.saves(info) {
		relinked[link{s.main, s.node.id, 0}] = true
		relinked[link{s.row.Name, s.node.id, 0}] = true
	}
	for changed := true; changed; {
		changed = false
		for id, n := range p.nodes {
			if own[id] || p.markers[id] {
				continue
			}
			for _, l := range n.links {
				if own[l.from] && !relinked[link{l.input, id, 0}] {
					delete(own, l.from)
					changed = true
				}
			}
		}
	}
	return own
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
