package job

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Apply folds a fact into the job and returns the new job; the receiver is
// not changed. The error is nil, [ErrStale] (nothing new: drop the fact) or
// [ErrImpossible] (it cannot be true of this job: keep it aside and log it);
// with an error the receiver is returned.
func (j Job) Apply(f Fact) (Job, error) {
	if f.Kind == Created {
		return j.create(f)
	}
	if j.ID == "" || f.Job != j.ID {
		return j, impossible(f, "of another job")
	}
	next, err := j.apply(f)
	if err != nil {
		return j, err
	}
	if f.At.After(next.Updated) {
		next.Updated = f.At
	}
	return next, nil
}

func (j Job) apply(f Fact) (Job, error) {
	switch f.Kind {
	case Wanted:
		return j.wanted(f)
	case Prioritised:
		return j.prioritised(f)
	case Renewed:
		return j.renewed(f)
	case Noted:
		return j.noted(f)
	case Closed:
		return j.closed(f)
	case Seen, Whole, Named, Stored, Rewritten, Abandoned:
		return j.output(f)
	}
	return j.attempt(f)
}

func (j Job) create(f Fact) (Job, error) {
	if j.ID != "" {
		return j, ErrStale
	}
	if f.Spec == nil || f.Spec.ID == "" || f.Spec.ID != f.Job {
		return j, impossible(f, "without its spec")
	}
	return Job{Spec: *f.Spec, Priority: f.Spec.Priority, Want: WantRun, Updated: f.At,
		Attempts: []Attempt{{N: 1, State: Queued}}}, nil
}

func (j Job) wanted(f Fact) (Job, error) {
	if f.Want != WantRun && f.Want != WantCancel {
		return j, impossible(f, "without a want")
	}
	if j.Want == f.Want || j.State().Terminal() {
		return j, ErrStale
	}
	j.Want = f.Want
	return j, nil
}

func (j Job) prioritised(f Fact) (Job, error) {
	if f.Priority == nil || f.Priority.Check() != nil {
		return j, impossible(f, "without a priority")
	}
	if j.Priority == *f.Priority || j.State().Terminal() {
		return j, ErrStale
	}
	j.Priority = *f.Priority
	return j, nil
}

// renewed begins a further attempt: only after the last one ended.
func (j Job) renewed(f Fact) (Job, error) {
	switch n := len(j.Attempts); {
	case f.Attempt <= n:
		return j, ErrStale
	case f.Attempt > n+1 || !j.State().Terminal():
		return j, impossible(f, "while attempt "+fmt.Sprint(n)+" is "+j.State().String())
	}
	j.Attempts = append(slices.Clone(j.Attempts), Attempt{N: f.Attempt, State: Queued, NotBefore: f.NotBefore, Automatic: f.Automatic})
	j.Want, j.Closed = WantRun, false
	return j, nil
}

// MaxAlike is how many warnings of one code are kept with a job. One more says
// that there are others.
const MaxAlike = 20

func (j Job) noted(f Fact) (Job, error) {
	if f.Warning == nil || f.Warning.Code == "" {
		return j, impossible(f, "without a warning")
	}
	w, alike := *f.Warning, 0
	for _, x := range j.Warnings {
		if x.Code == w.Code {
			alike++
		}
		if x.Code == w.Code && x.Message == w.Message || alike > MaxAlike {
			return j, ErrStale
		}
	}
	if alike == MaxAlike {
		w.Message, w.Hint = fmt.Sprintf("there are more than %d warnings of this kind; the others are not kept", MaxAlike), "look at the manager's log"
	}
	j.Warnings = append(slices.Clone(j.Warnings), w)
	return j, nil
}

func (j Job) closed(f Fact) (Job, error) {
	if j.Closed {
		return j, ErrStale
	}
	if !j.State().Terminal() {
		return j, impossible(f, "while it is "+j.State().String())
	}
	j.Closed = true
	return j, nil
}

// attempt runs the machine for one attempt.
func (j Job) attempt(f Fact) (Job, error) {
	a, ok := j.Attempt(f.Attempt)
	if !ok {
		return j, impossible(f, fmt.Sprintf("of attempt %d of %d", f.Attempt, len(j.Attempts)))
	}
	if a.PromptID != "" && f.PromptID != "" && f.PromptID != a.PromptID {
		return j, impossible(f, "of another prompt id")
	}
	if f.Kind == Assigned && f.PromptID == "" {
		return j, impossible(f, "without a prompt id")
	}
	to, ok := Edges[a.State][f.Kind]
	if !ok {
		return j, offEdge(a, f)
	}
	a = a.clone()
	news := a.testify(Witness{f.Kind, f.Evidence, f.At}) || to != a.State
	a.State = to
	news = a.details(f) || news
	if !news {
		return j, ErrStale
	}
	return j.with(a), nil
}

// offEdge judges a fact the machine has no edge for: one that the attempt is
// already past is stale, any other is impossible.
func offEdge(a Attempt, f Fact) error {
	if t, ok := reaches[f.Kind]; ok && (a.State.Terminal() || t <= a.State) && a.State != Queued {
		return ErrStale
	}
	return impossible(f, "while attempt "+fmt.Sprint(a.N)+" is "+a.State.String())
}

// details takes what the fact says beside its kind; true when that was news.
func (a *Attempt) details(f Fact) bool {
	news := false
	if f.Kind == Assigned {
		a.PromptID, a.Deployment, a.Plain, a.Places, news = f.PromptID, f.Deployment, f.Plain, f.Places, true
	}
	a.Files, news = union(a.Files, f.Files, news)
	a.Outside, news = union(a.Outside, f.Outside, news)
	a.Reused, news = union(a.Reused, f.Reused, news)
	for _, n := range f.Dropped {
		if !slices.Contains(a.Dropped, n) {
			a.Dropped, news = append(a.Dropped, n), true
		}
	}
	slices.Sort(a.Dropped)
	if f.Error != nil && a.weightier(f) {
		a.Error, a.ErrorFrom, news = f.Error, f.Kind, true
	}
	return news
}

// union adds to a sorted list, in place; news also becomes true when that changed it.
func union[T cmp.Ordered](list, more []T, news bool) ([]T, bool) {
	for _, x := range more {
		if i, known := slices.BinarySearch(list, x); !known {
			list, news = slices.Insert(list, i, x), true
		}
	}
	return list, news
}

var errorWeight = map[Kind]int{Unanswered: 1, Refused: 2, Broke: 3, Expired: 4}

// weightier orders errors so that the one that is kept does not depend on who
// spoke first: the surer kind wins, then the greater code, message and rest.
func (a *Attempt) weightier(f Fact) bool {
	if a.Error == nil {
		return true
	}
	return cmp.Or(
		cmp.Compare(errorWeight[f.Kind], errorWeight[a.ErrorFrom]),
		cmp.Compare(f.Error.Code, a.Error.Code),
		cmp.Compare(f.Error.Message, a.Error.Message),
		cmp.Compare(f.Error.text(), a.Error.text()),
	) > 0
}

func (j Job) with(a Attempt) Job {
	j.Attempts = slices.Clone(j.Attempts)
	j.Attempts[a.N-1] = a
	return j
}

// output folds what is known of one file. Any file lifts an attempt that has
// not begun to Running; a finished or superseded attempt takes it all the same.
func (j Job) output(f Fact) (Job, error) {
	a, ok := j.Attempt(f.Attempt)
	if !ok || a.PromptID == "" {
		return j, impossible(f, "of an attempt that was never submitted")
	}
	if f.Output == nil || f.Output.ID == "" {
		return j, impossible(f, "without an output")
	}
	i := slices.IndexFunc(j.Outputs, func(o Output) bool { return o.ID == f.Output.ID })
	if i < 0 && !f.Kind.Observation() {
		return j, impossible(f, "of a file nobody saw")
	}
	if i >= 0 && j.Outputs[i].Attempt != f.Attempt {
		return j, impossible(f, fmt.Sprintf("of a file of attempt %d", j.Outputs[i].Attempt))
	}
	was, in := Output{}, f.outputAs()
	if i >= 0 {
		was = j.Outputs[i]
	}
	now := was.merge(in)
	if i < 0 {
		now = in
	}
	a = a.clone()
	news := now != was
	if f.Kind.Observation() {
		news = a.testify(Witness{f.Kind, f.Evidence, f.At}) || news
		a.State = lift(a.State)
	}
	if !news {
		return j, ErrStale
	}
	j.Outputs = replaceOutput(j.Outputs, i, now)
	return j.with(a), nil
}

// outputAs is the output as the fact's kind says it is.
func (f Fact) outputAs() Output {
	o := *f.Output
	o.Attempt, o.Evidence = f.Attempt, cmp.Or(o.Evidence, f.Evidence)
	o.SeenAt, o.WholeAt, o.StoredAt, o.RewrittenAt, o.Beside = time.Time{}, time.Time{}, time.Time{}, time.Time{}, ""
	switch f.Kind {
	case Seen:
		o.State, o.SeenAt, o.Dest, o.Aside, o.Checksum, o.Text = OutputSeen, f.At, "", false, "", ""
	case Whole:
		o.State, o.SeenAt, o.WholeAt, o.Dest, o.Aside, o.Checksum, o.Text = OutputWhole, f.At, f.At, "", false, "", ""
	case Stored:
		o.State, o.SeenAt, o.WholeAt, o.StoredAt = OutputStored, f.At, f.At, f.At
	case Rewritten:
		o.State, o.SeenAt, o.WholeAt, o.StoredAt, o.RewrittenAt = OutputStored, f.At, f.At, f.At, f.At
	case Abandoned:
		o.State = OutputAbandoned
		if f.Output.State == OutputVanished {
			o.State = OutputVanished
		}
	case Named:
		o.State = 0
	}
	return o
}

// replaceOutput returns outputs with number i replaced, or o added when i is
// negative, in the order of their sources.
func replaceOutput(outputs []Output, i int, o Output) []Output {
	outputs = slices.Clone(outputs)
	if i >= 0 {
		outputs[i] = o
	} else {
		outputs = append(outputs, o)
	}
	slices.SortFunc(outputs, func(x, y Output) int {
		return cmp.Or(cmp.Compare(x.Attempt, y.Attempt), cmp.Compare(x.Source, y.Source), cmp.Compare(x.ID, y.ID))
	})
	return outputs
}

func impossible(f Fact, why string) error {
	return fmt.Errorf("%w: %s %s", ErrImpossible, f.Kind, why)
}
