package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/comfyume/qmtui/internal/job"
)

// CanaryUser is whose jobs doctor's canaries are: a name that needs no line in a
// password file.
const CanaryUser = job.CanaryUser

// Verdict is how a check of doctor came out.
type Verdict string

// The verdicts.
const (
	VerdictOK   Verdict = "ok"
	VerdictWarn Verdict = "warn" // it works, and will not at some time
	VerdictFail Verdict = "fail" // something that people wait for cannot work
	VerdictSkip Verdict = "skip" // nothing was looked at, and Reason says why
)

var gravity = map[Verdict]int{VerdictFail: 3, VerdictWarn: 2, VerdictOK: 1}

// Finding is what one check of doctor says.
type Finding struct {
	Name    string  `json:"name"`              // of the check, see docs/doctor.md
	Subject string  `json:"subject,omitempty"` // what it was about, such as a deployment; empty when there is one only
	Verdict Verdict `json:"verdict"`
	Code    string  `json:"code"`           // which of the check's verdicts
	Reason  string  `json:"reason"`         // one sentence, without a full stop
	Next    string  `json:"next,omitempty"` // the next step; empty when there is none
}

// Title is the name with the subject.
func (f Finding) Title() string {
	if f.Subject == "" {
		return f.Name
	}
	return f.Name + " " + f.Subject
}

// DoctorReport is one look at everything.
type DoctorReport struct {
	Verdict Verdict         `json:"verdict"` // the gravest; skip when there was nothing else
	At      Time            `json:"at"`      // of the end
	Took    float64         `json:"took_seconds"`
	Version string          `json:"version"` // of the program that looked
	Counts  map[Verdict]int `json:"counts"`  // all four verdicts
	Checks  []Finding       `json:"checks"`  // in the order of docs/doctor.md
}

// NewDoctorReport sums findings up.
func NewDoctorReport(checks []Finding) DoctorReport {
	r := DoctorReport{Verdict: VerdictSkip, Checks: checks, Counts: map[Verdict]int{VerdictOK: 0, VerdictWarn: 0, VerdictFail: 0, VerdictSkip: 0}}
	for _, c := range checks {
		r.Counts[c.Verdict]++
		if gravity[c.Verdict] > gravity[r.Verdict] {
			r.Verdict = c.Verdict
		}
	}
	return r
}

// Gravest lists the findings with the gravest first, otherwise as they stand.
func (r DoctorReport) Gravest() []Finding {
	return slices.SortedStableFunc(slices.Values(r.Checks), func(a, b Finding) int {
		return cmp.Compare(gravity[b.Verdict], gravity[a.Verdict])
	})
}

// DoctorStanding is what the manager's own doctor has found, and does.
type DoctorStanding struct {
	Report  *DoctorReport `json:"report,omitempty"`  // the last; nil when there was none since the manager started
	Running *DoctorRun    `json:"running,omitempty"` // nil when it looks at nothing now
}

// DoctorRun is a look that is under way.
type DoctorRun struct {
	Since  Time   `json:"since"`
	Done   int    `json:"done"` // of Total parts
	Total  int    `json:"total"`
	Canary bool   `json:"canary,omitempty"` // it sends a canary at the end
	Doing  string `json:"doing,omitempty"`  // for people; may be empty
}

// DoctorRequest is the body of POST /api/doctor.
type DoctorRequest struct {
	// Canary sends a small prompt through the whole as well, which wakes
	// deployments and costs money. Without it nothing that may sleep is asked.
	Canary bool `json:"canary,omitempty"`
	// Deployments get a canary each, one after the other; none means the active one.
	Deployments []string `json:"deployments,omitempty"`
}

// Doctor gets what the manager's own doctor found last. Admins may.
func (c *Client) Doctor(ctx context.Context) (d DoctorStanding, err error) {
	_, _, err = c.do(ctx, call{verb: "get doctor's report", method: http.MethodGet, path: PathDoctor}, &d)
	return d, err
}

// RunDoctor lets the manager look at everything anew. It does not wait for the
// end: ask with [Client.Doctor]. A look that is under way already is joined.
func (c *Client) RunDoctor(ctx context.Context, r DoctorRequest) (d DoctorStanding, err error) {
	_, _, err = c.do(ctx, call{verb: "run doctor", method: http.MethodPost, path: PathDoctor, body: r}, &d)
	return d, err
}
