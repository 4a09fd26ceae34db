package simulator

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

// execution is one prompt on its way through a replica. It belongs to the
// replica's worker.
type execution struct {
	replica *replica
	task    *task
	keys    map[string]string // node id -> cache key
	values  map[string][]any  // node id -> what its slots carry
	needed  []string          // nodes that must run or be looked up, in prompt order
	cost    map[string]time.Duration
	ran     []any // ids of the nodes executed so far
	outputs *object
	meta    *object
	folder  string // the folder of the last save node, for planted things
}

var (
	errDied        = errors.New("the replica died")
	errInterrupted = errors.New("interrupted")
)

// raised is a Python exception out of a node.
type raised struct{ kind, message string }

func (e *raised) Error() string { return e.kind + ": " + e.message }

// execute runs a prompt as ComfyUI's execute_async does and writes the
// result into history. On a death it leaves everything to bury.
func (r *replica) execute(ctx context.Context, t *task) {
	r.dep.fleet.manifest.update(t.seq, func(e *Execution) { e.Status, e.Started = "running", time.Now() })
	x := &execution{replica: r, task: t, values: map[string][]any{}, outputs: dict(), meta: dict()}
	messages := []any{x.message("execution_start")}
	if !x.prepare() {
		r.breakDown()
		<-ctx.Done()
		return
	}
	messages = append(messages, x.message("execution_cached", "nodes", x.forget()))
	node, err := x.run(ctx)
	if errors.Is(err, errDied) || ctx.Err() != nil {
		return
	}
	x.conclude(node, err, messages)
}

// breakDown is a worker thread that an exception has ended: HTTP goes on, the
// queue never moves again (transcripts 14-crash).
func (r *replica) breakDown() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stuck = true
}

func (x *execution) message(name string, more ...any) []any {
	body := dict("prompt_id", x.task.id, "timestamp", millis(time.Now()))
	if len(more) > 0 {
		body = dict(append(more, "prompt_id", x.task.id, "timestamp", millis(time.Now()))...)
	}
	return []any{name, body}
}

// conclude writes history: the outputs of the nodes that ran, and whether all
// is well.
func (x *execution) conclude(node string, err error, messages []any) {
	status, word := "success", "success"
	var fault *raised
	switch {
	case errors.Is(err, errInterrupted):
		status, word = "error", "interrupted"
		messages = append(messages, x.message("execution_interrupted", x.about(node)...))
	case errors.As(err, &fault):
		status, word = "error", "error"
		details := append(x.about(node), "exception_message", fault.message+"\n", "exception_type", fault.kind,
			"traceback", traceback("execute"), "current_inputs", x.shown(node), "current_outputs", x.everyNode())
		messages = append(messages, x.message("execution_error", details...))
	default:
		messages = append(messages, x.message("execution_success"))
	}
	x.replica.finish(x.task, x.outputs, x.meta,
		dict("status_str", status, "completed", status == "success", "messages", messages))
	text := ""
	if fault != nil {
		text = fault.Error()
	}
	x.replica.end(x.task, word, node, text)
}

func (x *execution) about(node string) []any {
	executed := append([]any{}, x.ran...)
	return []any{"node_id", node, "node_type", x.class(node).name, "executed", executed}
}

// shown is current_inputs: every literal input in a list of one.
func (x *execution) shown(node string) *object {
	shown := dict()
	inputs := x.inputs(node)
	for _, k := range inputs.keys {
		if _, link := inputs.values[k].([]any); !link {
			shown.set(k, []any{inputs.values[k]})
		}
	}
	return shown
}

func (x *execution) everyNode() []any {
	all := []any{}
	for _, id := range x.task.prompt.keys {
		all = append(all, id)
	}
	return all
}

func (x *execution) class(id string) *class {
	return classes()[text(x.task.prompt.values[id].(*object).values["class_type"])]
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

// run executes node after node; it returns the node that stopped it.
func (x *execution) run(ctx context.Context) (node string, err error) {
	left := append([]string(nil), x.needed...)
	deadline := x.deathNode()
	for len(left) > 0 {
		i := x.pick(left)
		id := left[i]
		left = append(left[:i:i], left[i+1:]...)
		if x.replica.interrupted(x.task) {
			return id, errInterrupted
		}
		if id == deadline {
			x.replica.dep.fleet.sleep(ctx, x.cost[id]/2)
			x.replica.die()
			return id, errDied
		}
		if err := x.node(ctx, id); err != nil {
			return id, err
		}
	}
	return "", nil
}

// pick chooses among the ready nodes as ComfyUI does: an output node first,
// then one that an output node waits for, then one two steps away, then the
// first.
func (x *execution) pick(left []string) int {
	waiting := map[string][]string{} // node -> nodes in left that wait for it
	inLeft := map[string]bool{}
	for _, id := range left {
		inLeft[id] = true
		for _, from := range x.links(id) {
			waiting[from] = append(waiting[from], id)
		}
	}
	best, rank := 0, 99
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

// node runs one node, or takes it from the cache.
func (x *execution) node(ctx context.Context, id string) error {
	if entry, ok := x.lookup(id); ok {
		x.values[id] = entry.values
		x.report(id, entry.ui, x.task.extra.values["client_id"] != nil)
		return nil
	}
	if !x.replica.dep.fleet.sleep(ctx, x.cost[id]) {
		return errDied
	}
	values, ui, err := x.evaluate(ctx, id)
	if err != nil {
		return err
	}
	x.values[id] = values
	x.ran = append(x.ran, id)
	x.store(id, cached{values: values, ui: ui})
	x.report(id, ui, true)
	return nil
}

// report adds a node's outputs to history; those of cached nodes only when
// somebody listens (transcripts 06-cache, 3_identical_noclient).
func (x *execution) report(id string, ui *object, heard bool) {
	if ui == nil || !heard {
		return
	}
	x.outputs.set(id, ui)
	x.meta.set(id, dict("node_id", id, "display_node", id, "parent_node", nil, "real_node_id", id))
}

// costs spreads the prompt's render time over the nodes that will run.
func (x *execution) costs() map[string]time.Duration {
	f := x.replica.dep.fleet
	span := f.cfg.Render
	dice := roll(f.cfg.Seed, "render", x.task.content, x.task.turn)
	total := span.Min + time.Duration(dice*float64(span.Max-span.Min))
	weights, sum := map[string]float64{}, 0.0
	for _, id := range x.needed {
		if !x.cached(id) {
			weights[id] = x.weight(id)
			sum += weights[id]
		}
	}
	costs := map[string]time.Duration{}
	for id, w := range weights {
		costs[id] = time.Duration(w / max(sum, 1) * float64(total))
	}
	return costs
}

// weight is how heavy a node is; the 1x1 image of a start marker weighs
// nothing.
func (x *execution) weight(id string) float64 {
	name := x.class(id).name
	switch {
	case strings.Contains(name, "Sampler") && name != "KSamplerSelect":
		return 10
	case strings.Contains(name, "Decode"), strings.Contains(name, "Loader"), strings.HasPrefix(name, "Image"):
		return 2
	case name == "EmptyImage" && x.pixels(id) <= 1:
		return 0
	case strings.HasPrefix(name, "Save"), strings.HasPrefix(name, "Preview"):
		return 0.05
	}
	return 1
}

func (x *execution) pixels(id string) int {
	return intOf(x.inputs(id).values["width"]) * intOf(x.inputs(id).values["height"])
}

func intOf(v any) int {
	switch v := v.(type) {
	case integer:
		n, _ := strconv.Atoi(string(v))
		return n
	case float64:
		return int(v)
	}
	return 0
}

// deathNode is where a killed replica dies: the heaviest node.
func (x *execution) deathNode() string {
	if !x.task.plan.has(killedReplica) {
		return ""
	}
	return x.heaviest()
}

func (x *execution) heaviest() string {
	heaviest := ""
	for _, id := range x.needed {
		if heaviest == "" || x.cost[id] > x.cost[heaviest] {
			heaviest = id
		}
	}
	return heaviest
}
