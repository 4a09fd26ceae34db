package job

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write docs/machine.md anew")

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// fact is a well-formed fact of attempt 1 of job "j".
func fact(k Kind, at int) Fact {
	f := Fact{Job: "j", Kind: k, Attempt: 1, At: noon.Add(time.Duration(at) * time.Second), Evidence: ByHistory}
	switch k {
	case Created:
		f.Spec = &Spec{ID: "j", User: "ada", Submitted: noon, Priority: Normal}
	case Assigned:
		f.PromptID, f.Deployment = "p1", "h200"
	case Refused, Broke, Expired, Unanswered:
		f.Error = &Error{Code: "code_of_" + string(k)}
	case Seen, Whole, Named, Stored, Rewritten, Abandoned:
		f.Output = &Output{ID: "o", Node: "9", Source: "qm/p1/9/a.png", Size: 5}
		if k == Named || k == Stored || k == Rewritten {
			f.Output.Dest = "a.png"
		}
	}
	return f
}

func fold(t testing.TB, j Job, facts ...Fact) Job {
	t.Helper()
	for _, f := range facts {
		var err error
		if j, err = j.Apply(f); err != nil {
			t.Fatalf("%s: %v", f.Kind, err)
		}
	}
	return j
}

func created(t testing.TB) Job { return fold(t, Job{}, fact(Created, 0)) }

// in is a job whose only attempt is in state s.
func in(t testing.TB, s State) Job {
	way := map[State][]Kind{
		Queued: {}, Submitting: {Assigned}, Accepted: {Assigned, Acknowledged}, Running: {Assigned, Started},
		Rendered: {Assigned, Finished}, Done: {Assigned, Finished, Completed}, Failed: {Assigned, Broke},
		Cancelled: {Assigned, Withdrawn}, Lost: {Assigned, Expired},
	}
	j := created(t)
	for i, k := range way[s] {
		j = fold(t, j, fact(k, i+1))
	}
	if j.State() != s {
		t.Fatalf("the way to %s ends in %s", s, j.State())
	}
	return j
}

// TestEveryPair walks every state and kind: what Edges has leads there, what
// it has not is stale or impossible and changes nothing.
func TestEveryPair(t *testing.T) {
	for _, s := range States() {
		for _, k := range AttemptKinds() {
			j := in(t, s)
			next, err := j.Apply(fact(k, 100))
			to, ok := Edges[s][k]
			switch {
			case ok && err != nil && !(errors.Is(err, ErrStale) && to == s):
				t.Errorf("%s, %s: %v", s, k, err)
			case ok && next.State() != to:
				t.Errorf("%s, %s: led to %s, the table says %s", s, k, next.State(), to)
			case !ok && !errors.Is(err, ErrStale) && !errors.Is(err, ErrImpossible):
				t.Errorf("%s, %s: not in the table, but %v", s, k, err)
			case err != nil && encoded(t, next) != encoded(t, j):
				t.Errorf("%s, %s: refused, yet the job changed", s, k)
			}
		}
		for _, k := range OutputKinds() {
			next, err := in(t, s).Apply(fact(k, 100))
			switch {
			case s == Queued || !k.Observation():
				if !errors.Is(err, ErrImpossible) {
					t.Errorf("%s, %s of a file nobody saw: %v", s, k, err)
				}
			case err != nil || next.State() != max(s, Running) || len(next.Outputs) != 1:
				t.Errorf("%s, %s: %s with %d outputs, %v", s, k, next.State(), len(next.Outputs), err)
			}
		}
	}
}

// TestOffEdge says which pairs outside the table are impossible rather than stale.
func TestOffEdge(t *testing.T) {
	for _, c := range []struct {
		s    State
		k    Kind
		want error
	}{
		{Queued, Acknowledged, ErrImpossible}, {Queued, Finished, ErrImpossible}, {Queued, Broke, ErrImpossible},
		{Queued, Expired, ErrImpossible}, {Submitting, Completed, ErrImpossible}, {Running, Completed, ErrImpossible},
		{Submitting, Assigned, ErrStale}, {Running, Assigned, ErrStale}, {Done, Assigned, ErrStale},
		{Done, Completed, ErrStale}, {Done, Withdrawn, ErrStale}, {Done, Expired, ErrStale},
		{Cancelled, Withdrawn, ErrStale}, {Lost, Expired, ErrStale}, {Failed, Completed, ErrStale},
	} {
		if _, err := in(t, c.s).Apply(fact(c.k, 9)); !errors.Is(err, c.want) {
			t.Errorf("%s, %s: got %v, want %v", c.s, c.k, err, c.want)
		}
	}
}

func TestNoEdgePointsDown(t *testing.T) {
	letters := AttemptKinds()
	for from, row := range Edges {
		for k, to := range row {
			if to < from {
				t.Errorf("%s, %s points down to %s", from, k, to)
			}
			if from.Terminal() && to != from && (from != Lost || k != Completed) {
				t.Errorf("%s is terminal, yet %s leads to %s", from, k, to)
			}
			if !slices.Contains(letters, k) {
				t.Errorf("%s is not a letter of the machine", k)
			}
		}
		if lift(from) < from {
			t.Errorf("a file takes %s down", from)
		}
	}
	for _, s := range States() {
		if Edges[s] == nil {
			t.Errorf("%s has no row", s)
		}
		for k := range Edges[Submitting] {
			if _, ok := Edges[s][k]; k.Observation() && s >= Submitting && !ok {
				t.Errorf("%s does not take %s: observations would not commute", s, k)
			}
		}
	}
}

func TestEveryStateIsReached(t *testing.T) {
	for _, s := range States() {
		in(t, s)
	}
}

const machinePath = "../../docs/machine.md"

// TestMachineDoc keeps the diagram in step with the table; "go generate"
// in this folder writes it.
func TestMachineDoc(t *testing.T) {
	want := machineDoc()
	if *update {
		if err := os.WriteFile(machinePath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(machinePath)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error(`docs/machine.md is stale: run "go generate ./internal/job"`)
	}
}

func machineDoc() string {
	var b strings.Builder
	b.WriteString("# The machine of an attempt\n\nGenerated from `job.Edges` by `go generate ./internal/job`; do not edit.\n\n")
	b.WriteString("A rank stands behind each state. Of two observations the higher rank is the true one, so no edge points down.\n" +
		"A file on the share (`seen`, `whole`, `stored`) lifts whatever has been submitted to at least `running`.\n\n```mermaid\nstateDiagram-v2\n    [*] --> queued: created\n")
	for _, from := range States() {
		for _, to := range States() {
			if kinds := kindsOf(from, to); from != to && len(kinds) > 0 {
				fmt.Fprintf(&b, "    %s --> %s: %s\n", from, to, strings.Join(kinds, ", "))
			}
		}
	}
	for _, s := range States() {
		if s.Terminal() {
			fmt.Fprintf(&b, "    %s --> [*]\n", s)
		}
	}
	b.WriteString("```\n\n| state | rank | status of the site's API | leaves by | takes and stays |\n|---|---|---|---|---|\n")
	for _, s := range States() {
		var ways []string
		for _, to := range States() {
			for _, k := range kindsOf(s, to) {
				if to != s {
					ways = append(ways, k+" -> "+to.String())
				}
			}
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s |\n", s, int(s), s.Status(), dash(ways), dash(kindsOf(s, s)))
	}
	return b.String()
}

func dash(words []string) string {
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, ", ")
}

// kindsOf lists the kinds that lead from one state to another, as declared.
func kindsOf(from, to State) []string {
	var out []string
	for _, k := range AttemptKinds() {
		if s, ok := Edges[from][k]; ok && s == to {
			out = append(out, string(k))
		}
	}
	return out
}
