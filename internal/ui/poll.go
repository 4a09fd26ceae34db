package ui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// What the event stream does not tell is asked for now and then.
const (
	secondEvery = time.Second
	pollEvery   = 3 * time.Second
	pollSooner  = time.Second // while jobs change, so that the header does not lag behind the list
	pollTimeout = 10 * time.Second
)

// Messages of the clock and of asking.
type (
	secondMsg struct{}
	pollMsg   struct{}
	// pollDone brings what was asked for; what failed is left as it was.
	pollDone struct {
		status  *api.QueueStatus
		workers []api.Worker
		orphans []api.Orphan
		users   []api.User
		err     error
	}
)

// poll asks for the status, the workers and the orphans; for the users as
// well when somebody looks at them.
func (w *world) poll(users bool) tea.Cmd {
	m, orphans := w.manager, w.status.Orphans > 0 || len(w.orphans) > 0
	w.asking = true
	return w.call(pollTimeout, func(ctx context.Context) tea.Msg {
		var d pollDone
		s, err := m.QueueStatus(ctx)
		if err != nil {
			return pollDone{err: err}
		}
		d.status = &s
		if d.workers, err = m.Workers(ctx); err != nil {
			return pollDone{err: err}
		}
		if orphans || s.Orphans > 0 {
			if d.orphans, err = m.Orphans(ctx, job.OrphanOpen); err != nil {
				return pollDone{err: err}
			}
		}
		if users {
			d.users, err = m.Users(ctx)
		}
		d.err = err
		return d
	})
}

// learn takes what was asked for.
func (w *world) learn(d pollDone) {
	w.asking = false
	if d.status != nil {
		w.status, w.statusAt = *d.status, w.now
		w.workers, w.orphans = d.workers, d.orphans
	}
	if d.users != nil {
		w.users, w.usersAt = d.users, w.now
		w.usersRev++
	}
}
