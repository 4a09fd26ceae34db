package comfy

import (
	"slices"
	"strconv"
	"strings"
)

// sorted gives the ids so that each stands behind those it takes from. Nodes
// on a cycle, and those behind one, are left out. Links to absent nodes do not
// count.
func (p *Prompt) sorted() []string {
	waits := make(map[string]int, len(p.nodes))
	consumers := p.consumers()
	var out []string
	for _, id := range p.order {
		for _, from := range p.sources(id) {
			if p.nodes[from] != nil {
				waits[id]++
			}
		}
		if waits[id] == 0 {
			out = append(out, id)
		}
	}
	for done := 0; done < len(out); done++ {
		for _, next := range consumers[out[done]] {
			if waits[next]--; waits[next] == 0 {
				out = append(out, next)
			}
		}
	}
	return out
}

// cycle finds one cycle, as ids from the first taken from to the last, or nil.
func (p *Prompt) cycle() []string {
	rest := setOf(p.order...)
	for _, id := range p.sorted() {
		delete(rest, id)
	}
	if len(rest) == 0 {
		return nil
	}
	at := p.order[slices.IndexFunc(p.order, func(id string) bool { return rest[id] })]
	// Every node left takes from a node left, so that walking back must meet
	// itself.
	var path []string
	seen := map[string]int{}
	for {
		if start, met := seen[at]; met {
			out := path[start:]
			slices.Reverse(out)
			return out
		}
		seen[at] = len(path)
		path = append(path, at)
		at = p.sources(at)[slices.IndexFunc(p.sources(at), func(id string) bool { return rest[id] })]
	}
}

// checkLinks refuses links to nodes that are not there. Even an undeclared
// input with such a link stops a worker for good (14-crash).
func (p *Prompt) checkLinks(*ObjectInfo) *Refusal {
	f := newFaults(p)
	for _, id := range p.order {
		for _, l := range p.nodes[id].links {
			if p.nodes[l.from] == nil {
				f.add(id, absentNode(l))
			}
		}
	}
	return f.refusal("missing_node", "connect the input again and export anew")
}

func absentNode(l link) ComfyError {
	return ComfyError{
		Type: "bad_linked_input", Message: "Linked node is not in the prompt",
		Details:   shorten(l.input) + " links to node " + strconv.Quote(shorten(l.from)),
		ExtraInfo: ExtraInfo{"input_name": l.input, "linked_node": linkValue(shorten(l.from), l.slot)},
	}
}

// checkCycle refuses a prompt that runs in a circle, a self link included.
func (p *Prompt) checkCycle(*ObjectInfo) *Refusal {
	ids := p.cycle()
	if ids == nil {
		return nil
	}
	round := strings.Join(append(slices.Clone(ids), ids[0]), " -> ")
	f := newFaults(p)
	for _, id := range ids {
		f.add(id, ComfyError{Type: "dependency_cycle", Message: "Dependency cycle detected", Details: round})
	}
	return f.refusal("cycle", "take one of these links out")
}
