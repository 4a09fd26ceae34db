// Package engine is the loop: it looks at what is known (View), decides purely
// what follows (Plan), records that, and then acts. It knows disks and
// servers only by the ports declared here.
package engine

import (
	"context"
	"io"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// Ledger is the durable memory. Every method may be called from any
// goroutine; Record is called by the loop alone. What the conformance suite in
// ledgertest asks of it is part of this contract.
type Ledger interface {
	// Record folds facts into their jobs, appends them to the log and updates
	// the indexes in one transaction, then publishes the changes under the
	// same lock. A verdict comes back for each fact, in order: stale facts are
	// dropped, impossible ones kept in a rejects bucket; neither aborts the
	// batch. An error means that nothing was recorded.
	Record(facts ...job.Fact) ([]job.Verdict, error)
	// Job, ByPrompt and ByKey return job.ErrNoJob for what they do not know.
	Job(id job.ID) (job.Job, error)
	ByPrompt(promptID string) (job.Job, error)
	ByKey(user, key string) (job.Job, error)
	// Pruned reports whether a prompt id belonged to a job that retention has removed.
	Pruned(promptID string) (bool, error)
	// ByOutput finds the job that an output belongs to.
	ByOutput(id job.OutputID) (job.Job, error)
	// Open lists all jobs that are not closed, oldest first.
	Open() ([]job.Job, error)
	Jobs(q job.Query) (job.Page, error)
	Counts() (job.Counts, error)
	// UserCounts counts each user's jobs by state; Totals their delivered files.
	UserCounts() (map[string]job.Counts, error)
	Totals() (map[string]job.Folders, error)
	Facts(id job.ID) ([]job.Fact, error)
	// Blob returns a body by its hash, uncompressed.
	Blob(hash string) ([]byte, error)
	// Watch takes a snapshot of the newest limit jobs (all open ones included)
	// and subscribes, under the lock that Record publishes under.
	Watch(limit int) (job.Watch, error)
	// Delivered finds the latest delivery of a file outside the attempts' own
	// folders; false when none was.
	Delivered(p job.Path) (job.Delivery, bool, error)
	// Orphans lists those in state; all of them when state is empty, newest first.
	Orphans(state string) ([]job.Orphan, error)
	Orphan(id job.OutputID) (job.Orphan, error)
	PutOrphan(o job.Orphan) error
	// Setting reads what SetSetting kept under key into v (JSON); false when there is nothing.
	Setting(key string, v any) (bool, error)
	SetSetting(key string, v any) error
	// Born is when the ledger was created: files older than it are not orphans.
	Born() time.Time
}

// Share is the shared folder and the users' folders.
type Share interface {
	// Run looks until ctx ends and reports what it finds; report may block for
	// a short while. A hung mount blocks neither Run's return nor Copy of files
	// on another mount for ever.
	Run(ctx context.Context, report func(job.Sighting)) error
	// Watch replaces the set of folders to look into. Folders outside the set
	// are found by the slow sweep.
	Watch(folders []job.Folder)
	// Nudge asks for a look soon, for example when an answer came.
	Nudge(promptID string)
	// Choose picks free places below the user's folder for files of one user, as
	// ComfyUI would have named them there; the answer is in the order of batch.
	// Files of one node that share a stem and a number keep one number, and the
	// numbers rise with node and number. A file whose Dest is set keeps it. Places
	// in taken are not free although nothing stands there yet.
	Choose(ctx context.Context, batch []job.Transfer, taken []string) ([]string, error)
	// Copy makes the file durable at t.Dest, never overwriting. The error is a
	// *job.Error: dest_taken (choose again), not_whole (look again),
	// source_vanished, disk_full, not_writable, ... Transient ones heal.
	Copy(ctx context.Context, t job.Transfer) (job.Receipt, error)
	// Sum reads a file of the share and returns its size in bytes and its checksum,
	// as Copy computes it.
	Sum(ctx context.Context, p job.Path) (size int64, checksum string, err error)
	// Discard removes a file from the share; refused when the share is read-only.
	Discard(ctx context.Context, p job.Path) error
	// TakeBack removes what Copy made at t.Dest with that checksum, and nothing
	// else: not_taken_back when it has changed or is the last copy. A file that
	// is gone is no error.
	TakeBack(ctx context.Context, t job.Transfer, checksum string) error
	// OpenSource reads a file on the share; the caller closes it.
	OpenSource(p job.Path) (File, error)
	// Open reads a delivered file; the caller closes it.
	Open(user, dest string) (File, error)
	Status() job.ShareStatus
	// Accept takes what is mounted now for the share, after its file system was changed on purpose.
	Accept(ctx context.Context) error
}

// Inputs brings the files that prompts load to the workers.
type Inputs interface {
	// Take finds a user's files and says which bytes are meant: Sum and Size of
	// the answer, which leaves out what need not be brought. The error is a
	// *job.Error: of class Invalid with node errors when a file cannot be had.
	Take(ctx context.Context, user string, files []job.Input) ([]job.Input, error)
	// Stage makes those bytes stand where the workers find them, also when that
	// was done before. The error is a *job.Error; transient ones heal.
	Stage(ctx context.Context, user string, in job.Input) error
	// Tidy removes what was staged, was not used since before and is not among
	// the live ones, by user. It returns how many files it removed.
	Tidy(ctx context.Context, before time.Time, live map[string][]job.Input) (int, error)
}

// File is a file open for reading.
type File = interface {
	io.ReadSeekCloser
	io.ReaderAt
}

// Fleet is the deployments.
type Fleet interface {
	// Check reads a prompt as that deployment would, before anything is
	// recorded; empty means the one that was last used. It takes a few seconds
	// at most. The error is a *job.Error with class Invalid or TooLarge.
	Check(deployment string, workflow, extra []byte) (job.Checked, error)
	// Submit sends one POST and says what came of it: a fact of kind
	// Acknowledged, Refused (Error.Transient: try later) or Unanswered. It
	// never sends twice.
	Submit(ctx context.Context, s job.Submission) job.Fact
	// Follow replaces the set of attempts to ask about.
	Follow(flights []job.Flight)
	// Run asks, keeps warm and measures until ctx ends, and reports facts.
	Run(ctx context.Context, report func(job.Fact)) error
	// Interrupt takes a prompt out of the queue or stops it, by its id only. A
	// balancer may send it anywhere, so nil does not say that it worked.
	Interrupt(ctx context.Context, f job.Flight) error
	// Ran tells how long a run took, from its start to its end, for the
	// estimates of that deployment.
	Ran(deployment string, d time.Duration)
	// ColdStart is how long a cold start takes at that time of day for a prompt
	// with these models, as learned; the zero Range when nothing is known.
	ColdStart(deployment string, models []string, at time.Time) job.Range
	// Hold replaces the set of deployments of which one replica is to be kept;
	// others are given back. Until the first call nothing is changed.
	Hold(names []string)
	// Spending is what a deployment cost on each of the last days, oldest first.
	Spending(deployment string) []job.Spent
	// Deployments lists them in configured order; Active and InFlight are the
	// engine's to fill in.
	Deployments() []job.Deployment
	// Nodes is what the workers of that deployment last listed of their nodes. When
	// nothing is known of it, or it is empty, it is that of the one that was
	// submitted to last, or else the newest of all. It asks nobody.
	Nodes(deployment string) job.NodeList
	// Warm wakes a deployment, which costs money; Refresh asks it now. Both wait for the answer.
	Warm(ctx context.Context, name string) (job.Deployment, error)
	Refresh(ctx context.Context, name string) (job.Deployment, error)
}
