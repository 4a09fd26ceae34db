package engine

import (
	"cmp"
	"maps"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// board is what the loop publishes for readers: they never wait for it.
type board struct {
	status   job.QueueStatus
	position map[job.ID]int // of waiting jobs, 0-based
	charges  map[string]float64
	usage    usage
	account  account
	capped   bool                 // a budget pauses the active deployment
	estimate time.Duration        // of a warm run; zero when unknown
	cold     map[job.ID]job.Range // of the cold start that a job may be waiting for
	workers  []job.Deployment
	troubles map[job.OutputID]*job.Error
	waiting  map[job.ID]*job.Error // why inputs of waiting jobs do not stand ready
	behind   map[job.ID]string     // why a waiting job takes turns with others
	silent   map[job.ID]silence
	warning  *job.Error // of silent attempts; nil for none
	stalled  bool       // silent attempts hold all slots of the active deployment
}

// stopped is why nothing is sent where a job is to go; nil when it is.
func (b *board) stopped(j job.Job) *job.Stopped {
	for _, d := range b.workers {
		if d.Name == cmp.Or(j.Spec.Deployment, b.status.Active) {
			return d.Stopped
		}
	}
	return nil
}

// silence is how long an attempt in flight has given no sign, when that is
// longer than usual.
type silence struct{ since, givenUp time.Time }

// boardEvery bounds how often the board is made anew while things happen.
const boardEvery = 100 * time.Millisecond

// maxPositions bounds how many places in the line are computed.
const maxPositions = 5000

// publishBoard makes it anew after news, and every second for what time alone
// changes. News that came too soon after a board wait for a later turn.
func (l *loop) publishBoard(news bool) {
	l.unpublished = l.unpublished || news
	now := time.Now()
	since := now.Sub(l.standing)
	if since < boardEvery || (!l.unpublished && since < time.Second && !l.standing.IsZero()) {
		return
	}
	l.standing, l.unpublished = now, false
	l.board.Store(l.makeBoard(now))
}

// makeBoard sums up the live state.
func (l *loop) makeBoard(now time.Time) *board {
	b := &board{position: map[job.ID]int{}, charges: l.charges.now(now), estimate: l.estimate(),
		usage: usage{Day: l.usage.Day, Users: maps.Clone(l.usage.Users)}, account: l.account, workers: l.workers(), troubles: l.troubles(), cold: l.coldStarts(now),
		waiting: l.inputTroubles()}
	v := l.view()
	b.behind, b.silent = v.exclusiveWaits(), v.silences()
	for i, d := range b.workers {
		b.workers[i].Silent, b.workers[i].Released = l.silentOn(d.Name, v, b.silent)
		b.workers[i].NoSlot = d.InFlight - v.occupancy(v.Deployments[d.Name])
	}
	b.stalled = l.allSilent(v, b.silent)
	b.warning = v.silentWarning(b.silent)
	v.Policy.MaxRunning = maxPositions
	for i, j := range v.Order(maxPositions, func(j *job.Job) bool { return !l.elsewhere(j) }) {
		b.position[j.ID] = i
	}
	b.capped = l.keeper.verdicts[l.active].Pause
	b.status = l.status(b)
	b.status.At = now
	return b
}

// coldStarts are the usual times of the cold starts that jobs may be waiting for.
func (l *loop) coldStarts(now time.Time) map[job.ID]job.Range {
	out := map[job.ID]job.Range{}
	for _, j := range l.order {
		if a := j.Current(); a.State == job.Submitting {
			out[j.ID] = l.fleet.ColdStart(a.Deployment, j.Models, now)
		}
	}
	return out
}

func (l *loop) status(b *board) job.QueueStatus {
	s := job.QueueStatus{Mode: l.mode, Scheduling: "fair", MaxDepth: l.policy.MaxDepth, Active: l.active, Orphans: l.orphans,
		Started: l.started, Share: l.share.Status(), Ledger: l.ledgerTrouble(), Exclusive: len(b.behind), Copies: l.copies}
	if l.policy.FIFO {
		s.Scheduling = "fifo"
	}
	for _, j := range l.order {
		if !j.State().Terminal() {
			s.Depth++
		}
	}
	for _, d := range b.workers {
		s.InFlight += d.InFlight
		s.NoSlot += d.NoSlot
		if d.Active {
			s.Stopped = d.Stopped
			s.Capacity = d.Capacity
		} else {
			s.Elsewhere += d.InFlight - d.NoSlot
		}
	}
	if s.Wait = waitFor(len(b.position), s, b).Seconds(); b.capped || b.stalled || l.keeper.kept.Stopped[l.active] != nil || l.mode != job.ModeRunning || l.hold() != nil {
		s.Wait = -1
	}
	s.Warnings = l.warnings(s.Share, b.workers, b.warning)
	return s
}

// waitFor estimates when the job at a place in the line starts; minus one
// second when nobody can know: nothing is active, or no run was measured yet.
func waitFor(position int, s job.QueueStatus, b *board) time.Duration {
	ahead := position + 1 - max(0, s.Capacity-s.Occupied())
	switch {
	case s.Capacity == 0, ahead > 0 && b.estimate == 0:
		return -time.Second
	case ahead <= 0:
		return 0
	}
	return b.estimate * time.Duration(ahead) / time.Duration(s.Capacity)
}

// workers are the deployments with what only the loop knows of them.
func (l *loop) workers() []job.Deployment {
	all, stopped := l.fleet.Deployments(), l.stoppedFor()
	for i := range all {
		all[i].Active = all[i].Name == l.active
		all[i].InFlight = l.inFlight(all[i].Name)
		all[i].Learned = l.learnedOf(all[i].Name)
		all[i].Rules = l.rules.Deployments[all[i].Name].Summary()
		all[i].Delivers = l.keeper.seen[all[i].Name].Came
		if all[i].Stopped = stopped[all[i].Name]; all[i].Stopped != nil {
			all[i].Error = all[i].Stopped.Error()
		}
	}
	return all
}

// silentOn counts the attempts without a sign on a deployment, and those of them
// whose slots are used for other jobs.
func (l *loop) silentOn(deployment string, v View, silent map[job.ID]silence) (n, released int) {
	for id := range silent {
		if j := l.jobs[id]; j.Current().Deployment == deployment {
			n++
			if v.slotFree(*j) {
				released++
			}
		}
	}
	return n, released
}

// allSilent reports that attempts without a sign occupy every slot of the
// active deployment, so that nobody can say when the next job starts.
func (l *loop) allSilent(v View, silent map[job.ID]silence) bool {
	n, released := l.silentOn(l.active, v, silent)
	return n > released && n-released >= v.Deployments[l.active].Capacity
}

func (l *loop) troubles() map[job.OutputID]*job.Error {
	t := map[job.OutputID]*job.Error{}
	for id, d := range l.deliveries {
		if d.err != nil {
			t[id] = d.err
		}
	}
	return t
}
