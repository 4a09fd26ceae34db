package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/simulator"
)

// Field case 1: history was polled on a random replica: {} for 600 s, then an
// error with no cause. Here {} says nothing, and the share is asked.
func TestField01HistoryOfARandomReplica(t *testing.T) {
	t.Parallel()
	var empty atomic.Int32
	s := openSite(t, func(p *plan) {
		p.workers.Balance = simulator.Never
		p.workers.Render = simulator.Span{Min: 3 * time.Second, Max: 3 * time.Second} // time to ask in
		p.front = func(next http.Handler) http.Handler { return countEmptyHistories(next, &empty) }
	})
	j := s.submit("user001", saving(demo.Prefix("user001", 1, "random")))
	j = s.awaitEnd(j.ID, job.Done)
	if empty.Load() == 0 {
		t.Error("no history was asked for, so this shows nothing")
	}
	facts, err := s.client.Facts(t.Context(), j.ID)
	check(t, err)
	for _, f := range facts {
		if f.Evidence == job.ByHistory {
			t.Errorf("a history that no replica gave is evidence for %s", f.Kind)
		}
	}
	if len(j.Outputs) != 1 || j.Outputs[0].Evidence != job.ByPrefix || len(j.Attempts) != 1 {
		t.Errorf("outputs %+v in %d attempts", j.Outputs, len(j.Attempts))
	}
	s.judge()
}

func countEmptyHistories(next http.Handler, empty *atomic.Int32) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, "/history/") && !strings.Contains(r.URL.Path, "/api/jobs/") {
			next.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		if answer.Code == http.StatusNotFound || string(bytes.TrimSpace(answer.Body.Bytes())) == "{}" {
			empty.Add(1)
		}
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// Field case 2: "prompt never appeared" was not even logged.
func TestField02NeverAppearedIsLogged(t *testing.T) {
	t.Parallel()
	for name, swallow := range map[string]http.HandlerFunc{"accepted": acceptAndForget, "unanswered": takeAndHangUp} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openSite(t, func(p *plan) {
				p.config.Queue.EvidenceTimeout = config.Duration(time.Second)
				p.config.Queue.DoubtTimeout = config.Duration(time.Second)
				p.front = func(next http.Handler) http.Handler { return swallowPrompts(next, swallow) }
			})
			j := s.submit("user001", saving("gone"))
			j = s.awaitEnd(j.ID, job.Lost)
			e := refusedAs(t, j.ErrorDetail.Err(), "never_appeared")
			if !strings.Contains(e.Message, demo.Deployment) || !strings.Contains(j.Phase, e.Message) {
				t.Errorf("message %q, phase %q", e.Message, j.Phase)
			}
			s.logged("level=WARN", "code=never_appeared", "job="+string(j.ID), "prompt="+j.PromptID, "user=user001")
			facts, err := s.client.Facts(t.Context(), j.ID)
			check(t, err)
			if !slices.ContainsFunc(facts, func(f api.Fact) bool { return f.Kind == job.Expired && f.Error.Code == "never_appeared" }) {
				t.Error("the job's own story does not say it")
			}
		})
	}
}

func swallowPrompts(next http.Handler, swallow http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isPrompt(r) {
			swallow(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// acceptAndForget is a replica that is taken away after its answer.
func acceptAndForget(w http.ResponseWriter, r *http.Request) {
	id, err := readPromptID(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"prompt_id": id, "number": 0, "node_errors": map[string]any{}})
}

// takeAndHangUp is a balancer that loses the answer.
func takeAndHangUp(_ http.ResponseWriter, r *http.Request) {
	_, _ = readPromptID(r)
	panic(http.ErrAbortHandler)
}

// Field case 3: three of four deployments lacked --output-directory, and
// results went to container disk and vanished.
func TestField03NoOutputDirectory(t *testing.T) {
	t.Parallel()
	s := openSite(t, func(p *plan) {
		p.workers.Balance = simulator.Sticky
		p.workers.Deployments[0].ContainerDisk = p.mkdir(t, "container")
		p.config.Queue.Settle = config.Duration(50 * time.Millisecond)
	})
	j := s.putBack(s.submit("user001", saving("vanishing")).ID)
	if e := refusedAs(t, j.Attempts[0].Error.Err(), "no_output_directory"); !strings.Contains(e.Hint, "--output-directory") {
		t.Errorf("the next step is %q", e.Hint)
	}
	s.wantDelivered("user001")
	s.eventually("the worker says it", func() bool {
		workers, err := s.client.Workers(t.Context())
		check(t, err)
		e := workers[0].Error
		return e != nil && e.Code == "no_output_directory" && strings.Contains(e.Hint, "--output-directory")
	})
	s.eventually("a warning of the queue names it", func() bool { return s.warns("no_output_directory") })
}

// putBack waits until the job's first attempt has ended without files and the job
// waits again, because nothing is sent there any more.
func (s *site) putBack(id job.ID) api.Job {
	s.Helper()
	j := s.await(id, "back in the queue", func(j api.Job) bool { return j.State == job.Queued && len(j.Attempts) == 2 })
	s.eventually("the job says why", func() bool {
		var err error
		j, err = s.client.Job(s.Context(), id)
		return err == nil && strings.HasPrefix(j.Phase, "waiting: nothing is sent to ")
	})
	return j
}

// warns reports a warning of the whole queue.
func (s *site) warns(code string) bool {
	s.Helper()
	q, err := s.client.QueueStatus(s.Context())
	check(s.T, err)
	return slices.ContainsFunc(q.Warnings, func(w job.Warning) bool { return w.Code == code && w.Message != "" })
}

// Field case 4: the manager's host mounted a clone of the share while workers
// wrote to the original: files never came, and an old picture was shown again.
func TestField04ClonedShare(t *testing.T) {
	t.Parallel()
	s := openSite(t, func(p *plan) {
		p.workers.Balance = simulator.Sticky
		p.config.Share.Outputs = p.mkdir(t, "clone")
		p.config.Queue.Settle = config.Duration(50 * time.Millisecond)
		p.before = func(p plan) { plantOldPictures(t, p.config.Share.Outputs) }
	})
	j := s.putBack(s.submit("user001", saving("mine")).ID)
	if e := refusedAs(t, j.Attempts[0].Error.Err(), "other_volume"); !strings.Contains(e.Hint, "share.outputs") {
		t.Errorf("the next step is %q", e.Hint)
	}
	s.eventually("a warning of the queue names it", func() bool { return s.warns("other_volume") })
	if len(j.Outputs) > 0 || j.Result != nil {
		t.Errorf("an old picture is shown: %+v", j.Outputs)
	}
	s.wantDelivered("user001")
	orphans, err := s.client.Orphans(t.Context(), "")
	check(t, err)
	if len(orphans) > 0 {
		t.Errorf("what stood there before the manager did is no orphan: %+v", orphans)
	}
}

// plantOldPictures leaves what an earlier run wrote under the names of now.
func plantOldPictures(t *testing.T, share string) {
	t.Helper()
	yesterday := time.Now().Add(-24 * time.Hour)
	for _, name := range []string{"mine_00001_.png", "qm/0190a1b2-0000-7000-8000-000000000001/9/mine_00001_.png"} {
		p := filepath.Join(share, name)
		check(t, os.MkdirAll(filepath.Dir(p), 0o755))
		check(t, os.WriteFile(p, tinyPNG(t), 0o644))
		check(t, os.Chtimes(p, yesterday, yesterday))
	}
}

// Field case 5: a bind mount over NFS kept an empty listing until the
// container restarted. Here a listing that is empty says nothing, and the
// manager needs no restart.
func TestField05StaleListing(t *testing.T) {
	t.Parallel()
	t.Run("before the job is given up", func(t *testing.T) {
		t.Parallel()
		s := openSite(t, func(p *plan) { hideOutputs(t, p, patience/20) })
		j := s.submit("user001", saving(demo.Prefix("user001", 1, "stale")))
		j = s.await(j.ID, "rendered and unseen", func(j api.Job) bool { return j.State == job.Rendered })
		if len(j.Outputs) > 0 || j.Phase != "saving, 0 of 1 files" {
			t.Errorf("phase %q, outputs %+v", j.Phase, j.Outputs)
		}
		s.showOutputs()
		if j = s.awaitEnd(j.ID, job.Done); len(j.Warnings) > 0 {
			t.Errorf("warnings %+v", j.Warnings)
		}
		s.judge()
	})
	t.Run("after the job was given up", func(t *testing.T) {
		t.Parallel()
		s := openSite(t, func(p *plan) { hideOutputs(t, p, 50*time.Millisecond) })
		j := s.submit("user001", saving(demo.Prefix("user001", 1, "late")))
		s.putBack(j.ID)
		s.showOutputs()
		if j = s.awaitEnd(j.ID, job.Done); len(j.Outputs) != 1 || j.Attempts[1].PromptID != "" {
			t.Errorf("outputs %+v of attempts %+v", j.Outputs, j.Attempts)
		}
		s.judge()
	})
	t.Run("in a file system that remembers", func(t *testing.T) {
		t.Parallel()
		var mount string
		s := openSite(t, func(p *plan) {
			p.workers.Balance = simulator.Sticky
			p.config.Queue.Settle = config.Duration(time.Second)
			p.before = func(p plan) { bindFS(t, p.workers.Outputs, mount, "negative_timeout=3,entry_timeout=3,attr_timeout=3") }
			mount = p.mkdir(t, "mount")
			p.config.Share.Outputs = mount
		})
		j := s.submit("user001", saving(demo.Prefix("user001", 1, "cached")))
		s.await(j.ID, "rendered", func(j api.Job) bool { return j.State >= job.Rendered })
		if _, err := os.Stat(filepath.Join(mount, "qm", j.PromptID)); err == nil {
			t.Skip("this FUSE does not keep an empty answer")
		}
		s.awaitEnd(j.ID, job.Done)
		s.judge()
	})
}

// hideOutputs lets the workers write where the manager does not look. It
// gives a missing file up after 20 times settle, and no sweep finds it.
func hideOutputs(t *testing.T, p *plan, settle time.Duration) {
	p.config.Share.Sweep = 0
	p.workers.Balance = simulator.Sticky
	p.config.Share.Outputs = p.mkdir(t, "seen")
	p.config.Queue.Settle = config.Duration(settle)
}

// showOutputs lets the listing show what the workers wrote.
func (s *site) showOutputs() {
	s.Helper()
	s.eventually("the fleet rests", s.fleet.Idle)
	check(s.T, os.Rename(filepath.Join(s.workers.Outputs, "qm"), filepath.Join(s.config.Share.Outputs, "qm")))
}

// An endpoint that refuses everybody holds the queue: no job fails, canary, queue
// and job say the same, and a canary that is taken ends it.
func TestAWrongKeyHoldsTheQueue(t *testing.T) {
	t.Parallel()
	var wrong atomic.Bool
	wrong.Store(true)
	s := openSite(t, func(p *plan) {
		p.front = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if wrong.Load() {
					http.Error(w, "wrong key", http.StatusUnauthorized)
					return
				}
				next.ServeHTTP(w, r)
			})
		}
	})
	var ids []job.ID
	for n := range 8 {
		user := []string{"user001", "user002"}[n%2]
		ids = append(ids, s.submit(user, saving(demo.Prefix(user, n, "held"))).ID)
	}
	s.eventually("the queue says it", func() bool { return s.warns("endpoint_or_key") })
	for _, id := range ids {
		s.await(id, "waiting, and says why", func(j api.Job) bool {
			return j.State == job.Queued && strings.Contains(j.Phase, "the endpoint answered 401") || j.State == job.Submitting
		})
	}
	if got := s.flyCanary(t.Context()); verdicts(got, "canary-accepted") != "key" {
		t.Errorf("the canary says %s", reasons(got))
	}
	q, err := s.client.QueueStatus(t.Context())
	check(t, err)
	if q.Failed != 1 || q.Stopped == nil || q.Stopped.Waiting != len(ids) || q.Wait != nil { // the canary alone failed
		t.Errorf("status %+v", q)
	}
	wrong.Store(false)
	if got := s.flyCanary(t.Context()); verdicts(got, "canary-accepted", "canary-delivered") != "accepted delivered" {
		t.Errorf("the canary says %s", reasons(got))
	}
	for _, id := range ids {
		s.awaitEnd(id, job.Done)
	}
	for _, user := range []string{"user001", "user002"} { // the canary's picture is taken away again
		if files := s.delivered(user); len(files) != 4 {
			t.Errorf("%s has %v", user, files)
		}
	}
}
