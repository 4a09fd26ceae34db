package ui

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// However jobs come, change, go and are sorted: the line is in order, what is
// shown is what matches, and each job is found where it stands.
func TestListStaysInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	names := []string{"", "a", "picture", "picture 1", "picture of a forest, 1", "picture of a forest, 2", "Zebra"}
	some := func() api.Job {
		j := makeJob(r.IntN(400), fmt.Sprintf("user%d", r.IntN(5)), names[r.IntN(len(names))], job.States()[r.IntN(len(job.States()))],
			time.Duration(r.IntN(30))*time.Second)
		j.Updated = ago(time.Duration(r.IntN(1000)) * time.Second)
		return j
	}
	l := newJobs(100, Clean)
	for step := range 400 {
		switch r.IntN(5) {
		case 0:
			l.sort(orders[r.IntN(len(orders))], r.IntN(2) == 0)
		case 1:
			l.setFilter([]string{"", "forest", "state:open", "!user:user1"}[r.IntN(4)])
		case 2:
			many := map[job.ID]api.Job{}
			for range 260 {
				j := some()
				many[j.ID] = j
			}
			var all []api.Job
			for _, j := range many {
				all = append(all, j)
			}
			l.change(all)
		case 3:
			at := r.IntN(50)
			l.stand([]api.Standing{{ID: jobID(r.IntN(400)), Position: &at}})
		default:
			l.change([]api.Job{some()})
		}
		checkOrder(t, l, step)
	}
}

func checkOrder(t *testing.T, l *jobs, step int) {
	t.Helper()
	if len(l.line) != len(l.all) || !slices.IsSortedFunc(l.line, l.compare) {
		t.Fatalf("step %d, by %s: %d of %d jobs are listed, sorted: %t", step, l.by, len(l.line), len(l.all), slices.IsSortedFunc(l.line, l.compare))
	}
	var want []*row
	for i, r := range l.line {
		if l.all[r.job.ID] != r || i > 0 && l.line[i-1] == r {
			t.Fatalf("step %d: row %d is not the job's", step, i)
		}
		if l.filter.matches(r) {
			want = append(want, r)
		}
	}
	if !slices.Equal(want, l.shown) {
		t.Fatalf("step %d: %d rows are shown, %d match", step, len(l.shown), len(want))
	}
	for i, r := range l.shown {
		if l.index(r.job.ID) != i {
			t.Fatalf("step %d: row %d is found at %d", step, i, l.index(r.job.ID))
		}
	}
}
