package api

import (
	"strconv"
	"strings"

	"github.com/comfyume/qmtui/internal/job"
)

// User is one user at a glance.
type User = job.UserStatus

// Worker is a deployment with its state, the evidence for it and its age.
type Worker = job.Deployment

// AuditEntry is one deed of a person or of a rule.
type AuditEntry = job.AuditEntry

// SpendDay is what one day cost, by deployment and user, as an estimate.
type SpendDay = job.SpendDay

// LearnedText says in one sentence what a run showed of a node class.
func LearnedText(l job.Learned) string {
	if l.Plain || l.Outside {
		return l.Class + " saves outside the folder of its job: its jobs run one after the other"
	}
	return l.Class + " was seen to save no file outside the folder of its job"
}

// SilentText says in one sentence that attempts of a deployment give no sign;
// empty when none is silent.
func SilentText(d job.Deployment) string {
	switch {
	case d.Silent == 0:
		return ""
	case d.Silent == 1 && d.Released == 1:
		return "1 attempt in flight gives no sign; its slot is used for another job"
	case d.Silent == 1:
		return "1 attempt in flight gives no sign and occupies its slot"
	}
	s := strconv.Itoa(d.Silent) + " attempts in flight give no sign; "
	switch d.Released {
	case 0:
		return s + "they occupy their slots"
	case d.Silent:
		return s + "their slots are used for other jobs"
	}
	return s + strconv.Itoa(d.Released) + " of their slots used for other jobs, the rest occupied"
}

// Orphan is a file on the share that nothing attributes to a job.
type Orphan struct {
	job.Orphan
	// Candidates are the jobs of which each may have written it.
	Candidates []Candidate `json:"candidates"`
}

// Candidate is a job that may have written an orphan.
type Candidate struct {
	Job  job.ID `json:"job_id"`
	User string `json:"user_id"` // empty when nobody knows
}

// MayBeOf names the candidates in words, with ids as short makes them: "may be of
// job 01a2 (user001) or 01a3 (user002)". Empty without candidates.
func (o Orphan) MayBeOf(short func(job.ID) string) string {
	const most = 4
	var names []string
	for _, c := range o.Candidates[:min(len(o.Candidates), most)] {
		name := short(c.Job)
		if c.User != "" {
			name += " (" + c.User + ")"
		}
		names = append(names, name)
	}
	switch n := len(o.Candidates); {
	case n == 0:
		return ""
	case n > most:
		return "may be of job " + strings.Join(names, ", ") + " or " + strconv.Itoa(n-most) + " more"
	case n == 1:
		return "may be of job " + names[0]
	default:
		return "may be of job " + strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
}

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

// ForgetRequest is the body of POST /api/users/forget. The name is not in the
// path: logs of proxies keep that.
type ForgetRequest struct {
	User   string `json:"user_id"`
	DryRun bool   `json:"dry_run,omitempty"`
}

// Forgotten is what was, or would be, removed or made anonymous of a user.
type Forgotten = job.Forgotten
