package job

import (
	"slices"
	"time"
)

// Job is a job as far as it is known. It is a value: Apply returns a new one
// and shares nothing that is ever written again, so readers need no lock.
type Job struct {
	Spec
	// Rev is the ledger's revision at which the job last changed; zero before it is recorded.
	Rev      uint64    `json:"rev"`
	Priority Priority  `json:"now_priority"`
	Want     Want      `json:"want,omitempty"`
	Closed   bool      `json:"closed,omitempty"`
	Attempts []Attempt `json:"attempts"` // never empty
	Outputs  []Output  `json:"outputs,omitempty"`
	Warnings []Warning `json:"warnings,omitempty"`
	Updated  time.Time `json:"updated"`
}

// Current is the attempt that counts: the last.
func (j Job) Current() Attempt {
	if len(j.Attempts) == 0 {
		return Attempt{}
	}
	return j.Attempts[len(j.Attempts)-1]
}

// State is the current attempt's.
func (j Job) State() State { return j.Current().State }

// StartedAt is when a worker began the current attempt; zero when unknown.
func (j Job) StartedAt() time.Time { return j.Current().When(Started, Seen, Whole, Stored, Finished) }

// EndedAt is when the job came to its end; zero before that.
func (j Job) EndedAt() time.Time { return j.Current().EndedAt() }

// Failure is why the job failed or was lost; nil otherwise.
func (j Job) Failure() *Error {
	if s := j.State(); s == Failed || s == Lost {
		return j.Current().Error
	}
	return nil
}

// Attempt is the attempt with number n (from 1).
func (j Job) Attempt(n int) (Attempt, bool) {
	if n < 1 || n > len(j.Attempts) {
		return Attempt{}, false
	}
	return j.Attempts[n-1], true
}

// ByPrompt is the attempt with that prompt id.
func (j Job) ByPrompt(promptID string) (Attempt, bool) {
	i := slices.IndexFunc(j.Attempts, func(a Attempt) bool { return a.PromptID == promptID && promptID != "" })
	if i < 0 {
		return Attempt{}, false
	}
	return j.Attempts[i], true
}

// ClassOf is the class of a node that was to write; empty for another.
func (j Job) ClassOf(node string) string {
	for _, x := range j.Expect {
		if x.Node == node {
			return x.Class
		}
	}
	return ""
}

// Output is the output with that id.
func (j Job) Output(id OutputID) (Output, bool) {
	i := slices.IndexFunc(j.Outputs, func(o Output) bool { return o.ID == id })
	if i < 0 {
		return Output{}, false
	}
	return j.Outputs[i], true
}

// OutputsOf lists the outputs of attempt n.
func (j Job) OutputsOf(n int) []Output {
	return slices.DeleteFunc(slices.Clone(j.Outputs), func(o Output) bool { return o.Attempt != n })
}

// Delivered lists the files of all attempts that stand in the user's folder, without
// those that were put aside because nobody wanted the job any more.
func (j Job) Delivered() []Output {
	return slices.DeleteFunc(slices.Clone(j.Outputs), func(o Output) bool { return o.State != OutputStored || o.Aside })
}

// Unsettled lists outputs of all attempts that are still to be copied or given up.
func (j Job) Unsettled() []Output {
	return slices.DeleteFunc(slices.Clone(j.Outputs), func(o Output) bool { return o.State.Settled() })
}
