package simulator

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
)

// replica is one ComfyUI process: a queue, a worker that runs one prompt at a
// time, a history in memory, a cache. All of it is gone when it dies.
type replica struct {
	name string
	dep  *deployment
	temp string // the five letters in its temporary file names
	born time.Time
	// astray is the folder of a replica that was started with another
	// --output-directory than the rest; empty otherwise.
	astray string

	mu       sync.Mutex
	dead     bool
	stuck    bool // the worker thread is gone while HTTP stays healthy
	count    int  // the next prompt's number
	ids      int  // how many prompt ids it has made up
	pending  queue
	running  *task
	history  *object
	previews map[string][]byte
	cache    map[string]cached // owned by the worker; mu for free()
	kill     context.CancelFunc
	wake     chan struct{} // capacity 1
}

// task is one prompt in the queue.
type task struct {
	number  any // integer or float64
	order   float64
	id      string
	prompt  *object
	extra   *object
	outputs []string
	plan    fault
	content string
	turn    int
	seq     int // the execution's number in the manifest

	interrupted bool // guarded by the replica's mu
}

// item is a task as /queue and /history show it.
func (t *task) item() []any {
	outputs := make([]any, len(t.outputs))
	for i, o := range t.outputs {
		outputs[i] = o
	}
	return []any{t.number, t.id, t.prompt, t.extra, outputs}
}

// queue is ComfyUI's heap: by number, then by prompt id.
type queue []*task

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].order != q[j].order {
		return q[i].order < q[j].order
	}
	return q[i].id < q[j].id
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(*task)) }
func (q *queue) Pop() any {
	old := *q
	t := old[len(old)-1]
	*q = old[:len(old)-1]
	return t
}

func newReplica(d *deployment, name string) *replica {
	letters := make([]byte, 5)
	for i := range letters {
		letters[i] = byte('a' + d.dice.IntN(26))
	}
	astray := ""
	if d.named%2 == 0 {
		astray = d.spec.Astray
	}
	return &replica{name: name, dep: d, temp: string(letters), born: time.Now(), astray: astray, history: dict(),
		previews: map[string][]byte{}, cache: map[string]cached{}, kill: func() {}, wake: make(chan struct{}, 1)}
}

// enqueue accepts a validated prompt; false when the replica has died.
func (r *replica) enqueue(t *task) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dead {
		return false
	}
	t.seq = r.dep.fleet.manifest.accept(Execution{Deployment: r.dep.spec.Name, Replica: r.name,
		PromptID: t.id, Faults: faultNames(t.plan)})
	heap.Push(&r.pending, t)
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return true
}

// nextNumber gives out queue numbers; refused prompts use them up as well.
func (r *replica) nextNumber() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	return r.count - 1
}

// work is the replica's worker thread. It returns when ctx ends or the
// replica dies, and reports whatever was queued as killed.
func (r *replica) work(ctx context.Context) {
	ctx, kill := context.WithCancel(ctx)
	defer kill()
	r.mu.Lock()
	r.kill = kill
	r.mu.Unlock()
	defer r.bury()
	for {
		for t := r.take(); t != nil && ctx.Err() == nil; t = r.take() {
			r.execute(ctx, t)
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			return
		}
	}
}

func (r *replica) take() *task {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pending) == 0 || r.stuck || r.dead {
		return nil
	}
	r.running = heap.Pop(&r.pending).(*task)
	return r.running
}

// bury ends everything the replica still had.
func (r *replica) bury() {
	r.mu.Lock()
	r.dead = true
	lost := r.pending
	if r.running != nil {
		lost = append(lost, r.running)
	}
	r.pending, r.running, r.history = nil, nil, dict()
	r.mu.Unlock()
	for _, t := range lost {
		r.end(t, "killed", "", "")
	}
	r.dep.bury(r)
}

// die is kill -9: the worker stops where it stands.
func (r *replica) die() {
	r.mu.Lock()
	r.dead = true
	kill := r.kill
	r.mu.Unlock()
	kill()
}

func (r *replica) end(t *task, status, node, message string) {
	r.dep.fleet.manifest.update(t.seq, func(e *Execution) {
		e.Status, e.Node, e.Error, e.Ended = status, node, message, time.Now()
	})
}

// maxHistory is ComfyUI's MAXIMUM_HISTORY_SIZE.
const maxHistory = 10_000

// finish moves the running task into history.
func (r *replica) finish(t *task, outputs, meta, status *object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.history.keys) >= maxHistory {
		r.history.pop(r.history.keys[0])
	}
	r.history.set(t.id, dict("prompt", t.item(), "outputs", outputs, "status", status, "meta", meta))
	r.running = nil
}

func (r *replica) knows(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, done := r.history.get(id)
	if done || r.running != nil && r.running.id == id {
		return true
	}
	for _, t := range r.pending {
		if t.id == id {
			return true
		}
	}
	return false
}

func (r *replica) ran() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.history.keys) > 0
}

func (r *replica) load() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.pending)
	if r.running != nil {
		n++
	}
	return n
}

// interrupt marks the running prompt, or only the one named; false when that
// does not run. It takes effect at the next node.
func (r *replica) interrupt(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running == nil || id != "" && r.running.id != id {
		return false
	}
	r.running.interrupted = true
	return true
}

func (r *replica) interrupted(t *task) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return t.interrupted
}

// remove deletes pending prompts; the running one stays. False: there was none.
func (r *replica) remove(match func(*task) bool) bool {
	r.mu.Lock()
	var kept queue
	var gone []*task
	for _, t := range r.pending {
		if match(t) {
			gone = append(gone, t)
		} else {
			kept = append(kept, t)
		}
	}
	heap.Init(&kept)
	r.pending = kept
	r.mu.Unlock()
	for _, t := range gone {
		r.end(t, "deleted", "", "")
	}
	return len(gone) > 0
}

// modern says whether the replica answers as 0.33.
func (r *replica) modern() bool { return r.dep.spec.Version == V33 }

// lateFor is how long the class in Deployment.Late is missing.
const lateFor = time.Minute

// catalog is what the replica knows of node classes by now.
func (r *replica) catalog() *catalog {
	c := r.dep.spec.Version.catalog()
	if late := r.dep.spec.Late; late != "" && time.Since(r.born) < r.dep.fleet.scaled(lateFor) {
		return c.without(late)
	}
	return c
}

// outputFolder is where this replica writes.
func (r *replica) outputFolder() string {
	return cmp.Or(r.astray, r.dep.spec.ContainerDisk, r.dep.fleet.cfg.Outputs)
}

// newPromptID makes an id for a prompt without one: random in form, decided
// by the fleet's seed.
func (r *replica) newPromptID() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids++
	return uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "%d/%s/%d", r.dep.fleet.cfg.Seed, r.name, r.ids)).String()
}
