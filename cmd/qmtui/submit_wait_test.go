package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// fakeStreams answers the n-th event stream with the n-th handler (the last
// one again and again) and GET of a job with now.
type fakeStreams struct {
	streams []func(http.ResponseWriter)
	now     atomic.Pointer[api.Job]
	opened  atomic.Int32
}

func (f *fakeStreams) dial(t *testing.T) *api.Client {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+api.PathEvents, func(w http.ResponseWriter, _ *http.Request) {
		n := int(f.opened.Add(1)) - 1
		f.streams[min(n, len(f.streams)-1)](w)
	})
	mux.HandleFunc("GET "+api.PathJob, func(w http.ResponseWriter, _ *http.Request) { _ = writeJSON(w, f.now.Load()) })
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	c, err := api.Dial(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *fakeStreams) be(j api.Job) { f.now.Store(&j) }

func send(w http.ResponseWriter, kind api.EventKind, v any) {
	b, _ := json.Marshal(v)
	fmt.Fprintf(w, "event: %s\ndata: %s\n\n", kind, b)
	w.(http.Flusher).Flush()
}

func refuseStream(e *job.Error) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(api.StatusOf(e))
		_ = writeJSON(w, api.ErrorBody{Error: *api.FromError(e)})
	}
}

func jobAt(rev uint64, s job.State, e *api.Error) api.Job {
	return api.Job{ID: "j", State: s, Rev: rev, ErrorDetail: e, Phase: s.String()}
}

func TestFollowDoubtsAnEndThatMayBeRetried(t *testing.T) {
	lost := jobAt(2, job.Lost, &api.Error{Code: "never_appeared", Transient: true})
	f := &fakeStreams{}
	f.be(jobAt(1, job.Running, nil))
	f.streams = []func(http.ResponseWriter){func(w http.ResponseWriter) {
		send(w, api.EventSnapshot, api.Snapshot{Rev: 1, Jobs: []api.Job{}, Last: true})
	}, func(w http.ResponseWriter) {
		f.be(jobAt(3, job.Queued, nil)) // the manager has begun another attempt
		send(w, api.EventChange, api.Change{Rev: 2, Job: lost})
		send(w, api.EventChange, api.Change{Rev: 4, Job: jobAt(4, job.Done, nil)})
	}}
	var seen []job.State
	end, err := follower{client: f.dial(t), patience: patience, show: func(j api.Job) { seen = append(seen, j.State) }}.follow(t.Context(), jobAt(0, job.Queued, nil))
	if err != nil || end.State != job.Done {
		t.Fatalf("follow = %v, %v; want done after states %v", end.State, err, seen)
	}
	if f.opened.Load() != 2 {
		t.Errorf("%d streams were opened, want 2: the first one broke", f.opened.Load())
	}
}

func TestFollowEndsWithALossThatStays(t *testing.T) {
	lost := jobAt(2, job.Lost, &api.Error{Code: "never_appeared", Transient: true})
	f := &fakeStreams{}
	f.be(lost)
	f.streams = []func(http.ResponseWriter){func(w http.ResponseWriter) { send(w, api.EventChange, api.Change{Rev: 2, Job: lost}) }}
	end, err := follower{client: f.dial(t), patience: patience, show: func(api.Job) {}}.follow(t.Context(), jobAt(0, job.Running, nil))
	if err != nil || end.State != job.Lost {
		t.Errorf("follow = %v, %v, want lost", end.State, err)
	}
}

func TestFollowGivesUpOnWhatNoTryMends(t *testing.T) {
	f := &fakeStreams{streams: []func(http.ResponseWriter){
		refuseStream(&job.Error{Code: "login_required", Class: job.Forbidden, Message: "nobody said who you are"})}}
	_, err := follower{client: f.dial(t), patience: patience, show: func(api.Job) {}}.follow(t.Context(), jobAt(0, job.Queued, nil))
	if e := job.AsError(err); e == nil || e.Code != "login_required" || f.opened.Load() != 1 {
		t.Errorf("follow = %v after %d tries, want login_required after one", err, f.opened.Load())
	}
}

// A manager that goes away in the middle of the wait and does not come back, one that refuses every
// stream for good, and one that comes back again and again.
func TestFollowGivesUpOnAManagerThatIsGone(t *testing.T) {
	f := &fakeStreams{}
	running := jobAt(1, job.Running, nil)
	f.be(running)
	away := make(chan struct{})
	f.streams = []func(http.ResponseWriter){func(w http.ResponseWriter) {
		send(w, api.EventSnapshot, api.Snapshot{Rev: 1, Jobs: []api.Job{}, Last: true})
	}, func(w http.ResponseWriter) {
		send(w, api.EventChange, api.Change{Rev: 2, Job: jobAt(2, job.Running, nil)})
		close(away)
	}, refuseStream(&job.Error{Code: "stopping", Class: job.Unavailable, Transient: true, Message: "on its way out"})}
	var last string
	_, err := follower{client: f.dial(t), patience: 300 * time.Millisecond, show: func(j api.Job) { last = j.Phase }}.follow(t.Context(), running)
	<-away
	e := job.AsError(err)
	if e == nil || e.Code != managerGone || !strings.Contains(e.Message, "the job j ") || !strings.Contains(e.Hint, "qmtui jobs show j") || last != awayPhase {
		t.Errorf("follow = %v, and shows %q", err, last)
	}
	if codeOf(err) != exitNoDaemon || codeOf(goesOn(waitTimeout, "m", "j")) != exitWaited {
		t.Errorf("exit codes %d and %d", codeOf(err), codeOf(goesOn(waitTimeout, "m", "j")))
	}
}

func TestMayReturn(t *testing.T) {
	transient, final := &api.Error{Transient: true}, &api.Error{}
	cancelled := jobAt(1, job.Failed, transient)
	cancelled.Want = job.WantCancel
	for name, c := range map[string]struct {
		j    api.Job
		want bool
	}{
		"lost, transient":    {jobAt(1, job.Lost, transient), true},
		"failed, transient":  {jobAt(1, job.Failed, transient), true},
		"failed for good":    {jobAt(1, job.Failed, final), false},
		"done":               {jobAt(1, job.Done, nil), false},
		"running, transient": {jobAt(1, job.Running, transient), false},
		"nobody wants it":    {cancelled, false},
	} {
		if got := mayReturn(c.j); got != c.want {
			t.Errorf("%s: mayReturn = %v, want %v", name, got, c.want)
		}
	}
}

func TestTellerTellsStepsAndWarningsOnce(t *testing.T) {
	var out bytes.Buffer
	tell := (&app{stderr: &out}).newTeller()
	j := jobAt(1, job.Running, nil)
	for _, phase := range []string{"rendering, 0s", "rendering, 2s"} { // time alone is no step
		j.Phase = phase
		tell.show(j)
	}
	j.Warnings = []job.Warning{{Code: "not_writable", Message: "waits\x1b[31m"}}
	tell.show(j)
	tell.show(j)
	j.State, j.Phase = job.Done, "done"
	tell.show(j)
	want := "j rendering, 0s\nwarning: not_writable: waits\\x1b[31m\nj done\n"
	if out.String() != want {
		t.Errorf("told\n%swant\n%s", out.String(), want)
	}
}

func TestInDoubtNamesTheKey(t *testing.T) {
	told := inDoubt(&job.Error{Code: "connection_lost", Message: "it broke", Hint: "try again"}, "k1").Error()
	if !strings.Contains(told, "--key k1") {
		t.Errorf("inDoubt = %q, want the key in it", told)
	}
	sure := &job.Error{Code: "previews_only", Message: "no"}
	if got := inDoubt(sure, "k1"); !errors.Is(got, sure) || strings.Contains(got.Error(), "k1") {
		t.Errorf("inDoubt changed an answer: %v", got)
	}
}
