package api

import "github.com/comfyume/qmtui/internal/job"

// EventKind names an event of GET /api/events.
type EventKind string

// The events, in the order in which a stream brings them.
const (
	EventHello     EventKind = "hello"     // once, first
	EventSnapshot  EventKind = "snapshot"  // in parts; the last says so
	EventChange    EventKind = "change"    // numbered by the ledger's revision
	EventStandings EventKind = "standings" // what time alone changed on waiting and running jobs
	EventHeartbeat EventKind = "heartbeat" // every 10 s
)

// Hello opens a stream.
type Hello struct {
	Version  string `json:"version"`
	Protocol int    `json:"protocol"`
	Rev      uint64 `json:"rev"`
	// ReadOnly says that this connection may look and not act.
	ReadOnly bool `json:"read_only,omitempty"`
}

// Snapshot is (a part of) the jobs as they are at Rev, newest first.
type Snapshot struct {
	Rev  uint64 `json:"rev"`
	Jobs []Job  `json:"jobs"`
	Last bool   `json:"last"` // no further part follows
}

// Change is a job as it is at that revision. Changes of one job within a tenth
// of a second are told once.
type Change struct {
	Rev uint64 `json:"rev"`
	Job Job    `json:"job"`
}

// Standing is what time alone changed on a job; it carries no revision.
type Standing struct {
	ID       job.ID   `json:"id"`
	Phase    string   `json:"phase_text"`
	Position *int     `json:"position_in_queue"`
	Wait     *float64 `json:"estimated_wait_time"`
}

// Standings is the body of a standings event: only jobs where it differs from
// what was told last.
type Standings struct {
	Jobs []Standing `json:"jobs"`
}

// Heartbeat says that the stream lives, and how far it has told.
type Heartbeat struct {
	Rev uint64 `json:"rev"`
	At  Time   `json:"at"`
}

// Event is one event as [Stream.Next] returns it; the field of its kind is set.
type Event struct {
	Kind      EventKind
	Hello     *Hello
	Snapshot  *Snapshot // whole: the parts are joined
	Change    *Change
	Standings *Standings
	Heartbeat *Heartbeat
}
