package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"reflect"
	"testing"
	"time"
)

func encoded(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// settled is the part of a job that must not depend on the order of observations.
func settled(t testing.TB, j Job) string {
	return encoded(t, []any{j.State(), j.Attempts, j.Outputs})
}

// observations are n random ones of a job with attempts 1 to tries, full of
// ties: few times, few files, few errors.
func observations(r *rand.Rand, n, tries int) []Fact {
	kinds := []Kind{Acknowledged, Unanswered, Refused, Started, Finished, Broke, Seen, Whole, Stored, Rewritten}
	evidence := []Evidence{"", ByPrefix, ByMetadata, ByHistory, ByPlatform, ByManager, ByTime}
	pick := func(words ...string) string { return words[r.Intn(len(words))] }
	var facts []Fact
	for range n {
		f := Fact{Job: "j", Kind: kinds[r.Intn(len(kinds))], Attempt: 1 + r.Intn(tries),
			At: noon.Add(time.Duration(r.Intn(6)) * time.Second), Evidence: evidence[r.Intn(len(evidence))]}
		switch f.Kind {
		case Acknowledged:
			f.Dropped = []string{pick("1", "2", "3"), pick("1", "4")}
		case Unanswered, Refused, Broke:
			f.Error = &Error{Code: pick("a", "b"), Message: pick("", "m"), Node: pick("", "7", "8"), Traceback: []string{pick("x", "y")}}
		case Seen, Whole, Stored, Rewritten:
			path := Path(fmt.Sprintf("qm/p%d/%s.png", f.Attempt, pick("a", "b", "c")))
			f.Output = &Output{ID: NewOutputID(fmt.Sprint("p", f.Attempt), path), Node: pick("", "9", "10"), Size: int64(r.Intn(3))}
			if f.Kind == Seen || f.Kind == Whole {
				f.Output.Source = path
			} else {
				f.Output.Modified = noon.Add(time.Duration(r.Intn(2)) * time.Hour)
				f.Output.Dest, f.Output.Checksum = pick("a.png", "b.png"), pick("s:1", "s:2")
				f.Output.Aside = f.Output.Dest == "b.png"
			}
		}
		facts = append(facts, f)
	}
	return facts
}

// submitted is a job whose last attempt is submitted, of one or two tries.
func submitted(t testing.TB, tries int) Job {
	j := fold(t, created(t), fact(Assigned, 1))
	if tries == 2 {
		again, assigned := fact(Renewed, 3), fact(Assigned, 4)
		again.Attempt, assigned.Attempt, assigned.PromptID = 2, 2, "p2"
		j = fold(t, j, fact(Expired, 2), again, assigned)
	}
	return j
}

// observe folds observations of a submitted attempt, none of which is impossible.
func observe(t testing.TB, j Job, facts []Fact) Job {
	t.Helper()
	for _, f := range facts {
		next, err := j.Apply(f)
		if errors.Is(err, ErrImpossible) {
			t.Fatalf("%s: %v", f.Kind, err)
		}
		if err != nil && !reflect.DeepEqual(next, j) {
			t.Fatalf("%s is stale, yet the job changed", f.Kind)
		}
		j = next
	}
	return j
}

// TestObservationsConverge: whatever order witnesses speak in, and however
// often, the job ends the same.
func TestObservationsConverge(t *testing.T) {
	for seed := range int64(600) {
		r := rand.New(rand.NewSource(seed))
		tries := 1 + r.Intn(2)
		base, facts := submitted(t, tries), observations(r, 1+r.Intn(14), tries)
		want := settled(t, observe(t, base, facts))
		for range 4 {
			told := append([]Fact{}, facts...)
			for range r.Intn(6) {
				told = append(told, facts[r.Intn(len(facts))])
			}
			r.Shuffle(len(told), func(a, b int) { told[a], told[b] = told[b], told[a] })
			if got := settled(t, observe(t, base, told)); got != want {
				t.Fatalf("seed %d:\n got %s\nwant %s\ntold %s", seed, got, want, encoded(t, told))
			}
		}
	}
}

// TestRepeatsAreStale: a fact that was taken once tells nothing new.
func TestRepeatsAreStale(t *testing.T) {
	for seed := range int64(300) {
		r := rand.New(rand.NewSource(seed))
		facts := observations(r, 10, 1)
		j := observe(t, submitted(t, 1), facts)
		for _, f := range facts {
			if _, err := j.Apply(f); !errors.Is(err, ErrStale) {
				t.Fatalf("seed %d: %s told again: %v", seed, encoded(t, f), err)
			}
		}
	}
}

// TestApplyMutatesNothing: neither the receiver nor any job before it changes,
// although they share what they can.
func TestApplyMutatesNothing(t *testing.T) {
	for seed := range int64(80) {
		r := rand.New(rand.NewSource(seed))
		j := submitted(t, 1)
		facts := observations(r, 20, 1)
		facts = append(facts, Fact{Job: "j", Kind: Noted, At: noon, Warning: &Warning{Code: "a"}},
			Fact{Job: "j", Kind: Noted, At: noon, Warning: &Warning{Code: "b"}}, fact(Withdrawn, 9), fact(Closed, 10),
			Fact{Job: "j", Kind: Renewed, Attempt: 2, At: noon}, Fact{Job: "j", Kind: Wanted, Want: WantCancel, At: noon})
		var jobs []Job
		var were, told []string
		for _, f := range facts {
			jobs, were, told = append(jobs, j), append(were, encoded(t, j)), append(told, encoded(t, f))
			j, _ = j.Apply(f)
			j.Apply(facts[r.Intn(len(facts))]) // a branch that nobody keeps
		}
		for i, before := range jobs {
			if got := encoded(t, before); got != were[i] {
				t.Fatalf("seed %d, before fact %d:\nwas %s\nnow %s", seed, i, were[i], got)
			}
			if got := encoded(t, facts[i]); got != told[i] {
				t.Fatalf("seed %d: fact %d was changed", seed, i)
			}
		}
	}
}
