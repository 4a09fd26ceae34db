package doctor

import "fmt"

// Verdict is how a check came out.
type Verdict string

// The verdicts. A doctor that has seen a fail ends with exit code 1.
const (
	OK   Verdict = "ok"
	Warn Verdict = "warn" // it works, and will not at some time
	Fail Verdict = "fail" // something that people wait for cannot work
	Skip Verdict = "skip" // nothing was looked at, and Reason says why
)

// Result is what one check says.
type Result struct {
	Name    string  `json:"name"`              // of the check
	Subject string  `json:"subject,omitempty"` // what it was about, such as a deployment; empty when there is one only
	Verdict Verdict `json:"verdict"`
	Code    string  `json:"code"`           // which of the check's rulings
	Reason  string  `json:"reason"`         // one sentence, without a full stop
	Next    string  `json:"next,omitempty"` // the next step; empty when there is none
}

// Title is the name with the subject.
func (r Result) Title() string {
	if r.Subject == "" {
		return r.Name
	}
	return r.Name + " " + r.Subject
}

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

// Worst is the gravest verdict: fail, warn, ok, and skip when there was nothing else.
func Worst(all []Result) Verdict {
	worst, rank := Skip, map[Verdict]int{Skip: 0, OK: 1, Warn: 2, Fail: 3}
	for _, r := range all {
		if rank[r.Verdict] > rank[worst] {
			worst = r.Verdict
		}
	}
	return worst
}
