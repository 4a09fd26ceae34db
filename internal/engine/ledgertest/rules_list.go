package ledgertest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

// crowd records 30 jobs of three users in several states, out of order.
func crowd(t *testing.T, l engine.Ledger) {
	users := []string{"ada", "bob", "cyd"}
	for i := range 30 {
		s := Story{N: (i*7)%30 + 1, User: users[i%3]}
		switch i % 4 {
		case 0:
			Record(t, l, s.Created())
		case 1:
			Record(t, l, s.Failed()...)
		case 2:
			Record(t, l, append(s.Whole(), s.Closed())...)
		case 3:
			Record(t, l, s.Failed()[:2]...)
		}
	}
}

func list(t *testing.T, l engine.Ledger, q job.Query) job.Page {
	t.Helper()
	return must[job.Page](t)(l.Jobs(q))
}

func filters(t *testing.T, l engine.Ledger) {
	crowd(t, l)
	all := list(t, l, job.Query{}).Jobs
	if len(all) != 30 {
		t.Fatalf("got %d jobs", len(all))
	}
	for name, f := range map[string]job.Filter{
		"user":          {User: "ada"},
		"no such user":  {User: "ad"},
		"state":         {States: []job.State{job.Failed, job.Queued}},
		"user, state":   {User: "bob", States: []job.State{job.Done}},
		"since":         {Since: Noon.Add(17 * time.Second)},
		"before":        {Before: Noon.Add(17 * time.Second)},
		"between":       {Since: Noon.Add(3 * time.Second), Before: Noon.Add(17 * time.Second)},
		"ids":           {IDs: []job.ID{Story{N: 3}.ID(), Story{N: 29}.ID(), "nobody", Story{N: 3}.ID()}},
		"ids and state": {IDs: []job.ID{Story{N: 3}.ID(), Story{N: 29}.ID()}, States: []job.State{job.Queued}},
		"name":          {Match: "JOB 1"},
		"error":         {Match: "Out Of Memory"},
		"class":         {Match: "saveimage", User: "cyd"},
		"prompt":        {Match: "prompt-7-1"},
		"nothing":       {Match: "zebra"},
	} {
		want := slices.DeleteFunc(slices.Clone(all), func(j job.Job) bool { return !f.Matches(j) })
		page := list(t, l, job.Query{Filter: f})
		equal(t, name, ids(page.Jobs), ids(want))
		equal(t, name+": total", page.Total, len(want))
		slices.Reverse(want)
		equal(t, name+", oldest first", ids(list(t, l, job.Query{Filter: f, Sort: job.OldestFirst}).Jobs), ids(want))
	}
}

func pages(t *testing.T, l engine.Ledger) {
	crowd(t, l)
	twins := []Story{{N: 50, User: "ada"}, {N: 51, User: "ada"}, {N: 52, User: "ada"}}
	for _, s := range twins { // the same moment: the id decides
		f := s.Created()
		f.Spec.Submitted = Noon
		Record(t, l, f)
	}
	for _, sort := range []job.Order{"", job.NewestFirst, job.OldestFirst} {
		for _, f := range []job.Filter{{}, {User: "ada"}} {
			want := list(t, l, job.Query{Filter: f, Sort: sort})
			var got []job.ID
			q := job.Query{Filter: f, Sort: sort, Limit: 4}
			for {
				p := list(t, l, q)
				got = append(got, ids(p.Jobs)...)
				equal(t, "total", p.Total, want.Total)
				if q.Cursor = p.Next; p.Next == "" || len(got) > 100 {
					break
				}
			}
			equal(t, "joined pages, sort "+string(sort), got, ids(want.Jobs))
		}
	}
	first := list(t, l, job.Query{Limit: 4})
	Record(t, l, Story{N: 99, User: "ada"}.Created())
	second := list(t, l, job.Query{Limit: 4, Cursor: first.Next})
	equal(t, "the page after, when a newer job came", ids(second.Jobs), ids(list(t, l, job.Query{Limit: 9}).Jobs[5:]))
}

func badQueries(t *testing.T, l engine.Ledger) {
	crowd(t, l)
	for name, q := range map[string]job.Query{"cursor": {Cursor: "§"}, "sort": {Sort: "colour"}} {
		_, err := l.Jobs(q)
		var e *job.Error
		if !errors.As(err, &e) || e.Class != job.Invalid {
			t.Errorf("bad %s: %v", name, err)
		}
	}
	equal(t, "a negative limit is the default", len(list(t, l, job.Query{Limit: -1}).Jobs), 30)
	for n := 100; n < 1150; n += 50 {
		var facts []job.Fact
		for i := range 50 {
			facts = append(facts, Story{N: n + i, User: "dot"}.Created())
		}
		Record(t, l, facts...)
	}
	equal(t, "the default limit", len(list(t, l, job.Query{}).Jobs), 100)
	equal(t, "the highest limit", len(list(t, l, job.Query{Limit: 5000}).Jobs), 1000)
}
