package engine_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

func TestOneJobEndToEnd(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 2)
		h.pass(time.Second)
		h.want(j, job.Accepted)
		p := h.prompt(j)
		h.see(p, job.MarkStarted, "s_00001_.png")
		h.want(j, job.Running)
		h.see(p, job.MarkWhole, "out_00001_.png")
		h.pass(time.Second)
		if got := h.share.delivered("user001"); !slices.Equal(got, []string{"out_00001_.png"}) {
			t.Errorf("the first file was not delivered at once: %q", got)
		}
		h.want(j, job.Running)
		h.see(p, job.MarkWhole, "out_00002_.png")
		h.pass(time.Second)
		j = h.want(j, job.Done)
		if len(j.Outputs) != 2 || j.Outputs[0].State != job.OutputStored || j.Outputs[0].Checksum == "" {
			t.Errorf("outputs: %+v", j.Outputs)
		}
		if j.Current().Evidence() != job.ByManager || j.Outputs[0].Evidence != job.ByPrefix {
			t.Errorf("evidence: %s, %s", j.Current().Evidence(), j.Outputs[0].Evidence)
		}
		h.pass(20 * time.Minute)
		if j = h.now(j); !j.Closed {
			t.Error("the job is not closed after its late window")
		}
		if len(h.share.folders) != 0 {
			t.Errorf("still looking into %v", h.share.folders)
		}
	})
}

func TestIntentIsDurableBeforeThePost(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.fleet.answers(func(_ context.Context, s job.Submission) job.Fact {
			j, err := h.ledger.ByPrompt(s.PromptID)
			if err != nil || j.State() != job.Submitting {
				t.Errorf("at the POST the ledger says %v, %v", j.State(), err)
			}
			return answer(s, job.Acknowledged, nil)
		})
		h.submit("user001", 1)
		h.pass(time.Second)
		if len(h.fleet.posted()) != 1 {
			t.Fatal("nothing was posted")
		}
	})
}

func TestUnknownNumberOfFilesWaitsForQuiet(t *testing.T) {
	open(t, 1, engine.Policy{Settle: 3 * time.Second}, func(h *house) {
		j := h.submit("user001", 0)
		h.pass(time.Second)
		p := h.prompt(j)
		h.see(p, job.MarkWhole, "out_00001_.png")
		h.pass(2 * time.Second)
		h.see(p, job.MarkWhole, "out_00002_.png")
		h.pass(8 * time.Second)
		h.want(j, job.Running)
		h.pass(2 * time.Second)
		j = h.want(j, job.Done)
		if len(j.Outputs) != 2 {
			t.Errorf("%d outputs", len(j.Outputs))
		}
	})
}

func TestSettlingFileIsWholeOnceTheRunHasEnded(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		h.see(h.prompt(j), job.MarkSettling, "out_00001_.mp3")
		h.pass(time.Second)
		h.want(j, job.Running)
		h.hear(j, job.Finished, nil)
		h.pass(time.Second)
		h.want(j, job.Done)
	})
}

func TestSecondsOfTwoNodesAreNotMissed(t *testing.T) {
	body, _ := json.Marshal([]job.Expected{{Node: "9", Class: "SaveImage", Count: 1}, {Node: "12", Class: "SaveVideo", Count: 1}})
	open(t, 1, engine.Policy{}, func(h *house) {
		j, _, err := h.Submit(context.Background(), job.Request{User: "user001", Workflow: body, Priority: job.Normal})
		if err != nil {
			t.Fatal(err)
		}
		h.pass(time.Second)
		p := h.prompt(j)
		h.see(p, job.MarkWhole, "out_00001_.png")
		h.pass(5 * time.Minute)
		h.want(j, job.Running)
		h.share.report(job.Sighting{PromptID: p, Node: "12", Path: job.Path("qm/" + p + "/12/v_00001_.mp4"), Mark: job.MarkWhole, At: time.Now()})
		h.pass(time.Second)
		h.want(j, job.Done)
	})
}

func TestNeverAppearedIsTriedAgainAndThenLost(t *testing.T) {
	open(t, 1, engine.Policy{EvidenceTimeout: time.Minute, Retries: 2}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(10 * time.Minute)
		j = h.want(j, job.Lost)
		if e := j.Failure(); e == nil || e.Code != "never_appeared" || e.Hint == "" {
			t.Errorf("failure %v", e)
		}
		if len(j.Attempts) != 3 {
			t.Errorf("%d attempts, want 3", len(j.Attempts))
		}
		ids := map[string]bool{}
		for _, s := range h.fleet.posted() {
			ids[s.PromptID] = true
		}
		if len(ids) != 3 {
			t.Errorf("prompt ids are not fresh: %v", ids)
		}
	})
}

func TestLateFilesSpareTheNextAttempt(t *testing.T) {
	open(t, 1, engine.Policy{EvidenceTimeout: time.Minute, MaxRunning: 1}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		first := h.prompt(j)
		if err := h.SetMode(context.Background(), job.ModePaused, job.Caller{}); err != nil {
			t.Fatal(err)
		}
		h.pass(2 * time.Minute)
		h.want(j, job.Queued)
		h.see(first, job.MarkWhole, "out_00001_.png")
		h.pass(time.Second)
		h.want(j, job.Done)
		if n := len(h.fleet.posted()); n != 1 {
			t.Errorf("%d POSTs, want 1", n)
		}
		if got := h.share.delivered("user001"); len(got) != 1 {
			t.Errorf("delivered %q", got)
		}
	})
}

func TestRefusalForGoodFailsOnce(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.fleet.answers(func(_ context.Context, s job.Submission) job.Fact {
			return answer(s, job.Refused, &job.Error{Code: "worker_refused", Message: "no such model"})
		})
		j := h.submit("user001", 1)
		h.pass(time.Hour)
		j = h.want(j, job.Failed)
		if len(h.fleet.posted()) != 1 || j.Failure().Code != "worker_refused" {
			t.Errorf("%d posts, failure %v", len(h.fleet.posted()), j.Failure())
		}
	})
}

func TestRefusalForNowIsTriedUntilAccepted(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		for range 3 {
			h.fleet.answers(func(_ context.Context, s job.Submission) job.Fact {
				return answer(s, job.Refused, &job.Error{Code: "try_later", Transient: true, Message: "503"})
			})
		}
		j := h.submit("user001", 1)
		h.pass(2 * time.Second)
		if n := len(h.fleet.posted()); n != 2 {
			t.Errorf("%d POSTs after 2 s, want 2: it must back off", n)
		}
		h.pass(10 * time.Second)
		j = h.want(j, job.Accepted)
		if len(j.Attempts) != 4 {
			t.Errorf("%d attempts", len(j.Attempts))
		}
	})
}

func TestRefusalForNowEndsWithTheAcceptTimeout(t *testing.T) {
	open(t, 1, engine.Policy{AcceptTimeout: 2 * time.Minute}, func(h *house) {
		for range 100 {
			h.fleet.answers(func(_ context.Context, s job.Submission) job.Fact {
				return answer(s, job.Refused, &job.Error{Code: "try_later", Transient: true, Message: "503"})
			})
		}
		j := h.submit("user001", 1)
		h.pass(5 * time.Minute)
		h.want(j, job.Failed)
	})
}

func TestUnansweredThenSeen(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.fleet.answers(func(_ context.Context, s job.Submission) job.Fact {
			return answer(s, job.Unanswered, &job.Error{Code: "no_answer", Transient: true, Message: "502"})
		})
		j := h.submit("user001", 1)
		h.pass(time.Minute)
		h.want(j, job.Submitting)
		h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
		h.pass(time.Second)
		h.want(j, job.Done)
		if n := len(h.fleet.posted()); n != 1 {
			t.Errorf("%d POSTs: a prompt nobody answered for was sent twice", n)
		}
	})
}

func TestRestartNeverPostsTwice(t *testing.T) {
	open(t, 1, engine.Policy{DoubtTimeout: time.Minute}, func(h *house) {
		h.fleet.answers(func(ctx context.Context, s job.Submission) job.Fact {
			<-ctx.Done()
			return answer(s, job.Unanswered, &job.Error{Code: "no_answer", Message: "cut short"})
		})
		j := h.submit("user001", 1)
		h.pass(time.Second)
		h.stop()
		h.start()
		h.pass(30 * time.Second)
		h.want(j, job.Submitting)
		first := h.prompt(j)
		h.see(first, job.MarkWhole, "out_00001_.png")
		h.pass(time.Second)
		h.want(j, job.Done)
		if n := len(h.fleet.posted()); n != 1 {
			t.Errorf("%d POSTs, want 1", n)
		}
	})
}

func TestExecutionErrorNamesTheNode(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		h.hear(j, job.Broke, &job.Error{Code: "execution_error", Message: "out of memory", Node: "3", NodeType: "KSampler"})
		h.pass(time.Hour)
		j = h.want(j, job.Failed)
		if e := j.Failure(); e.Node != "3" || len(h.fleet.posted()) != 1 {
			t.Errorf("failure %+v after %d POSTs", e, len(h.fleet.posted()))
		}
	})
}

func TestSuccessWithoutFilesIsSaid(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		h.hear(j, job.Finished, nil)
		h.pass(5 * time.Minute)
		j = h.want(j, job.Lost)
		if j.Failure().Code != "no_files" || len(j.Attempts) != 1 {
			t.Errorf("failure %v after %d attempts", j.Failure(), len(j.Attempts))
		}
	})
}

// TestRow20WhatMayOnlyShowIsNoReasonToDoubtTheShare: nobody knew whether the nodes save.
func TestRow20WhatMayOnlyShowIsNoReasonToDoubtTheShare(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.ask("user001", wanted{Unsure: true})
		h.pass(time.Second)
		h.hear(j, job.Finished, nil)
		h.pass(5 * time.Minute)
		j = h.want(j, job.Lost)
		e := j.Failure()
		if e.Code != "no_files" || len(j.Attempts) != 1 || strings.Contains(e.Hint, "--output-directory") || !strings.Contains(e.Hint, "SaveImage") {
			t.Errorf("failure %v after %d attempts", e, len(j.Attempts))
		}
	})
}

// TestRow12AReplicaThatWritesElsewhere: what it loses is tried again, and says why.
func TestRow12AReplicaThatWritesElsewhere(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.fleet.tell("h200-spot", func(d *job.Deployment) {
			d.Error = &job.Error{Code: "replicas_differ", Message: "replicas write to /a and /b", Hint: "h"}
		})
		j := h.submit("user001", 1)
		h.pass(time.Second)
		h.hear(j, job.Finished, nil)
		h.pass(5 * time.Minute)
		j = h.now(j)
		if e := j.Attempts[0].Error; e == nil || e.Code != "no_files" || !strings.Contains(e.Message, "/a and /b") || !e.Transient || len(j.Attempts) != 2 {
			t.Errorf("failure %v after %d attempts", e, len(j.Attempts))
		}
		if w, ok := h.warning("replicas_differ"); !ok || w.Message != "replicas write to /a and /b" {
			t.Errorf("warnings %+v", h.Status().Warnings)
		}
	})
}

func TestPartialSuccessIsDoneWithAWarning(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 2)
		h.pass(time.Second)
		h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
		h.hear(j, job.Finished, nil)
		h.pass(5 * time.Minute)
		j = h.want(j, job.Done)
		if len(j.Warnings) != 1 || j.Warnings[0].Code != "partial" {
			t.Errorf("warnings %+v", j.Warnings)
		}
	})
}
