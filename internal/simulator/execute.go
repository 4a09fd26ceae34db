package simulator

import (
	"context"
	"errors"
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
}

var (
	errDied        = errors.New("the replica died")
	errInterrupted = errors.New("interrupted")
	// errCycle: no node is ready. ComfyUI 0.8.0 calls that run a success with an
	// execution_error among its messages (transcripts 15-faults/cycle).
	errCycle = errors.New("dependency cycle")
)

// raised is a Python exception out of a node.
type raised struct{ kind, message string }

func (e *raised) Error() string { return e.kind + ": " + e.message }

// execute runs a prompt as ComfyUI's execute_async does and writes the
// result into history. On a death it leaves everything to bury.
func (r *replica) execute(ctx context.Context, t *task) {
	r.dep.fleet.manifest.update(t.seq, func(e *Execution) { e.Status, e.Started = "running", time.Now() })
	switch t.extra.values["client_id"].(type) {
	case []any, *object:
		r.die() // transcripts 14-crash: the process exits
		return
	}
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
	case errors.Is(err, errCycle):
		details := append(x.about(node), "exception_message", "Dependency cycle detected", "exception_type", "graph.DependencyCycleError",
			"traceback", []any{}, "current_inputs", []any{}, "current_outputs", x.everyNode())
		messages = append(messages, x.message("execution_error", details...))
		word = "error"
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
	if word == "error" {
		text = err.Error()
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

// run executes node after node; it returns the node that stopped it.
func (x *execution) run(ctx context.Context) (node string, err error) {
	left := append([]string(nil), x.needed...)
	deadline := x.deathNode()
	for len(left) > 0 {
		i := x.pick(left)
		if i < 0 {
			return left[len(left)-1], errCycle
		}
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

// node runs one node, or takes it from the cache.
func (x *execution) node(ctx context.Context, id string) error {
	if entry, ok := x.lookup(id); ok {
		x.values[id] = entry.values
		x.report(id, entry.ui, x.replica.modern() || x.task.extra.values["client_id"] != nil)
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

// report adds a node's outputs to history; before 0.33 those of
// cached nodes only when somebody listens (transcripts 06-cache,
// 3_identical_noclient).
func (x *execution) report(id string, ui *object, heard bool) {
	if ui == nil || !heard {
		return
	}
	x.outputs.set(id, ui)
	x.meta.set(id, dict("node_id", id, "display_node", id, "parent_node", nil, "real_node_id", id))
}
