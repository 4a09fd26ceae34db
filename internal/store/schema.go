package store

import (
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/job"
)

// The buckets. Numbers are 8 bytes, big-endian; values are JSON where nothing
// else is said.
var (
	bucketMeta     = []byte("meta")     // schema, rev, born
	bucketFacts    = []byte("facts")    // job id, 0, number of the fact -> fact
	bucketJobs     = []byte("jobs")     // job id -> job
	bucketHeads    = []byte("heads")    // submitted, job id -> head
	bucketPrompts  = []byte("prompts")  // prompt id -> job id as it is
	bucketKeys     = []byte("keys")     // hash of user and idempotency key -> job id as it is
	bucketOutputs  = []byte("outputs")  // output id -> job id as it is
	bucketBlobs    = []byte("blobs")    // content hash -> zstd of the body
	bucketRefs     = []byte("refs")     // content hash, 0, job id -> 1
	bucketPruned   = []byte("pruned")   // prompt id of a job that retention removed -> 1
	bucketRejects  = []byte("rejects")  // number -> reject, the newest
	bucketOrphans  = []byte("orphans")  // output id -> orphan
	bucketSettings = []byte("settings") // key -> value
	bucketSources  = []byte("sources")  // path outside qm/ -> delivery, also of pruned jobs
	bucketSamples  = []byte("samples")  // deployment, 0, number -> sample, the newest
	bucketAudit    = []byte("audit")    // number -> audit entry, the newest
)

var buckets = [][]byte{bucketMeta, bucketFacts, bucketJobs, bucketHeads, bucketPrompts, bucketKeys, bucketOutputs,
	bucketBlobs, bucketRefs, bucketPruned, bucketRejects, bucketOrphans, bucketSettings, bucketSources, bucketSamples, bucketAudit}

var (
	keySchema = []byte("schema")
	keyRev    = []byte("rev")
	keyBorn   = []byte("born")
)

// A step brings a database from one schema to the next, in one transaction.
type step struct {
	name string
	run  func(*bolt.Tx) error
}

// steps are all there ever were; the schema's number is how many have run.
// A step is never changed once it was released.
var steps = []step{
	{"index jobs", reindex},               // schema 0 had facts, jobs and blobs only
	{"fold facts again", foldAgain},       // schema 1 forgot the paths that histories name
	{"index delivered files", addSources}, // schema 2 did not know where delivered files stood
}

// migrate runs the steps the database has not seen.
func migrate(db *bolt.DB, path string, steps []step) error {
	var have uint64
	err := db.View(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta == nil {
			return &job.Error{Code: "state_damaged", Class: job.Internal,
				Message: path + " is not a ledger of qmtui", Hint: "set state.dir to another folder, or put a backup in its place"}
		}
		have = number(meta.Get(keySchema))
		return nil
	})
	if err != nil {
		return err
	}
	if have > uint64(len(steps)) {
		return &job.Error{Code: "state_too_new", Class: job.Internal,
			Message: fmt.Sprintf("%s has schema %d, and this qmtui knows schemas up to %d", path, have, len(steps)),
			Hint:    "use the newer qmtui that wrote it"}
	}
	for n := have; n < uint64(len(steps)); n++ {
		if err := db.Update(func(tx *bolt.Tx) error { return steps[n].to(tx, n+1) }); err != nil {
			return trouble("bring the ledger to schema "+fmt.Sprint(n+1)+" ("+steps[n].name+")", err)
		}
	}
	return nil
}

func (s step) to(tx *bolt.Tx, schema uint64) error {
	for _, name := range buckets {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	if err := s.run(tx); err != nil {
		return err
	}
	return tx.Bucket(bucketMeta).Put(keySchema, bytesOf(schema))
}

// reindex makes all that follows from the jobs anew.
func reindex(tx *bolt.Tx) error {
	for _, name := range [][]byte{bucketHeads, bucketPrompts, bucketKeys, bucketOutputs, bucketRefs} {
		if err := tx.DeleteBucket(name); err != nil {
			return err
		}
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketJobs).ForEach(func(_, v []byte) error {
		var j job.Job
		if err := decode(v, &j); err != nil {
			return err
		}
		_, err := putIndexes(tx, j)
		return err
	})
}

// foldAgain makes the jobs anew from their facts. One whose facts cannot be
// folded stays as it is: "db check" reports it.
func foldAgain(tx *bolt.Tx) error {
	jobs := tx.Bucket(bucketJobs)
	var ids []string
	_ = jobs.ForEach(func(k, _ []byte) error { ids = append(ids, string(k)); return nil })
	for _, id := range ids {
		was, err := readJob(tx, job.ID(id))
		if err != nil {
			continue
		}
		facts, err := readFacts(tx, job.ID(id))
		var again job.Job
		for _, f := range facts {
			if err == nil {
				again, err = again.Apply(f)
			}
		}
		if again.Rev = was.Rev; err == nil {
			err = put(jobs, []byte(id), again)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func addSources(tx *bolt.Tx) error {
	return tx.Bucket(bucketJobs).ForEach(func(_, v []byte) error {
		var j job.Job
		if err := decode(v, &j); err != nil {
			return err
		}
		return putSources(tx, j)
	})
}

func bytesOf(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// number reads what bytesOf wrote; zero for nothing.
func number(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}
