package engine

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/comfyume/qmtui/internal/job"
)

// PromptID is the id under which attempt n of a job is submitted: fresh for
// each attempt, a canonical lower-case UUID as newer ComfyUI demands, and the
// same whenever it is computed, so that plans stay pure.
func PromptID(id job.ID, n int) string {
	space, err := uuid.Parse(string(id))
	if err != nil {
		space = uuid.NewSHA1(uuid.NameSpaceOID, []byte(id))
	}
	return uuid.NewSHA1(space, []byte("attempt "+strconv.Itoa(n))).String()
}

// schedule assigns waiting jobs to free slots.
func (v View) schedule() []job.Fact {
	if v.Mode == job.ModePaused || v.Hold != nil {
		return nil
	}
	var facts []job.Fact
	sent := map[string]int{} // by user, in this plan
	var taken []string       // places that jobs of this plan write to
	holders := v.holders()
	for _, s := range v.Slots {
		if s.Free <= 0 || s.ByName && !v.named(s.Deployment) {
			continue
		}
		first := v.reserved(s, holders)
		may := func(j *job.Job) bool {
			places := v.places(*j, s.Deployment, v.plain(*j, s.Deployment))
			return v.ready(j) && s.takes(j) && v.waitsFor(*j, places, holders) == "" && !first.goesBefore(j, places)
		}
		for _, j := range v.pick(s.Free, sent, may) {
			f := v.assign(*j, s.Deployment)
			if job.Overlap(taken, f.Places) {
				continue // the next round sees what the first one holds
			}
			taken = append(taken, f.Places...)
			facts = append(facts, f)
			sent[j.User]++
		}
	}
	return facts
}

// named reports whether a waiting job names the deployment.
func (v View) named(deployment string) bool {
	return slices.ContainsFunc(v.Jobs, func(j *job.Job) bool {
		return j.Spec.Deployment == deployment && j.State() == job.Queued
	})
}

func (v View) assign(j job.Job, deployment string) job.Fact {
	n := j.Current().N
	f := v.fact(j, n, job.Assigned, job.ByManager)
	f.PromptID, f.Deployment, f.Plain = PromptID(j.ID, n), deployment, v.plain(j, deployment)
	f.Places = v.places(j, deployment, f.Plain)
	return f
}

// ready reports whether a queued job may be sent now.
func (v View) ready(j *job.Job) bool {
	return !j.Current().NotBefore.After(v.Now) && !v.Unstaged[j.ID] && !v.arriving(j)
}

// arriving reports a job whose earlier attempt has left all its files on the
// share after all: once they are copied it need not be sent again.
func (v View) arriving(j *job.Job) bool {
	for _, a := range j.Attempts[:len(j.Attempts)-1] {
		t := tally(*j, a.N, Trace{})
		if j.Current().Automatic && a.State != job.Cancelled && !t.Short && t.Half == 0 && t.Broken == 0 && t.There > t.Stored {
			return true
		}
	}
	return false
}

// Order lists up to limit waiting jobs in the order in which they would be
// sent if slots came free one by one: the instructor's first, then from the
// user with the least charge (or simply by age), a user's own by priority and
// age. A user's cap on running jobs holds. Jobs for which may is false are
// left out; nil means all.
func (v View) Order(limit int, may func(*job.Job) bool) []*job.Job {
	return v.pick(limit, nil, may)
}

// pick is Order for users of whom so many jobs have just been sent.
func (v View) pick(limit int, sent map[string]int, may func(*job.Job) bool) []*job.Job {
	q := v.lines(may)
	for _, l := range q.all {
		l.running += sent[l.user]
		l.charge += q.estimate * float64(sent[l.user])
	}
	var order []*job.Job
	for len(order) < limit {
		l := q.next(v.Policy.FIFO)
		if l == nil {
			break
		}
		order = append(order, l.jobs[0])
		l.jobs = l.jobs[1:]
		l.running++
		l.charge += q.estimate
	}
	return order
}

// line is one user's waiting jobs.
type line struct {
	user    string
	jobs    []*job.Job // in the order the user wants them
	running int
	cap     int
	charge  float64 // GPU-seconds
}

type lines struct {
	all      []*line
	estimate float64 // GPU-seconds that one more run is expected to cost
}

func (v View) lines(may func(*job.Job) bool) lines {
	q := lines{estimate: max(1, v.Estimate.Seconds())}
	byUser := map[string]*line{}
	for _, j := range v.Jobs {
		l := byUser[j.User]
		if l == nil {
			l = &line{user: j.User, cap: v.Policy.MaxRunning, charge: v.Charges[j.User]}
			byUser[j.User] = l
			q.all = append(q.all, l)
		}
		switch s := j.State(); {
		case s.InFlight():
			if !v.slotFree(*j) { // a 502 must not stop its user either
				l.running++
			}
			l.charge += q.estimate
		case s == job.Queued && j.Want != job.WantCancel && (may == nil || may(j)):
			l.jobs = append(l.jobs, j)
		}
	}
	for _, l := range q.all {
		slices.SortStableFunc(l.jobs, func(a, b *job.Job) int { return cmp.Compare(a.Priority, b.Priority) })
	}
	return q
}

// next is the line to serve; nil when none may be served.
func (q lines) next(fifo bool) *line {
	var best *line
	for _, l := range q.all {
		if len(l.jobs) == 0 || l.running >= l.cap && l.jobs[0].Priority != job.Instructor {
			continue
		}
		if best == nil || before(l, best, fifo) {
			best = l
		}
	}
	return best
}

// before reports whether line a is served before line b.
func before(a, b *line, fifo bool) bool {
	x, y := a.jobs[0], b.jobs[0]
	if xi, yi := x.Priority == job.Instructor, y.Priority == job.Instructor; xi != yi {
		return xi
	}
	byAge := cmp.Or(x.Submitted.Compare(y.Submitted), cmp.Compare(x.ID, y.ID))
	if fifo {
		return cmp.Or(cmp.Compare(x.Priority, y.Priority), byAge) < 0
	}
	return cmp.Or(cmp.Compare(a.charge, b.charge), byAge) < 0
}
