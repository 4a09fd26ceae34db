package simulator

func (x *execution) class(id string) *class {
	return x.replica.dep.spec.Version.catalog().classes[text(x.task.prompt.values[id].(*object).values["class_type"])]
}

func (x *execution) inputs(id string) *object {
	inputs, _ := x.task.prompt.values[id].(*object).values["inputs"].(*object)
	if inputs == nil {
		return dict()
	}
	return inputs
}

// links are the nodes that a node's inputs name, declared or not, in order.
func (x *execution) links(id string) []string {
	var ids []string
	inputs := x.inputs(id)
	for _, k := range inputs.keys {
		if link, ok := inputs.values[k].([]any); ok && len(link) == 2 {
			if from, ok := link[0].(string); ok {
				ids = append(ids, from)
			}
		}
	}
	return ids
}

// prepare finds what must run. False: the prompt ends the worker thread, as
// an undeclared input that looks like a link to an absent node does.
func (x *execution) prepare() bool {
	x.keys = cacheKeys(x)
	seen := map[string]bool{}
	for _, id := range x.task.prompt.keys {
		if _, has := x.task.prompt.values[id].(*object).get("inputs"); !has {
			return false
		}
	}
	for _, id := range x.task.outputs {
		if !x.visit(id, seen) {
			return false
		}
	}
	for _, id := range x.task.prompt.keys {
		if seen[id] {
			x.needed = append(x.needed, id)
		}
	}
	if x.task.plan.has(wrongOrder) {
		reverse(x.needed)
	}
	x.cost = x.costs()
	return true
}

func reverse(ids []string) {
	for i, j := 0, len(ids)-1; i < j; i, j = i+1, j-1 {
		ids[i], ids[j] = ids[j], ids[i]
	}
}

func (x *execution) visit(id string, seen map[string]bool) bool {
	if _, here := x.task.prompt.values[id].(*object); !here {
		return false
	}
	if seen[id] {
		return true
	}
	seen[id] = true
	if x.cached(id) {
		return true
	}
	for _, from := range x.links(id) {
		if !x.visit(from, seen) {
			return false
		}
	}
	return true
}

// pick chooses among the ready nodes as ComfyUI does: an output node first,
// then one that an output node waits for, then one two steps away, then the
// first. Negative: none is ready.
func (x *execution) pick(left []string) int {
	waiting := map[string][]string{} // node -> nodes in left that wait for it
	inLeft := map[string]bool{}
	for _, id := range left {
		inLeft[id] = true
		for _, from := range x.links(id) {
			waiting[from] = append(waiting[from], id)
		}
	}
	best, rank := -1, 99
	for i, id := range left {
		if x.blocked(id, inLeft) {
			continue
		}
		if r := x.distance(id, waiting, 0); r < rank {
			best, rank = i, r
		}
	}
	return best
}

func (x *execution) blocked(id string, inLeft map[string]bool) bool {
	if x.cached(id) {
		return false
	}
	for _, from := range x.links(id) {
		if inLeft[from] {
			return true
		}
	}
	return false
}

// distance is how many steps an output node is away, 3 for any more.
func (x *execution) distance(id string, waiting map[string][]string, depth int) int {
	if x.class(id).output {
		return 0
	}
	best := 3
	if depth < 2 {
		for _, next := range waiting[id] {
			best = min(best, 1+x.distance(next, waiting, depth+1))
		}
	}
	return best
}
