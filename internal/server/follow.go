package server

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// coalesce is the time in which changes of one job are told once.
const coalesce = 100 * time.Millisecond

// teller tells one reader of the ledger's jobs, in the form that this reader
// understands. Only its follower calls it, one call after another; an error
// ends the reader.
type teller interface {
	// begin tells what stands when the reader comes; jobs are newest first.
	begin(ctx context.Context, jobs []job.Job) error
	// change tells of a job that has changed.
	change(ctx context.Context, c job.Change) error
	// tick tells what time alone brings.
	tick(ctx context.Context) error
	// hear answers what the reader says; readers of event streams say nothing.
	hear(ctx context.Context, text []byte) error
	// rest comes after each round of the others.
	rest(ctx context.Context) error
}

// follower follows the ledger for one reader: it gathers changes for a moment,
// so that a job that changes often is told once, and hands them on in the
// order of the ledger. One goroutine owns it.
type follower struct {
	stopping <-chan struct{} // the server's
	watch    job.Watch
	own      string        // the user whose jobs are told; empty for all
	every    time.Duration // between two ticks
	heard    <-chan []byte // what the reader says; nil for nothing
	rev      uint64        // the last revision that was told, or is not for this reader
	pending  map[job.ID]job.Change
}

// follow begins to watch the ledger: all open jobs and the newest others up to
// limit. Whoever has the follower runs it.
func (s *Server) follow(limit int, own string, every time.Duration) (*follower, error) {
	watch, err := s.svc.Watch(limit)
	if err != nil {
		return nil, err
	}
	return &follower{stopping: s.stopping, watch: watch, own: own, every: every, rev: watch.Rev, pending: map[job.ID]job.Change{}}, nil
}

// run tells everything until ctx ends, the reader falls behind, or the server
// stops. It ends the watch.
func (f *follower) run(ctx context.Context, t teller) error {
	defer f.watch.Stop()
	err := f.begin(ctx, t)
	if err != nil {
		return err
	}
	ticks := time.NewTicker(f.every)
	defer ticks.Stop()
	var due <-chan time.Time // nil while nothing is pending
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-f.stopping:
			return errStopping
		case c, ok := <-f.watch.Changes:
			if !ok {
				return fmt.Errorf("%w at revision %d", errFellBehind, f.rev)
			}
			if f.note(c) && due == nil {
				due = time.After(coalesce)
			}
			continue
		case <-due:
			due, err = nil, f.tellChanges(ctx, t)
		case <-ticks.C:
			err = t.tick(ctx)
		case text := <-f.heard:
			err = t.hear(ctx, text)
		}
		if err == nil {
			err = t.rest(ctx)
		}
		if err != nil {
			return err
		}
	}
}

func (f *follower) begin(ctx context.Context, t teller) error {
	if err := t.begin(ctx, f.standing()); err != nil {
		return err
	}
	if err := f.tellChanges(ctx, t); err != nil { // what begin noted
		return err
	}
	return t.rest(ctx)
}

// standing is the jobs of this reader when the watch began. They are told
// once, and not kept.
func (f *follower) standing() []job.Job {
	jobs := f.watch.Jobs
	f.watch.Jobs = nil
	if f.own == "" {
		return jobs
	}
	return slices.DeleteFunc(slices.Clone(jobs), func(j job.Job) bool { return j.User != f.own })
}

// note keeps a change until it is due; false when it is not for this reader.
func (f *follower) note(c job.Change) bool {
	if f.own != "" && c.Job.User != f.own {
		f.rev = max(f.rev, c.Rev)
		return false
	}
	f.pending[c.Job.ID] = c
	return true
}

func (f *follower) tellChanges(ctx context.Context, t teller) error {
	changes := inOrder(f.pending)
	clear(f.pending)
	for _, c := range changes {
		if err := t.change(ctx, c); err != nil {
			return err
		}
		f.rev = max(f.rev, c.Rev)
	}
	return nil
}

// inOrder is the changes in the order of the ledger.
func inOrder(changes map[job.ID]job.Change) []job.Change {
	return slices.SortedFunc(maps.Values(changes), func(a, b job.Change) int { return cmp.Compare(a.Rev, b.Rev) })
}

// snapshots makes the parts of a snapshot, the last of which says so.
func snapshots(rev uint64, jobs []job.Job, show func(job.Job) api.Job, tell func(api.Snapshot) error) error {
	for {
		n := min(len(jobs), snapshotPart)
		part := api.Snapshot{Rev: rev, Jobs: make([]api.Job, 0, n), Last: n == len(jobs)}
		for _, j := range jobs[:n] {
			part.Jobs = append(part.Jobs, show(j))
		}
		if err := tell(part); err != nil || part.Last {
			return err
		}
		jobs = jobs[n:]
	}
}
