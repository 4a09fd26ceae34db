package store

import (
	"context"
	"errors"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/job"
)

// Prune removes closed jobs that nothing was heard of since olderThan, with
// their facts, indexes and the bodies that no other job refers to. It works in
// transactions of batch jobs (zero means 100), so that others get their turn,
// and returns how many jobs it removed. Watchers are not told.
//
// What stays is that their prompt ids were ours: see [Store.Pruned].
func (s *Store) Prune(ctx context.Context, olderThan time.Time, batch int) (int, error) {
	return s.pruneAll(ctx, batch, func(n int) []*head { return s.index.prunable(olderThan, n) })
}

// PruneUsers removes the oldest closed jobs of users whose closed jobs take more
// than most bytes in the ledger, as Prune does, until they take no more.
func (s *Store) PruneUsers(ctx context.Context, most int64, batch int) (int, error) {
	return s.pruneAll(ctx, batch, func(n int) []*head { return s.index.beyond(most, n) })
}

func (s *Store) pruneAll(ctx context.Context, batch int, pick func(n int) []*head) (n int, err error) {
	if batch <= 0 {
		batch = 100
	}
	for {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		removed, err := s.pruneBatch(pick, batch)
		n += removed
		if err != nil || removed == 0 {
			return n, err
		}
	}
}

func (s *Store) pruneBatch(pick func(n int) []*head, batch int) (int, error) {
	gone := map[job.ID]bool{}
	err := s.update("prune old jobs",
		func(tx *bolt.Tx) error {
			for _, h := range pick(batch) {
				gone[h.id] = true
				if err := pruneJob(tx, h); err != nil {
					return err
				}
			}
			if len(gone) == 0 {
				return errNothing
			}
			return nil
		},
		func() { s.index.remove(gone) })
	if err != nil {
		return 0, err
	}
	return len(gone), nil
}

// prunable lists the oldest jobs that may go, at most n.
func (x *index) prunable(olderThan time.Time, n int) []*head {
	var out []*head
	for _, h := range x.order {
		if len(out) == n {
			break
		}
		if h.prunable(olderThan) {
			out = append(out, h)
		}
	}
	return out
}

// beyond lists the oldest closed jobs of users beyond what theirs may take, at
// most n.
func (x *index) beyond(most int64, n int) []*head {
	over := map[string]int64{}
	for user, kept := range x.kept {
		if kept > most {
			over[user] = kept - most
		}
	}
	var out []*head
	for _, h := range x.order {
		if len(over) == 0 || len(out) == n {
			break
		}
		if over[h.User] > 0 && h.Closed && h.State.Terminal() {
			if out = append(out, h); over[h.User] <= h.Kept {
				delete(over, h.User)
			} else {
				over[h.User] -= h.Kept
			}
		}
	}
	return out
}

func pruneJob(tx *bolt.Tx, h *head) error {
	j, err := readJob(tx, h.id)
	if err != nil {
		return err
	}
	for _, a := range j.Attempts {
		if a.PromptID != "" {
			err = errors.Join(err, tx.Bucket(bucketPruned).Put([]byte(a.PromptID), present))
		}
	}
	for _, e := range entriesOf(j) {
		err = errors.Join(err, tx.Bucket(e.bucket).Delete(e.key))
	}
	facts := tx.Bucket(bucketFacts)
	return errors.Join(err,
		deleteAll(facts, keysUnder(facts, under(string(j.ID), nil))),
		tx.Bucket(bucketHeads).Delete(headKey(h.submitted, h.id)),
		tx.Bucket(bucketJobs).Delete([]byte(j.ID)),
		dropBlob(tx, j.Workflow), dropBlob(tx, j.Extra))
}

// dropBlob removes a body that no job refers to any more.
func dropBlob(tx *bolt.Tx, hash string) error {
	if hash == "" || hasUnder(tx.Bucket(bucketRefs), under(hash, nil)) {
		return nil
	}
	return tx.Bucket(bucketBlobs).Delete([]byte(hash))
}
