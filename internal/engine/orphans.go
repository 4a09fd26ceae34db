package engine

import (
	"context"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

var errNoOrphan = &job.Error{Code: "orphan_not_found", Class: job.NotFound, Message: "there is no such orphan",
	Hint: `list them with "qmtui outputs orphans"`}

// AssignOrphan copies an orphan into a user's folder: an admin says whose it
// is. It returns when the copy is durable.
func (e *Engine) AssignOrphan(ctx context.Context, id job.OutputID, user string, by job.Caller) (job.Orphan, error) {
	if err := job.CheckUser(user); err != nil {
		return job.Orphan{}, err
	}
	o, err := e.openOrphan(id)
	if err != nil {
		return job.Orphan{}, err
	}
	t := job.Transfer{Output: o.ID, Source: o.Path, User: user, Settled: true}
	t.Dest, err = e.places.choose(user, o.ID, func(taken func(string) bool) (string, error) { return e.share.Choose(ctx, t, taken) })
	if err != nil {
		return job.Orphan{}, err
	}
	defer e.places.release(user, t.Dest)
	r, err := e.share.Copy(ctx, t)
	if err != nil {
		return job.Orphan{}, err
	}
	o.State, o.User, o.Dest, o.Checksum, o.Size, o.By = job.OrphanAssigned, user, r.Dest, r.Checksum, r.Size, by.Name
	return o, e.settleOrphan(ctx, o)
}

// DiscardOrphan takes an orphan off the list and, where the share may be
// written, off the share.
func (e *Engine) DiscardOrphan(ctx context.Context, id job.OutputID, reason string, by job.Caller) (job.Orphan, error) {
	o, err := e.openOrphan(id)
	if err != nil {
		return job.Orphan{}, err
	}
	if err := e.share.Discard(ctx, o.Path); err != nil {
		e.log.Warn("a discarded orphan stays on the share", "file", o.Path.String(), "error", err)
	}
	o.State, o.By, o.Reason = job.OrphanDiscarded, by.Name, reason
	return o, e.settleOrphan(ctx, o)
}

func (e *Engine) openOrphan(id job.OutputID) (job.Orphan, error) {
	o, err := e.ledger.Orphan(id)
	if err != nil {
		return job.Orphan{}, errNoOrphan
	}
	if o.State != job.OrphanOpen {
		return o, &job.Error{Code: "orphan_settled", Class: job.Conflict, Message: "the orphan is already " + o.State + " by " + o.By, Hint: "nothing is left to do"}
	}
	return o, nil
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
