package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/job"
)

// forgetPrefix begins the settings that hold the pseudonym of a user who is
// being forgotten. The last transaction removes it, so that nothing leads from
// one to the other.
const forgetPrefix = "forget/"

// Personal counts what the ledger holds of a user. The error is user_has_jobs
// when Forget would refuse.
func (s *Store) Personal(user string) (p job.Personal, err error) {
	var own map[job.ID]bool
	var busy error
	err = s.look(func() {
		busy = s.index.busy(user)
		own = s.index.of(user)
		p.Jobs, p.Outputs, p.Bytes = len(own), s.index.totals[user].Outputs, s.index.totals[user].Bytes
	}, func(tx *bolt.Tx) error {
		if busy != nil {
			return busy
		}
		const other = "x" // any name; nothing is written
		var edits [3][]edit
		var errs [3]error
		edits[0], _, errs[0] = page(tx.Bucket(bucketAudit), nil, 0, auditWithout(user, other))
		edits[1], _, errs[1] = page(tx.Bucket(bucketOrphans), nil, 0, orphanWithout(user, other))
		edits[2], _, errs[2] = page(tx.Bucket(bucketRejects), nil, 0, rejectWithout(own, user, other))
		p.Audit, p.Orphans, p.Rejects = len(edits[0]), len(edits[1]), len(edits[2])
		p.OtherJobs = len(jobsNaming(tx, user, own))
		return errors.Join(errs[:]...)
	})
	return p, err
}

// BeginForget refuses a user who has open jobs (user_has_jobs), and returns the
// pseudonym for what stays. It is random. Until Forget has ended it is the same
// one each time, and after that a new one.
func (s *Store) BeginForget(user string) (pseudonym string, err error) {
	err = s.update("begin to forget a user", func(tx *bolt.Tx) error {
		if err := s.index.busy(user); err != nil {
			return err
		}
		b, key := tx.Bucket(bucketSettings), []byte(forgetPrefix+user)
		if v := b.Get(key); v != nil {
			return errors.Join(decode(v, &pseudonym), errNothing)
		}
		random := make([]byte, 4)
		_, _ = rand.Read(random) // never fails, see crypto/rand
		pseudonym = "forgotten-" + hex.EncodeToString(random)
		return put(b, key, pseudonym)
	}, nothing)
	return pseudonym, err
}

// Forget removes the user's jobs as Prune does, and the given settings. In
// what names the user otherwise (jobs of others, audit, orphans) it puts the
// pseudonym of BeginForget. It works in transactions of at most batch records
// (zero means 100); cut short anywhere, the same call ends the same. It counts
// what it changed itself. With jobs that came meanwhile it ends in user_has_jobs.
func (s *Store) Forget(ctx context.Context, user, pseudonym string, batch int, settings ...string) (p job.Personal, err error) {
	if batch <= 0 {
		batch = 100
	}
	var own map[job.ID]bool
	if err := s.look(func() {
		own = s.index.of(user)
		p.Outputs, p.Bytes = s.index.totals[user].Outputs, s.index.totals[user].Bytes
	}, func(*bolt.Tx) error { return nil }); err != nil {
		return p, err
	}
	// Rejects go first: only the jobs say whose they are.
	for _, step := range []func() error{
		func() (err error) {
			p.Rejects, err = rewriteAll(ctx, s, bucketRejects, batch, rejectWithout(own, user, pseudonym))
			return err
		},
		func() (err error) {
			p.Jobs, err = s.pruneAll(ctx, batch, func(n int) []*head { return s.index.closedOf(user, n) })
			return err
		},
		func() (err error) { p.OtherJobs, err = s.renameInJobs(ctx, user, pseudonym, batch); return err },
		func() (err error) {
			p.Orphans, err = rewriteAll(ctx, s, bucketOrphans, batch, orphanWithout(user, pseudonym))
			return err
		},
		func() (err error) {
			p.Audit, err = rewriteAll(ctx, s, bucketAudit, batch, auditWithout(user, pseudonym))
			return err
		},
		ctx.Err,
	} {
		if err := step(); err != nil {
			return p, err
		}
	}
	return p, s.update("forget a user", func(tx *bolt.Tx) error {
		if err := s.index.busy(user); err != nil {
			return err
		}
		for _, key := range append(settings, forgetPrefix+user) {
			if err := tx.Bucket(bucketSettings).Delete([]byte(key)); err != nil {
				return err
			}
		}
		return nil
	}, nothing)
}

// busy is user_has_jobs, or nil when all jobs of the user are closed.
func (x *index) busy(user string) error {
	going, late := 0, 0
	for _, h := range x.order {
		switch {
		case h.User != user || h.Closed && h.State.Terminal():
		case h.State.Terminal():
			late++
		default:
			going++
		}
	}
	e := &job.Error{Code: "user_has_jobs", Class: job.Conflict}
	switch {
	case going > 0:
		e.Message = fmt.Sprintf("%d of %s's jobs wait or run", going, user)
		e.Hint = fmt.Sprintf(`cancel them first: "qmtui jobs cancel --user %s"`, user)
	case late > 0:
		e.Message = fmt.Sprintf("%d of %s's jobs have ended, and files of them may still come", late, user)
		e.Hint = "try again when they are closed, at the latest after queue.late_window"
	default:
		return nil
	}
	return e
}

func (x *index) of(user string) map[job.ID]bool {
	out := map[job.ID]bool{}
	for _, h := range x.order {
		if h.User == user {
			out[h.id] = true
		}
	}
	return out
}

// closedOf lists the oldest closed jobs of the user, at most n.
func (x *index) closedOf(user string, n int) []*head {
	var out []*head
	for _, h := range x.order {
		if len(out) == n {
			break
		}
		if h.User == user && h.Closed && h.State.Terminal() {
			out = append(out, h)
		}
	}
	return out
}

// edit is a record's new value; nil removes it.
type edit struct{ key, value []byte }

// A change makes a record anonymous: whether anything was to do, and whether
// the record is to be removed.
type change[T any] func(*T) (changed, remove bool)

// page applies a change to at most n records (all for zero) from a key on,
// without writing. next is where to go on; nil at the end.
func page[T any](b *bolt.Bucket, from []byte, n int, f change[T]) (edits []edit, next []byte, err error) {
	c, seen := b.Cursor(), 0
	for k, v := c.Seek(from); k != nil; k, v = c.Next() {
		if seen++; n > 0 && seen > n {
			return edits, bytes.Clone(k), nil
		}
		var x T
		if err := decode(v, &x); err != nil {
			return nil, nil, err
		}
		changed, remove := f(&x)
		if !changed {
			continue
		}
		e := edit{key: bytes.Clone(k)}
		if !remove {
			if e.value, err = json.Marshal(x); err != nil {
				return nil, nil, err
			}
		}
		edits = append(edits, e)
	}
	return edits, nil, nil
}

// rewriteAll applies a change to a whole bucket, a page in each transaction.
func rewriteAll[T any](ctx context.Context, s *Store, bucket []byte, batch int, f change[T]) (n int, err error) {
	for from := []byte(nil); ; {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		var edits []edit
		var next []byte
		err := s.update("forget a user", func(tx *bolt.Tx) (err error) {
			b := tx.Bucket(bucket)
			if edits, next, err = page(b, from, batch, f); err != nil {
				return err
			}
			for _, e := range edits {
				if e.value == nil {
					err = errors.Join(err, b.Delete(e.key))
				} else {
					err = errors.Join(err, b.Put(e.key, e.value))
				}
			}
			if len(edits) == 0 {
				return errNothing
			}
			return err
		}, nothing)
		if err != nil {
			return n, err
		}
		if n += len(edits); next == nil {
			return n, nil
		}
		from = next
	}
}

// renameInJobs puts the pseudonym into the jobs of others.
func (s *Store) renameInJobs(ctx context.Context, user, pseudonym string, batch int) (n int, err error) {
	var ids []job.ID
	if err := s.look(nothing, func(tx *bolt.Tx) error {
		ids = jobsNaming(tx, user, nil)
		return nil
	}); err != nil {
		return 0, err
	}
	for len(ids) > 0 {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		some := ids[:min(batch, len(ids))]
		ids = ids[len(some):]
		var jobs []job.Job
		var heads []*head
		err := s.update("forget a user", func(tx *bolt.Tx) error {
			for _, id := range some {
				j, err := renameInJob(tx, id, user, pseudonym)
				if errors.Is(err, job.ErrNoJob) { // it was pruned meanwhile
					continue
				}
				if err != nil {
					return err
				}
				h, err := putIndexes(tx, j)
				if err != nil {
					return err
				}
				jobs, heads = append(jobs, j), append(heads, h)
			}
			return nil
		}, func() {
			for i, j := range jobs {
				s.index.put(heads[i])
				if !j.Closed {
					s.open[j.ID] = j
				}
			}
		})
		if err != nil {
			return n, err
		}
		n += len(jobs)
	}
	return n, nil
}

func renameInJob(tx *bolt.Tx, id job.ID, user, pseudonym string) (job.Job, error) {
	j, err := readJob(tx, id)
	if err != nil {
		return j, err
	}
	facts := tx.Bucket(bucketFacts)
	for _, k := range keysUnder(facts, under(string(id), nil)) {
		var f job.Fact
		if err := decode(facts.Get(k), &f); err != nil {
			return j, err
		}
		if renameInFact(&f, user, pseudonym) {
			if err := put(facts, k, f); err != nil {
				return j, err
			}
		}
	}
	if job.IsUser(j.By, user) {
		j.By = pseudonym
	}
	return j, put(tx.Bucket(bucketJobs), []byte(id), j)
}

func renameInFact(f *job.Fact, user, pseudonym string) bool {
	actor, by := job.IsUser(f.Actor, user), f.Spec != nil && job.IsUser(f.Spec.By, user)
	if actor {
		f.Actor = pseudonym
	}
	if by {
		f.Spec.By = pseudonym
	}
	return actor || by
}

// jobsNaming lists the jobs, those of skip aside, that the user submitted for
// somebody else or acted on.
func jobsNaming(tx *bolt.Tx, user string, skip map[job.ID]bool) []job.ID {
	var out []job.ID
	actor, by := []byte(`"actor":"`+user), []byte(`"by":"`+user)
	_ = tx.Bucket(bucketFacts).ForEach(func(k, v []byte) error {
		before, _, _ := bytes.Cut(k, []byte{0})
		id := job.ID(before)
		if len(out) > 0 && out[len(out)-1] == id || skip[id] || !bytes.Contains(v, actor) && !bytes.Contains(v, by) {
			return nil
		}
		var f job.Fact
		if decode(v, &f) == nil && renameInFact(&f, user, "") {
			out = append(out, id)
		}
		return nil
	})
	return out
}

// rejectWithout removes what concerns the user's own jobs.
func rejectWithout(own map[job.ID]bool, user, pseudonym string) change[Reject] {
	return func(r *Reject) (changed, remove bool) {
		if own[r.Fact.Job] || r.Fact.Spec != nil && r.Fact.Spec.User == user {
			return true, true
		}
		return renameInFact(&r.Fact, user, pseudonym), false
	}
}

// auditWithout also empties the proof of the user's entries: a key is as good as
// a name.
func auditWithout(user, pseudonym string) change[job.AuditEntry] {
	whole := nameIn(user)
	return func(e *job.AuditEntry) (changed, _ bool) {
		if job.IsUser(e.Actor, user) {
			e.Actor, e.Proof, changed = pseudonym, "", true
		}
		if whole.MatchString(e.Proof) {
			e.Proof, changed = "", true
		}
		if e.Verb == "assign to "+user {
			e.Verb, changed = "assign to "+pseudonym, true
		}
		return changed, false
	}
}

// orphanWithout leaves the file and where it was copied to, so that the
// assignment can still be undone.
func orphanWithout(user, pseudonym string) change[job.Orphan] {
	whole := nameIn(user)
	return func(o *job.Orphan) (changed, _ bool) {
		for _, name := range []*string{&o.User, &o.By} {
			if job.IsUser(*name, user) {
				*name, changed = pseudonym, true
			}
		}
		if whole.MatchString(o.Reason) {
			o.Reason, changed = whole.ReplaceAllString(o.Reason, "${1}"+pseudonym+"${2}"), true
		}
		var suggest []string
		for _, u := range o.Suggest {
			if u != user {
				suggest = append(suggest, u)
			}
		}
		if len(suggest) < len(o.Suggest) {
			o.Suggest, changed = suggest, true
		}
		return changed, false
	}
}

// nameIn finds the name where it is no part of a longer one.
func nameIn(user string) *regexp.Regexp {
	return regexp.MustCompile(`(^|[^a-zA-Z0-9_-])` + regexp.QuoteMeta(user) + `($|[^a-zA-Z0-9_-])`)
}
