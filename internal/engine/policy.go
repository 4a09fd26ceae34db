package engine

import (
	"cmp"
	"time"
)

// Policy is every number that decides something. The zero value of a field
// means the default written beside it.
type Policy struct {
	// MaxDepth bounds the jobs that have not ended; zero means 1000.
	MaxDepth int
	// MaxQueued and MaxRunning bound one user's waiting and in-flight jobs; zero means 50 and 2.
	MaxQueued, MaxRunning int
	// FIFO serves by age alone; otherwise the queue is fair by GPU-seconds.
	FIFO bool
	// AcceptTimeout bounds the wait for an answer to POST /prompt, cold start
	// and refusals that ask to come back later included; zero means 15m.
	AcceptTimeout time.Duration
	// DoubtTimeout bounds the wait for evidence of a prompt nobody answered for; zero means 5m.
	DoubtTimeout time.Duration
	// EvidenceTimeout bounds the wait for the first evidence of an accepted prompt; zero means 20m.
	EvidenceTimeout time.Duration
	// RunTimeout bounds a run, from its start or from the last byte that moved; zero means 30m.
	RunTimeout time.Duration
	// Settle is how long an attempt's folder must be quiet before its outputs
	// count as complete when nothing else says so; zero means 3s.
	Settle time.Duration
	// LateWindow is how long the folder of an ended attempt is looked into; zero means 15m.
	LateWindow time.Duration
	// Retries bounds automatic attempts after a loss; negative means none, zero means 2.
	Retries int
	// Partial says what becomes of an attempt that was broken off with some of its
	// files delivered: PartialRetry, the zero value's, or PartialAccept.
	Partial string
	// Copies and CopiesPerUser bound deliveries at one time; zero means 4 and 2.
	Copies, CopiesPerUser int
	// KeepInputs is how long inputs that were staged for the workers are kept after
	// their last use; zero means for ever.
	KeepInputs time.Duration
	// LowDisk is the free space in bytes below which the share counts as nearly full; zero means 5 GiB.
	LowDisk int64
	// Untagged says that prompts are sent without a prefix folder of their own.
	Untagged bool
	// SaveNodes are the node classes that the configuration describes: what runs
	// showed of them before that counts no more.
	SaveNodes []string
	// Admins may use the instructor priority.
	Admins []string
}

// The values of Policy.Partial.
const (
	PartialRetry  = "retry"  // it is tried again while retries are left
	PartialAccept = "accept" // the job is done, with a warning
)

// filled returns the policy with defaults in place of zero values.
func (p Policy) filled() Policy {
	p.MaxDepth = cmp.Or(p.MaxDepth, 1000)
	p.MaxQueued = cmp.Or(p.MaxQueued, 50)
	p.MaxRunning = cmp.Or(p.MaxRunning, 2)
	p.AcceptTimeout = cmp.Or(p.AcceptTimeout, 15*time.Minute)
	p.DoubtTimeout = cmp.Or(p.DoubtTimeout, 5*time.Minute)
	p.EvidenceTimeout = cmp.Or(p.EvidenceTimeout, 20*time.Minute)
	p.RunTimeout = cmp.Or(p.RunTimeout, 30*time.Minute)
	p.Settle = cmp.Or(p.Settle, 3*time.Second)
	p.LateWindow = cmp.Or(p.LateWindow, 15*time.Minute)
	p.Retries = max(0, cmp.Or(p.Retries, 2))
	p.LowDisk = cmp.Or(p.LowDisk, 5<<30)
	p.Copies = cmp.Or(p.Copies, 4)
	p.CopiesPerUser = cmp.Or(p.CopiesPerUser, 2)
	return p
}

// missingGrace is how long after the worker's success a file may still hide
// behind the share's caches (storage.md: directories 30 to 60 s) before the
// job goes on without it: a minute with the default Settle.
func (p Policy) missingGrace() time.Duration { return 20 * p.Settle }
