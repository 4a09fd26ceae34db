package job

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Class says what sort of trouble an [Error] is, so that programs can choose
// a status or an exit code without knowing every code.
type Class string

// The classes. The zero value counts as Internal.
const (
	Invalid     Class = "invalid"     // the caller's input is wrong
	TooLarge    Class = "too_large"   // over a bound on size
	NotFound    Class = "not_found"   // no such thing
	Forbidden   Class = "forbidden"   // not for this caller
	Conflict    Class = "conflict"    // too late, or already so
	TooMany     Class = "too_many"    // over a cap; try again later
	Unavailable Class = "unavailable" // not now: draining, disk full, share away
	Internal    Class = "internal"    // our own fault
)

// Error is a trouble as a person sees it: a code for programs, a sentence and
// the next step. It is also kept on jobs, so its JSON form is stable.
type Error struct {
	Code    string `json:"code"`
	Class   Class  `json:"class,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// Node and NodeType name where a workflow broke; empty when unknown.
	Node     string `json:"node,omitempty"`
	NodeType string `json:"node_type,omitempty"`
	// Traceback is the worker's, line by line.
	Traceback []string `json:"traceback,omitempty"`
	// NodeErrors are ComfyUI's own, by node id, as raw JSON; nil when there are none.
	NodeErrors json.RawMessage `json:"node_errors,omitempty"`
	// Transient says that the same again may work later.
	Transient bool `json:"transient,omitempty"`
	// RetryAfter is in seconds; zero when nobody said.
	RetryAfter int `json:"retry_after,omitempty"`
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return fmt.Sprintf("%s: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("%s: %s; %s", e.Code, e.Message, e.Hint)
}

// Is makes errors.Is compare codes.
func (e *Error) Is(target error) bool {
	var t *Error
	return errors.As(target, &t) && t.Code == e.Code
}

// text is all there is of the error, for comparing.
func (e *Error) text() string { return fmt.Sprintf("%+v", *e) }

// AsError finds an *Error in err's chain, or wraps err as an internal one.
// It returns nil for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: "internal", Class: Internal, Message: err.Error(), Hint: "see the log of the manager"}
}

// What [Job.Apply] says of a fact that changes nothing.
var (
	// ErrStale: the fact tells nothing new; drop it.
	ErrStale = errors.New("the fact is stale")
	// ErrImpossible: the fact cannot be true of this job; keep it aside and log it.
	ErrImpossible = errors.New("the fact is impossible")
)

// ErrNoJob is what a look-up of an unknown job returns.
var ErrNoJob = &Error{Code: "job_not_found", Class: NotFound, Message: "there is no such job",
	Hint: `list the jobs with "qmtui jobs list"`}

// ErrNoOrphan and ErrNoBlob are what look-ups of unknown orphans and bodies return.
var (
	ErrNoOrphan = &Error{Code: "orphan_not_found", Class: NotFound, Message: "there is no such orphan",
		Hint: `list them with "qmtui outputs orphans"`}
	ErrNoBlob = &Error{Code: "blob_not_found", Class: NotFound, Message: "that body is not kept any more",
		Hint: "it goes with the last job that refers to it; see retention.jobs"}
)
