package job

import "time"

// Verdict is what became of one fact that was to be recorded.
type Verdict struct {
	Fact Fact
	Job  Job   // as it is after the fact; the zero Job when there is none
	Err  error // nil, ErrStale, or wraps ErrImpossible
}

// Watch is a snapshot with what follows after it, without a gap: Changes
// carries every change with a revision above Rev and only those.
type Watch struct {
	Rev  uint64
	Jobs []Job // newest first, as many as were asked for
	// Changes is closed after Stop, and when the reader fell behind: take a
	// new Watch then.
	Changes <-chan Change
	// Stop ends the watch. It may be called twice, from any goroutine.
	Stop func()
}

// Delivery is the latest copy of a file that stood outside the attempts' own
// folders. It is kept when its job is pruned, so that the file is known for as
// long as it stands on the share.
type Delivery struct {
	Job      ID        `json:"job"`
	Output   OutputID  `json:"output"`
	Size     int64     `json:"size"` // bytes
	Checksum string    `json:"checksum"`
	Modified time.Time `json:"modified,omitzero"` // the file's own time then; zero when unknown
	At       time.Time `json:"at"`                // when it was stored
	// Changed says that another job's file with other bytes was delivered from
	// there before.
	Changed bool `json:"changed,omitempty"`
}

// Folders are the totals of one user's delivered files.
type Folders struct {
	Outputs int
	Bytes   int64
	Newest  time.Time // when one was stored last
}
