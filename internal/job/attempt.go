package job

import (
	"cmp"
	"slices"
	"time"
)

// Attempt is one try at a job: one prompt id, one folder, one POST.
type Attempt struct {
	N          int    `json:"n"` // from 1
	State      State  `json:"state"`
	PromptID   string `json:"prompt_id,omitempty"`  // empty while queued
	Deployment string `json:"deployment,omitempty"` // empty while queued
	// NotBefore is the earliest time to submit; zero means now.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Automatic says that the loop asked for this try, not a person.
	Automatic bool `json:"automatic,omitempty"`
	// Error is why it failed or was lost; for a running one, what nobody knows.
	Error *Error `json:"error,omitempty"`
	// ErrorFrom is the kind of fact that Error came with.
	ErrorFrom Kind `json:"error_from,omitempty"`
	// Dropped lists nodes that the server said will never write (node_errors on 200).
	Dropped []string `json:"dropped,omitempty"`
	// Plain lists node classes whose inputs were sent as the user wrote them,
	// because they saved nothing when they were tagged.
	Plain []string `json:"plain,omitempty"`
	// Places are where it may write outside its own folder, as in [Spec].
	Places []string `json:"places,omitempty"`
	// Files are the paths below share.outputs that a history named, sorted.
	Files []Path `json:"files,omitempty"`
	// Outside are the ids of the nodes of which a history named files outside the
	// attempt's own folder, sorted.
	Outside []string `json:"outside,omitempty"`
	// Reused are those of Files that an earlier prompt wrote, sorted: see [Fact].
	Reused []Path `json:"reused,omitempty"`
	// Witnesses is who said what, each kind and evidence once, the earliest.
	Witnesses []Witness `json:"witnesses,omitempty"`
}

// Witness is one testimony about an attempt.
type Witness struct {
	Kind     Kind      `json:"kind"`
	Evidence Evidence  `json:"evidence"`
	At       time.Time `json:"at"`
}

// When is the earliest time anybody testified one of kinds; zero for never.
func (a Attempt) When(kinds ...Kind) time.Time {
	var t time.Time
	for _, w := range a.Witnesses {
		if slices.Contains(kinds, w.Kind) {
			t = earliest(t, w.At)
		}
	}
	return t
}

// Heard reports whether a history of it was heard.
func (a Attempt) Heard() bool { return !a.HeardAt().IsZero() }

// HeardAt is when a history reported its end, so that it had ended by then; zero
// when none was heard.
func (a Attempt) HeardAt() time.Time {
	var t time.Time
	for _, w := range a.Witnesses {
		if (w.Kind == Finished || w.Kind == Broke) && w.Evidence == ByHistory {
			t = earliest(t, w.At)
		}
	}
	return t
}

// Evidence is the strongest testimony for the state the attempt is in; empty
// for a queued one.
func (a Attempt) Evidence() Evidence {
	var best Witness
	for _, w := range a.Witnesses {
		t, ok := reaches[w.Kind]
		if ok && (t > reaches[best.Kind] || t == reaches[best.Kind] && w.Evidence.Strength() > best.Evidence.Strength()) {
			best = w
		}
	}
	return best.Evidence
}

// reaches is the state that a fact by itself bears witness to.
var reaches = map[Kind]State{
	Assigned: Submitting, Acknowledged: Accepted, Started: Running, Seen: Running, Whole: Running, Stored: Running,
	Finished: Rendered, Completed: Done, Refused: Failed, Broke: Failed, Withdrawn: Cancelled, Expired: Lost,
}

// LastEvidence is when anybody last said something new of the attempt.
func (a Attempt) LastEvidence() time.Time {
	var t time.Time
	for _, w := range a.Witnesses {
		if w.At.After(t) {
			t = w.At
		}
	}
	return t
}

// EndedAt is when the attempt reached the terminal state it is in; zero
// before that.
func (a Attempt) EndedAt() time.Time {
	switch a.State {
	case Done:
		return a.When(Completed)
	case Failed:
		return a.When(Refused, Broke)
	case Cancelled:
		return a.When(Withdrawn)
	case Lost:
		return a.When(Expired)
	}
	return time.Time{}
}

// testify keeps a testimony; it reports whether that was news.
func (a *Attempt) testify(w Witness) bool {
	for i, old := range a.Witnesses {
		if old.Kind != w.Kind || old.Evidence != w.Evidence {
			continue
		}
		if !w.At.Before(old.At) {
			return false
		}
		a.Witnesses[i].At = w.At
		slices.SortFunc(a.Witnesses, compareWitness)
		return true
	}
	a.Witnesses = append(a.Witnesses, w)
	slices.SortFunc(a.Witnesses, compareWitness)
	return true
}

// compareWitness is a total order: the list must not depend on who spoke first.
func compareWitness(x, y Witness) int {
	return cmp.Or(
		x.At.Compare(y.At),
		cmp.Compare(reaches[x.Kind], reaches[y.Kind]),
		cmp.Compare(x.Kind, y.Kind),
		cmp.Compare(y.Evidence.Strength(), x.Evidence.Strength()),
		cmp.Compare(x.Evidence, y.Evidence),
	)
}

func (a Attempt) clone() Attempt {
	a.Witnesses = slices.Clone(a.Witnesses)
	a.Dropped, a.Files = slices.Clone(a.Dropped), slices.Clone(a.Files)
	a.Outside, a.Reused = slices.Clone(a.Outside), slices.Clone(a.Reused)
	return a
}
