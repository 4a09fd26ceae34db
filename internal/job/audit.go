package job

import "time"

// AuditEntry is one deed of a person, or of a rule that a person made: who did
// what to what, and what came of it.
type AuditEntry struct {
	At     time.Time `json:"at"`
	Actor  string    `json:"actor"`         // the caller's name
	Via    string    `json:"via,omitempty"` // as in [Caller]
	Proof  string    `json:"proof,omitempty"`
	Verb   string    `json:"verb"`   // cancel, assign, warm, ...
	Target string    `json:"target"` // job id, orphan id, deployment; empty for the whole queue
	Result string    `json:"result"` // "ok" or the error's code
}
