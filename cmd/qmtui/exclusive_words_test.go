package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// The lists name silent attempts, learned classes and the candidates of an
// orphan, and a job says where its attempts write outside their own folder.
func TestListsShowExclusiveAttempts(t *testing.T) {
	const one, two = "019aa5c0-0000-7000-8000-0000000001a2", "019aa5c0-0000-7000-8000-0000000001a3"
	answers := map[string]any{
		api.PathWorkers: []api.Worker{{Name: "h200", Capacity: 2, InFlight: 3, NoSlot: 1, Silent: 1, Released: 1, State: job.WarmthWarm,
			Learned: []job.Learned{{Class: "Flat Saver", Plain: true, Job: one}, {Class: "Show\x1b[2JText", Job: two}}}, {Name: "b300"}},
		api.PathOrphans: []api.Orphan{
			{Orphan: job.Orphan{ID: "o1", Path: "day/same.jpg", State: job.OrphanOpen, Reason: "2 jobs may have written it, and nothing decides between them"},
				Candidates: []api.Candidate{{Job: one, User: "user001"}, {Job: two, User: "user002"}}},
			{Orphan: job.Orphan{ID: "o2", Path: "day/late.jpg", State: job.OrphanAssigned, User: "user002", Job: two, By: "history", Reason: "unknown"}},
		},
		api.Path(api.PathJob, one): api.Job{ID: one, User: "user001", State: job.Running, Phase: "rendering", Attempts: []api.Attempt{
			{N: 1, State: job.Lost}, {N: 2, State: job.Running, Plain: []string{"Flat Saver"}, Places: []string{"day/anna", "film"}, FileCount: 2}}},
		api.Path(api.PathJobEvents, one): []api.Fact{},
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := json.Marshal(answers[r.URL.Path])
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(b)
	}))
	defer srv.Close()
	for name, c := range map[string]struct {
		do   func(a *app) error
		want []string
	}{
		"workers": {func(a *app) error { return a.listWorkers(t.Context(), false) }, []string{
			"2 of 2, 1 silent",
			"\nh200: 1 attempt in flight gives no sign; its slot is used for another job\n" +
				"h200: Flat Saver saves outside the folder of its job: its jobs run one after the other\n",
			`h200: Show\x1b[2JText was seen to save no file outside the folder of its job` + "\n"}},
		"orphans": {func(a *app) error { return a.listOrphans(t.Context(), "", false) }, []string{
			"nothing decides between them; may be of job 000001a2 (user001) or 000001a3 (user002)\n",
			"day/late.jpg  it is a file of job 000001a3, by history\n"}},
		"queue": {func(a *app) error {
			a.showQueue(api.QueueStatus{Exclusive: 2, Active: "h200", InFlight: 6, Capacity: 4, NoSlot: 1, Elsewhere: 2}, time.Now())
			return nil
		},
			[]string{"\ngpu       h200, 3 of 4 in flight, 1 silent, 2 elsewhere\n", "\nturns     2 jobs wait for another job, or for an orphan, at the same place\n"}},
		"job": {func(a *app) error { return a.showJob(t.Context(), one, false) }, []string{
			"attempt     1: lost\nattempt     2: running\n" +
				"            sent with the inputs of Flat Saver as they were written\n" +
				"            may write outside its own folder: day/anna, film\n" +
				"            its history named 2 files\n"}},
	} {
		var out bytes.Buffer
		if err := c.do(&app{stdout: &counted{Writer: &out}, stderr: &out, target: srv.URL}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s has no %q:\n%s", name, want, out.String())
			}
		}
	}
}
