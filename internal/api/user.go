package api

import "github.com/comfyume/qmtui/internal/job"

// User is one user at a glance.
type User = job.UserStatus

// Worker is a deployment with its state, the evidence for it and its age.
type Worker = job.Deployment

// AuditEntry is one deed of a person or of a rule.
type AuditEntry = job.AuditEntry

// SpendDay is what one day cost, by deployment and user, as an estimate.
type SpendDay = job.SpendDay

// Orphan is a file on the share that nothing attributes to a job.
type Orphan = job.Orphan

// UserOutput is an output with the job it belongs to.
type UserOutput struct {
	Output
	Job     job.ID `json:"job_id"`
	JobName string `json:"job_name"`
	User    string `json:"user_id"`
	Created Time   `json:"created_at"` // of the job
}

// AssignRequest is the body of POST /api/orphans/{id}/assign.
type AssignRequest struct {
	User string `json:"user_id"`
}

// DiscardRequest is the body of POST /api/orphans/{id}/discard.
type DiscardRequest struct {
	Reason string `json:"reason"`
}
