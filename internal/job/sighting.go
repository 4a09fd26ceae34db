package job

import "time"

// Mark is what a look at the share found out about a file.
type Mark string

// The marks of a sighting.
const (
	MarkStarted  Mark = "started"  // the start marker: execution has begun, nothing to deliver
	MarkSeen     Mark = "seen"     // a file stands there, perhaps half
	MarkGrew     Mark = "grew"     // its size changed since the last look (latest-only, never recorded)
	MarkSettling Mark = "settling" // its format does not tell when it is whole, and it was quiet for two looks
	MarkWhole    Mark = "whole"    // its format says that the last byte is there
	MarkVanished Mark = "vanished" // it was there and is not any more
	MarkHostile  Mark = "hostile"  // a link, pipe, device or the like: never opened, never delivered
	MarkBlocked  Mark = "blocked"  // what stands there may not be read, or is beyond a bound; it may be of value
)

// Sighting is one file as a look at the share found it. It says where and
// what, not whose: the engine decides that.
type Sighting struct {
	// PromptID and Node come from the path below qm/; both empty for a file outside it.
	PromptID string
	Node     string
	Path     Path // relative to share.outputs
	Size     int64
	Mark     Mark
	At       time.Time
	// Modified is the file's own time, by the share's clock; zero when unknown.
	// It attributes nothing: it only tells old files from new ones.
	Modified time.Time
	// Claim is the qm key of the embedded metadata, for files outside their folder; nil for none.
	Claim *Claim
	// Reason explains a hostile file or a blocked look in words, after the path.
	Reason string
	// More counts hostile files or blocked places below Path beside those that
	// were reported one by one; zero for a report of one.
	More int
}

// Claim is what the embedded metadata of a file says of its origin.
type Claim struct {
	Job      ID     `json:"job"`
	PromptID string `json:"prompt_id"`
	Attempt  int    `json:"attempt"`
	Node     string `json:"node,omitempty"`
}

// Folder is an attempt's folder that the share shall look into.
type Folder struct {
	PromptID string
	// Live folders are looked into often; others (late windows) slowly.
	Live bool
	// Paths are files outside the folder that belong to the attempt as far as a
	// history says: they are looked at as often, also when they are not there yet.
	Paths []Path
}

// Transfer is one durable copy from the share to a user's folder.
type Transfer struct {
	Output   OutputID
	PromptID string
	Source   Path
	User     string
	// Aside sends it to the sub-folder for files of cancelled jobs.
	Aside bool
	// Dest is the place below the user's folder, chosen and recorded before the copy.
	Dest string
	// Replaces is the checksum of the delivered version at Dest that this newer one
	// is to replace; empty for a first delivery.
	Replaces string
	// Version is the time of the source, as a sighting has it, that was attributed
	// to the user; another version may be another user's, and is taken for one that
	// has vanished. Zero for any.
	Version time.Time
	// Settled says that the attempt has ended and been quiet, so a format
	// that does not tell when it is whole counts as whole now.
	Settled bool
}

// Receipt is what a durable copy amounted to.
type Receipt struct {
	Dest     string
	Size     int64  // bytes
	Checksum string // "algorithm:hex" of the bytes copied
	// Text is what they say, for a node that shows it in the page; empty for others.
	Text string
	// Modified is the source's own time when they were read; zero when unknown.
	Modified time.Time
	// Repeated says that the same bytes already stood there: an earlier try
	// had finished without living to say so.
	Repeated bool
}

// ShareStatus is how the shared folder is doing.
type ShareStatus struct {
	Path     string    `json:"path"`
	Mounted  bool      `json:"mounted"`
	ReadOnly bool      `json:"read_only"`
	Stalled  bool      `json:"stalled"` // a look has been hanging for long
	FSType   string    `json:"fs_type"`
	Watch    string    `json:"watch"`              // poll or notify
	Free     int64     `json:"free"`               // bytes
	LookedAt time.Time `json:"looked_at,omitzero"` // when the last look began that it answered
	Error    *Error    `json:"error,omitempty"`
}
