package engine

import (
	"context"
	"errors"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

var errNoOrphan = &job.Error{Code: "orphan_not_found", Class: job.NotFound, Message: "there is no such orphan",
	Hint: `list them with "qmtui outputs orphans"`}

// AssignOrphan copies an orphan into a user's folder: an admin says whose it
// is. It returns when the copy is durable. Cut short anywhere, the same call
// ends with one file.
func (e *Engine) AssignOrphan(ctx context.Context, id job.OutputID, user string, by job.Caller) (job.Orphan, error) {
	if err := job.CheckUser(user); err != nil {
		return job.Orphan{}, err
	}
	o, err := e.takeOrphan(ctx, id, openOrphan)
	if err != nil {
		return job.Orphan{}, err
	}
	defer e.releaseOrphan(id)
	if o.User != user {
		o.User, o.Dest = user, ""
	}
	r, err := e.copyOrphan(ctx, &o)
	if err != nil {
		return job.Orphan{}, err
	}
	o.State, o.Dest, o.Checksum, o.Size, o.Modified, o.By = job.OrphanAssigned, r.Dest, r.Checksum, r.Size, r.Modified, by.Name
	return o, e.settleOrphan(ctx, o)
}

// copyOrphan copies to the place that is recorded, or to one that it chooses
// and records first, as for the outputs of jobs.
func (e *Engine) copyOrphan(ctx context.Context, o *job.Orphan) (job.Receipt, error) {
	t := job.Transfer{Output: o.ID, Source: o.Path, User: o.User, Dest: o.Dest, Version: o.Modified, Settled: true}
	for range maxPlaces {
		if t.Dest == "" {
			batch := []job.Transfer{t}
			dests, err := e.places.choose(batch, func(taken []string) ([]string, error) { return e.share.Choose(ctx, batch, taken) })
			if err != nil {
				return job.Receipt{}, err
			}
			t.Dest, o.Dest = dests[0], dests[0]
			if err := e.ask(ctx, func(l *loop) error { return l.putOrphan(*o) }); err != nil {
				e.places.release(t.User, t.Output)
				return job.Receipt{}, err
			}
		}
		r, err := e.share.Copy(ctx, t)
		e.places.release(t.User, t.Output)
		if !errors.Is(err, errDestTaken) {
			return r, err
		}
		t.Dest = ""
	}
	return job.Receipt{}, errNoFreeName
}

// UnassignOrphan undoes an assignment: it removes the copy from the user's
// folder and puts the file back on the list. Only what was delivered is removed,
// and only while the share still holds the same bytes; otherwise nothing changes
// and the error is not_taken_back.
func (e *Engine) UnassignOrphan(ctx context.Context, id job.OutputID, by job.Caller) (job.Orphan, error) {
	o, err := e.takeOrphan(ctx, id, assignedOrphan)
	if err != nil {
		return job.Orphan{}, err
	}
	defer e.releaseOrphan(id)
	if err := e.share.TakeBack(ctx, job.Transfer{Output: o.ID, Source: o.Path, User: o.User, Dest: o.Dest}, o.Checksum); err != nil {
		return job.Orphan{}, err
	}
	e.log.Info("orphan assignment undone", "file", o.Path.String(), "user", o.User, "by", by.Name)
	o.State, o.User, o.Dest, o.Checksum, o.By = job.OrphanOpen, "", "", "", ""
	return o, e.settleOrphan(ctx, o)
}

// OrphanFile reads an orphan that is open; the caller closes it.
func (e *Engine) OrphanFile(id job.OutputID) (File, error) {
	o, err := e.findOrphan(id, openOrphan)
	if err != nil {
		return nil, err
	}
	return e.share.OpenSource(o.Path)
}

// DiscardOrphan takes an orphan off the list and, where the share may be
// written, off the share.
func (e *Engine) DiscardOrphan(ctx context.Context, id job.OutputID, reason string, by job.Caller) (job.Orphan, error) {
	o, err := e.takeOrphan(ctx, id, openOrphan)
	if err != nil {
		return job.Orphan{}, err
	}
	defer e.releaseOrphan(id)
	if err := e.share.Discard(ctx, o.Path); err != nil {
		e.log.Warn("a discarded orphan stays on the share", "file", o.Path.String(), "error", err)
	}
	o.State, o.By, o.Reason = job.OrphanDiscarded, by.Name, reason
	return o, e.settleOrphan(ctx, o)
}

// takeOrphan finds an orphan that check accepts, and keeps others from changing it until
// releaseOrphan: a file goes to one user. The loop does it, so that no history
// or metadata attributes the file meanwhile.
func (e *Engine) takeOrphan(ctx context.Context, id job.OutputID, check func(job.Orphan) error) (job.Orphan, error) {
	taken := make(chan job.Orphan, 1)
	err := e.ask(ctx, func(l *loop) error {
		if l.settling[id] {
			return errOrphanBusy
		}
		o, err := l.findOrphan(id, check)
		if err == nil {
			l.settling[id] = true
			taken <- o
		}
		return err
	})
	switch {
	case errors.Is(err, errOrphanBusy):
		return job.Orphan{}, err
	case err != nil:
		e.releaseOrphan(id) // the loop may come to it after ctx has ended
		return job.Orphan{}, err
	}
	return <-taken, nil
}

var errOrphanBusy = &job.Error{Code: "orphan_busy", Class: job.Conflict, Message: "somebody is assigning or discarding that orphan right now",
	Hint: "look again in a moment"}

func (e *Engine) releaseOrphan(id job.OutputID) {
	_ = e.tell(context.Background(), message{do: func(l *loop) func() {
		delete(l.settling, id)
		l.reconsider = true
		return func() {}
	}})
}

func (e *Engine) findOrphan(id job.OutputID, check func(job.Orphan) error) (job.Orphan, error) {
	o, err := e.ledger.Orphan(id)
	if err != nil {
		return job.Orphan{}, errNoOrphan
	}
	return o, check(o)
}

func openOrphan(o job.Orphan) error {
	if o.State == job.OrphanOpen {
		return nil
	}
	e := &job.Error{Code: "orphan_settled", Class: job.Conflict, Message: "the orphan is already " + o.State + " by " + o.By, Hint: "list what is left with \"qmtui outputs orphans\""}
	if o.State == job.OrphanAssigned && o.Job == "" {
		e.Message = "the orphan is already assigned to " + o.User + ", by " + o.By
		e.Hint = "to give it to somebody else, first undo that with \"qmtui outputs unassign " + string(o.ID) + "\""
	}
	return e
}

// assignedOrphan accepts what a person assigned. What turned out to be a job's
// has no copy of its own.
func assignedOrphan(o job.Orphan) error {
	if o.State == job.OrphanAssigned && o.Dest != "" && o.Checksum != "" {
		return nil
	}
	return &job.Error{Code: "orphan_not_assigned", Class: job.Conflict, Message: "nobody has assigned that orphan to a user, so there is nothing to undo",
		Hint: `list those that are assigned with "qmtui outputs orphans --state assigned"`}
}

// settleOrphan records the end of an orphan, in the loop so that counts agree.
func (e *Engine) settleOrphan(ctx context.Context, o job.Orphan) error {
	return e.ask(ctx, func(l *loop) error {
		if err := l.ledger.PutOrphan(o); err != nil {
			return err
		}
		l.log.Info("orphan "+o.State, "file", o.Path.String(), "user", o.User, "by", o.By)
		l.standing = time.Time{}
		return l.countOrphans()
	})
}
