package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

var epoch = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func apply(t *testing.T, j job.Job, facts ...job.Fact) job.Job {
	t.Helper()
	for _, f := range facts {
		f.Job, f.At = "j1", epoch
		next, err := j.Apply(f)
		if err != nil {
			t.Fatalf("%s: %v", f.Kind, err)
		}
		j = next
	}
	return j
}

func created(t *testing.T) job.Job {
	return apply(t, job.Job{}, job.Fact{Kind: job.Created, Spec: &job.Spec{ID: "j1", User: "user001", Submitted: epoch, Priority: job.Normal}})
}

// The first site's fields are all there, null where nothing is known.
func TestWaitingJobHasTheSitesFields(t *testing.T) {
	b, err := json.Marshal(FromJob(created(t), job.Standing{Position: 3, Wait: 60, Phase: "3 jobs are before it"}))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"j1","user_id":"user001","status":"pending","priority":2,"created_at":"2026-01-31T12:00:00Z","started_at":null,"completed_at":null,` +
		`"worker_id":null,"result":null,"error":null,"position_in_queue":3,"estimated_wait_time":60,"metadata":null,"name":"","state":"queued",` +
		`"phase_text":"3 jobs are before it",`
	if !strings.HasPrefix(string(b), want) {
		t.Errorf("%s", b)
	}
	for _, list := range []string{"outputs", "inputs", "warnings", "expected_nodes"} {
		if !strings.Contains(string(b), `"`+list+`":[]`) {
			t.Errorf("%s is no list in %s", list, b)
		}
	}
}

func TestEndedJobs(t *testing.T) {
	assigned := job.Fact{Kind: job.Assigned, Attempt: 1, PromptID: "p1", Deployment: "h200"}
	file := job.Output{ID: "o1", Node: "9", Source: "qm/p1/9/a_00001_.png", Dest: "film/a_00001_.png", Size: 7, Checksum: "xxh64:00"}
	aside := file
	aside.ID, aside.Source, aside.Dest, aside.Aside = "o2", "qm/p1/9/a_00002_.png", "cancelled/a.png", true
	done := apply(t, created(t), assigned,
		job.Fact{Kind: job.Stored, Attempt: 1, Output: &file, Evidence: job.ByPrefix},
		job.Fact{Kind: job.Finished, Attempt: 1, Evidence: job.ByHistory},
		job.Fact{Kind: job.Stored, Attempt: 1, Output: &aside, Evidence: job.ByPrefix},
		job.Fact{Kind: job.Completed, Attempt: 1})
	got := View{Subfolder: "{user}"}.Job(done, job.Standing{Position: 0, Wait: 0})
	if got.Position != nil || got.Wait != nil || got.Status != "completed" || *got.Worker != "h200" || got.Completed.IsZero() {
		t.Errorf("%+v", got)
	}
	if got.Result == nil || len(got.Result.Images) != 1 || got.Result.Images[0] != (ResultFile{"a_00001_.png", "user001/film", "output"}) {
		t.Errorf("result: %+v", got.Result)
	}
	failed := apply(t, created(t), assigned, job.Fact{Kind: job.Broke, Attempt: 1, Error: &job.Error{
		Code: "execution_error", Message: "no such model", Hint: "choose another", Node: "4", NodeErrors: []byte("not JSON")}})
	got = FromJob(failed, job.Standing{Position: -1, Wait: -1})
	if *got.Error != "node 4: no such model; choose another" || got.ErrorDetail.Code != "execution_error" || got.Result != nil || got.Status != "failed" {
		t.Errorf("%+v", got)
	}
	if _, err := json.Marshal(got); err != nil {
		t.Error(err)
	}
}

func TestFacts(t *testing.T) {
	two := job.High
	for want, f := range map[string]job.Fact{
		"somebody wants it cancelled": {Kind: job.Wanted, Want: job.WantCancel},
		"priority is now 1":           {Kind: job.Prioritised, Priority: &two},
		"goes to h200":                {Kind: job.Assigned, Deployment: "h200"},
		"goes to h200, with the inputs of Flat Saver as they were written": {Kind: job.Assigned, Deployment: "h200", Plain: []string{"Flat Saver"}},
		"film/a.png is delivered":                                    {Kind: job.Stored, Output: &job.Output{Source: "qm/p1/9/a.png", Dest: "film/a.png"}},
		"qm/p1/9/a.png goes to film/a.png":                           {Kind: job.Named, Output: &job.Output{Source: "qm/p1/9/a.png", Dest: "film/a.png"}},
		"qm/p1/9/a%0A.png stands on the share":                       {Kind: job.Seen, Output: &job.Output{Source: "qm/p1/9/a\n.png"}},
		"the deployment refused the prompt: no such node":            {Kind: job.Refused, Error: &job.Error{Message: "no such node"}},
		"nothing was sent: the disk is full":                         {Kind: job.Refused, Evidence: job.ByManager, Error: &job.Error{Message: "the disk is full"}},
		"the deadline passed without evidence: never appeared":       {Kind: job.Expired, Error: &job.Error{Message: "never appeared"}},
		"film/a.png is delivered anew: its source was written again": {Kind: job.Rewritten, Output: &job.Output{Source: "qm/p1/9/a.png", Dest: "film/a.png"}},
	} {
		if got := FromFact(f); got.Text != want {
			t.Errorf("%s: %q, want %q", f.Kind, got.Text, want)
		}
	}
	for _, k := range append(append(job.AttemptKinds(), job.OutputKinds()...), job.Created, job.Wanted, job.Renewed, job.Closed) {
		if Tell(job.Fact{Kind: k, Output: outputFor(k)}) == "" {
			t.Errorf("%s has no words", k)
		}
	}
}

func outputFor(k job.Kind) *job.Output {
	for _, o := range job.OutputKinds() {
		if k == o {
			return &job.Output{Source: "a"}
		}
	}
	return nil
}

func TestStatusCounts(t *testing.T) {
	s := FromStatus(job.QueueStatus{Counts: job.Counts{job.Queued: 1, job.Submitting: 2, job.Accepted: 3, job.Running: 4, job.Rendered: 5,
		job.Done: 6, job.Failed: 7, job.Cancelled: 8, job.Lost: 9}, Wait: -1})
	if s.Pending != 6 || s.Running != 9 || s.Completed != 6 || s.Failed != 16 || s.Cancelled != 8 || s.Mode != job.ModeRunning || s.Wait != nil {
		t.Errorf("%+v", s)
	}
}

func TestPath(t *testing.T) {
	for _, c := range []struct {
		pattern string
		values  []string
		want    string
	}{
		{PathJobs, nil, "/api/jobs"},
		{PathJob, []string{"a/b?c"}, "/api/jobs/a%2Fb%3Fc"},
		{PathJobCancel, []string{"{id}"}, "/api/jobs/%7Bid%7D/cancel"},
		{PathJobs, []string{"too many"}, "/api/jobs"},
	} {
		if got := Path(c.pattern, c.values...); got != c.want {
			t.Errorf("%s: %s", c.pattern, got)
		}
	}
}

// Where an attempt may write is in every view of a job; the files that its
// history named are only in the answer about one job, and not all of them.
func TestAttemptOutsideItsFolder(t *testing.T) {
	var files []job.Path
	for n := range 150 {
		files = append(files, job.Path(fmt.Sprintf("day/anna_%05d_.png", n)))
	}
	j := apply(t, created(t), job.Fact{Kind: job.Assigned, Attempt: 1, PromptID: "p1", Deployment: "h200", Plain: []string{"Flat Saver"}, Places: []string{"day/anna", "film"}},
		job.Fact{Kind: job.Finished, Attempt: 1, Evidence: job.ByHistory, Files: files})
	a := FromJob(j, job.Standing{}).Attempts[0]
	if !slices.Equal(a.Plain, []string{"Flat Saver"}) || a.Outside() != "day/anna, film" || a.FileCount != 150 || a.Files != nil {
		t.Errorf("in a list: %+v, outside %q", a, a.Outside())
	}
	a = View{}.JobDetail(j, job.Standing{}).Attempts[0]
	if len(a.Files) != maxFiles || a.Files[0] != "day/anna_00000_.png" || a.FileCount != 150 {
		t.Errorf("alone: %d of %d files", len(a.Files), a.FileCount)
	}
	if a.Places = []string{""}; a.Outside() != "anywhere on the share" {
		t.Errorf("any place: %q", a.Outside())
	}
	if a = FromJob(created(t), job.Standing{}).Attempts[0]; a.Plain == nil || a.Places == nil || a.Outside() != "" {
		t.Errorf("an isolated attempt: %+v", a)
	}
}

func TestOrphanCandidates(t *testing.T) {
	users := map[job.ID]string{"j1": "user001", "j2": "user002"}
	for want, ids := range map[string][]job.ID{
		"":                           nil,
		"may be of job j1 (user001)": {"j1"},
		"may be of job j1 (user001) or j2 (user002)":                 {"j1", "j2"},
		"may be of job j1 (user001), j9 or j2 (user002)":             {"j1", "j9", "j2"},
		"may be of job j1 (user001), j2 (user002), j3, j4 or 2 more": {"j1", "j2", "j3", "j4", "j5", "j6"},
	} {
		o := View{}.Orphan(job.Orphan{ID: "o1", Candidates: ids}, func(id job.ID) string { return users[id] })
		if got := o.MayBeOf(func(id job.ID) string { return string(id) }); got != want || o.Candidates == nil {
			t.Errorf("%v: %q, want %q", ids, got, want)
		}
		b, err := json.Marshal(o)
		if err != nil || strings.Count(string(b), `"candidates":[`) != 1 {
			t.Errorf("%s, %v", b, err)
		}
	}
}

func TestDeploymentSentences(t *testing.T) {
	for want, got := range map[string]string{
		"Flat Saver saves outside the folder of its job: its jobs run one after the other":           LearnedText(job.Learned{Class: "Flat Saver", Plain: true}),
		"Note was seen to save no file outside the folder of its job":                                LearnedText(job.Learned{Class: "Note"}),
		"1 attempt in flight gives no sign; its slot is used for another job":                        SilentText(job.Deployment{Silent: 1, Released: 1}),
		"1 attempt in flight gives no sign and occupies its slot":                                    SilentText(job.Deployment{Silent: 1}),
		"3 attempts in flight give no sign; their slots are used for other jobs":                     SilentText(job.Deployment{Silent: 3, Released: 3}),
		"3 attempts in flight give no sign; they occupy their slots":                                 SilentText(job.Deployment{Silent: 3}),
		"3 attempts in flight give no sign; 1 of their slots used for other jobs, the rest occupied": SilentText(job.Deployment{Silent: 3, Released: 1}),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := SilentText(job.Deployment{}); got != "" {
		t.Errorf("nothing is silent: %q", got)
	}
}
