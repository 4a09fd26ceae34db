package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/server"
)

// audited keeps what people do to the queue: who, by which way, what, to what,
// and what came of it. Failed deeds are kept too; what only looks is not.
type audited struct {
	server.Service
	keep func(job.AuditEntry) error
	log  *slog.Logger
}

// note keeps a deed. That it could not be kept does not undo it.
func (a audited) note(by job.Caller, verb, target string, err error) {
	e := job.AuditEntry{At: time.Now(), Actor: by.Name, Via: by.Via, Proof: by.Proof, Verb: verb, Target: target, Result: "ok"}
	if err != nil {
		e.Result = job.AsError(err).Code
	}
	if err := a.keep(e); err != nil {
		a.log.Error("keep an audit entry", "error", err, "actor", e.Actor, "verb", e.Verb, "target", e.Target, "result", e.Result)
	}
}

// maxAudited bounds the entries of one action; the rest are one entry.
const maxAudited = 100

// Act keeps one entry a job.
func (a audited) Act(ctx context.Context, x job.Action) ([]job.ActionResult, error) {
	results, err := a.Service.Act(ctx, x)
	if x.DryRun {
		return results, err
	}
	if err != nil && len(results) == 0 {
		a.note(x.Caller, string(x.Verb), "", err)
	}
	for i, r := range results {
		if i == maxAudited {
			a.note(x.Caller, string(x.Verb)+" of many", "", err)
			break
		}
		failed := err
		if r.Error != nil {
			failed = r.Error
		}
		a.note(x.Caller, string(x.Verb), string(r.Job.ID), failed)
	}
	return results, err
}

// SetMode keeps a pause, a drain or a resume.
func (a audited) SetMode(ctx context.Context, m job.Mode, by job.Caller) error {
	err := a.Service.SetMode(ctx, m, by)
	a.note(by, "mode "+string(m), "", err)
	return err
}

// AcceptShare keeps that another file system was taken for the share.
func (a audited) AcceptShare(ctx context.Context, by job.Caller) error {
	err := a.Service.AcceptShare(ctx, by)
	a.note(by, "accept share", "", err)
	return err
}

// LiftBudget keeps who let spending go on.
func (a audited) LiftBudget(ctx context.Context, by job.Caller) error {
	err := a.Service.LiftBudget(ctx, by)
	a.note(by, "lift the budget", "", err)
	return err
}

// AssignOrphan keeps to whom a file was given.
func (a audited) AssignOrphan(ctx context.Context, id job.OutputID, user string, by job.Caller) (job.Orphan, error) {
	o, err := a.Service.AssignOrphan(ctx, id, user, by)
	a.note(by, "assign to "+user, string(id), err)
	return o, err
}

// UnassignOrphan keeps that an assignment was undone.
func (a audited) UnassignOrphan(ctx context.Context, id job.OutputID, by job.Caller) (job.Orphan, error) {
	o, err := a.Service.UnassignOrphan(ctx, id, by)
	a.note(by, "unassign", string(id), err)
	return o, err
}

// DiscardOrphan keeps what was discarded.
func (a audited) DiscardOrphan(ctx context.Context, id job.OutputID, reason string, by job.Caller) (job.Orphan, error) {
	o, err := a.Service.DiscardOrphan(ctx, id, reason, by)
	a.note(by, "discard", string(id), err)
	return o, err
}

// ActivateWorker keeps which deployment was chosen.
func (a audited) ActivateWorker(ctx context.Context, name string, by job.Caller) (job.Deployment, error) {
	d, err := a.Service.ActivateWorker(ctx, name, by)
	a.note(by, "activate", name, err)
	return d, err
}

// WarmWorker keeps who woke a deployment.
func (a audited) WarmWorker(ctx context.Context, name string, by job.Caller) (job.Deployment, error) {
	d, err := a.Service.WarmWorker(ctx, name, by)
	a.note(by, "warm", name, err)
	return d, err
}

// CheckWorker keeps who asked a deployment, since that may wake it.
func (a audited) CheckWorker(ctx context.Context, name string, by job.Caller) (job.Deployment, error) {
	d, err := a.Service.CheckWorker(ctx, name, by)
	a.note(by, "check", name, err)
	return d, err
}
