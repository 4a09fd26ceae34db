package doctor

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write docs/doctor.md")

// TestReference holds docs/doctor.md against the checks.
func TestReference(t *testing.T) {
	const path = "../../docs/doctor.md"
	want := Reference()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/doctor.md is stale; run go generate ./internal/doctor")
	}
}

// TestEveryCaseHasACheck holds the sixteen cases of the field against the checks.
func TestEveryCaseHasACheck(t *testing.T) {
	has := map[int]bool{}
	for _, c := range Checks() {
		for _, n := range c.Cases {
			if n < 1 || n > fieldCases {
				t.Errorf("%s names case %d", c.Name, n)
			}
			has[n] = true
		}
	}
	for n := 1; n <= fieldCases; n++ {
		if has[n] == (withoutCheck[n] != "") {
			t.Errorf("case %d: has a check %v, reason for none %q", n, has[n], withoutCheck[n])
		}
	}
}

// TestRulings holds what every ruling must have.
func TestRulings(t *testing.T) {
	names := map[string]bool{}
	for _, c := range Checks() {
		if names[c.Name] || c.Looks == "" || len(c.Rulings) < 2 {
			t.Errorf("%s is there twice, looks at nothing, or can say only one thing", c.Name)
		}
		names[c.Name] = true
		for _, r := range c.Rulings {
			if bad := r.Verdict == Fail || r.Verdict == Warn; bad && r.Next == "" || r.When == "" {
				t.Errorf("%s %s has no next step, or no case", c.Name, r.Code)
			}
		}
	}
}
