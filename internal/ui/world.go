package ui

import (
	"context"
	"maps"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// link is how well the panel hears the manager.
type link struct {
	up    bool
	once  bool      // a snapshot has come at some time
	since time.Time // of this connection
	heard time.Time // when anything came last
	lost  time.Time // when it was lost; zero while up
	err   error     // why
	tries int
}

// world is what the panel knows. All panes read it; only the root model writes
// it, in Update.
type world struct {
	opts    Options
	ctx     context.Context
	manager Manager
	clock   Clock
	st      *Styles
	now     time.Time

	jobs     *jobs
	hello    api.Hello
	link     link
	status   api.QueueStatus
	statusAt time.Time
	asking   bool // a poll is under way
	workers  []api.Worker
	users    []api.User
	usersAt  time.Time
	usersRev int // counts how often users was replaced
	orphans  []api.Orphan
	acked    map[string]bool
	warnings []warning
	journal  journal
	previews previews
}

// text is a string from outside as it may stand on the screen.
func (w *world) text(s string) string { return w.st.text(s) }

// worker is the deployment of that name; nil when there is none.
func (w *world) worker(name string) *api.Worker {
	for i := range w.workers {
		if w.workers[i].Name == name {
			return &w.workers[i]
		}
	}
	return nil
}

// userNames are the users that the manager told of and those of the jobs here,
// in order.
func (w *world) userNames() []string {
	all := map[string]bool{}
	for i := range w.users {
		all[w.users[i].User] = true
	}
	for _, r := range w.jobs.all {
		all[r.job.User] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// lastHour counts what ended within an hour; whole says that the panel holds
// every job of that hour.
func (w *world) lastHour() (done, failed int, whole bool) {
	from := w.now.Add(-time.Hour)
	whole = w.jobs.ended < w.opts.Limit
	for _, r := range w.jobs.all {
		j := &r.job
		if !j.State.Terminal() {
			continue
		}
		if j.Completed.Before(from) {
			whole = true // older ones are here, so none of the hour is missing
			continue
		}
		switch j.State {
		case job.Done:
			done++
		case job.Failed, job.Lost:
			failed++
		}
	}
	return done, failed, whole
}

// known is how many jobs the manager knows.
func (w *world) known() (n int) {
	for _, of := range w.status.Counts {
		n += of
	}
	return n
}

// call makes a command of a call that is bounded in time.
func (w *world) call(limit time.Duration, do func(context.Context) tea.Msg) tea.Cmd {
	ctx := w.ctx
	return func() tea.Msg {
		ctx, stop := context.WithTimeout(ctx, limit)
		defer stop()
		return do(ctx)
	}
}
