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
		s := story{n: (i*7)%30 + 1, user: users[i%3]}
		switch i % 4 {
		case 0:
			record(t, l, s.created())
		case 1:
			record(t, l, s.failed()...)
		case 2:
			record(t, l, append(s.whole(), s.closed())...)
		case 3:
			record(t, l, s.failed()[:2]...)
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
		"since":         {Since: noon.Add(17 * time.Second)},
		"ids":           {IDs: []job.ID{story{n: 3}.id(), story{n: 29}.id(), "nobody", story{n: 3}.id()}},
		"ids and state": {IDs: []job.ID{story{n: 3}.id(), story{n: 29}.id()}, States: []job.State{job.Queued}},
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
	twins := []story{{n: 50, user: "ada"}, {n: 51, user: "ada"}, {n: 52, user: "ada"}}
	for _, s := range twins { // the same moment: the id decides
		f := s.created()
		f.Spec.Submitted = noon
		record(t, l, f)
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
	record(t, l, story{n: 99, user: "ada"}.created())
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
			facts = append(facts, story{n: n + i, user: "dot"}.created())
		}
		record(t, l, facts...)
	}
	equal(t, "the default limit", len(list(t, l, job.Query{}).Jobs), 100)
	equal(t, "the highest limit", len(list(t, l, job.Query{Limit: 5000}).Jobs), 1000)
}
