package store

import (
	"maps"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/job"
)

// index is the heads in memory, in order, with what is counted of them. The
// store's mu guards it.
type index struct {
	byID   map[job.ID]*head
	order  []*head // oldest first
	counts job.Counts
	users  map[string]job.Counts
	totals map[string]job.Folders
	kept   map[string]int64 // bytes of each user's closed jobs
}

func newIndex() *index {
	return &index{byID: map[job.ID]*head{}, counts: job.Counts{}, users: map[string]job.Counts{}, totals: map[string]job.Folders{}, kept: map[string]int64{}}
}

// loadIndex reads all heads; they stand on disk in their order.
func loadIndex(tx *bolt.Tx) (*index, error) {
	x := newIndex()
	err := tx.Bucket(bucketHeads).ForEach(func(k, v []byte) error {
		h := &head{}
		if err := decode(v, h); err != nil {
			return err
		}
		h.submitted, h.id, _ = submittedOf(k)
		x.put(h)
		return nil
	})
	return x, err
}

// put adds a head or replaces the one of the same job.
func (x *index) put(h *head) {
	at, found := slices.BinarySearchFunc(x.order, h, compareHeads)
	if found {
		x.count(x.order[at], -1)
		x.order[at] = h
	} else {
		x.order = slices.Insert(x.order, at, h)
	}
	x.byID[h.id] = h
	x.count(h, +1)
}

// remove forgets jobs.
func (x *index) remove(ids map[job.ID]bool) {
	x.order = slices.DeleteFunc(x.order, func(h *head) bool { return ids[h.id] })
	for id := range ids {
		if h := x.byID[id]; h != nil {
			x.count(h, -1)
			delete(x.byID, id)
		}
	}
}

// count adds a head to the sums, or with by = -1 takes it out. What comes to
// nothing is removed, so that equal ledgers have equal sums.
func (x *index) count(h *head, by int) {
	if x.users[h.User] == nil {
		x.users[h.User] = job.Counts{}
	}
	add(x.counts, h.State, by)
	if add(x.users[h.User], h.State, by); len(x.users[h.User]) == 0 {
		delete(x.users, h.User)
	}
	t := x.totals[h.User]
	t.Outputs, t.Bytes = t.Outputs+by*h.Outputs, t.Bytes+int64(by)*h.Bytes
	if x.totals[h.User] = t; t == (job.Folders{}) {
		delete(x.totals, h.User)
	}
	if h.Closed {
		x.kept[h.User] += int64(by) * h.Kept
	}
	if x.kept[h.User] == 0 {
		delete(x.kept, h.User)
	}
}

func add(c job.Counts, s job.State, by int) {
	if c[s] += by; c[s] == 0 {
		delete(c, s)
	}
}

// Counts counts jobs by state.
func (s *Store) Counts() (job.Counts, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return maps.Clone(s.index.counts), s.gone
}

// UserCounts counts each user's jobs by state.
func (s *Store) UserCounts() (map[string]job.Counts, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	users := make(map[string]job.Counts, len(s.index.users))
	for u, c := range s.index.users {
		users[u] = maps.Clone(c)
	}
	return users, s.gone
}

// Totals adds up each user's stored files, those of pruned jobs aside.
func (s *Store) Totals() (map[string]job.Folders, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	totals := maps.Clone(s.index.totals)
	for _, h := range s.index.order { // not kept up to date with each job: one that goes would need a look at all others
		if t := totals[h.User]; h.newest().After(t.Newest) {
			t.Newest = h.newest()
			totals[h.User] = t
		}
	}
	return totals, s.gone
}
