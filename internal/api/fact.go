package api

import (
	"fmt"
	"strings"

	"github.com/comfyume/qmtui/internal/job"
)

// Fact is one thing that happened to a job, with its evidence.
type Fact struct {
	At         Time          `json:"at"`
	Kind       job.Kind      `json:"kind"`
	Attempt    int           `json:"attempt"` // 0 for facts about the whole job
	Evidence   job.Evidence  `json:"evidence"`
	Actor      string        `json:"actor"` // the person behind it; empty for none
	Text       string        `json:"text"`  // a sentence for people
	PromptID   string        `json:"prompt_id,omitempty"`
	Deployment string        `json:"deployment,omitempty"`
	Want       job.Want      `json:"want,omitempty"`
	Priority   *job.Priority `json:"priority,omitempty"`
	NotBefore  *Time         `json:"not_before,omitempty"`
	Automatic  bool          `json:"automatic,omitempty"`
	Dropped    []string      `json:"dropped,omitempty"`
	Error      *Error        `json:"error,omitempty"`
	Output     *FactOutput   `json:"output,omitempty"`
	Warning    *job.Warning  `json:"warning,omitempty"`
}

// FactOutput is the file that a fact speaks of, as far as it says.
type FactOutput struct {
	ID       job.OutputID `json:"id"`
	Node     string       `json:"node"`
	Source   job.Path     `json:"source"`             // on the share
	Path     string       `json:"path,omitempty"`     // below the user's folder
	Size     int64        `json:"size"`               // bytes
	Checksum string       `json:"checksum,omitempty"` // "algorithm:hex"
	Aside    bool         `json:"aside,omitempty"`
}

// FromFact is f as callers see it.
func FromFact(f job.Fact) Fact {
	out := Fact{At: Time{f.At}, Kind: f.Kind, Attempt: f.Attempt, Evidence: f.Evidence, Actor: f.Actor, Text: Tell(f),
		PromptID: f.PromptID, Deployment: f.Deployment, Want: f.Want, Priority: f.Priority, Automatic: f.Automatic,
		Dropped: f.Dropped, Error: FromError(f.Error), Warning: f.Warning}
	if !f.NotBefore.IsZero() {
		out.NotBefore = &Time{f.NotBefore}
	}
	if o := f.Output; o != nil {
		out.Output = &FactOutput{ID: o.ID, Node: o.Node, Source: o.Source, Path: o.Dest, Size: o.Size, Checksum: o.Checksum, Aside: o.Aside}
	}
	return out
}

var tales = map[job.Kind]string{
	job.Created: "submitted", job.Renewed: "another attempt begins", job.Closed: "nobody looks for late files any more",
	job.Acknowledged: "the deployment accepted the prompt", job.Unanswered: "sent, and nobody knows whether it arrived",
	job.Refused: "the deployment refused the prompt", job.Started: "a worker began", job.Finished: "a worker ended well",
	job.Broke: "a worker reported an error", job.Completed: "every file that will come is delivered",
	job.Expired: "the deadline passed without evidence", job.Withdrawn: "cancelled",
	job.Seen: "stands on the share", job.Whole: "is whole",
	job.Abandoned: "will not be delivered",
}

// Tell puts a fact into one sentence.
func Tell(f job.Fact) string {
	switch {
	case f.Kind == job.Wanted && f.Want == job.WantCancel:
		return "somebody wants it cancelled"
	case f.Kind == job.Wanted:
		return "somebody wants it run"
	case f.Kind == job.Prioritised && f.Priority != nil:
		return fmt.Sprintf("priority is now %d", int(*f.Priority))
	case f.Kind == job.Assigned && len(f.Plain) > 0:
		return "goes to " + f.Deployment + ", with the inputs of " + strings.Join(f.Plain, ", ") + " as they were written"
	case f.Kind == job.Assigned:
		return "goes to " + f.Deployment
	case f.Warning != nil:
		return f.Warning.Message
	case f.Output != nil && f.Kind == job.Named:
		return f.Output.Source.String() + " goes to " + job.Path(f.Output.Dest).String()
	case f.Output != nil && f.Kind == job.Stored:
		return job.Path(f.Output.Dest).String() + " is delivered"
	case f.Output != nil && f.Kind == job.Rewritten:
		return job.Path(f.Output.Dest).String() + " is delivered anew: its source was written again"
	case f.Output != nil:
		return f.Output.Source.String() + " " + tales[f.Kind]
	case f.Error != nil && f.Kind == job.Refused && f.Evidence == job.ByManager:
		return "nothing was sent: " + f.Error.Message
	case f.Error != nil:
		return tales[f.Kind] + ": " + f.Error.Message
	}
	return tales[f.Kind]
}
