package job

import "strings"

// Personal counts the records of the ledger that name a user.
type Personal struct {
	Jobs    int   `json:"jobs"`    // the user's own, with their prompts and events
	Outputs int   `json:"outputs"` // delivered files of these jobs
	Bytes   int64 `json:"bytes"`   // of those files
	// OtherJobs are jobs of others that the user submitted or acted on.
	OtherJobs int `json:"other_jobs"`
	Audit     int `json:"audit"`
	Orphans   int `json:"orphans"`
	Rejects   int `json:"rejects"` // events that were judged impossible
}

// Forgotten is what was, or with DryRun would be, removed or made anonymous of
// a user, and what stays.
type Forgotten struct {
	DryRun bool `json:"dry_run"`
	// Pseudonym stands in the place of the name in what stays; empty for a dry run.
	Pseudonym string `json:"pseudonym"`
	Personal
	StagedInputs int         `json:"staged_inputs"` // files in the workers' input folder
	Tokens       int         `json:"tokens"`
	Untouched    []Untouched `json:"untouched"`
}

// Untouched is a place that may still hold something of a forgotten user.
type Untouched struct {
	What string `json:"what"`
	Path string `json:"path,omitempty"` // empty when the manager does not know it
	Next string `json:"next"`           // what a person can do about it
}

// IsUser reports whether a caller of that name is the user: one by SSH may be
// called "user@computer".
func IsUser(name, user string) bool { return name == user || strings.HasPrefix(name, user+"@") }
