package comfy

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// link says that an input takes its value from a slot of another node.
type link struct {
	input string
	from  string
	slot  int // -1 when it is no whole number in range
}

// LinkOf reads a link, ["id", slot]. As in ComfyUI's is_link it is any list of
// two whose first is text and whose second is a number or a boolean, whether
// or not the input is declared: the executor follows undeclared links too
// (14-crash/undeclared_link_missing_node). A slot that is no whole number is -1.
func LinkOf(value any) (from string, slot int, ok bool) {
	list, isList := value.([]any)
	if !isList || len(list) != 2 {
		return "", 0, false
	}
	from, ok = list[0].(string)
	if !ok {
		return "", 0, false
	}
	slot, ok = slotOf(list[1])
	return from, slot, ok
}

func slotOf(value any) (int, bool) {
	switch v := value.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case json.Number:
		if n, err := strconv.Atoi(v.String()); err == nil {
			return n, true
		}
		return -1, true
	}
	return 0, false
}

func linksOf(inputs map[string]any) []link {
	var out []link
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		if from, slot, ok := LinkOf(inputs[name]); ok {
			out = append(out, link{name, from, slot})
		}
	}
	return out
}

// linkValue is the JSON value of a link.
func linkValue(from string, slot int) []any {
	return []any{from, json.Number(strconv.Itoa(slot))}
}

// consumers lists, for each node, the nodes that take something from it.
func (p *Prompt) consumers() map[string][]string {
	out := make(map[string][]string, len(p.nodes))
	for _, id := range p.order {
		for _, l := range p.nodes[id].links {
			out[l.from] = append(out[l.from], id)
		}
	}
	return out
}

// reach walks from start along next and gives every id met, start included.
func reach(start []string, next func(id string) []string) map[string]bool {
	seen := make(map[string]bool, len(start))
	todo := slices.Clone(start)
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[id] {
			continue
		}
		seen[id] = true
		todo = append(todo, next(id)...)
	}
	return seen
}

// sources are the nodes that id takes something from.
func (p *Prompt) sources(id string) []string {
	n, ok := p.nodes[id]
	if !ok {
		return nil
	}
	out := make([]string, len(n.links))
	for i, l := range n.links {
		out[i] = l.from
	}
	return out
}
