package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/comfyume/qmtui/internal/job"
)

// Submit checks a request and records it durably before it returns. repeated
// says that the idempotency key was known, and the earlier job comes back.
// Errors are *job.Error.
func (e *Engine) Submit(ctx context.Context, r job.Request) (job.Job, bool, error) {
	if j, ok := e.known(r); ok {
		return j, true, nil
	}
	if err := e.admit(r); err != nil {
		return job.Job{}, false, err
	}
	if err := e.checkDeployment(r.Deployment); err != nil {
		return job.Job{}, false, err
	}
	checked, err := e.fleet.Check(cmp.Or(r.Deployment, e.board.Load().status.Active), r.Workflow, r.Extra)
	if err != nil {
		return job.Job{}, false, err
	}
	if checked.Inputs, err = e.find(ctx, r.User, checked.Inputs); err != nil {
		return job.Job{}, false, err
	}
	facts, err := newJob(r, checked, time.Now())
	if err != nil {
		return job.Job{}, false, err
	}
	var j job.Job
	repeated := false
	err = e.ask(ctx, func(l *loop) error {
		var err error
		j, repeated, err = l.create(r, facts)
		return err
	})
	return j, repeated, err
}

func (e *Engine) known(r job.Request) (job.Job, bool) {
	if r.Key == "" {
		return job.Job{}, false
	}
	j, err := e.ledger.ByKey(r.User, r.Key)
	return j, err == nil
}

// admit checks what can be said before the prompt is read.
func (e *Engine) admit(r job.Request) error {
	if err := job.CheckUser(r.User); err != nil {
		return err
	}
	if err := r.Priority.Check(); err != nil {
		return err
	}
	if r.Priority == job.Instructor && !r.Caller.Admin && !slices.Contains(e.policy.Admins, r.User) {
		return &job.Error{Code: "priority_not_allowed", Class: job.Forbidden, Message: "priority 0 is the instructor's",
			Hint: "use 1 (high), 2 (normal) or 3 (low)"}
	}
	return nil
}

// checkDeployment reports a name that no deployment has; none is good.
func (e *Engine) checkDeployment(name string) error {
	known := func(d job.Deployment) bool { return d.Name == name }
	if name == "" || slices.ContainsFunc(e.fleet.Deployments(), known) {
		return nil
	}
	return noWorker(name)
}

// newJob makes the facts of a new job.
func newJob(r job.Request, c job.Checked, now time.Time) ([]job.Fact, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make a job id: %w", err)
	}
	spec := job.Spec{ID: job.ID(id.String()), User: r.User, Name: r.Name, Submitted: stamp(now), Priority: r.Priority,
		Metadata: r.Metadata, Key: r.Key, Deployment: r.Deployment, Expect: c.Expect, Places: c.Places, Unsure: c.Unsure, Strangers: c.Strangers, Models: c.Models, Inputs: c.Inputs}
	if r.Caller.Name != r.User {
		spec.By = r.Caller.Name
	}
	created := job.Fact{Job: spec.ID, Kind: job.Created, At: spec.Submitted, Evidence: job.ByManager, Actor: r.Caller.Name, Spec: &spec}
	spec.Workflow = attach(&created, c.Workflow)
	if c.Extra != nil {
		spec.Extra = attach(&created, c.Extra)
	}
	facts := []job.Fact{created}
	for _, w := range c.Warnings {
		w.At = spec.Submitted
		facts = append(facts, job.Fact{Job: spec.ID, Kind: job.Noted, At: w.At, Evidence: job.ByManager, Warning: &w})
	}
	return facts, nil
}

// attach adds a body to the fact and returns its content hash.
func attach(f *job.Fact, data []byte) string {
	sum := sha256.Sum256(data)
	hash := hex.EncodeToString(sum[:])
	f.Blobs = append(f.Blobs, job.Blob{Hash: hash, Data: data})
	return hash
}

// create records a new job if the queue has room for it. It runs in the loop,
// so that bursts see exact counts.
func (l *loop) create(r job.Request, facts []job.Fact) (job.Job, bool, error) {
	if j, ok := l.known(r); ok {
		return j, true, nil
	}
	if err := l.room(r.User); err != nil {
		return job.Job{}, false, err
	}
	if err := l.recordNow(facts...); err != nil {
		return job.Job{}, false, err
	}
	j, err := l.ledger.Job(facts[0].Job)
	return j, false, err
}

// room reports why the queue takes no further job of the user.
func (l *loop) room(user string) error {
	if l.mode == job.ModeDraining || l.closing {
		return &job.Error{Code: "draining", Class: job.Unavailable, Transient: true, RetryAfter: 60,
			Message: "the queue takes no new jobs now", Hint: `an admin ends this with "qmtui queue resume"`}
	}
	depth, own := 0, 0
	for _, j := range l.order {
		if s := j.State(); !s.Terminal() {
			depth++
			if j.User == user && s == job.Queued {
				own++
			}
		}
	}
	retry := max(5, int(l.estimate().Seconds()))
	if depth >= l.policy.MaxDepth {
		return &job.Error{Code: "queue_full", Class: job.TooMany, Transient: true, RetryAfter: retry,
			Message: fmt.Sprintf("the queue is full: %d of %d jobs", depth, l.policy.MaxDepth), Hint: "try again when some have ended"}
	}
	if own >= l.policy.MaxQueued {
		return &job.Error{Code: "too_many_queued", Class: job.TooMany, Transient: true, RetryAfter: retry,
			Message: fmt.Sprintf("%s has %d jobs waiting, which is the most one user may have", user, own),
			Hint:    "wait until one has started, or cancel one"}
	}
	return nil
}

// SetMode pauses, resumes or drains the queue; it survives a restart.
func (e *Engine) SetMode(ctx context.Context, m job.Mode, by job.Caller) error {
	return e.ask(ctx, func(l *loop) error {
		if err := l.ledger.SetSetting(settingMode, m); err != nil {
			return err
		}
		l.log.Info("queue mode", "mode", m, "was", l.mode, "by", by.Name)
		l.mode, l.standing = m, time.Time{}
		return nil
	})
}

// AcceptShare takes the file system that is mounted now for the share: an
// admin says that it was changed on purpose.
func (e *Engine) AcceptShare(ctx context.Context, by job.Caller) error {
	if err := e.share.Accept(ctx); err != nil {
		return err
	}
	return e.ask(ctx, func(l *loop) error {
		s := l.share.Status()
		l.log.Info("the share was accepted", "path", s.Path, "fs", s.FSType, "by", by.Name)
		l.standing = time.Time{}
		return nil
	})
}

// ActivateWorker makes a deployment the one that takes work; it survives a restart.
func (e *Engine) ActivateWorker(ctx context.Context, name string, by job.Caller) (job.Deployment, error) {
	err := e.ask(ctx, func(l *loop) error {
		if knownOrFirst(name, l.fleet.Deployments(), true) != name {
			return noWorker(name)
		}
		if err := l.ledger.SetSetting(settingActive, name); err != nil {
			return err
		}
		l.keep(func(t *tended) { t.Chosen, t.Handover = time.Now().UTC(), nil })
		l.log.Info("active deployment", "deployment", name, "was", l.active, "by", by.Name)
		l.active, l.standing = name, time.Time{}
		return nil
	})
	if err != nil {
		return job.Deployment{}, err
	}
	return e.worker(name)
}

func noWorker(name string) error {
	return &job.Error{Code: "worker_not_found", Class: job.NotFound, Message: fmt.Sprintf("there is no deployment %q", name),
		Hint: `list them with "qmtui workers list"`}
}

// WarmWorker wakes a deployment and waits until it answers. It costs money.
func (e *Engine) WarmWorker(ctx context.Context, name string, by job.Caller) (job.Deployment, error) {
	return e.onWorker(name, by, "warm", func() (job.Deployment, error) { return e.fleet.Warm(ctx, name) })
}

// CheckWorker asks a deployment how it is, now.
func (e *Engine) CheckWorker(ctx context.Context, name string, by job.Caller) (job.Deployment, error) {
	return e.onWorker(name, by, "check", func() (job.Deployment, error) { return e.fleet.Refresh(ctx, name) })
}

// onWorker asks a deployment something. What it says then is newer than the
// board, which knows the rest.
func (e *Engine) onWorker(name string, by job.Caller, verb string, do func() (job.Deployment, error)) (job.Deployment, error) {
	if _, err := e.worker(name); err != nil {
		return job.Deployment{}, err
	}
	e.log.Info("worker "+verb, "deployment", name, "by", by.Name)
	said, err := do()
	if err != nil {
		return job.Deployment{}, err
	}
	d, err := e.worker(name)
	said.Active, said.InFlight, said.NoSlot, said.Silent, said.Released, said.Rules, said.Learned, said.Stopped, said.Delivers = d.Active, d.InFlight, d.NoSlot, d.Silent, d.Released, d.Rules, d.Learned, d.Stopped, d.Delivers
	return said, err
}

func (e *Engine) worker(name string) (job.Deployment, error) {
	for _, d := range e.Workers() {
		if d.Name == name {
			return d, nil
		}
	}
	return job.Deployment{}, noWorker(name)
}
