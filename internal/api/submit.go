package api

import (
	"encoding/json"

	"github.com/comfyume/qmtui/internal/job"
)

// SubmitRequest is the body of POST /api/jobs. Keys that are not here are
// ignored, as the first site's API did.
type SubmitRequest struct {
	User     string          `json:"user_id"`
	Workflow json.RawMessage `json:"workflow"` // the prompt in API format
	// Priority is nil for normal.
	Priority *job.Priority   `json:"priority,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
	Extra    json.RawMessage `json:"extra_data,omitempty"`
	Name     string          `json:"name,omitempty"` // for people
	// Deployment is for admins: render it there and nowhere else, also when
	// another one is active. Empty for the active one.
	Deployment string `json:"deployment,omitempty"`
	// Key is the Idempotency-Key header: the same key again gives the same
	// job. Empty for none.
	Key string `json:"-"`
}

// PriorityRequest is the body of PATCH /api/jobs/{id}/priority.
type PriorityRequest struct {
	Priority *job.Priority `json:"priority"`
}
