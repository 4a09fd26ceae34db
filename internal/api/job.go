package api

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/comfyume/qmtui/internal/job"
)

// Job is a job as callers see it: the first site's fields, then ours. A field
// that is not known yet is null, never missing.
type Job struct {
	ID        job.ID       `json:"id"`
	User      string       `json:"user_id"`
	Status    string       `json:"status"` // pending, running, completed, failed or cancelled
	Priority  job.Priority `json:"priority"`
	Created   Time         `json:"created_at"`
	Started   Time         `json:"started_at"`
	Completed Time         `json:"completed_at"`
	Worker    *string      `json:"worker_id"` // the deployment; null while it waits
	Result    *Result      `json:"result"`    // null until it has ended with files
	Error     *string      `json:"error"`     // one sentence; null when nothing broke
	// Position is 0-based, null when the job does not wait.
	Position *int `json:"position_in_queue"`
	// Wait is in seconds until it starts, estimated; null when unknown.
	Wait     *float64        `json:"estimated_wait_time"`
	Metadata json.RawMessage `json:"metadata"` // the caller's own, unread; null for none

	Name        string        `json:"name"`
	State       job.State     `json:"state"`
	Phase       string        `json:"phase_text"` // a sentence for people
	ErrorDetail *Error        `json:"error_detail"`
	Deployment  string        `json:"deployment"`
	PromptID    string        `json:"prompt_id"` // of the current attempt
	Evidence    job.Evidence  `json:"evidence"`  // what the state rests on
	EvidenceAt  Time          `json:"evidence_at"`
	Attempts    []Attempt     `json:"attempts"`
	Outputs     []Output      `json:"outputs"`
	Expected    []Expected    `json:"expected_nodes"`
	Inputs      []Input       `json:"inputs"`
	Warnings    []job.Warning `json:"warnings"`
	Want        job.Want      `json:"want"`
	By          string        `json:"submitted_by"` // empty when it was the user
	// Asked is the deployment that an admin wants it on and on no other; empty for none.
	Asked   string `json:"asked_deployment"`
	Updated Time   `json:"updated_at"`
	// Closed says that the late window is over: nothing more will come.
	Closed bool   `json:"closed"`
	Rev    uint64 `json:"rev"`
}

// Delivered lists the files of all attempts that stand in the user's folder, without
// those that were put aside.
func (j Job) Delivered() []Output {
	return slices.DeleteFunc(slices.Clone(j.Outputs), func(o Output) bool { return o.State != job.OutputStored || o.Aside })
}

// Result is what the site's pages show when a job has ended.
type Result struct {
	Images []ResultFile `json:"images"`
}

// ResultFile names a file as ComfyUI's own /view does.
type ResultFile struct {
	Filename  string `json:"filename"`
	Subfolder string `json:"subfolder"`
	Type      string `json:"type"`
}

// Attempt is one try at a job.
type Attempt struct {
	N          int          `json:"n"` // from 1
	State      job.State    `json:"state"`
	PromptID   string       `json:"prompt_id"`
	Deployment string       `json:"deployment"`
	Assigned   Time         `json:"assigned_at"`
	Accepted   Time         `json:"accepted_at"`
	Started    Time         `json:"started_at"`
	Ended      Time         `json:"ended_at"`
	NotBefore  Time         `json:"not_before"` // a retry waits until then
	Automatic  bool         `json:"automatic"`  // the loop asked for it, not a person
	Evidence   job.Evidence `json:"evidence"`
	EvidenceAt Time         `json:"evidence_at"`
	Error      *Error       `json:"error"`
	// Dropped lists nodes that the server said will never write.
	Dropped []string `json:"dropped"`
	// Plain lists node classes whose inputs were sent as the user wrote them.
	Plain []string `json:"plain"`
	// Places are where it may write outside its own folder: beginnings of paths
	// below the share's output folder, in lower case; "" is anywhere. None when all
	// its nodes write into its own folder.
	Places []string `json:"places"`
	// Files are the first of the files on the share that a history named, FileCount
	// how many those are. Only GET /api/jobs/{id} has the list.
	Files     []string `json:"files,omitempty"`
	FileCount int      `json:"file_count"`
}

// Outside says in words where an attempt may write outside its own folder; empty
// for nowhere.
func (a Attempt) Outside() string {
	if slices.Contains(a.Places, "") {
		return "anywhere on the share"
	}
	return strings.Join(a.Places, ", ")
}

// Expected is a node that will write files.
type Expected struct {
	Node   string `json:"node"`
	Class  string `json:"class"`
	Prefix string `json:"prefix"` // the user's own; empty when the graph computes it
	Count  int    `json:"count"`  // files; 0 when the graph does not tell
	// Outside says that its files do not stand in the attempt's own folder.
	Outside bool `json:"outside"`
}

// Input is a user's file that the workflow loads and that is brought to the workers.
type Input struct {
	Node     string `json:"node"`
	Class    string `json:"class"`
	Input    string `json:"input"`    // of the node; with a dot and a key where that is an object
	Name     string `json:"name"`     // as the workflow has it
	Size     int64  `json:"size"`     // bytes
	Checksum string `json:"checksum"` // "sha256:hex"
}

// Output is one file of a job.
type Output struct {
	ID        job.OutputID    `json:"id"`
	Node      string          `json:"node"`
	Filename  string          `json:"filename"`
	Subfolder string          `json:"subfolder"` // as the user's page asks /view for it
	Type      string          `json:"type"`      // always "output"
	State     job.OutputState `json:"state"`
	Size      int64           `json:"size"`     // bytes
	Checksum  string          `json:"checksum"` // "algorithm:hex"; empty before the copy
	Evidence  job.Evidence    `json:"evidence"`
	SeenAt    Time            `json:"seen_at"`
	WholeAt   Time            `json:"whole_at"`
	StoredAt  Time            `json:"stored_at"`
	Attempt   int             `json:"attempt"`
	Path      string          `json:"path"`   // below the user's folder; empty until it is named
	Source    job.Path        `json:"source"` // on the share
	Aside     bool            `json:"aside"`  // a file of a job that nobody wanted any more
	// Medium is the key under which ComfyUI's executed message lists such a file: images,
	// audio, 3d, files, result, ...; Animated says that it is told with animated: [true].
	Medium   string `json:"medium"`
	Animated bool   `json:"animated"`
	// Text is what SaveText wrote, cut off when it is long; left out for other files.
	Text string `json:"text,omitempty"`
}
