package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/job"
)

// Problem is something in the ledger that should not be.
type Problem struct {
	Where string `json:"where"` // "file", "job <id>", "index <name>", ...
	What  string `json:"what"`
}

// maxProblems ends a check of a ledger that is beyond it.
const maxProblems = 100

// Check reads everything: whether the file is consistent, whether each job is
// what its facts fold to, and whether the indexes and the memory agree with
// the jobs. No problems means sound. It takes a while (seconds for 100,000
// jobs) and is one long read: run it offline, on a backup, or in a quiet hour.
func (s *Store) Check() ([]Problem, error) {
	var c *checker
	var memory *index
	err := s.look(
		func() { memory = s.index.sums() },
		func(tx *bolt.Tx) error {
			c = &checker{store: s, tx: tx, lines: map[string]int{}}
			c.file()
			if len(c.found) > 0 {
				return nil // walking broken pages would panic
			}
			c.jobs()
			c.indexes()
			c.blobs()
			c.memory(memory)
			return nil
		})
	if err != nil {
		return nil, err
	}
	return c.found[:min(len(c.found), maxProblems)], nil
}

type checker struct {
	store *Store
	tx    *bolt.Tx
	found []Problem
	facts int            // of all jobs
	lines map[string]int // what an index should hold, by bucket
}

func (c *checker) problem(where, format string, args ...any) {
	c.found = append(c.found, Problem{where, fmt.Sprintf(format, args...)})
}

func (c *checker) file() {
	for err := range c.tx.Check() {
		c.problem("file", "%v", err)
	}
}

func (c *checker) jobs() {
	_ = c.tx.Bucket(bucketJobs).ForEach(func(k, v []byte) error {
		where := "job " + string(k)
		var j job.Job
		if err := json.Unmarshal(v, &j); err != nil {
			c.problem(where, "cannot be read: %v", err)
			return nil
		}
		if string(j.ID) != string(k) {
			c.problem(where, "holds job %s", j.ID)
		}
		c.folds(where, j, v)
		c.leads(where, j)
		if len(c.found) >= maxProblems {
			return errors.New("enough")
		}
		return nil
	})
}

// folds compares a job with its facts folded again.
func (c *checker) folds(where string, j job.Job, stored []byte) {
	facts, err := readFacts(c.tx, j.ID)
	if err != nil {
		c.problem(where, "its facts: %v", err)
		return
	}
	c.facts += len(facts)
	var again job.Job
	for i, f := range facts {
		if again, err = again.Apply(f); err != nil {
			c.problem(where, "fact %d (%s): %v", i+1, f.Kind, err)
			return
		}
	}
	again.Rev = j.Rev
	b, err := json.Marshal(again)
	if err != nil || !bytes.Equal(b, stored) {
		c.problem(where, "is not what its %d facts fold to", len(facts))
	}
	if j.Rev == 0 || j.Rev > number(c.tx.Bucket(bucketMeta).Get(keyRev)) {
		c.problem(where, "has revision %d, which the ledger never had", j.Rev)
	}
}

// leads checks that every index leads to the job.
func (c *checker) leads(where string, j job.Job) {
	if !headMatches(c.tx.Bucket(bucketHeads).Get(headKey(j.Submitted, j.ID)), j, keptBy(c.tx, j)) {
		c.problem(where, "its head is missing or wrong")
	}
	c.lines[string(bucketHeads)]++
	for _, e := range entriesOf(j) {
		c.lines[string(e.bucket)]++
		if v := c.tx.Bucket(e.bucket).Get(e.key); v == nil || !bytes.Equal(v, e.value) {
			c.problem("index "+string(e.bucket), "does not lead to job %s", j.ID)
		}
	}
}

// headMatches reports whether a head is the job's, which takes kept bytes, as
// this version or an earlier one wrote it.
func headMatches(stored []byte, j job.Job, kept int64) bool {
	want := headOf(j)
	want.Kept = kept
	for _, earlier := range []func(){func() {}, func() { want.Kept = 0 }, func() { want.Stored = time.Time{} }} {
		earlier()
		if b, err := json.Marshal(want); err == nil && bytes.Equal(stored, b) {
			return true
		}
	}
	return false
}

// indexes finds lines that lead to no job: every job's own are there, so a
// greater number is the sign.
func (c *checker) indexes() {
	for _, name := range [][]byte{bucketHeads, bucketPrompts, bucketKeys, bucketOutputs, bucketRefs} {
		if n := c.tx.Bucket(name).Stats().KeyN; n != c.lines[string(name)] {
			c.problem("index "+string(name), "has %d lines where the jobs ask for %d", n, c.lines[string(name)])
		}
	}
	if n := c.tx.Bucket(bucketFacts).Stats().KeyN; n != c.facts {
		c.problem("facts", "%d are there, %d belong to a job", n, c.facts)
	}
}

func (c *checker) blobs() {
	bodies, refs := c.tx.Bucket(bucketBlobs), c.tx.Bucket(bucketRefs)
	_ = bodies.ForEach(func(hash, packed []byte) error {
		if !hasUnder(refs, under(string(hash), nil)) {
			c.problem("body "+string(hash), "no job refers to it")
		}
		if _, err := c.store.packer.dec.DecodeAll(packed, nil); err != nil {
			c.problem("body "+string(hash), "cannot be unpacked: %v", err)
		}
		return nil
	})
	_ = refs.ForEach(func(k, _ []byte) error {
		hash, id, _ := bytes.Cut(k, []byte{0})
		if bodies.Get(hash) == nil {
			c.problem("job "+string(id), "its body %s is missing", hash)
		}
		return nil
	})
}

// sums is the countable part of the index, copied.
func (x *index) sums() *index {
	y := newIndex()
	for _, h := range x.order {
		y.count(h, +1)
	}
	if !reflect.DeepEqual(x.counts, y.counts) || !reflect.DeepEqual(x.users, y.users) || !reflect.DeepEqual(x.totals, y.totals) || !reflect.DeepEqual(x.kept, y.kept) {
		y.counts = nil // the running sums have drifted from the heads
	}
	return y
}

func (c *checker) memory(have *index) {
	disk, err := loadIndex(c.tx)
	if err != nil {
		c.problem("index heads", "%v", err)
		return
	}
	if !reflect.DeepEqual(have.counts, disk.counts) || !reflect.DeepEqual(have.users, disk.users) || !reflect.DeepEqual(have.totals, disk.totals) || !reflect.DeepEqual(have.kept, disk.kept) {
		c.problem("memory", "its sums are not those of the file")
	}
}
