package engine

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/engine/upkeep"
	"github.com/comfyume/qmtui/internal/job"
)

// seen gathers for each deployment what speaks for and against sending there:
// how the attempts of the open jobs ended, and what the fleet knows.
func (l *loop) seen() map[string]upkeep.Seen {
	out, now := map[string]upkeep.Seen{}, time.Now().UTC()
	own := map[string]bool{}
	for _, d := range l.fleet.Deployments() {
		x := upkeep.Seen{Now: now, Answered: d.Answered, NoNodes: d.NoNodes, Sleeps: d.ScaleToZero}
		if d.System != nil {
			x.Argv = strings.Join(d.System.Argv, " ")
		}
		out[d.Name], own[d.Name] = x, d.System.OwnOutput()
	}
	for _, j := range l.order {
		for _, a := range j.Attempts {
			x, known := out[a.Deployment]
			if !known {
				continue
			}
			x.Accepted = latest(x.Accepted, a.When(job.Acknowledged))
			switch e := a.Error; {
			case e == nil || a.State != job.Failed && a.State != job.Lost:
			case upkeep.Stops(e.Code):
				x.Signs = append(x.Signs, upkeep.Sign{Code: e.Code, Message: because(e), Sent: a.When(job.Assigned), At: a.EndedAt()})
			case e.Code == "worker_refused":
				x.Accepted = latest(x.Accepted, a.EndedAt())
			case e.Code == "no_files" && reportsOwnFile(*j, a):
				e := lostRun(a, own[a.Deployment])
				x.Signs = append(x.Signs, upkeep.Sign{Code: e.Code, Message: because(e), Sent: a.When(job.Assigned), At: a.EndedAt()})
			}
			for _, o := range j.OutputsOf(a.N) {
				x.Came = latest(x.Came, o.SeenAt)
			}
			out[a.Deployment] = x
		}
	}
	return out
}

// because is the sentence of a stop: for all jobs, not for one.
func because(e *job.Error) string {
	switch e.Code {
	case upkeep.NoOutputDirectory:
		return "ComfyUI runs there without --output-directory, and the files that it reports do not come to the share"
	case upkeep.OtherVolume:
		return "the files that ComfyUI reports there do not come to the share: it writes to another volume or folder"
	}
	return e.Message
}

// reportsOwnFile reports an attempt whose history names a file in its own folder
// that only ComfyUI's own nodes can have written.
func reportsOwnFile(j job.Job, a job.Attempt) bool {
	own := func(p job.Path) bool { return strings.HasPrefix(string(p), "qm/"+a.PromptID+"/") }
	return a.Heard() && len(foreignClasses(j)) == 0 && slices.ContainsFunc(a.Files, own)
}

// lostRun is the end of a run that reported files of which none came.
func lostRun(a job.Attempt, ownOutput bool) *job.Error {
	e := &job.Error{Code: "other_volume", Class: job.Unavailable, Transient: true,
		Message: "the worker on " + a.Deployment + " reported " + count(len(a.Files), "file") + ", and none came to the share: it writes to another volume or folder",
		Hint:    `compare its --output-directory and its volume with share.outputs: "qmtui workers list", then "qmtui doctor --canary"`}
	if ownOutput {
		e.Code = "no_output_directory"
		e.Message = "the worker on " + a.Deployment + " runs without --output-directory, and none of the " + count(len(a.Files), "file") + " that it reported came to the share"
		e.Hint = `start it with --output-directory and the mounted share; see "qmtui workers list"`
	}
	return e
}

// judgeStops decides whether jobs are sent to each deployment. What is decided
// is durable before anything follows from it.
func (l *loop) judgeStops() {
	l.keeper.seen = l.seen()
	for _, name := range slices.Sorted(maps.Keys(l.keeper.seen)) {
		was := l.keeper.kept.Stopped[name]
		next := was.After(l.keeper.seen[name])
		if was == next || was != nil && next != nil && *was == *next {
			continue
		}
		if !l.keep(func(t *tended) {
			if t.Stopped[name] = next; next == nil {
				delete(t.Stopped, name)
			}
		}) {
			continue
		}
		switch {
		case next == nil:
			l.log.Info("sending resumes", "deployment", name, "code", was.Code, "since", was.Since)
			l.audit(byRule, "resume sending", name, was.Code)
			l.refresh(name) // what was known of its workers may be over
		case was == nil || was.Code != next.Code:
			l.log.Warn("sending stops", "deployment", name, "code", next.Code, "error", next.Message)
			l.audit(byRule, "stop sending", name, next.Code)
		}
	}
}

// stoppedFor tells of the deployments to which nothing is sent why, by name.
func (l *loop) stoppedFor() map[string]*job.Stopped {
	out := map[string]*job.Stopped{}
	for name, s := range l.keeper.kept.Stopped {
		if x, known := l.keeper.seen[name]; known {
			out[name] = s.Told(name, x, l.waitFor(name), l.tries(name, s.At))
		}
	}
	return out
}

// waitFor counts the jobs that wait for a deployment.
func (l *loop) waitFor(deployment string) (n int) {
	for _, j := range l.order {
		if j.State() == job.Queued && j.Want != job.WantCancel && (j.Spec.Deployment == deployment || j.Spec.Deployment == "" && l.active == deployment) {
			n++
		}
	}
	return n
}

// trySlot is the room on a deployment to which nothing is sent: for one job to
// try it when that is due, and for a canary at any time.
func (l *loop) trySlot(name string, s *upkeep.Stop, now time.Time) Slot {
	slot := Slot{Deployment: name, Free: 1, ByName: name != l.active, CanaryOnly: now.Before(s.TryAt(l.keeper.seen[name]))}
	if l.tries(name, s.At) {
		slot.Free = 0
	}
	return slot
}

// tries reports a job that was sent to the deployment after that time and of
// which it is not known yet whether its files come.
func (l *loop) tries(name string, since time.Time) bool {
	return slices.ContainsFunc(l.order, func(j *job.Job) bool {
		a := j.Current()
		return a.Deployment == name && a.State != job.Queued && !a.State.Terminal() && a.When(job.Assigned).After(since)
	})
}

// questions counts those to a deployment since the newest evidence against it.
type questions struct {
	since time.Time
	n     int
	open  bool // one waits for its answer
}

// askStopped asks deployments to which nothing is sent how they are: an answer
// shows that it is time to try them.
func (l *loop) askStopped(now time.Time) {
	for name, s := range l.keeper.kept.Stopped {
		x, known := l.keeper.seen[name]
		if !known {
			continue
		}
		q := l.keeper.asked[name]
		if q == nil || !q.since.Equal(s.At) {
			q = &questions{since: s.At, open: q != nil && q.open}
			l.keeper.asked[name] = q
		}
		waiting := l.waitFor(name)
		if l.mode == job.ModePaused || l.hold() != nil {
			waiting = 0
		}
		if at, ask := s.AskAt(q.n, x, waiting); !ask || q.open || now.Before(at) {
			continue
		}
		q.n, q.open = q.n+1, true
		l.refresh(name)
	}
}

// refresh asks a deployment how it is, and waits for nothing.
func (l *loop) refresh(name string) {
	l.acts.Go(func() {
		ctx, cancel := context.WithTimeout(l.kill, l.policy.AcceptTimeout)
		defer cancel()
		_, err := l.fleet.Refresh(ctx, name)
		l.log.Debug("asked a deployment that was stopped", "deployment", name, "error", err)
		l.report(message{do: func(l *loop) func() {
			if q := l.keeper.asked[name]; q != nil {
				q.open = false
			}
			return func() {}
		}})
	})
}
