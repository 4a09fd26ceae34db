package job

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Request is what a caller asks for: a job to be.
type Request struct {
	User     string
	Name     string
	Workflow json.RawMessage // the prompt in API format
	Extra    json.RawMessage // extra_data; nil for none
	Metadata json.RawMessage // the caller's own; nil for none
	Priority Priority
	Key      string // Idempotency-Key; empty for none
	// Deployment is for admins: render it there and nowhere else; empty for the active one.
	Deployment string
	Caller     Caller
}

// Caller is who speaks, as the server made out.
type Caller struct {
	Name  string `json:"name"`
	Admin bool   `json:"admin"`
	Via   string `json:"via"` // socket, loopback, proxy, ...
	// Proof is what the name rests on when the way does not say it, such as a
	// key's fingerprint; empty for nothing more.
	Proof string `json:"proof,omitempty"`
}

// Checked is a prompt that passed, with what follows from reading it.
type Checked struct {
	Workflow  []byte // canonical bytes to store
	Extra     []byte // scrubbed; nil for none
	Expect    []Expected
	Places    []string          // as in Spec
	Unsure    bool              // as in Spec
	Strangers map[string]string // as in Spec
	Models    []string          // as in Spec
	Inputs    []Input           // files to be found and brought to the workers
	Warnings  []Warning
}

// Filter picks jobs. Empty fields pick all; all that are set must hold.
type Filter struct {
	IDs    []ID      `json:"ids,omitempty"`
	User   string    `json:"user,omitempty"`
	States []State   `json:"states,omitempty"`
	Since  time.Time `json:"since,omitzero"`  // submitted at or after
	Before time.Time `json:"before,omitzero"` // submitted before
	Match  string    `json:"match,omitempty"` // text in id, user, name, deployment, error or node class, any case
}

// Empty reports a filter that picks everything.
func (f Filter) Empty() bool {
	return len(f.IDs) == 0 && f.User == "" && len(f.States) == 0 && f.Since.IsZero() && f.Before.IsZero() && f.Match == ""
}

// Matches reports whether the filter picks the job.
func (f Filter) Matches(j Job) bool {
	switch {
	case len(f.IDs) > 0 && !slices.Contains(f.IDs, j.ID),
		f.User != "" && j.User != f.User,
		len(f.States) > 0 && !slices.Contains(f.States, j.State()),
		!f.Since.IsZero() && j.Submitted.Before(f.Since),
		!f.Before.IsZero() && !j.Submitted.Before(f.Before):
		return false
	}
	return f.Match == "" || strings.Contains(strings.ToLower(j.SearchText()), strings.ToLower(f.Match))
}

// SearchText is what [Filter.Match] is looked for in, a line each.
func (j Job) SearchText() string {
	parts := []string{string(j.ID), j.User, j.Name, j.Current().Deployment, j.Current().PromptID}
	if e := j.Current().Error; e != nil {
		parts = append(parts, e.Code, e.Message, e.Node, e.NodeType)
	}
	for _, x := range j.Expect {
		parts = append(parts, x.Node, x.Class, x.Prefix)
	}
	return strings.Join(parts, "\n")
}

// Order is how a list of jobs is sorted.
type Order string

// The orders. The zero value counts as NewestFirst.
const (
	NewestFirst Order = "-submitted"
	OldestFirst Order = "submitted"
)

// Query asks for a page of jobs.
type Query struct {
	Filter Filter
	Sort   Order
	Limit  int    // zero means 100; at most 1000
	Cursor string // from the page before; empty for the first
}

// Page is a part of a list; Total counts all that match, Next is empty on the last.
type Page struct {
	Jobs  []Job
	Total int
	Next  string
}

// Verb is what can be done to jobs.
type Verb string

// The verbs of POST /api/jobs/actions.
const (
	DoCancel   Verb = "cancel"
	DoRetry    Verb = "retry"
	DoPriority Verb = "priority"
)

// Action asks for something to be done to the jobs a filter picks.
type Action struct {
	Verb   Verb
	Filter Filter
	// All must be set to mean every job by an empty filter.
	All      bool
	Priority Priority // for DoPriority
	DryRun   bool
	Caller   Caller
}

// ActionResult is what an action did, or would do, to one job.
type ActionResult struct {
	Job   Job
	Error *Error // nil when it was done
}

// Change is one step of the ledger: the job as it is at that revision.
type Change struct {
	Rev uint64 `json:"rev"`
	Job Job    `json:"job"`
}

// Mode is what the queue does with new and waiting jobs. It survives a restart.
type Mode string

// The modes. The zero value counts as ModeRunning.
const (
	ModeRunning  Mode = "running"
	ModePaused   Mode = "paused"   // takes jobs, submits none
	ModeDraining Mode = "draining" // takes no jobs, finishes the ones there are
)

// Counts counts jobs by state.
type Counts map[State]int

// QueueStatus is the queue at a glance.
type QueueStatus struct {
	Mode       Mode   `json:"mode"`
	Scheduling string `json:"scheduling"` // fair or fifo
	Counts     Counts `json:"counts"`
	Depth      int    `json:"depth"` // jobs that have not ended
	MaxDepth   int    `json:"max_depth"`
	InFlight   int    `json:"in_flight"`
	NoSlot     int    `json:"no_slot"`   // those in flight that occupy no slot: see [Deployment.NoSlot]
	Elsewhere  int    `json:"elsewhere"` // those in flight that occupy slots of other deployments than the active one
	Capacity   int    `json:"capacity"`  // slots of the active deployment
	Active     string `json:"active"`    // the active deployment; empty for none
	Orphans    int    `json:"orphans"`
	// Exclusive counts the waiting jobs that wait for another, because both write
	// to the same place; Copies the files that were ignored, since the start, as
	// copies of delivered ones.
	Exclusive int         `json:"exclusive_waiting"`
	Copies    int         `json:"copies_ignored"`
	Wait      float64     `json:"wait"` // seconds a job submitted now would wait, estimated; -1 when unknown
	Started   time.Time   `json:"started"`
	At        time.Time   `json:"at"` // when the engine last said so, at least every second while it lives; zero before its first turn
	Share     ShareStatus `json:"share"`
	Ledger    *Error      `json:"ledger,omitempty"` // why the ledger takes nothing now; nil when it does
	Warnings  []Warning   `json:"warnings,omitempty"`
	// Stopped is why nothing is sent to the active deployment; nil while jobs are sent.
	Stopped *Stopped `json:"stopped,omitempty"`
}

// Occupied counts the slots of the active deployment that are in use.
func (s QueueStatus) Occupied() int { return s.InFlight - s.NoSlot - s.Elsewhere }

// UserStatus is one user at a glance.
type UserStatus struct {
	User       string    `json:"user"`
	Queued     int       `json:"queued"`
	Running    int       `json:"running"`
	Done       int       `json:"done"`
	Failed     int       `json:"failed"`
	GPUSeconds float64   `json:"gpu_seconds"` // measured, today (UTC)
	SpendToday float64   `json:"spend_today"` // their share of today's bill, estimated; see UserSpend
	Charge     float64   `json:"charge"`      // what the fair queue counts against them
	Outputs    int       `json:"outputs"`
	Bytes      int64     `json:"bytes"`
	Newest     time.Time `json:"newest_output_at,omitzero"` // when a file was stored last
	MaxQueued  int       `json:"max_queued"`
	MaxRunning int       `json:"max_running"`
	// Limits are the limits that the user is held up by now, or was refused for
	// within the last minute; the server knows them.
	Limits []string `json:"limits_reached,omitempty"`
}

// Standing is where a waiting job stands.
type Standing struct {
	Position int     // 0-based; -1 when it does not wait
	Wait     float64 // seconds until it starts, estimated; -1 when unknown
	Phase    string  // a sentence for people
}
