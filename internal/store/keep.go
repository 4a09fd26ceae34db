package store

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/job"
)

// The bounds of what is kept of things that never end.
const (
	maxRejects = 1000
	maxAudit   = 10_000
	maxSamples = 500 // of each deployment
)

// Reject is a fact that was judged impossible.
type Reject struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
	Fact   job.Fact  `json:"fact"`
}

func putReject(tx *bolt.Tx, v job.Verdict, now time.Time) error {
	r := Reject{At: now, Reason: v.Err.Error(), Fact: v.Fact}
	if _, err := json.Marshal(r); err != nil { // keep what can be written
		r.Fact = job.Fact{Job: v.Fact.Job, Kind: v.Fact.Kind, Attempt: v.Fact.Attempt, At: v.Fact.At}
	}
	return appendBounded(tx.Bucket(bucketRejects), r, maxRejects)
}

// appendBounded keeps the newest n values under rising numbers.
func appendBounded(b *bolt.Bucket, v any, n uint64) error {
	seq, err := b.NextSequence()
	if err != nil {
		return err
	}
	if seq > n {
		if err := b.Delete(bytesOf(seq - n)); err != nil {
			return err
		}
	}
	return put(b, bytesOf(seq), v)
}

// tail reads the newest n values of a bucket, newest first.
func tail[T any](s *Store, bucket []byte, n int) (out []T, err error) {
	err = s.look(nothing, func(tx *bolt.Tx) error {
		c := tx.Bucket(bucket).Cursor()
		for k, v := c.Last(); k != nil && len(out) < n; k, v = c.Prev() {
			var x T
			if err := decode(v, &x); err != nil {
				return err
			}
			out = append(out, x)
		}
		return nil
	})
	return out, err
}

// Rejects lists the newest n impossible facts, newest first; 1000 are kept.
func (s *Store) Rejects(n int) ([]Reject, error) { return tail[Reject](s, bucketRejects, n) }

// Audit keeps a deed of a person; the newest 10,000 are kept.
func (s *Store) Audit(e job.AuditEntry) error {
	e.At = e.At.Round(0).UTC()
	return s.update("keep an audit entry", func(tx *bolt.Tx) error {
		return appendBounded(tx.Bucket(bucketAudit), e, maxAudit)
	}, nothing)
}

// AuditTail lists the newest n deeds, newest first.
func (s *Store) AuditTail(n int) ([]job.AuditEntry, error) {
	return tail[job.AuditEntry](s, bucketAudit, n)
}

// AddSample keeps a measured time. Of each deployment the newest 500 cold
// starts and the newest 500 runs are kept: a day has far more of these.
func (s *Store) AddSample(x job.Sample) error {
	x.At = x.At.Round(0).UTC()
	return s.update("keep a sample", func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketSamples)
		n, err := b.NextSequence()
		if err != nil {
			return err
		}
		if err := put(b, under(x.Deployment, bytesOf(n)), x); err != nil {
			return err
		}
		keys, err := samplesOf(b, x.Deployment, x.Cold)
		if err != nil {
			return err
		}
		return deleteAll(b, keys[:max(0, len(keys)-maxSamples)])
	}, nothing)
}

// samplesOf lists the keys of a deployment's samples of one sort, oldest first.
func samplesOf(b *bolt.Bucket, deployment string, cold bool) ([][]byte, error) {
	var out [][]byte
	for _, k := range keysUnder(b, under(deployment, nil)) {
		var x job.Sample
		if err := decode(b.Get(k), &x); err != nil {
			return nil, err
		}
		if x.Cold == cold {
			out = append(out, k)
		}
	}
	return out, nil
}

// Samples lists the measured times of a deployment, oldest first.
func (s *Store) Samples(deployment string) (out []job.Sample, err error) {
	err = s.look(nothing, func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketSamples)
		for _, k := range keysUnder(b, under(deployment, nil)) {
			var x job.Sample
			if err := decode(b.Get(k), &x); err != nil {
				return err
			}
			out = append(out, x)
		}
		return nil
	})
	return out, err
}

// Orphans lists orphans in state, or all, newest first.
func (s *Store) Orphans(state string) (out []job.Orphan, err error) {
	err = s.look(nothing, func(tx *bolt.Tx) error {
		return tx.Bucket(bucketOrphans).ForEach(func(_, v []byte) error {
			var o job.Orphan
			if err := decode(v, &o); err != nil {
				return err
			}
			if state == "" || o.State == state {
				out = append(out, o)
			}
			return nil
		})
	})
	slices.SortFunc(out, func(x, y job.Orphan) int {
		return cmp.Or(y.SeenAt.Compare(x.SeenAt), cmp.Compare(x.ID, y.ID))
	})
	return out, err
}

// Orphan finds an orphan by its id.
func (s *Store) Orphan(id job.OutputID) (o job.Orphan, err error) {
	err = s.look(nothing, func(tx *bolt.Tx) error {
		v := tx.Bucket(bucketOrphans).Get([]byte(id))
		if v == nil {
			return job.ErrNoOrphan
		}
		return decode(v, &o)
	})
	return o, err
}

// PutOrphan keeps an orphan under its id.
func (s *Store) PutOrphan(o job.Orphan) error {
	o.SeenAt = o.SeenAt.Round(0).UTC()
	return s.update("keep an orphan", func(tx *bolt.Tx) error {
		return put(tx.Bucket(bucketOrphans), []byte(o.ID), o)
	}, nothing)
}

// Setting reads what SetSetting kept under key into v; false when there is nothing.
func (s *Store) Setting(key string, v any) (found bool, err error) {
	err = s.look(nothing, func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketSettings).Get([]byte(key))
		if found = b != nil; !found {
			return nil
		}
		return decode(b, v)
	})
	return found, err
}

// SetSetting keeps v, as JSON, under key.
func (s *Store) SetSetting(key string, v any) error {
	err := s.update("keep a setting", func(tx *bolt.Tx) error {
		return put(tx.Bucket(bucketSettings), []byte(key), v)
	}, nothing)
	if err != nil {
		return fmt.Errorf("keep setting %s: %w", key, err)
	}
	return nil
}
