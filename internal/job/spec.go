package job

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// ID names a job: a canonical lower-case UUID.
type ID string

// Spec is what was asked for. It never changes.
type Spec struct {
	ID        ID        `json:"id"`
	User      string    `json:"user"`
	Name      string    `json:"name,omitempty"` // for people; may be empty
	Submitted time.Time `json:"submitted"`
	// Priority at submission; the job's own may be changed later.
	Priority Priority `json:"priority"`
	// Workflow and Extra are content hashes of the prompt in API format and of
	// the scrubbed extra_data; Extra is empty when there was none.
	Workflow string `json:"workflow"`
	Extra    string `json:"extra,omitempty"`
	// Metadata is the caller's own, kept and returned unread.
	Metadata json.RawMessage `json:"metadata,omitempty"`
	// Key is the caller's Idempotency-Key; empty when there was none.
	Key string `json:"key,omitempty"`
	// By is who submitted when that is not the user.
	By string `json:"by,omitempty"`
	// Deployment is the one that an admin wants it rendered on and on no other;
	// empty for whichever is active.
	Deployment string `json:"deployment,omitempty"`
	// Expect lists the nodes that will write to the share.
	Expect []Expected `json:"expect"`
	// Places are where nodes may write outside the folder of their own attempt:
	// beginnings of paths below share.outputs, in lower case; "" is anywhere. Nil
	// means that all nodes write into the attempt's own folder: see [Overlap].
	Places []string `json:"places,omitempty"`
	// Unsure says that a node may write of which nobody knows whether it does.
	Unsure bool `json:"unsure,omitempty"`
	// Strangers are such nodes that are output nodes, as far as anybody knows: the
	// classes by node id. Until a run has shown that the class names no file outside
	// its attempt's folder, they may write anywhere.
	Strangers map[string]string `json:"strangers,omitempty"`
	// Models are the model files that the prompt names, sorted: what a machine
	// that has just started must load.
	Models []string `json:"models,omitempty"`
	// Inputs are the user's files that the prompt loads and that are brought to the workers.
	Inputs []Input `json:"inputs,omitempty"`
}

// Expected is a node that will write files.
type Expected struct {
	Node   string `json:"node"`
	Class  string `json:"class"`
	Prefix string `json:"prefix,omitempty"` // the user's own; empty when it is computed in the graph
	Count  int    `json:"count,omitempty"`  // files it will write; zero when the graph does not tell
	// Custom says that the class is not ComfyUI's own, so that what is known of it
	// may not fit the installed version.
	Custom bool `json:"custom,omitempty"`
	// Outside says that its files do not stand in the attempt's own folder, so
	// only metadata, a history or exclusive time attribute them.
	Outside bool `json:"outside,omitempty"`
}

// Overlap reports whether files below places a and places b could be the same
// one: a place of one begins with a place of the other. Nil overlaps nothing.
func Overlap(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			if strings.HasPrefix(x, y) || strings.HasPrefix(y, x) {
				return true
			}
		}
	}
	return false
}

// Priority orders a user's own jobs, the lower the sooner. Instructor goes
// before everybody (field.md: the site's API).
type Priority int

// The priorities of the first site's API.
const (
	Instructor Priority = 0
	High       Priority = 1
	Normal     Priority = 2
	Low        Priority = 3
)

// Check reports a priority outside 0 to 3.
func (p Priority) Check() error {
	if p < Instructor || p > Low {
		return &Error{Code: "bad_priority", Class: Invalid, Message: fmt.Sprintf("priority %d does not exist", int(p)),
			Hint: "use 0 (instructor), 1 (high), 2 (normal) or 3 (low)"}
	}
	return nil
}

var userPattern = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,100}$`)

// CheckUser reports a name that is not a user's (field.md: the site's API).
// Since a user's name becomes a folder's, nothing else may pass.
func CheckUser(name string) error {
	if !userPattern.MatchString(name) {
		return &Error{Code: "bad_user", Class: Invalid, Message: fmt.Sprintf("%.40q is not a user name", name),
			Hint: "use 1 to 100 letters, digits, '_' or '-'"}
	}
	return nil
}
