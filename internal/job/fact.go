package job

import "time"

// Fact is one thing that happened to one job, with the evidence for it. Only
// the fields its Kind names are set. Facts are never changed once recorded.
type Fact struct {
	Job      ID        `json:"job"`
	Kind     Kind      `json:"kind"`
	Attempt  int       `json:"attempt,omitempty"` // from 1; zero for facts about the whole job
	At       time.Time `json:"at"`
	Evidence Evidence  `json:"evidence,omitempty"`
	Actor    string    `json:"actor,omitempty"` // the person behind it; empty for none

	Spec       *Spec     `json:"spec,omitempty"`       // Created
	Want       Want      `json:"want,omitempty"`       // Wanted
	Priority   *Priority `json:"priority,omitempty"`   // Prioritised
	PromptID   string    `json:"prompt_id,omitempty"`  // Assigned
	Deployment string    `json:"deployment,omitempty"` // Assigned
	NotBefore  time.Time `json:"not_before,omitzero"`  // Renewed: earliest time to submit
	Automatic  bool      `json:"automatic,omitempty"`  // Renewed: by the loop, not by a person
	Plain      []string  `json:"plain,omitempty"`      // Assigned: as in Attempt
	Places     []string  `json:"places,omitempty"`     // Assigned: as in Attempt
	Dropped    []string  `json:"dropped,omitempty"`    // Acknowledged: nodes that will never write
	Error      *Error    `json:"error,omitempty"`      // Refused, Unanswered, Broke, Expired
	// Files are the paths on the share that a history names; Finished, Broke.
	Files []Path `json:"files,omitempty"`
	// Outside are the ids of the nodes of which a history names files outside the
	// attempt's own folder; Finished, Broke.
	Outside []string `json:"outside,omitempty"`
	// Reused are those of Files outside the attempt's own folder that a cached
	// node reports: an earlier prompt wrote them; Finished, Broke.
	Reused  []Path   `json:"reused,omitempty"`
	Output  *Output  `json:"output,omitempty"`  // the output kinds
	Warning *Warning `json:"warning,omitempty"` // Noted
	Blobs   []Blob   `json:"-"`                 // Created: the bodies behind Spec's hashes
}

// InUTC is the fact with its times as they come back from a ledger: in UTC,
// to the nanosecond. Nothing of f is changed.
func (f Fact) InUTC() Fact {
	f.At, f.NotBefore = utc(f.At), utc(f.NotBefore)
	if f.Spec != nil {
		s := *f.Spec
		s.Submitted = utc(s.Submitted)
		f.Spec = &s
	}
	if f.Output != nil {
		o := *f.Output
		o.Modified = utc(o.Modified)
		f.Output = &o
	}
	if f.Warning != nil {
		w := *f.Warning
		w.At = utc(w.At)
		f.Warning = &w
	}
	return f
}

func utc(t time.Time) time.Time { return t.Round(0).UTC() }

// Blob is a body that is stored once, by its hash.
type Blob struct {
	Hash string
	Data []byte
}

// Warning is something people should know of a job that is not its end.
type Warning struct {
	Code    string    `json:"code"`
	Message string    `json:"message"`
	Hint    string    `json:"hint,omitempty"`
	At      time.Time `json:"at"`
}
