package ui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/colorprofile"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// archived is a panel that holds the newest 50 of n jobs; every hundredth is
// called needle.
func archived(t *testing.T, n int) *harness {
	f := fixture()
	f.jobs, f.page = nil, 40
	for i := range n {
		name := "hay"
		if i%100 == 99 {
			name = fmt.Sprintf("needle %d", i)
		}
		f.archive = append(f.archive, makeJob(i+1, "ada", name, job.Done, time.Duration(i+1)*time.Minute))
	}
	f.jobs = slices.Clone(f.archive[:50])
	f.status.Counts = map[string]int{"done": n}
	return attached(t, f, 120, 32, Options{Limit: 50}, colorprofile.TrueColor)
}

func TestOlderJobsAtTheEndOfTheList(t *testing.T) {
	x := archived(t, 230)
	x.sees("1/50 of 230")
	x.press("end")
	x.sees("50/169 of 230") // three answers of 40, of which one job was known
	if n := len(x.f.queries); n != 3 {
		t.Errorf("%d questions", n)
	}
	x.press("end")
	x.sees("169/230")
	x.misses("Down for older")
	x.press("end")
	if n := len(x.f.queries); n != 5 {
		t.Errorf("%d questions, though all is known", n)
	}
}

func TestAFilterFindsOlderJobs(t *testing.T) {
	x := archived(t, 2000)
	x.press("/")
	x.typeText("needle")
	if len(x.f.queries) != 0 {
		t.Fatal("asked while somebody types")
	}
	x.later(filterRests)
	x.sees("needle 99", "needle 1999", "1/20 of 2,000")
	for _, q := range x.f.queries {
		if q.Match != "needle" || slices.ContainsFunc(q.States, func(s job.State) bool { return !s.Terminal() }) {
			t.Errorf("asked for %+v", q)
		}
	}
	x.press("enter", "space", "esc")
	x.sees("1 marked  ", "/51 of 2,000") // the marked one stays, the others go
	x.press("/")
	x.typeText("err:nothing")
	x.later(filterRests)
	x.sees("None of the 51 jobs")
	x.misses("asking")
}

func TestALateAnswerIsNotMixedIn(t *testing.T) {
	x := archived(t, 500)
	x.m.queue.setFilter("needle")
	cmd := x.m.askOlder()
	x.m.queue.setFilter("hay")
	x.run(cmd)
	x.misses("needle")
	if x.m.older.asking {
		t.Error("still asking")
	}
}

// What the panel let go of can be found again.
func TestForgottenJobsAreAskedFor(t *testing.T) {
	x := archived(t, 50)
	if x.m.w.jobs.horizon.IsZero() {
		t.Fatal("as many as the limit may be all or not")
	}
	x.press("end")
	x.sees("50/50")
	for i := range 60 {
		j := makeJob(1000+i, "new", "fresh", job.Done, time.Second)
		x.f.archive = slices.Insert(x.f.archive, 0, j)
		x.f.jobs = []api.Job{j}
		x.changed()
	}
	if n := len(x.m.w.jobs.all); n > 60 {
		t.Fatalf("%d jobs are held", n)
	}
	for range 5 {
		x.press("end")
	}
	if n := len(x.m.w.jobs.all); n != 110 {
		t.Errorf("%d of 110 jobs are found", n)
	}
}

func TestAnOlderJobOpens(t *testing.T) {
	x := archived(t, 500)
	x.run(x.m.openJob(jobID(300)))
	x.sees("needle 299 of ada", "✓ done", "1 of 1 delivered")
	x.press("r")
	x.sees("Retry 1 job?", "needle 299")
	x.press("esc")
	x.run(x.m.openJob("nobody"))
	x.sees("there is no such job")
}

func TestQueriesOfFilters(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "done failed cancelled lost ",
		"needle":                       "done failed cancelled lost needle",
		"user:ada forest":              "done failed cancelled lost of ada: forest",
		"user:~Ada":                    "done failed cancelled lost ada",
		"user:ada,bob":                 "done failed cancelled lost ",
		"user:ada user:bob":            " ",
		"user:a.b":                     " ",
		"usr:ada":                      " ",
		"state:failed,lost err:memory": "failed lost memory",
		"!state:done !ada a,b":         "failed cancelled lost ",
		"state:queued":                 " ",
		"state:ended":                  "done failed cancelled lost ",
		strings.Repeat("x", 300):       "done failed cancelled lost ",
	} {
		q, some := parseFilter(text).query()
		got := ""
		for _, s := range q.States {
			got += s.String() + " "
		}
		if q.User != "" {
			got += "of " + q.User + ": "
		}
		if got += q.Match; !some {
			got = ""
		}
		if got != strings.TrimPrefix(want, " ") || some != (want != " ") {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
