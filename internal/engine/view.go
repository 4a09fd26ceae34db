package engine

import (
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// View is all that Plan may know, as values. Equal views give equal plans.
type View struct {
	Now    time.Time
	Policy Policy
	// Sighted is since when the share can be seen without a break; zero while it cannot.
	Sighted time.Time
	// Looked is when the share last answered a look; zero for never.
	Looked time.Time
	// Leapt is when the clock was last set by more than a little; zero for never.
	Leapt time.Time
	Mode  job.Mode
	// Jobs are those that are not closed, oldest first.
	Jobs []*job.Job
	// Slots are the deployments that may take work, each once.
	Slots []Slot
	// Hold is why nothing may be submitted now; nil when it may.
	Hold *job.Error
	// Differ says of deployments how their replicas differ, so that files of some never come.
	Differ map[string]string
	// Charges are the GPU-seconds that count against each user.
	Charges map[string]float64
	// Estimate is how long a run takes, for charging what is in flight; zero means unknown.
	Estimate time.Duration
	// Deployments are all there are, by name.
	Deployments map[string]Deployment
	// Usual is how long a run of a kind of job takes, of those in flight: of ten,
	// one takes longer. Zero when unknown.
	Usual map[string]time.Duration
	// Learned is what runs showed of node classes, by deployment and class.
	Learned map[string]map[string]job.Learned
	// Traces is what the loop remembers of the folders of open attempts, by prompt id.
	Traces map[string]Trace
	// Undecided are files on the share whose owner evidence may still decide, with
	// the jobs that may have written each.
	Undecided map[job.Path][]job.ID
	// Copying are outputs that are being copied, or copied again in a newer version.
	Copying map[job.OutputID]bool
	// Fates are what became of files that histories named and that did not become
	// their jobs', of jobs that have no others.
	Fates map[job.ID]Fate
	// Disputed are files that jobs may have written and that an admin decides about.
	Disputed map[job.Path]Dispute
	// Unstaged are the waiting jobs whose inputs do not stand ready for the workers yet.
	Unstaged map[job.ID]bool
	// Posting holds the prompt ids whose POST is under way in this process.
	Posting map[string]bool
}

// Slot is a deployment with room for work.
type Slot struct {
	Deployment string
	Free       int
	// ByName says that it is not the active one: it takes only jobs that name it.
	ByName bool
	// CanaryOnly says that nothing else is sent there.
	CanaryOnly bool
}

// takes reports whether a job may go there.
func (s Slot) takes(j *job.Job) bool {
	return (j.Spec.Deployment == s.Deployment || j.Spec.Deployment == "" && !s.ByName) && (!s.CanaryOnly || j.User == job.CanaryUser)
}

// Dispute is a file on the share that an admin decides about.
type Dispute struct {
	// Since is when it was last shown to be one. For a late window from then on, no
	// job is sent that writes to its path, or that may write anywhere and has a node
	// of one of these classes; for [unrelatedHold], none that may write anywhere.
	Since time.Time
	// Classes are those of the jobs that may have written it which are not ComfyUI's
	// own, sorted.
	Classes []string
}

// Trace is what is known of an attempt's folder beyond the ledger.
type Trace struct {
	// Moved is when something there last changed; zero for never in this process.
	Moved time.Time
	// Settling holds outputs of a format that does not tell its end, and that were
	// quiet, with their size in bytes at the last look: what is known of an output
	// is the largest that it was.
	Settling map[job.OutputID]int64
	// Starts holds its start markers; a second one says that two replicas have run it.
	Starts map[job.OutputID]bool
	// Blocked is what of it cannot be looked at, and why; empty for nothing.
	Blocked string
}
