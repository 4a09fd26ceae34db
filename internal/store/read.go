package store

import (
	"bytes"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/job"
)

// look runs pick under the lock, and then read on what stood on disk at that
// moment, without the lock.
func (s *Store) look(pick func(), read func(*bolt.Tx) error) error {
	tx, err := s.lookAt(pick)
	if err != nil {
		return err
	}
	return endRead(tx, s.explained(guarded(func() error { return read(tx) })))
}

func (s *Store) lookAt(pick func()) (*bolt.Tx, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.gone != nil {
		return nil, s.gone
	}
	tx, err := s.db.Begin(false)
	if err != nil {
		return nil, trouble("read the ledger", err)
	}
	pick()
	return tx, nil
}

func endRead(tx *bolt.Tx, err error) error {
	if e := tx.Rollback(); err == nil && e != nil {
		return fmt.Errorf("end a read: %w", e)
	}
	return err
}

func nothing() {}

// readJob returns job.ErrNoJob for what is not there.
func readJob(tx *bolt.Tx, id job.ID) (job.Job, error) {
	v := tx.Bucket(bucketJobs).Get([]byte(id))
	if v == nil {
		return job.Job{}, job.ErrNoJob
	}
	var j job.Job
	return j, decode(v, &j)
}

func (s *Store) readJobs(tx *bolt.Tx, heads []*head) ([]job.Job, error) {
	var jobs []job.Job
	for _, h := range heads {
		j, err := readJob(tx, h.id)
		if err != nil {
			return nil, fmt.Errorf("read job %s: %w", h.id, err)
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// Job finds a job by its id.
func (s *Store) Job(id job.ID) (j job.Job, err error) {
	return s.find(func(*bolt.Tx) []byte { return []byte(id) })
}

// ByPrompt finds the job one of whose attempts has that prompt id.
func (s *Store) ByPrompt(promptID string) (job.Job, error) {
	return s.find(indexed(bucketPrompts, []byte(promptID)))
}

// ByKey finds a user's job by its idempotency key.
func (s *Store) ByKey(user, key string) (job.Job, error) {
	return s.find(indexed(bucketKeys, idemKey(user, key)))
}

// ByOutput finds the job that an output belongs to.
func (s *Store) ByOutput(id job.OutputID) (job.Job, error) {
	return s.find(indexed(bucketOutputs, []byte(id)))
}

func indexed(bucket, key []byte) func(*bolt.Tx) []byte {
	return func(tx *bolt.Tx) []byte { return tx.Bucket(bucket).Get(key) }
}

func (s *Store) find(id func(*bolt.Tx) []byte) (j job.Job, err error) {
	err = s.look(nothing, func(tx *bolt.Tx) error {
		j, err = readJob(tx, job.ID(id(tx)))
		return err
	})
	return j, err
}

// Delivered finds the latest delivery of a file outside the attempts' own folders.
func (s *Store) Delivered(p job.Path) (d job.Delivery, found bool, err error) {
	err = s.look(nothing, func(tx *bolt.Tx) error {
		v := tx.Bucket(bucketSources).Get([]byte(p))
		if found = v != nil; !found {
			return nil
		}
		return decode(v, &d)
	})
	return d, found, err
}

// Pruned reports whether an attempt with that prompt id belonged to a job that
// retention removed: a file of it on the share is no orphan.
func (s *Store) Pruned(promptID string) (pruned bool, err error) {
	err = s.look(nothing, func(tx *bolt.Tx) error {
		pruned = tx.Bucket(bucketPruned).Get([]byte(promptID)) != nil
		return nil
	})
	return pruned, err
}

// Open lists the jobs that are not closed, oldest first, from memory.
func (s *Store) Open() ([]job.Job, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	jobs := make([]job.Job, 0, len(s.open))
	for _, j := range s.open {
		jobs = append(jobs, j)
	}
	slices.SortFunc(jobs, func(x, y job.Job) int {
		return bytes.Compare(headKey(x.Submitted, x.ID), headKey(y.Submitted, y.ID))
	})
	return jobs, s.gone
}

// Facts lists what was recorded of a job, in order.
func (s *Store) Facts(id job.ID) (facts []job.Fact, err error) {
	err = s.look(nothing, func(tx *bolt.Tx) error {
		facts, err = readFacts(tx, id)
		return err
	})
	return facts, err
}

func readFacts(tx *bolt.Tx, id job.ID) ([]job.Fact, error) {
	var facts []job.Fact
	prefix := under(string(id), nil)
	c := tx.Bucket(bucketFacts).Cursor()
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		var f job.Fact
		if err := decode(v, &f); err != nil {
			return nil, err
		}
		facts = append(facts, f)
	}
	if facts == nil {
		return nil, job.ErrNoJob
	}
	return facts, nil
}

// Blob returns a body by its hash, uncompressed.
func (s *Store) Blob(hash string) (body []byte, err error) {
	err = s.look(nothing, func(tx *bolt.Tx) error {
		packed := tx.Bucket(bucketBlobs).Get([]byte(hash))
		if packed == nil {
			return job.ErrNoBlob
		}
		if body, err = s.packer.dec.DecodeAll(packed, nil); err != nil {
			return fmt.Errorf("unpack body %s: %w", hash, err)
		}
		return nil
	})
	return body, err
}
