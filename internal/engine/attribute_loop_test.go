package engine_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

func TestOrphanIsShownNeverGuessedAndAssigned(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.submit("user001", 1)
		h.pass(time.Second)
		h.share.report(job.Sighting{Path: "someone.png", Size: 10, Mark: job.MarkWhole, At: time.Now()})
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

// orphaned makes one orphan and returns it.
func (h *house) orphaned() job.Orphan {
	h.Helper()
	h.share.report(job.Sighting{Path: "someone.png", Size: 10, Mark: job.MarkWhole, At: time.Now()})
	h.pass(time.Second)
	open, err := h.Orphans(job.OrphanOpen)
	if err != nil || len(open) != 1 {
		h.Fatalf("orphans %+v, %v", open, err)
	}
	return open[0]
}

// An assignment can be undone: the copy goes, the orphan is open again and can go
// to another user. Where the copy must stay, nothing changes.
func TestOrphanAssignmentIsUndone(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		id, admin := h.orphaned().ID, job.Caller{Name: "admin"}
		if _, err := h.UnassignOrphan(context.Background(), id, admin); job.AsError(err).Code != "orphan_not_assigned" {
			t.Errorf("an open orphan: %v", err)
		}
		if f, err := h.OrphanFile(id); err != nil {
			t.Errorf("its file: %v", err)
		} else if b, _ := io.ReadAll(f); string(b) != "someone.png" {
			t.Errorf("its file: %q", b)
		}
		if _, err := h.AssignOrphan(context.Background(), id, "user002", admin); err != nil {
			t.Fatal(err)
		}
		if _, err := h.OrphanFile(id); job.AsError(err).Code != "orphan_settled" {
			t.Errorf("a settled orphan's file: %v", err)
		}
		if _, err := h.AssignOrphan(context.Background(), id, "user003", admin); !strings.Contains(job.AsError(err).Message, "to user002") ||
			!strings.Contains(job.AsError(err).Hint, "unassign "+string(id)) {
			t.Errorf("a second assignment: %v", err)
		}
		h.share.set(func(s *fakeShare) {
			s.fail["someone.png"] = []error{&job.Error{Code: "not_taken_back", Class: job.Conflict}}
		})
		if _, err := h.UnassignOrphan(context.Background(), id, admin); job.AsError(err).Code != "not_taken_back" || h.Status().Orphans != 0 {
			t.Errorf("a changed copy: %v, %d orphans", err, h.Status().Orphans)
		}
		o, err := h.UnassignOrphan(context.Background(), id, admin)
		if err != nil || o.State != job.OrphanOpen || o.User != "" || len(h.share.delivered("user002")) != 0 || h.Status().Orphans != 1 {
			t.Errorf("%+v, %v, %d orphans", o, err, h.Status().Orphans)
		}
		if o, err = h.AssignOrphan(context.Background(), id, "user003", admin); err != nil || len(h.share.delivered("user003")) != 1 {
			t.Errorf("%+v, %v", o, err)
		}
	})
}

// A manager that ends between the copy of an orphan and the word that it was
// copied finds its own copy at the next try.
func TestOrphanIsAssignedOnce(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		id, gate, done := h.orphaned().ID, make(chan struct{}), make(chan error)
		h.share.set(func(s *fakeShare) { s.gate = gate })
		go func() {
			_, err := h.AssignOrphan(context.Background(), id, "user002", job.Caller{Name: "admin"})
			done <- err
		}()
		h.pass(time.Second)
		h.stop()
		close(gate)
		if err := <-done; job.AsError(err).Code != "stopping" {
			t.Fatalf("an end in the middle: %v", err)
		}
		h.start()
		o, err := h.AssignOrphan(context.Background(), id, "user002", job.Caller{Name: "admin"})
		if err != nil || o.State != job.OrphanAssigned {
			t.Errorf("%+v, %v", o, err)
		}
		if got := h.share.delivered("user002"); len(got) != 1 {
			t.Errorf("delivered %v", got)
		}
	})
}

// Two admins who give one orphan to two users do not both succeed.
func TestOrphanGoesToOneUser(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		id, gate, done := h.orphaned().ID, make(chan struct{}), make(chan error)
		h.share.set(func(s *fakeShare) { s.gate = gate })
		go func() {
			_, err := h.AssignOrphan(context.Background(), id, "user002", job.Caller{Name: "admin"})
			done <- err
		}()
		h.pass(time.Second)
		if _, err := h.AssignOrphan(context.Background(), id, "user003", job.Caller{Name: "other"}); job.AsError(err).Code != "orphan_busy" {
			t.Errorf("a second admin: %v", err)
		}
		if _, err := h.DiscardOrphan(context.Background(), id, "not wanted", job.Caller{Name: "other"}); job.AsError(err).Code != "orphan_busy" {
			t.Errorf("a discard meanwhile: %v", err)
		}
		close(gate)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := h.share.delivered("user003"); len(got) != 0 {
			t.Errorf("delivered %v", got)
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

// TestLimitsRow10CountedOnTheJob: what was not reported one by one is a count on
// the job, and the file beside it is delivered.
func TestLimitsRow10CountedOnTheJob(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		p := h.prompt(j)
		for i := range 10 {
			h.share.report(job.Sighting{PromptID: p, Node: "9", Path: job.Path(fmt.Sprintf("qm/%s/9/link%d.png", p, i)), Mark: job.MarkHostile, Reason: "a symbolic link", At: time.Now()})
		}
		h.share.report(job.Sighting{PromptID: p, Path: job.Path("qm/" + p), Mark: job.MarkHostile, More: 19_990, At: time.Now()})
		h.share.report(job.Sighting{PromptID: p, Node: "9", Path: job.Path("qm/" + p + "/9/a_00001_.png"), Mark: job.MarkWhole, At: time.Now()})
		h.pass(5 * time.Second)
		j = h.want(j, job.Done)
		if len(j.Outputs) != 1 || j.Outputs[0].State != job.OutputStored || len(j.Warnings) != 11 || !strings.Contains(j.Warnings[10].Message, "19990 more") {
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
