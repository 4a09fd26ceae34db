package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/job"
)

// update is the only way to change anything. It runs change in a transaction;
// then commit and publish are one step for readers. With an error nothing has
// changed; errNothing from change is none, and means that there is nothing to commit.
func (s *Store) update(verb string, change func(*bolt.Tx) error, publish func()) error {
	s.write.Lock()
	defer s.write.Unlock()
	if s.gone != nil {
		return s.gone
	}
	tx, err := s.db.Begin(true)
	if err != nil {
		return trouble(verb, err)
	}
	if err := guarded(func() error { return change(tx) }); err != nil {
		err = s.explained(errors.Join(err, guarded(tx.Rollback)))
		if errors.Is(err, errNothing) {
			return nil
		}
		return s.stopIfDamaged(trouble(verb, err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	began, id := time.Now(), tx.ID()
	if err := guarded(tx.Commit); err != nil {
		return s.notCommitted(verb, id, s.explained(err))
	}
	s.meter.committed(time.Since(began))
	publish()
	return nil
}

// stopIfDamaged ends the use of a ledger whose pages cannot be trusted; the
// lock on writing is held.
func (s *Store) stopIfDamaged(err error) error {
	if job.AsError(err).Code == "state_damaged" {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gone = err
	}
	return err
}

var errNothing = errors.New("nothing to commit")

// notCommitted runs under both locks. A full disk is no catastrophe as long as
// the file still shows the transaction before. After any other failure nobody
// can say what will stand on the disk (an fsync error is final), so the ledger
// stops rather than guess.
func (s *Store) notCommitted(verb string, id int, err error) error {
	err = trouble(verb, err)
	if job.AsError(err).Code == "disk_full" && s.newest() < id {
		return err
	}
	if job.AsError(err).Code == "state_damaged" {
		s.gone = err
		return err
	}
	s.gone = &job.Error{Code: "state_failed", Class: job.Unavailable, Message: err.Error(),
		Hint: "look at the disk of state.dir, then start the manager again"}
	return s.gone
}

// newest is the number of the newest transaction that the file shows.
func (s *Store) newest() int {
	tx, err := s.db.Begin(false)
	if err != nil {
		return math.MaxInt
	}
	defer tx.Rollback()
	return tx.ID()
}

// Record folds facts into their jobs as engine.Ledger says. With an error
// nothing was recorded.
func (s *Store) Record(facts ...job.Fact) ([]job.Verdict, error) {
	var b *batch
	err := s.update("record facts",
		func(tx *bolt.Tx) error {
			b = &batch{store: s, tx: tx, rev: s.rev, jobs: map[job.ID]job.Job{}}
			return b.run(facts)
		},
		func() { s.install(b) })
	if err != nil {
		return nil, err
	}
	return b.verdicts, nil
}

// install takes a committed batch into memory and publishes it, under both locks.
func (s *Store) install(b *batch) {
	s.rev = b.rev
	for i, id := range b.changed {
		j := b.jobs[id]
		s.index.put(b.heads[i])
		if j.Closed {
			delete(s.open, id)
		} else {
			s.open[id] = j
		}
		s.readers.publish(job.Change{Rev: j.Rev, Job: j})
	}
}

// batch is one Record under way.
type batch struct {
	store    *Store
	tx       *bolt.Tx
	rev      uint64
	jobs     map[job.ID]job.Job // as far as they are folded
	changed  []job.ID           // in the order of their revisions
	heads    []*head            // of changed
	verdicts []job.Verdict
	rejects  bool
}

// dense is how full pages are left that grow at their end: job ids, and so
// the keys of facts and heads, rise with time.
const dense = 0.9

func (b *batch) run(facts []job.Fact) error {
	b.tx.Bucket(bucketFacts).FillPercent, b.tx.Bucket(bucketHeads).FillPercent = dense, dense
	for _, f := range facts {
		if err := b.take(f.InUTC()); err != nil {
			return err
		}
	}
	if len(b.changed) == 0 && !b.rejects {
		return errNothing
	}
	for _, id := range b.changed {
		j := b.jobs[id]
		if err := put(b.tx.Bucket(bucketJobs), []byte(id), j); err != nil {
			return err
		}
		h, err := putIndexes(b.tx, j)
		if err := errors.Join(err, putSources(b.tx, j)); err != nil {
			return err
		}
		b.heads = append(b.heads, h)
	}
	return b.tx.Bucket(bucketMeta).Put(keyRev, bytesOf(b.rev))
}

// take judges one fact and writes what follows from the verdict. Its error is
// the disk's, never the fact's.
func (b *batch) take(f job.Fact) error {
	v := b.judge(f)
	var line []byte
	if v.Err == nil {
		var err error
		if line, err = json.Marshal(f); err != nil {
			v.Job, v.Err = b.known(f.Job), fmt.Errorf("%w: %s cannot be written: %v", job.ErrImpossible, f.Kind, err)
		}
	}
	switch {
	case v.Err == nil:
		v.Job = b.changes(v.Job)
		b.verdicts = append(b.verdicts, v)
		return b.write(v, line)
	case errors.Is(v.Err, job.ErrStale):
		b.verdicts = append(b.verdicts, v)
		return nil
	}
	b.verdicts, b.rejects = append(b.verdicts, v), true
	return putReject(b.tx, v, b.store.options.Now().UTC())
}

// changes gives a job its revision, the first time in this batch.
func (b *batch) changes(j job.Job) job.Job {
	if _, ok := b.jobs[j.ID]; !ok {
		b.rev++
		j.Rev = b.rev
		b.changed = append(b.changed, j.ID)
	}
	b.jobs[j.ID] = j
	return j
}

// judge folds a fact into its job, without writing anything.
func (b *batch) judge(f job.Fact) job.Verdict {
	j := b.known(f.Job)
	switch {
	case f.Kind == job.Created && j.ID == "" && f.Spec != nil && f.Spec.Key != "":
		if holder := b.holder(bucketKeys, idemKey(f.Spec.User, f.Spec.Key)); holder != "" {
			return job.Verdict{Fact: f, Job: b.known(holder), Err: job.ErrStale}
		}
	case f.Kind == job.Assigned && f.PromptID != "":
		if holder := b.holder(bucketPrompts, []byte(f.PromptID)); holder != "" && holder != f.Job {
			return job.Verdict{Fact: f, Job: j, Err: fmt.Errorf("%w: %s with the prompt id of job %s", job.ErrImpossible, f.Kind, holder)}
		}
	}
	next, err := j.Apply(f)
	return job.Verdict{Fact: f, Job: next, Err: err}
}

func (b *batch) holder(bucket, key []byte) job.ID { return job.ID(b.tx.Bucket(bucket).Get(key)) }

// known is a job as far as it is folded; the zero Job when there is none, or
// none that can be read.
func (b *batch) known(id job.ID) job.Job {
	if j, ok := b.jobs[id]; ok {
		return j
	}
	if j, ok := b.store.open[id]; ok {
		return j
	}
	j, err := readJob(b.tx, id)
	if err != nil {
		return job.Job{}
	}
	return j
}

// write appends a fact to the log, with what later facts of the batch must find.
func (b *batch) write(v job.Verdict, line []byte) error {
	facts := b.tx.Bucket(bucketFacts)
	n, err := facts.NextSequence()
	if err != nil {
		return err
	}
	if err := facts.Put(under(string(v.Job.ID), bytesOf(n)), line); err != nil {
		return err
	}
	switch v.Fact.Kind {
	case job.Created:
		if v.Job.Key != "" {
			if err := b.tx.Bucket(bucketKeys).Put(idemKey(v.Job.User, v.Job.Key), []byte(v.Job.ID)); err != nil {
				return err
			}
		}
		return b.store.putBlobs(b.tx, v.Fact.Blobs)
	case job.Assigned:
		return b.tx.Bucket(bucketPrompts).Put([]byte(v.Fact.PromptID), []byte(v.Job.ID))
	}
	return nil
}

// putBlobs keeps the bodies that are not there yet.
func (s *Store) putBlobs(tx *bolt.Tx, blobs []job.Blob) error {
	b := tx.Bucket(bucketBlobs)
	for _, blob := range blobs {
		if b.Get([]byte(blob.Hash)) != nil {
			continue
		}
		if err := b.Put([]byte(blob.Hash), s.packer.enc.EncodeAll(blob.Data, nil)); err != nil {
			return err
		}
	}
	return nil
}
