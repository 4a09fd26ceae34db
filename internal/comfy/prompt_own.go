package comfy

import (
	"bytes"
	"maps"
	"slices"
	"strings"
)

// changedKey is a key that a server writes into the nodes of a running prompt, and so
// into its files: what IS_CHANGED of the class said then, often NaN. A server that is sent
// one takes it for the answer and does not ask the class again (execution.py).
const changedKey = "is_changed"

// CleanPrompt is raw without what a prompt that was read from a file or a picture may
// carry and JSON has not: a byte order mark, and bare NaN and Infinity under is_changed
// of a node, which become null. In any other place they stay and are refused. raw itself
// is not changed.
func CleanPrompt(raw []byte) []byte {
	raw = bytes.TrimPrefix(raw, byteOrderMark)
	if !bytes.Contains(raw, []byte(`"`+changedKey+`"`)) || !slices.ContainsFunc(bareNumbers, func(w []byte) bool { return bytes.Contains(raw, w) }) {
		return raw
	}
	out, kept := []byte(nil), 0 // raw[:kept] is in out
	depth, key := 0, -1         // where the key of the value begins; -1 for none
	for at := 0; at < len(raw); {
		switch c := raw[at]; {
		case c == '"':
			end := at + stringLength(raw[at:])
			if depth == 2 && string(raw[at:end]) == `"`+changedKey+`"` && bytes.HasPrefix(bytes.TrimLeft(raw[end:], " \t\r\n"), []byte(":")) {
				key = at
			}
			at = end
			continue
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth < 2 || depth == 2 && raw[at] == ',' {
			key = -1
		}
		if n := bareNumber(raw[at:]); n > 0 && key >= 0 {
			out = append(append(out, raw[kept:at]...), "null"...)
			at += n
			kept = at
			continue
		}
		at++
	}
	return append(out, raw[kept:]...)
}

// helperNodes are the nodes that Tagged adds, by the beginning of their id.
var helperNodes = []struct{ id, class string }{
	{Root + "-prefix-", "StringConcatenate"}, {Root + "-tame-", "StringReplace"}, {Root + "-started", "SaveImage"}, {Root + "-started-image", "EmptyImage"},
}

// withoutHelpers is the prompt without the nodes that Tagged had added when it was read
// back from a picture: what took a prefix from one takes it from the user's own node
// again, and what nothing takes from is left out.
func (p *Prompt) withoutHelpers() *Prompt {
	if !slices.ContainsFunc(p.order, func(id string) bool { return strings.HasPrefix(id, Root+"-") }) {
		return p
	}
	out := &Prompt{nodes: maps.Clone(p.nodes), markers: p.markers}
	for id, n := range p.nodes {
		inputs := maps.Clone(n.inputs)
		for _, l := range n.links {
			if own := p.ownLink(l); own != l && strings.HasPrefix(l.from, Root+"-prefix-") {
				inputs[l.input] = linkValue(own.from, own.slot)
			}
		}
		out.nodes[id] = &node{id: id, class: n.class, inputs: inputs, rest: n.rest, links: linksOf(inputs)}
	}
	out.order = slices.Clone(p.order)
	for left := 0; left != len(out.order); { // a helper may take from another one
		left = len(out.order)
		consumers := out.consumers()
		out.order = slices.DeleteFunc(out.order, func(id string) bool {
			stale := len(consumers[id]) == 0 && out.isHelper(id)
			if stale {
				delete(out.nodes, id)
			}
			return stale
		})
	}
	return out
}

func (p *Prompt) isHelper(id string) bool {
	for _, h := range helperNodes {
		if strings.HasPrefix(id, h.id) && p.nodes[id].class == h.class {
			return h.class != "SaveImage" || p.markers[id]
		}
	}
	return false
}
