package face

import (
	"maps"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// Told is how much of a job a connection has been told. The zero value is
// nothing. It is a value; [Follow] returns a new one.
type Told struct {
	attempt int            // whose start was told; zero for none
	ended   int            // the attempt whose end was told; zero for none
	begun   map[string]int // files stored of nodes that were told to execute
	files   map[string]int // files in the last executed frame, by node
}

// Follow is what a connection is to be told of the job now. Frames are
// derived from what is known alone, so that whoever missed changes is told
// all that still matters, in order, by the next call.
//
// A frame of TypeStatus without data stands where the count of what remains belongs.
func Follow(v api.View, j job.Job, t Told) ([]Frame, Told) {
	f := follower{j: j, told: Told{attempt: t.attempt, ended: t.ended, begun: maps.Clone(t.begun), files: maps.Clone(t.files)}}
	f.start()
	f.progress()
	f.executed(delivered(v, j))
	f.end()
	return f.frames, f.told
}

type follower struct {
	j      job.Job
	told   Told
	frames []Frame
}

func (f *follower) add(frames ...Frame) { f.frames = append(f.frames, frames...) }

// start tells that a worker has begun this attempt. A start that is learned
// of only after the end was told stays untold: nothing would end it again.
func (f *follower) start() {
	n := f.j.Current().N
	if f.told.attempt == n || f.told.ended == n || f.j.StartedAt().IsZero() {
		return
	}
	f.told = Told{attempt: n, ended: f.told.ended, begun: map[string]int{}, files: f.told.files}
	f.add(started(f.j), cached(f.j))
}

// progress tells of save nodes whose files stand on the share: that much is
// known of what a worker does.
func (f *follower) progress() {
	if f.told.attempt != f.j.Current().N {
		return
	}
	news := false
	for _, x := range f.j.Expect {
		stored, seen := tally(f.j, x.Node)
		before, known := f.told.begun[x.Node]
		if seen == 0 || known && before == stored {
			continue
		}
		news = true
		if !known && !f.j.State().Terminal() {
			f.add(executing(f.j, x.Node))
		}
		if stored > 0 && x.Count > 0 {
			f.add(Frame{Type: "progress", Data: fields{"value": stored, "max": max(stored, x.Count), "prompt_id": ID(f.j), "node": x.Node}})
		}
		f.told.begun[x.Node] = stored
	}
	if news {
		f.add(progressState(f.j))
	}
}

func executing(j job.Job, node string) Frame {
	return Frame{Type: typeExecuting, Data: fields{"node": node, "display_node": node, "prompt_id": ID(j)}}
}

// progressState lists the save nodes that have begun to write, in files.
func progressState(j job.Job) Frame {
	nodes := fields{}
	for _, x := range j.Expect {
		stored, seen := tally(j, x.Node)
		if seen == 0 {
			continue
		}
		all, state := max(seen, x.Count), "running"
		if stored >= all {
			state = "finished"
		}
		nodes[x.Node] = fields{"value": stored, "max": all, "state": state, "node_id": x.Node, "prompt_id": ID(j),
			"display_node_id": x.Node, "parent_node_id": nil, "real_node_id": x.Node}
	}
	return Frame{Type: "progress_state", Data: fields{"prompt_id": ID(j), "nodes": nodes}, All: true}
}

// executed tells what nodes delivered: once each is complete, or at the end,
// and again when a late file came.
func (f *follower) executed(nodes []Node) {
	for _, n := range nodes {
		if len(n.Files) == f.told.files[n.ID] || !f.j.State().Terminal() && !complete(f.j, n.ID) {
			continue
		}
		if f.told.files == nil {
			f.told.files = map[string]int{}
		}
		f.told.files[n.ID] = len(n.Files)
		f.add(Frame{Type: "executed", Data: fields{"node": n.ID, "display_node": n.ID, "output": n.output(), "prompt_id": ID(f.j)}})
	}
}

// complete reports that every file the node will write has been stored.
func complete(j job.Job, node string) bool {
	for _, x := range j.Expect {
		if x.Node == node && x.Count > 0 {
			stored, _ := tally(j, node)
			return stored >= x.Count
		}
	}
	return false
}

// end tells the end. A job that was cancelled before it began just leaves the
// queue, as with ComfyUI.
func (f *follower) end() {
	n := f.j.Current().N
	last, ended := ending(f.j)
	if !ended || f.told.ended == n {
		return
	}
	f.told.ended = n
	if f.j.State() == job.Cancelled && f.told.attempt != n {
		return
	}
	f.add(last, Frame{Type: TypeStatus, All: true}, Frame{Type: typeExecuting, Data: fields{"node": nil, "prompt_id": ID(f.j)}})
}

// MayReturn reports an end that the manager may answer with another attempt:
// it records the two one after the other.
func MayReturn(j job.Job) bool {
	e := j.Failure()
	return e != nil && e.Transient && j.Want != job.WantCancel
}
