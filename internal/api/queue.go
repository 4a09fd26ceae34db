package api

import (
	"strconv"

	"github.com/comfyume/qmtui/internal/job"
)

// QueueStatus is the queue at a glance: the first site's fields, then ours.
type QueueStatus struct {
	Mode      job.Mode `json:"mode"` // running, paused or draining
	Pending   int      `json:"pending_jobs"`
	Running   int      `json:"running_jobs"`
	Completed int      `json:"completed_jobs"`
	Failed    int      `json:"failed_jobs"`
	Cancelled int      `json:"cancelled_jobs"`
	Depth     int      `json:"queue_depth"` // jobs that have not ended

	Scheduling string          `json:"scheduling"` // fair or fifo
	Counts     map[string]int  `json:"counts"`     // by state, all states
	MaxDepth   int             `json:"max_depth"`
	InFlight   int             `json:"in_flight"`
	NoSlot     int             `json:"no_slot"`             // those in flight that occupy no slot, since they gave no sign for longer than usual
	Elsewhere  int             `json:"elsewhere"`           // those in flight that occupy slots of other deployments than the active one
	Capacity   int             `json:"capacity"`            // slots of the active deployment
	Active     string          `json:"active"`              // the active deployment; empty for none
	Wait       *float64        `json:"estimated_wait_time"` // seconds for a job submitted now; null when unknown
	Orphans    int             `json:"orphans"`
	Exclusive  int             `json:"exclusive_waiting"` // waiting jobs that wait for another, because both write to the same place
	Copies     int             `json:"copies_ignored"`    // files ignored as copies of delivered ones, since the start
	Started    Time            `json:"started_at"`        // of the manager
	Share      job.ShareStatus `json:"share"`
	Warnings   []job.Warning   `json:"warnings"`
	Stopped    *job.Stopped    `json:"stopped,omitempty"` // why nothing is sent to the active deployment
}

// Occupied counts the slots of the active deployment that are in use.
func (s QueueStatus) Occupied() int { return s.InFlight - s.NoSlot - s.Elsewhere }

// BesideSlots says what is in flight without a slot, and on other deployments:
// ", 2 silent, 1 elsewhere"; empty for nothing.
func BesideSlots(noSlot, elsewhere int) string {
	s := ""
	if noSlot > 0 {
		s += ", " + strconv.Itoa(noSlot) + " silent"
	}
	if elsewhere > 0 {
		s += ", " + strconv.Itoa(elsewhere) + " elsewhere"
	}
	return s
}

// FromStatus is s as callers see it.
func FromStatus(s job.QueueStatus) QueueStatus {
	out := QueueStatus{
		Mode: s.Mode, Depth: s.Depth, Scheduling: s.Scheduling, Counts: map[string]int{}, MaxDepth: s.MaxDepth,
		InFlight: s.InFlight, NoSlot: s.NoSlot, Elsewhere: s.Elsewhere, Capacity: s.Capacity, Active: s.Active, Orphans: s.Orphans, Exclusive: s.Exclusive, Copies: s.Copies, Started: Time{s.Started},
		Share: s.Share, Stopped: s.Stopped, Warnings: each(s.Warnings, func(w job.Warning) job.Warning { return w }),
	}
	if out.Mode == "" {
		out.Mode = job.ModeRunning
	}
	if s.Wait >= 0 {
		out.Wait = &s.Wait
	}
	byStatus := map[string]*int{"pending": &out.Pending, "running": &out.Running, "completed": &out.Completed,
		"failed": &out.Failed, "cancelled": &out.Cancelled}
	for _, st := range job.States() {
		out.Counts[st.String()] = s.Counts[st]
		*byStatus[st.Status()] += s.Counts[st]
	}
	return out
}

// Health is the answer of /health, with the first site's fields.
type Health struct {
	Status    string `json:"status"` // healthy or degraded
	Version   string `json:"version"`
	Inference string `json:"inference_mode"` // the active deployment's driver
	ActiveGPU string `json:"active_gpu"`     // the active deployment; empty for none
	// Endpoint is the active deployment's address; empty for callers who are not known.
	Endpoint string   `json:"serverless_endpoint"`
	Depth    int      `json:"queue_depth"`
	Uptime   float64  `json:"uptime_seconds"`
	Mode     job.Mode `json:"mode"`
	Pending  int      `json:"pending_jobs"`
	Running  int      `json:"running_jobs"`
	Reasons  []Reason `json:"reasons"` // why it is degraded
}

// Readiness is the answer of /readyz; with 503 when it is not ready.
type Readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []Reason `json:"reasons"`
}

// Reason is one thing that stands in the way.
type Reason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}
