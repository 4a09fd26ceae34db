package job

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

// TestImpossible: facts that are not well-formed, or of something else.
func TestImpossible(t *testing.T) {
	bad := Priority(9)
	with := func(f Fact, change func(*Fact)) Fact { change(&f); return f }
	for name, c := range map[string]struct {
		job  Job
		fact Fact
	}{
		"created without a spec":     {Job{}, Fact{Job: "j", Kind: Created}},
		"created with another spec":  {Job{}, with(fact(Created, 0), func(f *Fact) { f.Job = "k" })},
		"before created":             {Job{}, fact(Assigned, 1)},
		"of another job":             {in(t, Running), with(fact(Finished, 1), func(f *Fact) { f.Job = "k" })},
		"of no attempt":              {in(t, Running), with(fact(Finished, 1), func(f *Fact) { f.Attempt = 0 })},
		"of a later attempt":         {in(t, Running), with(fact(Finished, 1), func(f *Fact) { f.Attempt = 2 })},
		"of another prompt id":       {in(t, Running), with(fact(Finished, 1), func(f *Fact) { f.PromptID = "p2" })},
		"assigned without prompt id": {in(t, Queued), with(fact(Assigned, 1), func(f *Fact) { f.PromptID = "" })},
		"want of nothing":            {in(t, Queued), Fact{Job: "j", Kind: Wanted}},
		"priority that is not":       {in(t, Queued), Fact{Job: "j", Kind: Prioritised, Priority: &bad}},
		"no priority":                {in(t, Queued), Fact{Job: "j", Kind: Prioritised}},
		"renewed while it runs":      {in(t, Running), Fact{Job: "j", Kind: Renewed, Attempt: 2}},
		"renewed two at once":        {in(t, Failed), Fact{Job: "j", Kind: Renewed, Attempt: 3}},
		"closed while it runs":       {in(t, Running), Fact{Job: "j", Kind: Closed}},
		"no warning":                 {in(t, Running), Fact{Job: "j", Kind: Noted}},
		"seen nothing":               {in(t, Running), with(fact(Seen, 1), func(f *Fact) { f.Output = nil })},
		"named before seen":          {in(t, Running), fact(Named, 1)},
		"an unknown kind":            {in(t, Running), with(fact(Finished, 1), func(f *Fact) { f.Kind = "sang" })},
	} {
		next, err := c.job.Apply(c.fact)
		if !errors.Is(err, ErrImpossible) {
			t.Errorf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(next, c.job) {
			t.Errorf("%s: the job changed", name)
		}
	}
}

// TestFileOfAnotherAttempt: an output stays the attempt's that wrote it.
func TestFileOfAnotherAttempt(t *testing.T) {
	j := fold(t, in(t, Failed), fact(Seen, 5))
	again, assigned, stolen := fact(Renewed, 6), fact(Assigned, 7), fact(Whole, 8)
	again.Attempt, assigned.Attempt, assigned.PromptID, stolen.Attempt = 2, 2, "p2", 2
	if _, err := fold(t, j, again, assigned).Apply(stolen); !errors.Is(err, ErrImpossible) {
		t.Errorf("got %v", err)
	}
}

func TestWants(t *testing.T) {
	want := func(w Want) Fact { return Fact{Job: "j", Kind: Wanted, Want: w, At: noon} }
	j := fold(t, in(t, Running), want(WantCancel))
	if j.State() != Running || j.Want != WantCancel {
		t.Errorf("a want moved the state to %s, want %s", j.State(), j.Want)
	}
	if _, err := j.Apply(want(WantCancel)); !errors.Is(err, ErrStale) {
		t.Errorf("wanted twice: %v", err)
	}
	if _, err := in(t, Done).Apply(want(WantCancel)); !errors.Is(err, ErrStale) {
		t.Errorf("too late: %v", err)
	}
}

// TestLateFile: a file of a superseded attempt is attached and moves only that attempt.
func TestLateFile(t *testing.T) {
	again, assigned := fact(Renewed, 6), fact(Assigned, 7)
	again.Attempt, assigned.Attempt, assigned.PromptID = 2, 2, "p2"
	j := fold(t, in(t, Lost), again, assigned, fact(Seen, 8), fact(Whole, 9), fact(Named, 10), fact(Stored, 11))
	if j.State() != Submitting || j.Attempts[0].State != Lost {
		t.Errorf("attempts are %s and %s", j.Attempts[0].State, j.State())
	}
	if o := j.OutputsOf(1); len(o) != 1 || o[0].State != OutputStored || o[0].Dest != "a.png" {
		t.Errorf("outputs %+v", o)
	}
	done := fact(Completed, 12)
	queued := fold(t, in(t, Lost), again, fact(Seen, 8), fact(Stored, 11))
	done.Attempt = 2
	if s := fold(t, queued, done).State(); s != Done {
		t.Errorf("late files were all that was missing, yet the job is %s", s)
	}
}

// TestRetryReopens: a further attempt opens a closed job and forgets the cancel.
func TestRetryReopens(t *testing.T) {
	again := fact(Renewed, 9)
	again.Attempt, again.NotBefore = 2, noon.Add(time.Minute)
	j := fold(t, in(t, Cancelled), fact(Closed, 8), again)
	if j.Closed || j.Want != WantRun || j.State() != Queued || !j.Current().NotBefore.Equal(noon.Add(time.Minute)) {
		t.Errorf("got %+v", j)
	}
	if _, err := j.Apply(again); !errors.Is(err, ErrStale) {
		t.Errorf("renewed twice: %v", err)
	}
}

// TestNamedCountsUntilStored: the last chosen place counts, but a copy is where it is.
func TestNamedCountsUntilStored(t *testing.T) {
	name := func(dest string, at int) Fact { f := fact(Named, at); f.Output.Dest = dest; return f }
	j := fold(t, in(t, Running), fact(Whole, 3), name("a.png", 4), name("b.png", 5))
	if d := j.Outputs[0].Dest; d != "b.png" {
		t.Errorf("named again: %s", d)
	}
	stored := fact(Stored, 6)
	stored.Output.Dest = "b.png"
	j = fold(t, j, stored)
	if _, err := j.Apply(name("b.png", 7)); !errors.Is(err, ErrStale) {
		t.Errorf("named again after it was stored: %v", err)
	}
	j = fold(t, j, name("c.png", 8))
	if o := j.Outputs[0]; o.Dest != "b.png" || o.Beside != "c.png" || o.WholeAt != noon.Add(3*time.Second) {
		t.Errorf("got %+v", o)
	}
}

func TestAbandoned(t *testing.T) {
	j := fold(t, in(t, Running), fact(Seen, 3), fact(Abandoned, 4))
	if o := j.Outputs[0]; o.State != OutputAbandoned || len(j.Unsettled()) != 0 {
		t.Errorf("got %s, %d unsettled", o.State, len(j.Unsettled()))
	}
	if j = fold(t, j, fact(Whole, 5)); len(j.Unsettled()) != 1 {
		t.Error("a file that became whole after all is not to be copied")
	}
	gone := fact(Abandoned, 6)
	gone.Output.State = OutputVanished
	if o := fold(t, j, gone).Outputs[0]; o.State != OutputVanished {
		t.Errorf("vanished: %s", o.State)
	}
}

func TestErrorThatCounts(t *testing.T) {
	j := fold(t, in(t, Accepted), fact(Unanswered, 3), fact(Broke, 5), fact(Refused, 4), fact(Finished, 6))
	if f := j.Failure(); f == nil || f.Code != "code_of_broke" {
		t.Errorf("got %v", f)
	}
	if got := j.EndedAt(); got != noon.Add(4*time.Second) {
		t.Errorf("ended at %s", got)
	}
	if e := j.Current().Evidence(); e != ByHistory {
		t.Errorf("evidence %s", e)
	}
}

// TestRow07Rewritten: an output that was written again keeps its place and its
// first times, with the size and checksum of the newer version.
func TestRow07Rewritten(t *testing.T) {
	stored, rewritten := fact(Stored, 5), fact(Rewritten, 9)
	stored.Output.Checksum, stored.Output.Modified = "s:1", noon
	rewritten.Output.Checksum, rewritten.Output.Size, rewritten.Output.Modified = "s:2", 7, noon.Add(8*time.Second)
	j := fold(t, in(t, Running), fact(Whole, 4), stored, rewritten)
	o := j.Outputs[0]
	if o.Dest != "a.png" || o.Checksum != "s:2" || o.Size != 7 || !o.Modified.Equal(noon.Add(8*time.Second)) ||
		!o.StoredAt.Equal(noon.Add(5*time.Second)) || !o.RewrittenAt.Equal(noon.Add(9*time.Second)) || o.State != OutputStored {
		t.Errorf("%+v", o)
	}
	beside := fact(Named, 10)
	beside.Output.Dest = "a-2.png"
	again := fact(Rewritten, 11)
	again.Output.Dest, again.Output.Checksum = "a-2.png", "s:3"
	j = fold(t, j, beside)
	if o := j.Outputs[0]; o.Dest != "a.png" || o.Beside != "a-2.png" || o.Checksum != "s:2" {
		t.Errorf("a place beside it is named: %+v", o)
	}
	j = fold(t, j, again)
	if o := j.Outputs[0]; o.Dest != "a-2.png" || o.Beside != "" || o.Checksum != "s:3" {
		t.Errorf("it stands beside: %+v", o)
	}
}
