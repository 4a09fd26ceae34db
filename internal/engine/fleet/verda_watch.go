package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// overseen is what the platform said of one deployment, beside what the wire
// knows. It is guarded by its site's lock.
type overseen struct {
	look    look
	trouble string // the last error of the control API, so that it is logged once
	hosting map[string]hosting
	leases  []Lease
	spent   []job.Spent // what the leases cost, by day
	held    *job.Held   // a replica is held by us; nil for none
	wanted  bool        // one is to be held
	told    bool        // wanted is known
	lost    []time.Time // when attempts were told to have lost their replica
}

// lostFor is how long a replica that vanished counts against its deployment.
const lostFor = 10 * time.Minute

// add puts beside what is known of a deployment what the control API adds:
// that a replica is held, and that it does not answer.
func (o overseen) add(d job.Deployment, now time.Time) job.Deployment {
	if o.held != nil {
		held := *o.held
		d.Held = &held
	}
	for _, at := range o.lost {
		if now.Sub(at) < lostFor {
			d.Lost, d.LostAt = d.Lost+1, at
		}
	}
	if d.Error == nil && o.trouble != "" {
		d.Error = &job.Error{Code: "control_api", Class: job.Unavailable, Transient: true, Message: "the platform's control API: " + o.trouble,
			Hint: "check verda.client_id and its secret; prompts are sent all the same"}
	}
	return d
}

// oversee looks at the deployment through the control API until ctx ends. It
// asks no replica, so it may look while nothing is in flight.
func (s *site) oversee(ctx context.Context, c *control, report func(job.Fact)) {
	for ctx.Err() == nil {
		if l, ok := s.lookThrough(ctx, c); ok {
			s.heed(l, report)
		}
		s.tendHold(ctx, c)
		s.breathe(ctx)
	}
	s.releaseHold(context.WithoutCancel(ctx), c)
}

// breathe waits until the next look is due, something is in flight anew, or a
// replica is to be held or given back anew.
func (s *site) breathe(ctx context.Context) {
	busy, due := s.busy(), s.holdDue()
	wait := s.opts.Control.Every
	if !busy {
		wait *= 4
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			return
		case <-s.stir:
			if !busy && s.busy() || !due && s.holdDue() {
				return
			}
		}
	}
}

func (s *site) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tracks.any() || s.over.held != nil || s.over.told && s.over.wanted
}

// lookThrough asks for status and replicas; false when the API did not answer both.
func (s *site) lookThrough(ctx context.Context, c *control) (look, bool) {
	l := look{began: s.opts.Now()}
	name := platformName(s.spec)
	var err, err2 error
	l.status, err = c.status(ctx, name)
	if err == nil {
		l.replicas, err2 = c.replicas(ctx, name)
	}
	err = errors.Join(err, err2)
	l.at = s.opts.Now()
	if ctx.Err() == nil {
		s.note(err)
	}
	return l, err == nil
}

// note logs trouble with the control API when it comes, changes and goes.
func (s *site) note(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	s.mu.Lock()
	changed := s.over.trouble != text
	s.over.trouble = text
	s.mu.Unlock()
	switch {
	case changed && err != nil:
		s.opts.Logger.Warn("ask the control API", "deployment", s.spec.Name, "error", err)
	case changed:
		s.opts.Logger.Info("the control API answers again", "deployment", s.spec.Name)
	}
}

// heed keeps a look and reports the attempts whose replicas it shows gone.
func (s *site) heed(l look, report func(job.Fact)) {
	s.mu.Lock()
	s.over.look = l.after(s.over.look)
	facts := s.vanishings(l)
	s.mu.Unlock()
	s.lease(func(before []Lease) []Lease { return leased(before, l) })
	for _, f := range facts {
		report(f)
	}
}

// vanishings folds a look into every attempt that a server accepted. The
// caller holds mu.
func (s *site) vanishings(l look) []job.Fact {
	var out []job.Fact
	for id, h := range s.over.hosting {
		h = h.after(l)
		f, ok := s.tracks.of(id)
		if ok && h.vanished(l.at) && !h.told {
			h.told = true
			s.over.lost = append(s.over.lost[max(0, len(s.over.lost)-99):], l.at)
			out = append(out, h.fact(f, l.at))
		}
		s.over.hosting[id] = h
	}
	return out
}

// host begins to keep the hosts of newly accepted attempts, and forgets those
// of attempts that are over. The caller holds mu.
func (s *site) host(flights []job.Flight) {
	kept := map[string]hosting{}
	for _, f := range flights {
		if f.State != job.Accepted && f.State != job.Running {
			continue
		}
		h, ok := s.over.hosting[f.PromptID]
		if !ok {
			h = hosting{accepted: s.opts.Now()}
		}
		kept[f.PromptID] = h
	}
	s.over.hosting = kept
}

// admission asks the platform about an attempt whose POST has no answer yet,
// perhaps because an earlier process sent it. True when that settles what is to
// be asked: a POST that waits for a machine needs no poll beside it.
func (s *site) admission(ctx context.Context, f job.Flight, report func(job.Fact)) bool {
	d, ok := s.driver.(admitter)
	if !ok || f.State != job.Submitting {
		return false
	}
	a, err := d.Admission(ctx, f.PromptID)
	if err != nil {
		s.opts.Logger.Debug("ask what became of a prompt", "job", f.Job, "deployment", s.spec.Name, "prompt", f.PromptID, "error", err)
		return false
	}
	if a.Stage != StageCompleted {
		return a.Stage != ""
	}
	fact := job.Fact{Job: f.Job, Attempt: f.Attempt, PromptID: f.PromptID, Evidence: job.ByPlatform, At: s.opts.Now()}
	if a.Err != nil {
		fact = settle(fact, a.Err, 0)
	} else {
		fact = acknowledgeUnread(fact, a.Receipt)
	}
	if fact.Kind == job.Unanswered {
		return false
	}
	report(fact)
	return true
}
