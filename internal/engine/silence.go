package engine

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/engine/upkeep"
	"github.com/comfyume/qmtui/internal/job"
)

// Deployment is what slots and deadlines need to know of a deployment.
type Deployment struct {
	Name        string
	Capacity    int
	ScaleToZero bool
	Single      bool // one server answers there: see job.Deployment
	OwnOutput   bool // ComfyUI writes into an output folder of its own choice
	// Losing says that nothing is sent there since files that it reports do not come.
	Losing bool
	// Warm says that it answered lately, WarmSince since when; zero for longer
	// than anybody knows.
	Warm      bool
	WarmSince time.Time
	// Sign is how long it takes a warm replica from the answer to the first sign
	// of a run (of twenty, one takes longer), Cold how long a cold start takes (of
	// ten, one takes longer). Zero when nothing was measured.
	Sign, Cold time.Duration
}

// kindOf names the jobs whose runs take about as long as this one's: those with
// the same save nodes and models.
func kindOf(j job.Job) string {
	var parts []string
	for _, x := range j.Expect {
		parts = append(parts, x.Class)
	}
	for _, class := range j.Strangers {
		parts = append(parts, class)
	}
	slices.Sort(parts)
	return strings.Join(append(slices.Compact(parts), j.Models...), "\x00")
}

// firstSign is when an attempt first showed that a worker has it; zero for never.
func firstSign(a job.Attempt) time.Time {
	return a.When(job.Started, job.Seen, job.Whole, job.Stored, job.Finished, job.Broke)
}

// silentSince is since when an attempt has given no sign although it could
// have: a prompt that may wait behind an earlier one of its deployment, or for a
// deployment that is just waking, owes none. false when its silence says nothing.
func (v View) silentSince(j job.Job) (time.Time, bool) {
	a := j.Current()
	since := a.When(job.Acknowledged)
	switch a.State {
	case job.Submitting:
		if since = a.When(job.Unanswered); since.IsZero() {
			return time.Time{}, false // the POST waits for its answer
		}
	case job.Accepted:
	case job.Running:
		return latest(a.When(job.Started, job.Seen, job.Whole, job.Stored), v.Traces[a.PromptID].Moved), true
	default:
		return time.Time{}, false
	}
	assigned := a.When(job.Assigned)
	for _, k := range v.Jobs {
		b := k.Current()
		if b.Deployment != a.Deployment || k.ID == j.ID || !b.When(job.Assigned).Before(assigned) {
			continue
		}
		if b.State == job.Running && !v.slotFree(*k) {
			return time.Time{}, false
		}
		since = latest(since, endOf(b))
	}
	return latest(since, v.Deployments[a.Deployment].WarmSince), true
}

// The slot of a silent run is free again after three times its usual time, not
// before leastRun; that of a prompt nobody has seen after three times the usual
// delay of the first sign, not before leastSign.
const (
	silentFactor = 3
	leastRun     = 20 * time.Second
	leastSign    = 2 * time.Second
	// While no usual delay is known, or the deployment may be starting, the slot of
	// a prompt that nobody confirmed is free after unknownUnconfirmed, and that of
	// one that was accepted after unknownAccepted.
	unknownUnconfirmed = 15 * time.Second
	unknownAccepted    = 2 * time.Minute
)

// slotFree reports an attempt in flight whose slot may be given to another: a
// prompt too many only queues. Whether the attempt is given up, and paid for
// again, is asked much later: see expireOverdue.
func (v View) slotFree(j job.Job) bool {
	since, silent := v.silentSince(j)
	if !silent {
		return false
	}
	a := j.Current()
	d := v.Deployments[a.Deployment]
	if a.State == job.Running {
		usual := v.Usual[kindOf(j)]
		return usual > 0 && v.age(since) >= max(leastRun, silentFactor*usual)
	}
	switch {
	case v.overtaken(a, since):
		return true
	case d.Warm && d.Sign > 0:
		return v.age(since) >= max(leastSign, silentFactor*d.Sign)
	case a.State == job.Submitting:
		return v.age(since) >= unknownUnconfirmed
	}
	return v.age(since) >= unknownAccepted
}

// overtaken reports that a prompt which was sent later to the same deployment has
// shown a sign since an attempt is silent.
func (v View) overtaken(a job.Attempt, since time.Time) bool {
	return slices.ContainsFunc(v.Jobs, func(k *job.Job) bool {
		b := k.Current()
		return b.Deployment == a.Deployment && b.When(job.Assigned).After(a.When(job.Assigned)) && firstSign(b).After(since)
	})
}

// occupancy counts the slots of a deployment that are occupied: those of silent
// attempts may be used again. A deployment that takes prompts and shows
// nothing of them is not given one after the other: beyond a bound, silent
// attempts occupy slots all the same. An unconfirmed one that was overtaken hardly
// ever arrived, and counts no more.
func (v View) occupancy(d Deployment) (occupied int) {
	runs, accepted, unanswered := 0, 0, 0
	for _, j := range v.Jobs {
		a := j.Current()
		if a.Deployment != d.Name || !a.State.InFlight() {
			continue
		}
		if !v.slotFree(*j) {
			occupied++
			continue
		}
		switch a.State {
		case job.Running:
			runs++
		case job.Accepted:
			accepted++
		default:
			if since, _ := v.silentSince(*j); !v.overtaken(a, since) {
				unanswered++
			}
		}
	}
	const mostUnanswered = 8
	occupied += max(0, runs-d.Capacity) + max(0, accepted-d.Capacity) + max(0, unanswered-mostUnanswered*d.Capacity)
	return occupied
}

// noColdStart is what a cold start is taken to last at most on a deployment
// that scales to zero while none was measured (field.md: 10 to 15 minutes for
// the largest models).
const noColdStart = 15 * time.Minute

// giveUp is how long the silence of a prompt that nobody has seen running lasts
// before it is given up and paid for again: with a warm deployment the usual
// delay of the first sign with a margin, otherwise a cold start with a minute
// more, and never less than least.
func (d Deployment) giveUp(margin, least time.Duration) time.Duration {
	switch {
	case d.Warm && d.Sign > 0:
		return d.Sign + max(margin, d.Sign)
	case d.Warm:
		return least
	case d.Cold > 0:
		return max(least, d.Cold+time.Minute)
	case d.ScaleToZero:
		return max(least, noColdStart+time.Minute)
	}
	return least
}

// delays are measured times that slots and deadlines go by. It belongs to the
// loop and survives a restart.
type delays struct {
	// Sign holds the newest delays of the first sign by deployment, Runs the newest
	// runs by deployment and kind of job, in seconds, oldest first.
	Sign map[string][]float64 `json:"sign,omitempty"`
	Runs map[string][]float64 `json:"runs,omitempty"`
}

const (
	maxDelays = 50  // samples kept of each
	maxKinds  = 500 // kinds of runs kept
)

func addDelay(m map[string][]float64, key string, d time.Duration) map[string][]float64 {
	if m == nil {
		m = map[string][]float64{}
	}
	if len(m) >= maxKinds && m[key] == nil {
		for old := range m {
			delete(m, old)
			break
		}
	}
	s := append(m[key], d.Seconds())
	m[key] = s[max(0, len(s)-maxDelays):]
	return m
}

// leastSamples is how many samples a usual time needs.
const leastSamples = 3

// percentile is the value that a share p of the samples does not exceed; zero
// when there are too few.
func percentile(samples []float64, p float64) time.Duration {
	if len(samples) < leastSamples {
		return 0
	}
	s := slices.Sorted(slices.Values(samples))
	i := min(len(s)-1, int(p*float64(len(s))))
	return time.Duration(s[i] * float64(time.Second))
}

// measureSign takes the delay of the first sign of an attempt that a warm
// replica answered at once.
func (l *loop) measureSign(a job.Attempt, at time.Time) {
	acknowledged := a.When(job.Acknowledged)
	if acknowledged.IsZero() || acknowledged.Sub(a.When(job.Assigned)) > 5*time.Second || at.Before(acknowledged) {
		return
	}
	l.delays.Sign = addDelay(l.delays.Sign, a.Deployment, at.Sub(acknowledged))
}

// deploymentViews are the deployments as Plan sees them.
func (l *loop) deploymentViews(now time.Time) map[string]Deployment {
	out := map[string]Deployment{}
	for _, d := range l.fleet.Deployments() {
		x := Deployment{Name: d.Name, Capacity: d.Capacity, ScaleToZero: d.ScaleToZero, Single: d.Single, OwnOutput: d.System.OwnOutput(), Sign: percentile(l.delays.Sign[d.Name], 0.95)}
		if s := l.keeper.kept.Stopped[d.Name]; s != nil {
			x.Losing = upkeep.Loses(s.Code)
		}
		if cold := l.fleet.ColdStart(d.Name, nil, now); cold.Count > 0 {
			x.Cold = time.Duration(cold.High * float64(time.Second))
		}
		switch d.State {
		case job.WarmthWarm:
			x.Warm, x.WarmSince = true, d.Since
		case job.WarmthFailing: // answers errors between good ones
			x.Warm = l.signed(d.Name, now.Add(-5*time.Minute))
		}
		out[d.Name] = x
	}
	return out
}

// signed reports a sign or an answer of a deployment since a time.
func (l *loop) signed(deployment string, since time.Time) bool {
	return slices.ContainsFunc(l.order, func(j *job.Job) bool {
		a := j.Current()
		return a.Deployment == deployment && (firstSign(a).After(since) || a.When(job.Acknowledged).After(since))
	})
}

// usual are the usual times of the kinds of jobs that are in flight: of ten
// runs, one takes longer.
func (l *loop) usual() map[string]time.Duration {
	out := map[string]time.Duration{}
	for _, j := range l.order {
		if a := j.Current(); a.State == job.Running {
			k := kindOf(*j)
			out[k] = percentile(l.delays.Runs[runKey(a.Deployment, k)], 0.9)
		}
	}
	return out
}

func runKey(deployment, kind string) string { return deployment + "\x00" + kind }

// silences are the attempts in flight that have given no sign for clearly
// longer than usual.
func (v View) silences() map[job.ID]silence {
	out := map[job.ID]silence{}
	for _, j := range v.Jobs {
		since, ok := v.silentSince(*j)
		a := j.Current()
		usual := cmp.Or(v.Usual[kindOf(*j)], time.Minute)
		if a.State != job.Running {
			usual = cmp.Or(v.Deployments[a.Deployment].Sign, 10*time.Second)
		}
		if !ok || v.age(since) < max(leastRun, silentFactor*usual) {
			continue
		}
		s := silence{since: since}
		if w, ok := v.waiting(*j); ok {
			s.givenUp = w.since.Add(w.bound)
		}
		out[j.ID] = s
	}
	return out
}

// silentWarning says how many slots silent attempts hold or held, since when,
// and what happens to them when; nil without any.
func (v View) silentWarning(silent map[job.ID]silence) *job.Error {
	free := 0
	var first silence
	for _, j := range v.Jobs {
		s, ok := silent[j.ID]
		if !ok {
			continue
		}
		if v.slotFree(*j) {
			free++
		}
		if first.since.IsZero() || s.since.Before(first.since) {
			first = s
		}
	}
	n := len(silent)
	if n == 0 {
		return nil
	}
	message := count(n, "attempt") + " in flight gave no sign for up to " + span(v.Now.Sub(first.since))
	switch free {
	case n:
		message += "; the slots are used for other jobs"
	case 0:
		message += " and occupy " + count(n, "slot")
	default:
		message += "; " + count(free, "slot") + " of theirs are used for other jobs, the others are occupied"
	}
	if !first.givenUp.IsZero() {
		message += "; the first is given up at " + first.givenUp.Local().Format("15:04")
	}
	return &job.Error{Code: "silent_attempts", Message: message,
		Hint: `a replica may have been taken away under them: "qmtui workers list"; to free a slot now, cancel its job`}
}
