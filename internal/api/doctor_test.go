package api

import (
	"strings"
	"testing"
)

func TestDoctorReport(t *testing.T) {
	for want, all := range map[Verdict][]Finding{
		VerdictSkip: {{Verdict: VerdictSkip}}, VerdictOK: {{Verdict: VerdictSkip}, {Verdict: VerdictOK}},
		VerdictWarn: {{Verdict: VerdictWarn}, {Verdict: VerdictOK}}, VerdictFail: {{Verdict: VerdictFail}, {Verdict: VerdictWarn}},
	} {
		if r := NewDoctorReport(all); r.Verdict != want || r.Counts[all[0].Verdict] != 1 || len(r.Counts) != 4 {
			t.Errorf("of %v: %s, %v", all, r.Verdict, r.Counts)
		}
	}
}

// TestGravestFirst: what needs a person comes first, otherwise as documented.
func TestGravestFirst(t *testing.T) {
	r := NewDoctorReport([]Finding{{Name: "a", Verdict: VerdictOK}, {Name: "b", Verdict: VerdictSkip}, {Name: "c", Subject: "x", Verdict: VerdictWarn},
		{Name: "d", Verdict: VerdictFail}, {Name: "e", Verdict: VerdictOK}, {Name: "f", Verdict: VerdictFail}})
	var got []string
	for _, f := range r.Gravest() {
		got = append(got, f.Title())
	}
	if text := strings.Join(got, " "); text != "d f c x a e b" {
		t.Errorf("the order is %s", text)
	}
}
