package comfy

import (
	"encoding/json"
)

// Output is a save node of a prompt: one that will write to the share.
type Output struct {
	// Node is its id and Class its class_type.
	Node, Class string
	// Prefix is the user's own text of its prefix or folder input, without
	// what Tagged puts before it. Empty when Linked: then a node gives the
	// text while the prompt runs.
	Prefix string
	Linked bool
	// Count is how many files it will write, 0 when the graph does not tell.
	Count int
	// Kind and Ext (without dot, "" when it varies) are hints, not promises.
	Kind Kind
	Ext  string
}

// Outputs lists the save nodes that will write to the share, by id. Previews,
// start markers and nodes that the server will reject are not among them. With
// nil info a node that is not ComfyUI's own counts when it has a
// filename_prefix. An output node without any such input is not listed, since
// nothing tells whether it writes.
func (p *Prompt) Outputs(info *ObjectInfo) []Output {
	counts := p.fileCounts()
	doomed := p.doomed(p.inputFaults(info))
	var out []Output
	for _, s := range p.saves(info) {
		if doomed[s.node.id] {
			continue
		}
		out = append(out, Output{
			Node: s.node.id, Class: s.node.class,
			Prefix: s.literal, Linked: s.state == prefixLinked,
			Count: counts(s), Kind: s.kind, Ext: s.ext,
		})
	}
	return out
}

// save is a node that writes, and what its prefix input holds.
type save struct {
	saver
	node    *node
	state   prefixState
	literal string // the user's own text; of prefixAbsent, the server's default
	link    link   // of prefixLinked: where the user's text comes from
}

type prefixState int

const (
	prefixLiteral prefixState = iota
	prefixLinked
	prefixAbsent  // optional and left out: the server takes its default
	prefixMissing // required and left out: the server rejects the node
	prefixFaulty  // neither text nor a link
)

// saves lists the nodes that write, by id, start markers left out.
func (p *Prompt) saves(info *ObjectInfo) []save {
	var out []save
	for _, id := range p.order {
		n := p.nodes[id]
		kind, ok := saverOf(n, info)
		if !ok || p.markers[id] {
			continue
		}
		out = append(out, p.readPrefix(save{saver: kind, node: n}, info))
	}
	return out
}

// saverOf tells whether and how a node writes: the table knows best, then the
// server, and of a class that both do not know a filename_prefix is the sign.
func saverOf(n *node, info *ObjectInfo) (saver, bool) {
	if s, ok := savers[n.class]; ok {
		return s, n.inputs["save_output"] != false // VHS_VideoCombine then writes to temp
	}
	if previews[n.class] {
		return saver{}, false
	}
	class, known := info.Class(n.class)
	if !known {
		_, has := n.inputs["filename_prefix"]
		return saver{input: "filename_prefix", kind: KindOther}, has && !isCore(n.class)
	}
	if !class.Output {
		return saver{}, false
	}
	for _, name := range []string{"filename_prefix", "folder_name", "prefix"} {
		if in, ok := class.input(name); ok && in.Type == "STRING" {
			return saver{input: name, kind: KindOther}, true
		}
	}
	return saver{}, false
}

// readPrefix fills in what the prefix input holds.
func (p *Prompt) readPrefix(s save, info *ObjectInfo) save {
	value, has := s.node.inputs[s.input]
	if from, slot, ok := LinkOf(value); ok {
		s.state, s.link = prefixLinked, p.ownLink(link{s.input, from, slot})
		return s
	}
	if has {
		text, ok := prefixText(value)
		s.literal, s.state = ownPrefix(text), prefixLiteral
		if !ok {
			s.state = prefixFaulty
		}
		return s
	}
	s.state = prefixMissing
	class, _ := info.Class(s.node.class)
	if in, ok := class.optional(s.input); ok {
		s.state, s.literal = prefixAbsent, in.Default
	}
	if s.literal == "" {
		s.literal = "ComfyUI"
	}
	return s
}

// prefixText reads a literal prefix. Whole numbers become text on the server
// as well, and {"__value__": ...} is how newer pages wrap a literal.
func prefixText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), isWhole(v.String())
	case map[string]any:
		text, ok := v["__value__"].(string)
		return text, ok && len(v) == 1
	}
	return "", false
}

// mayWrite lists nodes of which nobody can say whether they write: output
// nodes without a prefix input, and unknown classes when no server was asked.
func (p *Prompt) mayWrite(info *ObjectInfo) []string {
	var out []string
	for _, id := range p.order {
		n := p.nodes[id]
		class, known := info.Class(n.class)
		_, saves := saverOf(n, info)
		switch {
		case saves || isCoreOutput(n.class):
		case known && class.Output, info == nil && !isCore(n.class):
			out = append(out, id)
		}
	}
	return out
}

// writers are all ids that write or may.
func (p *Prompt) writers(info *ObjectInfo) []string {
	out := p.mayWrite(info)
	for _, s := range p.saves(info) {
		out = append(out, s.node.id)
	}
	return out
}

// outputNodes are all ids that the server starts its run from, or may.
func (p *Prompt) outputNodes(info *ObjectInfo) []string {
	out := p.writers(info)
	for id, n := range p.nodes {
		if isCoreOutput(n.class) {
			out = append(out, id)
		}
	}
	return out
}

// hasPreview reports an output node that is known to put nothing on the share.
func (p *Prompt) hasPreview() bool {
	for id, n := range p.nodes {
		if isCoreOutput(n.class) && !p.markers[id] {
			return true
		}
	}
	return false
}
