package store

import (
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/job"
)

// head is what lists and counts need of a job. All heads are in memory; a head
// is never changed, a new one takes its place.
type head struct {
	id        job.ID
	submitted time.Time

	User    string    `json:"user"`
	State   job.State `json:"state"`
	Closed  bool      `json:"closed,omitempty"`
	Updated time.Time `json:"updated"`
	Outputs int       `json:"outputs,omitempty"` // stored ones
	Bytes   int64     `json:"bytes,omitempty"`   // of those
	Stored  time.Time `json:"stored,omitzero"`   // the newest of those; zero in heads of earlier versions
	Kept    int64     `json:"kept,omitempty"`    // bytes that the job takes in the ledger, see keptBy; zero in heads of earlier versions
	Text    string    `json:"text"`              // what Filter.Match looks in, lower case
}

func headOf(j job.Job) *head {
	h := &head{id: j.ID, submitted: j.Submitted, User: j.User, State: j.State(), Closed: j.Closed,
		Updated: j.Updated, Text: strings.ToLower(j.SearchText())}
	for _, o := range j.Outputs {
		if o.State == job.OutputStored {
			h.Outputs, h.Bytes = h.Outputs+1, h.Bytes+o.Size
			if o.StoredAt.After(h.Stored) {
				h.Stored = o.StoredAt
			}
		}
	}
	return h
}

// keptBy is about how many bytes a job takes in the ledger: its bodies as they
// are packed, also those that other jobs have as well, and twice its record,
// of which most is in its facts again.
func keptBy(tx *bolt.Tx, j job.Job) int64 {
	n := 2 * len(tx.Bucket(bucketJobs).Get([]byte(j.ID)))
	for i, hash := range []string{j.Workflow, j.Extra} {
		if hash != "" && (i == 0 || hash != j.Workflow) {
			n += len(tx.Bucket(bucketBlobs).Get([]byte(hash)))
		}
	}
	return int64(n)
}

// newest is when a file of the job was stored last; zero for none.
func (h *head) newest() time.Time {
	if h.Outputs > 0 && h.Stored.IsZero() {
		return h.Updated
	}
	return h.Stored
}

// matches is [job.Filter.Matches] without the job; match is Filter.Match in
// lower case.
func (h *head) matches(f job.Filter, match string) bool {
	return (f.User == "" || h.User == f.User) &&
		(len(f.States) == 0 || slices.Contains(f.States, h.State)) &&
		(f.Since.IsZero() || !h.submitted.Before(f.Since)) &&
		(f.Before.IsZero() || h.submitted.Before(f.Before)) &&
		(match == "" || strings.Contains(h.Text, match))
}

// prunable reports whether retention may remove the job.
func (h *head) prunable(olderThan time.Time) bool {
	return h.Closed && h.State.Terminal() && h.Updated.Before(olderThan)
}

func compareHeads(x, y *head) int {
	if c := x.submitted.Compare(y.submitted); c != 0 {
		return c
	}
	return strings.Compare(string(x.id), string(y.id))
}

// putIndexes writes all that follows from one job, whose record and bodies are
// there already, and returns its head. Entries are only ever added: a job's
// prompts, outputs, key and bodies stay its own.
func putIndexes(tx *bolt.Tx, j job.Job) (*head, error) {
	h := headOf(j)
	h.Kept = keptBy(tx, j)
	if err := put(tx.Bucket(bucketHeads), headKey(j.Submitted, j.ID), h); err != nil {
		return nil, err
	}
	for _, e := range entriesOf(j) {
		if err := tx.Bucket(e.bucket).Put(e.key, e.value); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// putSources keeps the deliveries of a job's files that stood outside qm/, of
// each path the latest.
func putSources(tx *bolt.Tx, j job.Job) error {
	b := tx.Bucket(bucketSources)
	for _, o := range j.Outputs {
		if o.State != job.OutputStored || o.Source == "" || o.Source.Tagged() {
			continue
		}
		d := job.Delivery{Job: j.ID, Output: o.ID, Size: o.Size, Checksum: o.Checksum, Modified: o.Modified, At: o.DeliveredAt()}
		var was job.Delivery
		if v := b.Get([]byte(o.Source)); v != nil && decode(v, &was) == nil {
			changed := was.Changed || was.Job != d.Job && was.Checksum != d.Checksum
			if d.Changed = changed; was.At.After(d.At) {
				d = was
				d.Changed = changed
			}
			if d == was {
				continue
			}
		}
		if err := put(b, []byte(o.Source), d); err != nil {
			return err
		}
	}
	return nil
}

// present is the value where only the key matters; bbolt reads an empty one as
// none within the transaction that wrote it.
var present = []byte{1}

// entry is one line of an index.
type entry struct{ bucket, key, value []byte }

// entriesOf lists the lines that lead to a job, its head aside.
func entriesOf(j job.Job) []entry {
	var out []entry
	id := []byte(j.ID)
	for _, a := range j.Attempts {
		if a.PromptID != "" {
			out = append(out, entry{bucketPrompts, []byte(a.PromptID), id})
		}
	}
	for _, o := range j.Outputs {
		out = append(out, entry{bucketOutputs, []byte(o.ID), id})
	}
	if j.Key != "" {
		out = append(out, entry{bucketKeys, idemKey(j.User, j.Key), id})
	}
	for i, hash := range []string{j.Workflow, j.Extra} {
		if hash != "" && (i == 0 || hash != j.Workflow) {
			out = append(out, entry{bucketRefs, under(hash, id), present})
		}
	}
	return out
}
