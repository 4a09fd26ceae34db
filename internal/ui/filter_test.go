package ui

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

func TestFilterMatches(t *testing.T) {
	for text, want := range map[string]string{
		"user:ann":              "ann",
		"user:Ann":              "",
		"user:an":               "",
		"user:~ANN":             "ann annabel joanna",
		"user:ann,joanna":       "ann joanna",
		"user:ann,~bel":         "ann annabel",
		"!user:ann":             "annabel joanna",
		"USER:ann":              "ann",
		"ann":                   "ann annabel joanna",
		"state:queued":          "ann annabel joanna",
		"state:pending":         "ann annabel joanna",
		"state:que":             "",
		"!state:que":            "",
		"usr:ann":               "",
		"!usr:ann":              "",
		"user:":                 "",
		"user:~":                "",
		"user:ann state:failed": "",
		"12:30 user:ann":        "ann", // no field's name: text
	} {
		f := parseFilter(text)
		var got []string
		for _, user := range []string{"ann", "annabel", "joanna"} {
			j := makeJob(1, user, "at 12:30", job.Queued, time.Minute)
			if f.matches(probe(&j)) {
				got = append(got, user)
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q picks %q, want %q", text, s, want)
		}
	}
}

func TestFilterCompletion(t *testing.T) {
	users := []string{"ann", "annabel", "bob"}
	for text, want := range map[string]string{
		"":                 "",
		"us":               "user:",
		"x":                "x",
		"user:a":           "user:ann",
		"user:ann":         "user:ann",
		"user:anna":        "user:annabel",
		"!user:ann,b":      "!user:ann,bob",
		"user:~b":          "user:~bob",
		"user:z":           "user:z",
		"user:bob state:f": "user:bob state:failed",
		"state:run":        "state:running",
		"err:a":            "err:a",
	} {
		if got, _ := completeFilter(text, users); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	if _, fits := completeFilter("user:ann", users); !slices.Equal(fits, []string{"ann", "annabel"}) {
		t.Errorf("%q fit", fits)
	}
}

// Enter on a user shows that user's jobs, and an action on them touches nobody
// else's.
func TestCancelOfAUsersJobsIsExact(t *testing.T) {
	f := fixture()
	f.jobs = append(f.jobs, makeJob(20, "adam", "not ada's", job.Queued, time.Minute), makeJob(21, "nada", "nor this", job.Queued, time.Minute))
	x := start(t, f)
	x.press("5", "home", "enter")
	x.sees("/ user:ada", "forest at dusk")
	x.misses("not ada's", "nor this")
	x.press("C")
	x.sees("Cancel 3 jobs?", "Of 1 user: ada 3")
}

func TestFilterSaysWhatIsWrong(t *testing.T) {
	x := start(t, fixture())
	x.press("/")
	x.typeText("usr:ada")
	x.sees("no field usr: use user, state, node, err")
	x.press("enter")
	x.sees("/ usr:ada", "no field usr", "None of the 12 jobs matches")
	x.press("C")
	if x.m.dialog != nil {
		t.Fatal("a filter that cannot be read picked jobs")
	}
	x.press("esc", "/")
	x.typeText("state:fai")
	x.sees("Tab: failed")
	x.press("tab")
	x.sees("/ state:failed", "huge batch")
	x.press("esc", "/")
	x.typeText("user:lin")
	x.sees("Tab: linus", "user:~lin finds a part")
	x.press("tab", "enter")
	x.later(progressFor)
	x.sees("/ user:linus", "huge batch")
}
