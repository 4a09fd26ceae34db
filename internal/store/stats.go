package store

import (
	"sync/atomic"
	"time"
)

// Stats is how the ledger is doing. Sizes are in bytes; counters count from Open.
type Stats struct {
	Path     string
	Size     int64 // of the file
	Free     int64 // in pages of it that hold nothing
	Jobs     int
	OpenJobs int
	Rev      uint64
	Watchers int
	CutOff   uint64 // watchers that fell behind
	Commits  uint64
	// Committing is the time spent in commits, and LastCommit the newest one's.
	Committing time.Duration
	LastCommit time.Duration
}

// meter counts commits. The zero value has seen none.
type meter struct{ commits, total, last atomic.Int64 }

func (m *meter) committed(d time.Duration) {
	m.commits.Add(1)
	m.total.Add(int64(d))
	m.last.Store(int64(d))
}

// Stats reads the figures from memory; it works on a closed ledger too.
func (s *Store) Stats() Stats {
	st := Stats{Path: s.options.Path, Size: fileSize(s.options.Path),
		Commits: uint64(s.meter.commits.Load()), Committing: time.Duration(s.meter.total.Load()), LastCommit: time.Duration(s.meter.last.Load())}
	s.mu.RLock()
	defer s.mu.RUnlock()
	st.Jobs, st.OpenJobs, st.Rev = len(s.index.order), len(s.open), s.rev
	st.Free = int64(s.db.Stats().FreeAlloc)
	s.readers.mu.Lock()
	defer s.readers.mu.Unlock()
	st.Watchers, st.CutOff = len(s.readers.open), s.readers.cutOff
	return st
}
