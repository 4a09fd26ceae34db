package ui

import (
	"context"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// The panel holds every open job and the newest that have ended. Older ones are
// asked for where somebody looks for them: at the end of the list, and when a
// filter shows less than a screen. They stay until the filter changes.

const (
	olderPage    = 500 // jobs in one answer
	olderPages   = 10  // answers for one question
	olderEnough  = 100 // jobs that end a question early
	maxFetched   = 20_000
	filterRests  = 400 * time.Millisecond // nobody has typed for this long
	maxQueryText = 200                    // bytes that the manager looks for
)

// older is how far the manager has been asked for older jobs that the filter
// picks. The zero value has not begun.
type older struct {
	turn    int // counts filters and snapshots, so that late answers are known
	horizon time.Time
	cursor  string
	asking  bool
	end     bool // there are none further down
}

// Messages of older jobs.
type (
	olderMsg struct {
		turn   int
		jobs   []api.Job
		cursor string
		err    error
	}
	// restMsg says that the filter of a turn has not changed for a while.
	restMsg struct{ turn int }
)

// begin forgets how far the last question came.
func (o *older) begin() { *o = older{turn: o.turn + 1} }

// askOlder asks for the next older jobs; nil when there is nothing to ask.
func (m *Model) askOlder() tea.Cmd {
	l, o := m.w.jobs, &m.older
	if l.horizon.IsZero() || o.asking || !m.w.link.up {
		return nil
	}
	if !o.horizon.Equal(l.horizon) { // jobs were dropped since: from the top again
		o.horizon, o.cursor, o.end = l.horizon, "", false
	}
	q, some := l.filter.query()
	if o.end = o.end || !some; o.end {
		return nil
	}
	if l.fetched >= maxFetched {
		m.refuse("no more than " + number(maxFetched) + " older jobs are shown; a filter finds the others")
		return nil
	}
	o.asking = true
	q.Before, q.Cursor, q.Limit = l.horizon.Add(1), o.cursor, olderPage
	turn, f, manager := o.turn, l.filter, m.w.manager
	return m.w.call(actTimeout, func(ctx context.Context) tea.Msg { return findOlder(ctx, manager, q, f, turn) })
}

// findOlder reads pages until enough jobs match.
func findOlder(ctx context.Context, manager Manager, q api.Query, f filter, turn int) tea.Msg {
	out := olderMsg{turn: turn, cursor: q.Cursor}
	for range olderPages {
		page, err := manager.Jobs(ctx, q)
		if err != nil {
			out.err = err
			return out
		}
		for i := range page.Items {
			if f.matches(probe(&page.Items[i])) {
				out.jobs = append(out.jobs, page.Items[i])
			}
		}
		out.cursor, q.Cursor = page.Next, page.Next
		if page.Next == "" || len(out.jobs) >= olderEnough {
			break
		}
	}
	return out
}

// probe is a row that only a filter looks at.
func probe(j *api.Job) *row {
	r := &row{job: *j}
	r.search, r.nodes, r.fault = searchTexts(j)
	return r
}

// learnOlder takes an answer, unless the filter has changed.
func (m *Model) learnOlder(msg olderMsg) tea.Cmd {
	o := &m.older
	if msg.turn != o.turn {
		return nil
	}
	o.asking = false
	if msg.err != nil {
		m.refuse("older jobs: " + api.Sentence(job.AsError(msg.err)))
		return nil
	}
	o.cursor, o.end = msg.cursor, msg.cursor == ""
	m.w.jobs.fetch(msg.jobs)
	return m.askMissing()
}

// askMissing asks for older jobs while a filter shows less than a screen.
func (m *Model) askMissing() tea.Cmd {
	if l := m.w.jobs; l.filter.text == "" || len(l.shown) >= m.height {
		return nil
	}
	return m.askOlder()
}

// rest waits until a filter that is being typed has come to rest.
func (m *Model) rest() tea.Cmd {
	return m.w.clock.After(filterRests, restMsg{m.older.turn})
}

// query picks at least the ended jobs that match, as far as the manager can
// tell; none is picked when some is false.
func (f filter) query() (q api.Query, some bool) {
	for _, s := range job.States() {
		if s.Terminal() && f.mayBe(s) {
			q.States = append(q.States, s)
		}
	}
	for _, t := range f.terms {
		if t.not || t.field == "state" || len(t.values) != 1 {
			continue
		}
		v := t.values[0]
		if t.field == "user" {
			part := strings.HasPrefix(v, "~")
			if !part && (job.CheckUser(v) != nil || q.User != "" && q.User != v) {
				return q, false // nobody is called that
			}
			if !part {
				q.User = v
				continue
			}
			v = strings.ToLower(v[1:])
		}
		if len(v) > len(q.Match) && len(v) <= maxQueryText {
			q.Match = v
		}
	}
	return q, len(q.States) > 0 && f.problem == ""
}

func (f filter) mayBe(s job.State) bool {
	return !slices.ContainsFunc(f.terms, func(t term) bool {
		return t.field == "state" && slices.ContainsFunc(t.values, func(v string) bool { return stateMatches(s, v) }) == t.not
	})
}

// fetch adds older jobs, which the limit does not touch.
func (l *jobs) fetch(all []api.Job) {
	for i := range all {
		if j := &all[i]; l.all[j.ID] == nil {
			r := l.put(j)
			r.fetched = true
			l.count(r, 1)
		}
	}
	l.arrange()
	l.choose()
}

// drop lets go of older jobs that nobody marked.
func (l *jobs) drop() {
	if l.fetched == 0 {
		return
	}
	for id, r := range l.all {
		if r.fetched && r.job.State.Terminal() && !l.marks[id] {
			l.count(r, -1)
			delete(l.all, id)
		}
	}
	l.arrange()
	l.choose()
}

// edge is when the oldest job was submitted of those that a snapshot of limit
// jobs holds without a gap; zero when it holds all.
func edge(all []api.Job, limit int) time.Time {
	if limit <= 0 || len(all) < limit {
		return time.Time{}
	}
	times := make([]time.Time, len(all))
	for i := range all {
		times[i] = all[i].Created.Time
	}
	slices.SortFunc(times, func(a, b time.Time) int { return b.Compare(a) })
	return times[limit-1]
}
