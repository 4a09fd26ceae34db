package api

import (
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// Filter picks jobs on the wire; all that is set must hold.
type Filter struct {
	IDs    []job.ID    `json:"ids,omitempty"`
	User   string      `json:"user_id,omitempty"`
	States []job.State `json:"state,omitempty"`
	// Status holds words of the first site's API: pending, running, ...
	Status []string  `json:"status,omitempty"`
	Since  time.Time `json:"since,omitzero"`  // submitted at or after
	Before time.Time `json:"before,omitzero"` // submitted before
	Match  string    `json:"q,omitempty"`     // text in id, user, name, deployment, error or node class
}

// ActionRequest is the body of POST /api/jobs/actions. Unlike elsewhere, keys
// that are not here are refused: a misspelt filter would pick every job.
type ActionRequest struct {
	Action job.Verb `json:"action"`
	IDs    []job.ID `json:"ids,omitempty"`
	Filter *Filter  `json:"filter,omitempty"`
	// All must be true to act on every job, with neither IDs nor a Filter.
	All      bool          `json:"all,omitempty"`
	Priority *job.Priority `json:"priority,omitempty"` // for the action "priority"
	DryRun   bool          `json:"dry_run,omitempty"`
}

// ActionReport says what an action did, or would do, job by job.
type ActionReport struct {
	Action  job.Verb       `json:"action"`
	DryRun  bool           `json:"dry_run"`
	Matched int            `json:"matched"`
	Done    int            `json:"done"`   // or would be done
	Failed  int            `json:"failed"` // or would fail
	Results []ActionResult `json:"results"`
}

// ActionResult is what became of one job.
type ActionResult struct {
	ID    job.ID `json:"id"`
	Job   Job    `json:"job"`
	Error *Error `json:"error"` // null when it was done
}
