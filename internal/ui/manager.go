package ui

import (
	"context"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// Manager is what the panel needs of the manager it is attached to. The client
// of the contract has all of it, see [Attach].
type Manager interface {
	Watch(ctx context.Context, limit int) (Stream, error)
	// FollowLog opens the manager's own log. An older manager does not have it.
	FollowLog(ctx context.Context) (LogStream, error)
	Target() string

	Jobs(ctx context.Context, q api.Query) (api.Page[api.Job], error)
	QueueStatus(ctx context.Context) (api.QueueStatus, error)
	SetMode(ctx context.Context, m job.Mode) (api.QueueStatus, error)
	LiftBudget(ctx context.Context) (api.QueueStatus, error)
	AcceptShare(ctx context.Context) (api.QueueStatus, error)
	Act(ctx context.Context, r api.ActionRequest) (api.ActionReport, error)
	Facts(ctx context.Context, id job.ID) ([]api.Fact, error)
	Workflow(ctx context.Context, id job.ID) (api.Submitted, error)

	Doctor(ctx context.Context) (api.DoctorStanding, error)
	RunDoctor(ctx context.Context, r api.DoctorRequest) (api.DoctorStanding, error)

	Users(ctx context.Context) ([]api.User, error)
	UserOutputs(ctx context.Context, user string, q api.OutputQuery) (api.Page[api.UserOutput], error)
	Preview(ctx context.Context, id job.OutputID, width int) ([]byte, error)
	Orphans(ctx context.Context, state string) ([]api.Orphan, error)
	AssignOrphan(ctx context.Context, id job.OutputID, user string) (api.Orphan, error)
	OrphanPreview(ctx context.Context, id job.OutputID, width int) ([]byte, error)
	UnassignOrphan(ctx context.Context, id job.OutputID) (api.Orphan, error)
	DiscardOrphan(ctx context.Context, id job.OutputID, reason string) (api.Orphan, error)

	Workers(ctx context.Context) ([]api.Worker, error)
	ActivateWorker(ctx context.Context, name string) (api.Worker, error)
	WarmWorker(ctx context.Context, name string) (api.Worker, error)
	CheckWorker(ctx context.Context, name string) (api.Worker, error)
}

// Stream is an open event stream; every error of Next is final.
type Stream interface {
	Next() (api.Event, error)
	Close() error
}

// LogStream is the manager's log as it is written; every error of Next is final.
type LogStream interface {
	Next() ([]api.LogLine, error)
	Close() error
}

// Attach makes a Manager of a client.
func Attach(c *api.Client) Manager { return remote{c} }

type remote struct{ *api.Client }

func (r remote) Watch(ctx context.Context, limit int) (Stream, error) { return r.Events(ctx, limit) }

func (r remote) FollowLog(ctx context.Context) (LogStream, error) { return r.Log(ctx, "") }
