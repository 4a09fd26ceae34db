package doctor

import (
	"fmt"

	"github.com/comfyume/qmtui/internal/api"
)

// Verdict is how a check came out.
type Verdict = api.Verdict

// The verdicts. A doctor that has seen a fail ends with exit code 1.
const (
	OK   = api.VerdictOK
	Warn = api.VerdictWarn
	Fail = api.VerdictFail
	Skip = api.VerdictSkip
)

// Result is what one check says.
type Result api.Finding

// Ruling is one thing that a check can say.
type Ruling struct {
	Code    string
	Verdict Verdict
	When    string // what was seen, for the documentation
	Next    string // the next step; empty when there is none
}

// Check describes one check. It is data: who gathers for it, and who judges,
// is in the file that declares it.
type Check struct {
	Name    string
	Looks   string // what it looks at
	Cases   []int  // of docs/field-cases.md
	Rulings []Ruling
}

// say is the result with that code. A code that the check does not list is a
// mistake in this package.
func (c *Check) say(code, format string, args ...any) Result {
	for _, r := range c.Rulings {
		if r.Code == code {
			return Result{Name: c.Name, Verdict: r.Verdict, Code: code, Reason: fmt.Sprintf(format, args...), Next: r.Next}
		}
	}
	panic("doctor: " + c.Name + " has no ruling " + code)
}

// next replaces the next step by one that names what is meant.
func (r Result) next(format string, args ...any) Result {
	r.Next = fmt.Sprintf(format, args...)
	return r
}

// about names the subject.
func (r Result) about(subject string) Result {
	r.Subject = subject
	return r
}

// Report sums results up.
func Report(all []Result) api.DoctorReport {
	out := make([]api.Finding, 0, len(all))
	for _, r := range all {
		out = append(out, api.Finding(r))
	}
	return api.NewDoctorReport(out)
}
