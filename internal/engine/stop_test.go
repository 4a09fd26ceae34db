package engine_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/job"
)

// unauthorised refuses a prompt as an endpoint does that refuses everybody.
func unauthorised(_ context.Context, s job.Submission) job.Fact {
	return answer(s, job.Refused, &job.Error{Code: "endpoint_or_key", Class: job.Unavailable, Transient: true, Message: "the endpoint answered 401"})
}

// submitTo submits for a deployment by name.
func (h *house) submitTo(user, deployment string) job.Job {
	h.Helper()
	j, _, err := h.Submit(context.Background(), job.Request{User: user, Deployment: deployment, Workflow: []byte(`[{"Node":"9","Class":"SaveImage","Prefix":"out","Count":1}]`),
		Priority: job.Normal, Caller: job.Caller{Name: user}})
	if err != nil {
		h.Fatalf("submit: %v", err)
	}
	synctest.Wait()
	return j
}

// lose tells that the job's run has ended well with a file that does not come.
func (h *house) lose(j job.Job) {
	h.Helper()
	a := h.want(j, job.Accepted).Current()
	h.fleet.report(job.Fact{Job: j.ID, Attempt: a.N, PromptID: a.PromptID, Kind: job.Finished, At: time.Now(), Evidence: job.ByHistory,
		Files: []job.Path{job.Path("qm/" + a.PromptID + "/9/out_00001_.png")}})
	synctest.Wait()
}

func TestWrongKeyHoldsTheQueueAndBurnsNothing(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		h.fleet.set(func(f *fakeFleet) { f.always = unauthorised })
		var jobs []job.Job
		for _, user := range []string{"user001", "user002", "user003", "user001", "user002", "user003", "user001", "user002"} {
			jobs = append(jobs, h.submit(user, 1))
		}
		began := time.Now()
		h.pass(5 * time.Second)
		for _, j := range jobs {
			if s := h.Standing(h.want(j, job.Queued)); s.Phase != "waiting: nothing is sent to h200-spot: the endpoint answered 401" || s.Wait >= 0 {
				t.Errorf("%+v", s)
			}
		}
		if n := len(h.fleet.posted()); n > 4 {
			t.Errorf("%d POSTs", n)
		}
		w, ok := h.warning("endpoint_or_key")
		if !ok || !strings.HasPrefix(w.Message, "nothing is sent to h200-spot: the endpoint answered 401; 8 jobs wait") || w.At.Sub(began).Abs() > time.Second {
			t.Errorf("warning %+v", w)
		}
		if s := h.Status(); s.Wait >= 0 {
			t.Errorf("a job submitted now waits %v", s.Wait)
		}
		if d := h.Workers()[0]; d.Stopped == nil || d.Stopped.Waiting != 8 || d.Error == nil || d.Error.Code != "endpoint_or_key" || d.Stopped.Next.IsZero() {
			t.Errorf("deployment %+v", d)
		}

		h.pass(time.Hour) // tried with one job at a time, slower and slower
		if n := len(h.fleet.posted()); n < 8 || n > 20 {
			t.Errorf("%d POSTs within an hour", n)
		}
		h.stop()
		h.start()
		if w, ok := h.warning("endpoint_or_key"); !ok || w.At.Sub(began).Abs() > time.Second {
			t.Errorf("after a restart: %+v", w)
		}
		for _, j := range jobs {
			h.want(j, job.Queued)
		}

		h.fleet.set(func(f *fakeFleet) { f.always = nil; f.refresh = func(d *job.Deployment) { d.Answered = time.Now() } })
		h.pass(7 * time.Minute)
		if _, ok := h.warning("endpoint_or_key"); ok || h.Workers()[0].Stopped != nil {
			t.Error("it answers, and nothing is sent")
		}
		running := 0
		for _, j := range jobs {
			switch h.now(j).State() {
			case job.Accepted:
				running++
			case job.Queued:
			default:
				t.Errorf("the job is %s", h.now(j).State())
			}
		}
		if running < 4 {
			t.Errorf("%d jobs are in flight, want all 4 slots in use", running)
		}
	})
}

// A question that is answered shows that it is time to try, within seconds.
func TestStoppedDeploymentIsTriedWhenItAnswers(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.fleet.answers(unauthorised)
		j := h.submit("user001", 1)
		h.pass(3 * time.Second)
		h.want(j, job.Queued)
		h.fleet.set(func(f *fakeFleet) { f.refresh = func(d *job.Deployment) { d.Answered = time.Now() } })
		h.pass(5 * time.Second)
		h.want(j, job.Accepted)
	})
}

func TestOtherVolumeHoldsTheQueueAndPutsTheJobsBack(t *testing.T) {
	for name, argv := range map[string][]string{"other_volume": {"main.py", "--output-directory", "/elsewhere"}, "no_output_directory": {"main.py"}} {
		t.Run(name, func(t *testing.T) {
			open(t, 2, engine.Policy{Retries: -1}, func(h *house) {
				h.fleet.tell("h200-spot", func(d *job.Deployment) {
					d.System = &job.System{Argv: argv}
					if len(argv) > 1 {
						d.System.OutputDirectory = argv[2]
					}
				})
				a, b := h.submit("user001", 1), h.submit("user002", 1)
				h.pass(time.Second)
				h.lose(a)
				if name == "other_volume" {
					h.lose(b)
				} else if h.pass(20 * time.Second); h.want(b, job.Queued).Current().N != 1 {
					t.Error("a second one was sent before it is known whether files come from there")
				}
				h.pass(65 * time.Second) // until then it may hide behind the share's caches
				c := h.submit("user003", 1)
				h.pass(time.Second)
				for _, j := range []job.Job{a, b, c} {
					if s := h.Standing(h.want(j, job.Queued)); !strings.HasPrefix(s.Phase, "waiting: nothing is sent to h200-spot: ") {
						t.Errorf("phase %q", s.Phase)
					}
				}
				if _, ok := h.warning(name); !ok {
					t.Errorf("warnings %+v", h.Status().Warnings)
				}
				posts := len(h.fleet.posted())
				h.pass(2 * time.Minute)
				if n := len(h.fleet.posted()); n != posts+1 {
					t.Fatalf("%d POSTs after %d: want one job that tries", n, posts)
				}
				tried := h.fleet.posted()[posts]
				if s := h.Workers()[0].Stopped; !s.Trying || !strings.HasPrefix(s.Message, "one job tries h200-spot") || s.Waiting != 2 {
					t.Errorf("%+v", s)
				}
				h.fleet.report(job.Fact{Job: tried.Job, Attempt: tried.Attempt, PromptID: tried.PromptID, Kind: job.Finished, At: time.Now(), Evidence: job.ByHistory,
					Files: []job.Path{job.Path("qm/" + tried.PromptID + "/9/out_00001_.png")}})
				h.pass(30 * time.Second) // it has rendered, and its file may still come
				if n := len(h.fleet.posted()); n != posts+1 {
					t.Fatalf("%d POSTs after %d while the first is not decided", n, posts)
				}
				h.see(tried.PromptID, job.MarkWhole, "out_00001_.png")
				h.pass(2 * time.Second)
				if d := h.Workers()[0]; d.Stopped != nil || d.Delivers.IsZero() {
					t.Errorf("a file came, and it is %+v", d.Stopped)
				}
				h.pass(time.Second)
				for _, j := range []job.Job{a, b, c} {
					if j := h.now(j); j.State() != job.Done && j.State() != job.Accepted {
						t.Errorf("the job is %s", j.State())
					}
				}
			})
		})
	}
}

// A worker that was restarted with another wrong folder looks like two replicas
// that differ; that must not use up the retries of the jobs that try it.
func TestTriesAreNotRetries(t *testing.T) {
	open(t, 1, engine.Policy{Retries: -1}, func(h *house) {
		h.fleet.tell("h200-spot", func(d *job.Deployment) { d.System = &job.System{Argv: []string{"main.py"}} })
		j := h.submit("user001", 1)
		h.pass(time.Second)
		h.lose(j)
		h.pass(65 * time.Second)
		h.want(j, job.Queued)
		h.fleet.tell("h200-spot", func(d *job.Deployment) {
			d.System = &job.System{Argv: []string{"main.py", "--output-directory", "/elsewhere"}, OutputDirectory: "/elsewhere"}
			d.Error = &job.Error{Code: "replicas_differ", Message: "its own folder and /elsewhere"}
		})
		for range 4 {
			for h.now(j).State() == job.Queued {
				h.pass(time.Second)
			}
			h.pass(time.Second)
			h.lose(j)
			h.pass(65 * time.Second)
			h.want(j, job.Queued)
		}
		if w, ok := h.warning("other_volume"); !ok {
			t.Errorf("%+v", w)
		}
	})
}

// Files that come late after all spare the second run, and heal.
func TestLateFilesOfAJobThatWasPutBack(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		p := h.prompt(j)
		h.lose(j)
		h.pass(65 * time.Second)
		h.want(j, job.Queued)
		h.see(p, job.MarkWhole, "out_00001_.png")
		h.pass(2 * time.Second)
		h.want(j, job.Done)
		if n := len(h.fleet.posted()); n != 1 || h.Workers()[0].Stopped != nil {
			t.Errorf("%d POSTs, %+v", n, h.Workers()[0].Stopped)
		}
	})
}

// A prompt that may have been taken is not sent again because others are refused.
func TestAnUnansweredPromptIsNotPutBack(t *testing.T) {
	open(t, 2, engine.Policy{}, func(h *house) {
		h.fleet.answers(func(_ context.Context, s job.Submission) job.Fact {
			return answer(s, job.Unanswered, &job.Error{Code: "no_answer", Transient: true, Message: "502"})
		})
		h.fleet.answers(unauthorised)
		a, b := h.submit("user001", 1), h.submit("user002", 1)
		h.pass(5 * time.Second)
		h.want(a, job.Submitting)
		h.want(b, job.Queued)
		h.see(h.prompt(a), job.MarkWhole, "out_00001_.png")
		h.pass(time.Second)
		h.want(a, job.Done)
	})
}

func TestAStoppedDeploymentHoldsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{T: t, ledger: ledgertest.NewMemory(), share: newShare(), fleet: newFleet(1)}
		h.fleet.deployments = append(h.fleet.deployments, job.Deployment{Name: "other", Capacity: 1, State: job.WarmthWarm})
		h.start()
		defer func() { h.stop() }()
		h.fleet.set(func(f *fakeFleet) {
			f.always = func(ctx context.Context, s job.Submission) job.Fact {
				if s.Deployment == "other" {
					return answer(s, job.Acknowledged, nil)
				}
				return unauthorised(ctx, s)
			}
		})
		a, b := h.submit("user001", 1), h.submitTo("user002", "other")
		h.pass(3 * time.Second)
		h.want(a, job.Queued)
		h.want(b, job.Accepted)
		if _, err := h.ActivateWorker(context.Background(), "other", job.Caller{Name: "admin"}); err != nil {
			t.Fatal(err)
		}
		h.see(h.prompt(b), job.MarkWhole, "out_00001_.png")
		h.pass(3 * time.Second)
		h.want(a, job.Accepted) // it goes to the active deployment
	})
}

// doctor's canary is sent where nothing else is, proves the healing, and is not
// sent again when it fails.
func TestACanaryTriesAStoppedDeployment(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.fleet.set(func(f *fakeFleet) { f.always = unauthorised })
		j := h.submit("user001", 1)
		h.pass(2 * time.Second)
		posts := len(h.fleet.posted())
		first := h.submitTo(job.CanaryUser, "h200-spot")
		h.pass(2 * time.Second)
		if c := h.want(first, job.Failed); c.Failure().Code != "endpoint_or_key" || len(h.fleet.posted()) != posts+1 {
			t.Errorf("%v after %d POSTs", c.Failure(), len(h.fleet.posted())-posts)
		}
		h.want(j, job.Queued)
		h.fleet.set(func(f *fakeFleet) { f.always = nil })
		second := h.submitTo(job.CanaryUser, "h200-spot")
		h.pass(2 * time.Second)
		h.see(h.prompt(second), job.MarkWhole, "out_00001_.png")
		h.pass(2 * time.Second)
		h.want(second, job.Done)
		h.want(j, job.Accepted)
	})
}
