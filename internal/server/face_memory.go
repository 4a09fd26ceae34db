package server

import (
	"maps"
	"sync"
	"time"

	"github.com/comfyume/qmtui/internal/face"
	"github.com/comfyume/qmtui/internal/job"
)

const (
	maxClients = 2000
	// replay is how far back a client is told of ends that it may have missed
	// when nobody knows what it was told: after a restart of the manager.
	replay = 10 * time.Minute
)

// clientMemory is what a client of the face was told when it was last connected.
type clientMemory struct {
	told map[job.ID]face.Told
	at   time.Time // when that was
}

// clone is a copy that was told the same, at that time.
func (s clientMemory) clone(at time.Time) clientMemory { return clientMemory{maps.Clone(s.told), at} }

// clientMemories remember clients between two connections, so that one that comes
// back is told what it missed and nothing twice. The zero value is ready.
type clientMemories struct {
	mu  sync.Mutex
	all map[string]clientMemory // by user and client
}

func clientKey(user, client string) string { return user + "\x00" + client }

// resume is what the client was told; for an unknown one nothing, since now minus replay.
func (s *clientMemories) resume(user, client string, now time.Time) clientMemory {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.all[clientKey(user, client)]; ok {
		return old.clone(old.at)
	}
	return clientMemory{map[job.ID]face.Told{}, now.Add(-replay)}
}

// keep remembers what the client was told. When there are too many, the one
// that has been away longest is forgotten.
func (s *clientMemories) keep(user, client string, is clientMemory) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]clientMemory{}
	}
	s.all[clientKey(user, client)] = is
	if len(s.all) <= maxClients {
		return
	}
	oldest := ""
	for key, one := range s.all {
		if oldest == "" || one.at.Before(s.all[oldest].at) {
			oldest = key
		}
	}
	delete(s.all, oldest)
}
