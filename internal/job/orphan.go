package job

import "time"

// Orphan is a file on the share that nothing attributes to a job. It is shown,
// never guessed: an admin assigns or discards it.
type Orphan struct {
	ID   OutputID `json:"id"`
	Path Path     `json:"path"` // relative to share.outputs
	Size int64    `json:"size"` // bytes
	// Modified is the file's own time when it was seen last; zero when unknown.
	Modified time.Time `json:"modified,omitzero"`
	SeenAt   time.Time `json:"seen_at"`
	// Suggest lists users whose jobs ran at that time, likeliest first. A time
	// window attributes nothing (storage.md), so it stays a suggestion.
	Suggest []string `json:"suggest,omitempty"`
	// Candidates are the jobs of which each may have written it; empty for none.
	Candidates []ID `json:"candidates,omitempty"`
	// Job is the one whose file it turned out to be; empty for none.
	Job   ID     `json:"job,omitempty"`
	State string `json:"state"` // open, assigned or discarded
	User  string `json:"user,omitempty"`
	Dest  string `json:"dest,omitempty"`
	// Checksum of the delivered bytes, empty before that.
	Checksum string `json:"checksum,omitempty"`
	By       string `json:"by,omitempty"`
	Reason   string `json:"reason,omitempty"` // why nothing attributes it, or why it was discarded
}

// The states of an orphan.
const (
	OrphanOpen      = "open"
	OrphanAssigned  = "assigned"
	OrphanDiscarded = "discarded"
)
