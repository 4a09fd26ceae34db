package comfy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Places are where nodes of the prompt may write outside a folder of their own:
// beginnings of paths below the output folder, in lower case, sorted; "" is
// anywhere, and stands before the paths that the prompt's own texts suggest.
// Nil when there is no such node. tagged says that prefixes are tagged: without,
// every save node writes where its user says.
func (p *Prompt) Places(info *ObjectInfo, tagged bool) []string {
	set := map[string]bool{}
	doomed := p.doomed(p.inputFaults(info))
	for _, s := range p.saves(info) {
		if s.runs && !doomed[s.node.id] && s.state != prefixMissing && (!tagged || !s.isolated(p)) {
			set[p.place(s, tagged)] = true
		}
	}
	for _, id := range p.strangers(info) {
		if n := p.nodes[id]; p.mayNamePath(n, info) {
			set[""] = true
			for _, place := range p.suggested(n) {
				set[place] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// minSuggested is the shortest text, in bytes, that suggests a path.
const minSuggested = 3

// suggested are beginnings of paths that the texts of a node spell of which
// nobody knows what it does with them: its names, alone and in its folders.
func (p *Prompt) suggested(n *node) []string {
	var folders, names, out []string
	for _, input := range slices.Sorted(maps.Keys(n.inputs)) {
		text, ok := prefixText(n.inputs[input])
		switch {
		case !ok || !named(input, pathWords) && !isFileName(text):
		case named(input, []string{"path", "folder", "dir"}) && !isFileName(text):
			folders = append(folders, p.userFolder(text, "worker"))
		default:
			names = append(names, ownPrefix(slashes(text)))
		}
	}
	for _, name := range names {
		for _, folder := range append(folders, "") {
			if place := beginning(joined(folder, name)); len(place) >= minSuggested {
				out = append(out, place)
			}
		}
	}
	return out
}

// isFileName reports a text that ends as a file does that nodes save.
func isFileName(text string) bool {
	return len(text) <= maxNodeFolder && !strings.ContainsAny(text, "\n*") && byExtension(text) != nil
}

// place is where a node writes that has no folder of its own, as exactly as the
// literals of the prompt tell.
func (p *Prompt) place(s save, tagged bool) string {
	switch {
	case s.anywhere != no:
		return ""
	case s.row.Place != nil:
		return beginning(p.filled(*s.row.Place, s))
	case s.state == prefixLinked, s.state == prefixFaulty:
		return ""
	case s.row.Base != "":
		if tagged && s.row.FolderOff != nil {
			return beginning(s.name)
		}
		return ""
	}
	return beginning(joined(s.literal, s.name))
}

// filled puts the literals of a node into "{folder}/{name}", up to the first
// that is none.
func (p *Prompt) filled(place string, s save) string {
	for {
		before, rest, ok := strings.Cut(place, "{")
		input, after, closed := strings.Cut(rest, "}")
		if !ok || !closed {
			return place
		}
		value, given := s.node.inputs[input]
		if !given {
			value = s.row.Defaults[input]
		}
		text, ok := prefixText(value)
		if !ok {
			return before
		}
		if input == s.row.Name {
			text = s.name
		}
		place = before + slashes(text) + after
	}
}

// beginning is a path as far as it is plain text: servers and nodes put other
// text for what %, [ and the like begin.
func beginning(text string) string {
	if isAbsolute(text) || hasPart(text, "..") {
		return ""
	}
	if i := strings.IndexAny(text, "%[{<$*?"); i >= 0 {
		text = text[:i]
	}
	for strings.HasPrefix(text, "./") || strings.HasPrefix(text, "/") {
		text = strings.TrimLeft(strings.TrimPrefix(text, "."), "/")
	}
	return strings.ToLower(text)
}

// mayNamePath reports a node with a text input that looks as if it named a file
// or a folder, or whose text does. Where nobody asked a server, any literal text counts.
func (p *Prompt) mayNamePath(n *node, info *ObjectInfo) bool {
	class, known := info.Class(n.class)
	for name, value := range n.inputs {
		in, declared := class.input(name)
		if text, ok := value.(string); ok && isFileName(text) && (!known || declared && in.Type == "STRING" && !in.Upload) {
			return true
		}
	}
	if known {
		texts := func(in Input) bool { return in.Type == "STRING" && named(in.Name, pathWords) }
		return slices.ContainsFunc(class.Required, texts) || slices.ContainsFunc(class.Optional, texts)
	}
	for name, value := range n.inputs {
		if _, ok := value.(string); ok && named(name, pathWords) {
			return true
		}
	}
	return false
}

// Caution is something that a user should know of a prompt that is taken.
type Caution struct {
	Node          string
	Message, Hint string
	// Lost says that files of the node will not come at all; otherwise it has no
	// folder of its own.
	Lost bool
}

// Cautions lists the nodes that cannot be given a folder of their own, and
// those whose files will not come.
func (p *Prompt) Cautions(info *ObjectInfo) []Caution {
	var out []Caution
	doomed := p.doomed(p.inputFaults(info))
	for _, s := range p.saves(info) {
		if !s.runs || doomed[s.node.id] || s.isolated(p) {
			continue
		}
		out = append(out, Caution{s.node.id,
			fmt.Sprintf("%s cannot be given a folder of its own, so the job runs only while no other job writes to the same place", p.name(s.node.id)),
			"use a save node whose folder can be chosen, such as SaveImage, or wait", false})
	}
	for _, id := range p.strangers(info) {
		if p.mayNamePath(p.nodes[id], info) {
			out = append(out, Caution{id,
				fmt.Sprintf("%s may write files, and nobody knows where, so the job runs only while no other such job does", p.name(id)),
				"add a [[save_node]] for it to the configuration (docs/save-nodes.md)", false})
		}
	}
	for _, s := range p.silents(info) {
		if s.elsewhere {
			out = append(out, Caution{s.id,
				fmt.Sprintf("%s %s; these files are not delivered", p.name(s.id), s.does),
				"fetch them from the worker, or save with another node", true})
		}
	}
	return out
}
