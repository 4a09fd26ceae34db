package ui

import (
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// row is a job with what is computed of it once, when it changes.
type row struct {
	job                  api.Job
	user, name           string // clean
	lowUser, lowName     string // for sorting
	created              int64  // nanoseconds, for sorting
	search, nodes, fault string
	rank                 int64  // the first sort key
	word                 string // the second
	listed, shown        bool
	fetched              bool // asked for: older than what the panel holds by itself
}

// jobs is the list of the queue: every job the panel knows, and those the
// filter shows in the order people chose. A change costs a few binary searches
// and a filter one walk, so a hundred thousand jobs are no burden.
type jobs struct {
	all    map[job.ID]*row
	line   []*row // all of them in order
	shown  []*row // of line, those that match the filter
	filter filter
	by     order
	turned bool
	marks  map[job.ID]bool
	// limit bounds how many ended jobs are kept; the oldest go first.
	limit   int
	ended   int       // those that the limit bounds
	fetched int       // ended ones that were asked for
	horizon time.Time // jobs submitted until then may be missing; zero when none is
	counts  map[job.State]int
	clean   func(string) string
}

func newJobs(limit int, clean func(string) string) *jobs {
	return &jobs{all: map[job.ID]*row{}, marks: map[job.ID]bool{}, by: byLine, limit: limit, counts: map[job.State]int{}, clean: clean}
}

// replace takes a fresh snapshot. Marks of jobs that are gone go too.
func (l *jobs) replace(all []api.Job) {
	l.all, l.counts, l.ended, l.fetched = make(map[job.ID]*row, len(all)), map[job.State]int{}, 0, 0
	l.horizon = edge(all, l.limit)
	for i := range all {
		l.count(l.put(&all[i]), 1)
	}
	for id := range l.marks {
		if l.all[id] == nil {
			delete(l.marks, id)
		}
	}
	l.arrange()
	l.choose()
}

// compute makes a row, which is not listed.
func (l *jobs) compute(j *api.Job) *row {
	r := &row{job: *j, user: l.clean(j.User), name: l.clean(j.Name), created: j.Created.UnixNano()}
	r.lowUser, r.lowName = strings.ToLower(r.user), strings.ToLower(r.name)
	r.search, r.nodes, r.fault = searchTexts(j)
	return r
}

func (l *jobs) put(j *api.Job) *row {
	r := l.compute(j)
	if old := l.all[j.ID]; old != nil {
		r.fetched = old.fetched
	}
	l.all[j.ID] = r
	l.key(r)
	return r
}

func (l *jobs) count(r *row, n int) {
	l.counts[r.job.State] += n
	switch {
	case !r.job.State.Terminal():
	case r.fetched:
		l.fetched += n
	default:
		l.ended += n
	}
}

// change takes jobs that are new or different. Many at once are sorted anew,
// a few are moved.
func (l *jobs) change(changed []api.Job) {
	many := len(changed) > 200 && len(changed)*8 > len(l.line)
	for i := range changed {
		if old := l.all[changed[i].ID]; old != nil {
			l.count(old, -1)
			if !many {
				l.hide(old)
			}
		}
		r := l.put(&changed[i])
		l.count(r, 1)
		if !many {
			l.show(r)
		}
	}
	if many {
		l.arrange()
		l.choose()
	}
	l.forget()
}

// stand takes what time alone changed.
func (l *jobs) stand(all []api.Standing) {
	for _, s := range all {
		if r := l.all[s.ID]; r != nil {
			moved := !samePosition(r.job.Position, s.Position) && (l.by == byLine || l.by == byWait)
			if moved {
				l.hide(r)
			}
			r.job.Phase, r.job.Position, r.job.Wait = s.Phase, s.Position, s.Wait
			if moved {
				l.key(r)
				l.show(r)
			}
		}
	}
}

func samePosition(a, b *int) bool { return a == b || a != nil && b != nil && *a == *b }

// forget drops the oldest ended jobs over the limit, a tenth at a time.
func (l *jobs) forget() {
	if l.limit <= 0 || l.ended <= l.limit {
		return
	}
	var old []*row
	for _, r := range l.all {
		if r.job.State.Terminal() && !r.fetched && !l.marks[r.job.ID] {
			old = append(old, r)
		}
	}
	slices.SortFunc(old, func(a, b *row) int { return a.job.Updated.Compare(b.job.Updated.Time) })
	for _, r := range old[:min(len(old), l.ended-l.limit+l.limit/10)] {
		l.count(r, -1)
		l.hide(r)
		delete(l.all, r.job.ID)
		if r.job.Created.After(l.horizon) {
			l.horizon = r.job.Created.Time
		}
	}
}

// setFilter shows only what matches from now on.
func (l *jobs) setFilter(text string) {
	l.filter = parseFilter(text)
	l.choose()
}

// sort chooses the order.
func (l *jobs) sort(by order, turned bool) {
	l.by, l.turned = by, turned
	l.reorder()
	l.choose()
}

// choose lists what matches the filter; the order stands already.
func (l *jobs) choose() {
	clear(l.shown)
	l.shown = l.shown[:0]
	for _, r := range l.line {
		if r.shown = l.filter.matches(r); r.shown {
			l.shown = append(l.shown, r)
		}
	}
}

// show lists a row.
func (l *jobs) show(r *row) {
	l.line, r.listed = l.insert(l.line, r), true
	if r.shown = l.filter.matches(r); r.shown {
		l.shown = l.insert(l.shown, r)
	}
}

// hide takes a row off the lists. It must come before what it is sorted by changes.
func (l *jobs) hide(r *row) {
	if r.listed {
		l.line, r.listed = l.remove(l.line, r), false
	}
	if r.shown {
		l.shown, r.shown = l.remove(l.shown, r), false
	}
}

func (l *jobs) insert(list []*row, r *row) []*row {
	i, _ := slices.BinarySearchFunc(list, r, l.compare)
	return slices.Insert(list, i, r)
}

func (l *jobs) remove(list []*row, r *row) []*row {
	if i, ok := slices.BinarySearchFunc(list, r, l.compare); ok {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// index is where a job stands in the list; -1 when it is not shown.
func (l *jobs) index(id job.ID) int {
	r := l.all[id]
	if r == nil || !r.shown {
		return -1
	}
	if i, ok := slices.BinarySearchFunc(l.shown, r, l.compare); ok {
		return i
	}
	return -1
}

// marked are the marked jobs, shown or not, in a steady order.
func (l *jobs) marked() []*row {
	var out []*row
	for id := range l.marks {
		if r := l.all[id]; r != nil {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, l.compare)
	return out
}

// waited is how long a job waited, or has waited until now, for a worker.
func waited(j *api.Job, now time.Time) time.Duration {
	until := now
	switch {
	case !j.Started.IsZero():
		until = j.Started.Time
	case !j.Completed.IsZero():
		until = j.Completed.Time
	}
	return max(0, until.Sub(j.Created.Time))
}
