package server

import (
	"context"
	"io"

	"github.com/comfyume/qmtui/internal/job"
)

// Service is what the server needs of the engine. All methods may be called
// from any goroutine; errors that a caller sees are *job.Error.
type Service interface {
	// Submit records a job durably before it returns. repeated says that the
	// idempotency key was known and the earlier job is returned.
	Submit(ctx context.Context, r job.Request) (j job.Job, repeated bool, err error)
	Job(id job.ID) (job.Job, error)
	Jobs(q job.Query) (job.Page, error)
	// Standing says where the job stands now, in numbers and in a sentence.
	Standing(j job.Job) job.Standing
	Facts(id job.ID) ([]job.Fact, error)
	// Workflow returns the prompt as submitted and its extra_data (nil for none).
	Workflow(id job.ID) (workflow, extra []byte, err error)
	Act(ctx context.Context, a job.Action) ([]job.ActionResult, error)

	Status() job.QueueStatus
	SetMode(ctx context.Context, m job.Mode, by job.Caller) error
	// AcceptShare takes the file system that is mounted now for the share.
	AcceptShare(ctx context.Context, by job.Caller) error
	Users() ([]job.UserStatus, error)

	// Output finds a delivered file and its job; Open reads its bytes.
	Output(id job.OutputID) (job.Job, job.Output, error)
	Open(j job.Job, o job.Output) (File, error)
	Orphans(state string) ([]job.Orphan, error)
	AssignOrphan(ctx context.Context, id job.OutputID, user string, by job.Caller) (job.Orphan, error)
	// UnassignOrphan undoes an assignment; OrphanFile reads an open orphan.
	UnassignOrphan(ctx context.Context, id job.OutputID, by job.Caller) (job.Orphan, error)
	OrphanFile(id job.OutputID) (File, error)
	DiscardOrphan(ctx context.Context, id job.OutputID, reason string, by job.Caller) (job.Orphan, error)

	// Spend is what the last days cost, today first, as an estimate. LiftBudget
	// lets spending go on beyond the budgets until midnight; a *job.Error of
	// class Conflict when none is reached.
	Spend(days int) []job.SpendDay
	LiftBudget(ctx context.Context, by job.Caller) error

	Workers() []job.Deployment
	ActivateWorker(ctx context.Context, name string, by job.Caller) (job.Deployment, error)
	WarmWorker(ctx context.Context, name string, by job.Caller) (job.Deployment, error)
	CheckWorker(ctx context.Context, name string, by job.Caller) (job.Deployment, error)

	// ByKey finds a user's job by its idempotency key; job.ErrNoJob when there is none.
	ByKey(user, key string) (job.Job, error)
	// Delivered opens the file at dest below the user's folder.
	Delivered(user, dest string) (File, error)
	// Remembered reads what Remember kept durably under key into v (JSON);
	// false when there is nothing.
	Remembered(key string, v any) (bool, error)
	Remember(key string, v any) error
	// Nodes is what the workers of the active deployment last listed of their
	// nodes, or those of another when nothing is known of it. It asks nobody.
	Nodes() job.NodeList

	// Watch takes a snapshot of the newest limit jobs and subscribes.
	Watch(limit int) (job.Watch, error)
}

// File is a file open for reading; the caller closes it.
type File = interface {
	io.ReadSeekCloser
	io.ReaderAt
}
