package doctor

import (
	"strings"
	"testing"
)

// ruled is what a judge said of one observation, and what it had to say.
type ruled struct {
	situation string
	got       Result
	want      string // the code
}

// tables are all tables of judges.
func tables() [][]ruled {
	return [][]ruled{mountedCases(), aliveCases(), typeCases(), cacheCases(), writableCases(), spaceCases(shareSpace), spaceCases(usersSpace), spaceCases(stateSpace),
		clockCases(), viewCases(), sameCases(), usersCases(), inputsCases(), stateCases(), socketCases(), warningsCases(), processCases(), webCases(), loginCases(), sshCases(),
		settingsCases(), workerCases(), tofuCases(), tofuReadCases(), canaryCases()}
}

// TestJudges runs every table, and asks that each thing that a check can say
// is said somewhere in it, in one sentence and with its next step.
func TestJudges(t *testing.T) {
	said := map[string]bool{}
	for _, table := range tables() {
		for _, r := range table {
			if r.got.Code != r.want {
				t.Errorf("%s, %s: %s (%s), want %s", r.got.Name, r.situation, r.got.Code, r.got.Reason, r.want)
			}
			if why := badSentence(r.got.Reason); why != "" {
				t.Errorf("%s, %s: %q %s", r.got.Name, r.situation, r.got.Reason, why)
			}
			if bad := r.got.Verdict == Warn || r.got.Verdict == Fail; bad && r.got.Next == "" {
				t.Errorf("%s, %s: no next step", r.got.Name, r.situation)
			}
			said[r.got.Name+" "+r.got.Code] = true
		}
	}
	for _, c := range Checks() {
		for _, r := range c.Rulings {
			if !said[c.Name+" "+r.Code] {
				t.Errorf("%s never says %s", c.Name, r.Code)
			}
		}
	}
}

// badSentence says why a reason is not one sentence; empty when it is.
func badSentence(s string) string {
	switch {
	case s == "":
		return "is empty"
	case strings.HasSuffix(s, "."):
		return "ends with a full stop"
	case strings.Contains(s, "%!"):
		return "has a broken verb"
	case strings.Contains(s, "\n"):
		return "has more than one line"
	}
	return ""
}
