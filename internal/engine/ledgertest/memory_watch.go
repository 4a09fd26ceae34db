package ledgertest

import (
	"slices"

	"github.com/comfyume/qmtui/internal/job"
)

// watchBuffer is how many changes a reader may be behind.
const watchBuffer = 1024

// Watch takes a snapshot and subscribes, under one lock.
func (m *Memory) Watch(limit int) (job.Watch, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.sorted(func(job.Job) bool { return true })
	slices.Reverse(all)
	var jobs []job.Job
	for i, j := range all {
		if i < limit || !j.Closed {
			jobs = append(jobs, j)
		}
	}
	ch := make(chan job.Change, watchBuffer)
	m.readers[ch] = true
	stop := func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.drop(ch)
	}
	return job.Watch{Rev: m.rev, Jobs: jobs, Changes: ch, Stop: stop}, nil
}

// publish runs under the lock; a reader whose buffer is full is cut off.
func (m *Memory) publish(c job.Change) {
	for ch := range m.readers {
		select {
		case ch <- c:
		default:
			m.drop(ch)
		}
	}
}

func (m *Memory) drop(ch chan job.Change) {
	if m.readers[ch] {
		delete(m.readers, ch)
		close(ch)
	}
}
