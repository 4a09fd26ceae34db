package simulator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// cached is what one node left behind: the values of its slots and, for an
// output node, what it reported.
type cached struct {
	values []any
	ui     *object
}

// cacheKeys gives every node the key of ComfyUI's cache: class, literal
// inputs and the keys of everything above it. Node ids, titles, extra_data
// and the prompt id are not in it; undeclared inputs are (transcripts
// 06-cache). Nodes in a cycle share an arbitrary key; they never run.
func cacheKeys(x *execution) map[string]string {
	keys := map[string]string{}
	for _, id := range x.task.prompt.keys {
		cacheKey(x, id, keys)
	}
	return keys
}

func cacheKey(x *execution, id string, keys map[string]string) string {
	if key, ok := keys[id]; ok {
		return key
	}
	keys[id] = "open"
	if _, here := x.task.prompt.values[id].(*object); !here {
		return "absent"
	}
	inputs := x.inputs(id)
	names := slices.Sorted(slices.Values(inputs.keys))
	var b strings.Builder
	b.WriteString(x.class(id).name)
	for _, name := range names {
		fmt.Fprintf(&b, "\x00%s\x00%s", name, inputKey(x, inputs.values[name], keys))
	}
	b.WriteString(x.replica.dep.fleet.changed(x.class(id), inputs))
	keys[id] = strconv.FormatUint(xxhash.Sum64String(b.String()), 16)
	return keys[id]
}

func inputKey(x *execution, value any, keys map[string]string) string {
	if link, ok := value.([]any); ok && len(link) == 2 {
		if from, ok := link[0].(string); ok {
			return "link " + cacheKey(x, from, keys) + " " + text(link[1])
		}
	}
	return repr(value)
}

func (x *execution) lookup(id string) (cached, bool) {
	x.replica.mu.Lock()
	defer x.replica.mu.Unlock()
	entry, ok := x.replica.cache[x.keys[id]]
	return entry, ok
}

func (x *execution) cached(id string) bool {
	_, ok := x.lookup(id)
	return ok
}

func (x *execution) store(id string, entry cached) {
	x.replica.mu.Lock()
	defer x.replica.mu.Unlock()
	x.replica.cache[x.keys[id]] = entry
}

// forget drops what this prompt does not use, as the default cache of 0.8
// does, and lists the nodes that need not run.
func (x *execution) forget() []any {
	r := x.replica
	r.mu.Lock()
	defer r.mu.Unlock()
	kept, nodes := map[string]cached{}, []any{}
	for _, id := range x.task.prompt.keys {
		if entry, ok := r.cache[x.keys[id]]; ok {
			kept[x.keys[id]] = entry
			nodes = append(nodes, id)
		}
	}
	if !r.modern() {
		r.cache = kept
	}
	return nodes
}
