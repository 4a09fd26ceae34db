package engine_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"testing/synctest"
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
		h.fleet.script = append(h.fleet.script, func(_ context.Context, s job.Submission) job.Fact {
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
		h.pass(2 * time.Second)
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
		j = h.want(j, job.Done)
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
		h.fleet.script = append(h.fleet.script, func(_ context.Context, s job.Submission) job.Fact {
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
			h.fleet.script = append(h.fleet.script, func(_ context.Context, s job.Submission) job.Fact {
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
			h.fleet.script = append(h.fleet.script, func(_ context.Context, s job.Submission) job.Fact {
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
		h.fleet.script = append(h.fleet.script, func(_ context.Context, s job.Submission) job.Fact {
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

func TestCancelQueued(t *testing.T) {
	open(t, 1, engine.Policy{MaxRunning: 1}, func(h *house) {
		h.submit("user001", 1)
		j := h.submit("user001", 1)
		if e := h.act(j, job.DoCancel); e != nil {
			t.Fatal(e)
		}
		h.want(j, job.Cancelled)
		if len(h.fleet.interrupted) != 0 {
			t.Error("a queued job was interrupted")
		}
		if e := h.act(j, job.DoCancel); e == nil || e.Class != job.Conflict {
			t.Errorf("a second cancel: %v", e)
		}
	})
}

func TestCancelRunningKeepsLateFilesAside(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		p := h.prompt(j)
		h.see(p, job.MarkStarted, "s.png")
		if e := h.act(j, job.DoCancel); e != nil {
			t.Fatal(e)
		}
		h.pass(10 * time.Second)
		j = h.want(j, job.Cancelled)
		if !slices.Equal(h.fleet.interrupted, []string{p}) {
			t.Errorf("interrupted %q", h.fleet.interrupted)
		}
		h.see(p, job.MarkWhole, "out_00001_.png")
		h.pass(time.Second)
		if got := h.share.delivered("user001"); !slices.Equal(got, []string{"cancelled/out_00001_.png"}) {
			t.Errorf("delivered %q", got)
		}
		if j = h.now(j); !j.Outputs[0].Aside || len(j.Warnings) == 0 {
			t.Errorf("it is not said: %+v %+v", j.Outputs, j.Warnings)
		}
	})
}

func TestCancelCutsThePostShort(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.fleet.script = append(h.fleet.script, func(ctx context.Context, s job.Submission) job.Fact {
			<-ctx.Done() // a cold start that nobody waits for any more
			return answer(s, job.Unanswered, &job.Error{Code: "no_answer", Message: "cut short"})
		})
		j := h.submit("user001", 1)
		h.pass(time.Minute)
		h.want(j, job.Submitting)
		h.act(j, job.DoCancel)
		h.pass(10 * time.Second)
		h.want(j, job.Cancelled)
		if len(h.fleet.interrupted) != 1 {
			t.Error("the prompt may have got through, and nobody interrupted it")
		}
	})
}

func TestRestartNeverPostsTwice(t *testing.T) {
	open(t, 1, engine.Policy{DoubtTimeout: time.Minute}, func(h *house) {
		h.fleet.script = append(h.fleet.script, func(ctx context.Context, s job.Submission) job.Fact {
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

func TestRestartTakesUpACopy(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.share.gate = make(chan struct{})
		j := h.submit("user001", 1)
		h.pass(time.Second)
		h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
		h.pass(time.Second)
		if o := h.now(j).Outputs[0]; o.Dest == "" || o.State == job.OutputStored {
			t.Fatalf("the place is not recorded before the copy: %+v", o)
		}
		h.stop()
		close(h.share.gate)
		h.start()
		h.pass(time.Second)
		h.want(j, job.Done)
		if got := h.share.delivered("user001"); !slices.Equal(got, []string{"out_00001_.png"}) {
			t.Errorf("delivered %q", got)
		}
	})
}

func TestDiskFullHeals(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		p := h.prompt(j)
		src := job.Path("qm/" + p + "/9/out_00001_.png")
		full := &job.Error{Code: "disk_full", Class: job.Unavailable, Transient: true, Message: "no space left", Hint: "make room"}
		h.share.fail[src] = []error{full, full, full}
		h.see(p, job.MarkWhole, "out_00001_.png")
		h.pass(2 * time.Second)
		j = h.now(j)
		if len(j.Warnings) != 1 || j.Warnings[0].Code != "disk_full" {
			t.Errorf("warnings %+v", j.Warnings)
		}
		if w := h.Status().Warnings; len(w) == 0 || w[0].Code != "disk_full" {
			t.Errorf("the queue does not say so: %+v", w)
		}
		h.pass(time.Minute)
		h.want(j, job.Done)
	})
}

func TestTakenPlaceIsChosenAnew(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		p := h.prompt(j)
		h.share.fail[job.Path("qm/"+p+"/9/out_00001_.png")] = []error{&job.Error{Code: "dest_taken"}}
		h.see(p, job.MarkWhole, "out_00001_.png")
		h.pass(time.Second)
		h.want(j, job.Done)
	})
}

func TestLedgerFullIsSurvived(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		full := &job.Error{Code: "disk_full", Class: job.Unavailable, Message: "the ledger's disk is full", Hint: "make room"}
		h.ledger.FailWith(func([]job.Fact) error { return full })
		h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
		if _, err := h.try("user002", 1, job.Normal); job.AsError(err).Code != "disk_full" {
			t.Errorf("a submit while the disk is full: %v", err)
		}
		h.pass(time.Second)
		h.ledger.FailWith(nil)
		h.pass(2 * time.Second)
		h.want(j, job.Done)
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

func TestHalfFileIsGivenUpAndSaid(t *testing.T) {
	open(t, 1, engine.Policy{RunTimeout: time.Minute, Retries: -1}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		h.see(h.prompt(j), job.MarkSeen, "out_00001_.png")
		h.pass(30 * time.Minute)
		j = h.want(j, job.Lost)
		if j.Outputs[0].State != job.OutputAbandoned || !j.Closed {
			t.Errorf("output %s, closed %v", j.Outputs[0].State, j.Closed)
		}
	})
}

func TestLateFileOfAClosedJobIsStillDelivered(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		p := h.prompt(j)
		h.see(p, job.MarkWhole, "out_00001_.png")
		h.pass(time.Hour)
		if !h.now(j).Closed {
			t.Fatal("not closed")
		}
		h.see(p, job.MarkWhole, "out_00002_.png")
		h.pass(time.Second)
		if got := h.share.delivered("user001"); len(got) != 2 {
			t.Errorf("delivered %q", got)
		}
	})
}

func TestOrphanIsShownNeverGuessedAndAssigned(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.submit("user001", 1)
		h.pass(time.Second)
		h.share.report(job.Sighting{Path: "someone.png", Size: 7, Mark: job.MarkWhole, At: time.Now()})
		h.share.report(job.Sighting{PromptID: "not-ours", Node: "9", Path: "qm/not-ours/9/x.png", Mark: job.MarkWhole, At: time.Now()})
		h.pass(time.Second)
		open, err := h.Orphans(job.OrphanOpen)
		if err != nil || len(open) != 2 || h.Status().Orphans != 2 {
			t.Fatalf("orphans %+v, %v", open, err)
		}
		if got := h.share.delivered("user001"); len(got) != 0 {
			t.Fatalf("an orphan was guessed: %q", got)
		}
		o, err := h.AssignOrphan(context.Background(), open[0].ID, "user002", job.Caller{Name: "admin"})
		if err != nil || o.State != job.OrphanAssigned || len(h.share.delivered("user002")) != 1 {
			t.Errorf("assign: %+v, %v", o, err)
		}
		if _, err := h.DiscardOrphan(context.Background(), open[1].ID, "test file", job.Caller{Name: "admin"}); err != nil {
			t.Error(err)
		}
		if _, err := h.DiscardOrphan(context.Background(), open[1].ID, "again", job.Caller{}); job.AsError(err).Class != job.Conflict {
			t.Errorf("a second discard: %v", err)
		}
		if n := h.Status().Orphans; n != 0 {
			t.Errorf("%d orphans left", n)
		}
	})
}

func TestHostileFileIsSaidOnTheJob(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		p := h.prompt(j)
		h.share.report(job.Sighting{PromptID: p, Node: "9", Path: job.Path("qm/" + p + "/9/link.png"), Mark: job.MarkHostile, Reason: "a symbolic link", At: time.Now()})
		synctest.Wait()
		j = h.now(j)
		if len(j.Outputs) != 0 || len(j.Warnings) != 1 || j.Warnings[0].Code != "hostile_file" {
			t.Errorf("%+v %+v", j.Outputs, j.Warnings)
		}
	})
}

func TestMetadataAttributesAFileElsewhere(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		claim := &job.Claim{Job: j.ID, PromptID: h.prompt(j), Attempt: 1}
		h.share.report(job.Sighting{Path: "out_00001_.png", Node: "9", Mark: job.MarkWhole, At: time.Now(), Claim: claim})
		h.pass(5 * time.Second)
		j = h.want(j, job.Done)
		if j.Outputs[0].Evidence != job.ByMetadata {
			t.Errorf("evidence %s", j.Outputs[0].Evidence)
		}
		forged := &job.Claim{Job: "another", PromptID: h.prompt(j)}
		h.share.report(job.Sighting{Path: "forged.png", Mark: job.MarkWhole, At: time.Now(), Claim: forged})
		h.pass(time.Second)
		if o, _ := h.Orphans(job.OrphanOpen); len(o) != 1 {
			t.Errorf("a contradictory claim was believed: %+v", o)
		}
	})
}

func TestHistoryClaimsAnOrphanBack(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		h.share.report(job.Sighting{Path: "ComfyUI_00001_.png", Mark: job.MarkWhole, At: time.Now()})
		h.pass(time.Second)
		a := h.now(j).Current()
		h.fleet.report(job.Fact{Job: j.ID, Attempt: 1, PromptID: a.PromptID, Kind: job.Finished, At: time.Now(), Evidence: job.ByHistory, Files: []job.Path{"ComfyUI_00001_.png"}})
		h.pass(2 * time.Minute)
		j = h.want(j, job.Done)
		if j.Outputs[0].Evidence != job.ByHistory {
			t.Errorf("evidence %s", j.Outputs[0].Evidence)
		}
		if o, _ := h.Orphans(job.OrphanOpen); len(o) != 0 {
			t.Errorf("it is still an orphan: %+v", o)
		}
	})
}

func TestCapsAndDepth(t *testing.T) {
	open(t, 0, engine.Policy{MaxQueued: 2, MaxDepth: 3}, func(h *house) {
		h.submit("user001", 1)
		h.submit("user001", 1)
		if _, err := h.try("user001", 1, job.Normal); job.AsError(err).Code != "too_many_queued" {
			t.Errorf("over the user's cap: %v", err)
		}
		h.submit("user002", 1)
		_, err := h.try("user003", 1, job.Normal)
		if e := job.AsError(err); e.Code != "queue_full" || e.RetryAfter == 0 {
			t.Errorf("over the depth: %+v", e)
		}
	})
}

func TestPauseDrainResume(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		set := func(m job.Mode) {
			if err := h.SetMode(context.Background(), m, job.Caller{Name: "admin"}); err != nil {
				t.Fatal(err)
			}
		}
		set(job.ModePaused)
		j := h.submit("user001", 1)
		h.pass(time.Minute)
		h.want(j, job.Queued)
		h.stop()
		h.start()
		h.pass(time.Minute)
		h.want(j, job.Queued) // it survives a restart
		set(job.ModeDraining)
		h.pass(time.Second)
		h.want(j, job.Accepted) // what is there is finished
		if _, err := h.try("user001", 1, job.Normal); job.AsError(err).Code != "draining" {
			t.Errorf("a submit while draining: %v", err)
		}
		set(job.ModeRunning)
		h.submit("user001", 1)
	})
}

func TestNothingIsSentWhileTheShareIsAway(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.share.status = job.ShareStatus{Error: &job.Error{Code: "share_not_mounted", Message: "it is not a mount point"}}
		h.submit("user001", 1)
		h.pass(time.Minute)
		if n := len(h.fleet.posted()); n != 0 {
			t.Errorf("%d prompts were paid for and could not have been fetched", n)
		}
		h.share.mu.Lock()
		h.share.status = job.ShareStatus{}
		h.share.mu.Unlock()
		h.pass(time.Second)
		if n := len(h.fleet.posted()); n != 1 {
			t.Errorf("%d POSTs after it came back", n)
		}
	})
}

func TestIdempotencyKey(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		r := job.Request{User: "user001", Workflow: []byte(`[{"node":"9","count":1}]`), Priority: job.Normal, Key: "k1"}
		a, repeated, err := h.Submit(context.Background(), r)
		if err != nil || repeated {
			t.Fatal(repeated, err)
		}
		b, repeated, err := h.Submit(context.Background(), r)
		if err != nil || !repeated || a.ID != b.ID {
			t.Errorf("the second: %v %v, %s and %s", repeated, err, a.ID, b.ID)
		}
		r.User = "user002"
		c, repeated, err := h.Submit(context.Background(), r)
		if err != nil || repeated || c.ID == a.ID {
			t.Errorf("another user's same key: %v %v", repeated, err)
		}
	})
}

func TestRetryByAPerson(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		if e := h.act(j, job.DoRetry); e == nil || e.Code != "still_going" {
			t.Errorf("retry of a live job: %v", e)
		}
		h.pass(time.Second)
		h.hear(j, job.Broke, &job.Error{Code: "execution_error", Message: "bad"})
		h.want(j, job.Failed)
		if e := h.act(j, job.DoRetry); e != nil {
			t.Fatal(e)
		}
		h.pass(time.Second)
		h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
		h.pass(time.Second)
		if j = h.want(j, job.Done); len(j.Attempts) != 2 {
			t.Errorf("%d attempts", len(j.Attempts))
		}
	})
}

func TestInstructorPriorityIsGuarded(t *testing.T) {
	open(t, 0, engine.Policy{Admins: []string{"admin"}}, func(h *house) {
		if _, err := h.try("user001", 1, job.Instructor); job.AsError(err).Code != "priority_not_allowed" {
			t.Errorf("a participant jumped the line: %v", err)
		}
		if _, err := h.try("admin", 1, job.Instructor); err != nil {
			t.Error(err)
		}
	})
}

func TestActiveDeployment(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.fleet.deployments = append(h.fleet.deployments, job.Deployment{Name: "b300-spot", Capacity: 1})
		if _, err := h.ActivateWorker(context.Background(), "b300-spot", job.Caller{Name: "admin"}); err != nil {
			t.Fatal(err)
		}
		h.submit("user001", 1)
		h.pass(time.Second)
		if p := h.fleet.posted(); len(p) != 1 || p[0].Deployment != "b300-spot" {
			t.Errorf("posted %+v", p)
		}
		if _, err := h.ActivateWorker(context.Background(), "nowhere", job.Caller{}); job.AsError(err).Code != "worker_not_found" {
			t.Errorf("an unknown one: %v", err)
		}
	})
}
