package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

// TestRow01AFullFolderStopsNobodyElse: a file of a job's own folder that cannot be
// delivered keeps no other job waiting.
func TestRow01AFullFolderStopsNobodyElse(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		a := h.ask("user001", stranger("Zork Show"))
		h.pass(time.Second)
		src := job.Path("qm/" + h.prompt(a) + "/9/x_00001_.png")
		h.share.set(func(s *fakeShare) {
			for range 10000 {
				s.fail[src] = append(s.fail[src], &job.Error{Code: "quota_full", Class: job.Unavailable, Transient: true, Message: "the folder of user001 is full"})
			}
		})
		h.see(h.prompt(a), job.MarkWhole, "x_00001_.png")
		h.ends(a, src)
		b := h.ask("user002", own("day/bert"))
		c := h.ask("user003", stranger("Other Show"))
		h.pass(10 * time.Minute)
		t.Logf("a %s; b %s: %q; c %q", h.now(a).State(), h.now(b).State(), h.Standing(h.now(b)).Phase, h.Standing(h.now(c)).Phase)
		if n := len(h.fleet.posted()); n < 2 {
			t.Errorf("%d prompts in 10 minutes: the picture in the own folder of the first is not delivered", n)
		}
	})
}

// TestRow01MetadataOfAnInput: a node may copy the metadata of its input into what
// it saves: another job writes there, and its history decides.
func TestRow01MetadataOfAnInput(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		a := h.submit("user001", 1)
		h.pass(time.Second)
		claim := &job.Claim{Job: a.ID, PromptID: h.prompt(a), Attempt: 1, Node: "9"}
		h.see(h.prompt(a), job.MarkWhole, "x_00001_.png")
		h.ends(a, job.Path("qm/"+h.prompt(a)+"/9/x_00001_.png"))
		h.pass(5 * time.Second)
		h.want(a, job.Done)
		b := h.ask("user002", own("day/bert"))
		h.pass(time.Second)
		h.share.set(func(s *fakeShare) { s.sums["day/bert.png"] = "xxh64:of user002" })
		h.stands("day/bert.png", 10, claim)
		h.ends(b, "day/bert.png")
		h.pass(time.Minute)
		h.delivers(map[string]int{"user001": 1})
		t.Logf("b %s, orphans %+v", h.now(b).State(), h.orphans())
	})
}

// TestRow01WideJobsGetTheirTurn: a job that may write anywhere is not overtaken for ever
// by others whose times overlap.
func TestRow01WideJobsGetTheirTurn(t *testing.T) {
	open(t, 4, engine.Policy{MaxRunning: 4}, func(h *house) {
		narrow := func(k int) job.Job {
			return h.ask(fmt.Sprintf("user%03d", k), own(fmt.Sprintf("day/n%04d", k)))
		}
		flying := []job.Job{narrow(1)}
		h.pass(6 * time.Second)
		flying = append(flying, narrow(2))
		h.pass(time.Second)
		w := h.ask("wide", stranger("Zork Show"))
		for k := 3; k < 100; k++ {
			j := flying[0]
			h.want(j, job.Accepted)
			p := h.now(j).Attempts[0].Places[0] + ".png"
			h.stands(p, 10, nil)
			h.ends(j, job.Path(p))
			h.pass(time.Second)
			flying = append(flying[1:], narrow(k))
			h.pass(9 * time.Second)
			h.want(j, job.Done)
			if h.now(w).State() != job.Queued {
				t.Logf("sent after %v", time.Since(w.Submitted))
				return
			}
		}
		t.Errorf("overtaken by %d later jobs in %v: %q", 97, time.Since(w.Submitted), h.Standing(h.now(w)).Phase)
	})
}

// TestRow01SilenceOfAStrangerIsLong: two seconds of silence let nobody pass.
func TestRow01SilenceOfAStrangerIsLong(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		h.runs(4)
		before := len(h.fleet.posted())
		a, b := h.ask("user001", stranger("Zork Save")), h.ask("user002", stranger("Zork Save"))
		h.pass(4 * time.Second) // loads a custom node's model before it begins
		if n := len(h.fleet.posted()) - before; n != 1 {
			t.Errorf("%d strangers in flight after four seconds", n)
		}
		_, _ = a, b
	})
}

// TestRow01AGivenUpRunWritesLate: what comes while the next job runs may be of the one
// before, which was given up.
func TestRow01AGivenUpRunWritesLate(t *testing.T) {
	open(t, 4, engine.Policy{Retries: -1}, func(h *house) {
		a := h.ask("user001", own("shots/"))
		h.pass(time.Second)
		h.share.report(job.Sighting{PromptID: h.prompt(a), Path: job.Path("qm/" + h.prompt(a) + "/_started"), Mark: job.MarkStarted, At: time.Now(), Modified: time.Now()})
		h.pass(32 * time.Minute)
		h.want(a, job.Lost)
		b := h.ask("user002", own("shots/"))
		h.pass(2 * time.Minute)
		h.want(b, job.Accepted)
		h.share.set(func(s *fakeShare) { s.sums["shots/a.mp4"] = "xxh64:of user001" })
		h.stands("shots/a.mp4", 10, nil) // the render of 35 minutes ends
		h.pass(5 * time.Second)
		h.delivers(map[string]int{"user002": 0})
		h.ends(a, "shots/a.mp4")
		h.pass(time.Minute)
		t.Logf("a %s, b %s, orphans %+v", h.now(a).State(), h.now(b).State(), h.orphans())
	})
}

// TestRow03DroppedNodesTeachNothing: a node that did not run shows nothing of its class.
func TestRow03DroppedNodesTeachNothing(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		h.fleet.answers(func(_ context.Context, s job.Submission) job.Fact {
			f := answer(s, job.Acknowledged, nil)
			f.Dropped = []string{"7"}
			return f
		})
		a := h.ask("user001", stranger("Zork Save"))
		h.pass(time.Second)
		h.see(h.prompt(a), job.MarkWhole, "x_00001_.png")
		h.ends(a, job.Path("qm/"+h.prompt(a)+"/9/x_00001_.png"))
		h.pass(20 * time.Second)
		h.want(a, job.Done)
		if l := h.Workers()[0].Learned; len(l) != 0 {
			t.Errorf("learned of a node that did not run: %+v", l)
		}
	})
}

// TestRow03BrokenRunsTeachNothing: nor does a run that broke.
func TestRow03BrokenRunsTeachNothing(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		a := h.ask("user001", stranger("Zork Save"))
		h.pass(time.Second)
		h.see(h.prompt(a), job.MarkWhole, "x_00001_.png")
		h.pass(5 * time.Second)
		h.want(a, job.Done)
		h.hear(a, job.Broke, &job.Error{Code: "node_failed", Class: job.Invalid, NodeType: "Zork Save", Message: "node 7 broke"})
		h.pass(20 * time.Second)
		t.Logf("%s %+v %+v", h.now(a).State(), h.now(a).Current().Error, h.now(a).Warnings)
		if l := h.Workers()[0].Learned; len(l) != 0 {
			t.Errorf("learned of a node that broke: %+v", l)
		}
	})
}

// TestRow06AcceptedBehindALongRun: a prompt that waits behind a long run is not given up.
func TestRow06AcceptedBehindALongRun(t *testing.T) {
	open(t, 1, engine.Policy{MaxRunning: 10}, func(h *house) {
		h.runs(4)
		long := h.submit("user001", 1) // 4K this time: five minutes
		h.pass(300 * time.Millisecond)
		h.see(h.prompt(long), job.MarkStarted, "_started")
		next := h.submit("user002", 1)
		h.pass(5 * time.Minute)
		n := h.now(next)
		t.Logf("long %s, next %s, %d attempts %+v", h.now(long).State(), n.State(), len(n.Attempts), n.Current().Error)
		if len(n.Attempts) != 1 {
			t.Errorf("accepted once, queued behind a run that goes on, and sent %d times", len(n.Attempts))
		}
	})
}

// TestRow10ACopyWhileAStrangerRuns: a copy is one also where its attempt may be writing anywhere.
func TestRow10ACopyWhileAStrangerRuns(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		w := stranger("Zork Video")
		w.Expect = append(w.Expect, job.Expected{Node: "10", Class: "SaveVideo", Count: 1})
		j := h.ask("user001", w)
		h.pass(time.Second)
		h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
		h.pass(5 * time.Second)
		t.Log(h.now(j).State())
		h.copied(j, "restored/out_00001_.png", job.MarkWhole, 10, true)
		h.pass(5 * time.Second)
		h.delivers(map[string]int{"user001": 1})
	})
}

// TestRow10HalfACopyOfFullSize: a copy that was broken off is shown, and stops nobody.
func TestRow10HalfACopyOfFullSize(t *testing.T) {
	for _, wait := range []time.Duration{5 * time.Second, time.Hour} {
		open(t, 4, engine.Policy{}, func(h *house) {
			j := h.submit("user001", 1)
			h.pass(time.Second)
			h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
			h.ends(j)
			h.pass(wait)
			h.copied(j, "backup/a.png", job.MarkSeen, 10, true)
			h.pass(time.Hour)
			k := h.ask("user002", stranger("Zork Show"))
			h.pass(2 * time.Hour)
			if h.now(k).State() == job.Queued {
				t.Errorf("%v: after two hours: %q", wait, h.Standing(h.now(k)).Phase)
			}
			t.Logf("orphans %+v", h.orphans())
		})
	}
}

// TestRow14EmptiedFile: a file that was emptied after it had been seen full is no
// more complete than one that was always empty, unless a history reports success.
func TestRow14EmptiedFile(t *testing.T) {
	for _, heard := range []bool{false, true} {
		open(t, 1, engine.Policy{}, func(h *house) {
			j := h.submit("user001", 0)
			h.pass(time.Second)
			p := h.prompt(j)
			for _, size := range []int64{71, 0} {
				h.share.report(job.Sighting{PromptID: p, Node: "9", Path: job.Path("qm/" + p + "/9/a.json"), Size: size, Mark: job.MarkSettling, At: time.Now()})
			}
			if h.pass(time.Second); heard {
				h.ends(j)
			}
			h.pass(5 * time.Minute)
			if n := len(h.share.delivered("user001")); (n == 1) != heard {
				t.Errorf("heard %v: %d files delivered, %s", heard, n, h.now(j).State())
			}
		})
	}
}

// TestRow01AFileThatIsFoundLate: a share that is only scanned shows late what no
// history names; until then the next is not sent.
func TestRow01AFileThatIsFoundLate(t *testing.T) {
	quiet := wanted{Expect: []job.Expected{{Node: "9", Class: "Quiet", Count: 1, Custom: true, Outside: true}}, Places: []string{"same"}}
	open(t, 2, engine.Policy{}, func(h *house) {
		a, b := h.ask("user001", quiet), h.ask("user002", quiet)
		h.pass(time.Second)
		h.ends(a)
		h.pass(30 * time.Second)
		h.want(b, job.Queued)
		h.stands("same.txt", 10, nil)
		h.pass(10 * time.Second)
		h.want(a, job.Done)
		h.want(b, job.Accepted)
	})
}

// TestRow14EmptyFileOfTwoReplicas: an empty file counts when a history reports
// success, and not when two replicas ran the prompt, since the history may be that
// of the other one. What the other one wrote is delivered.
func TestRow14EmptyFileOfTwoReplicas(t *testing.T) {
	for replicas := 1; replicas <= 2; replicas++ {
		open(t, 1, engine.Policy{}, func(h *house) {
			j := h.submit("user001", 0)
			h.pass(time.Second)
			p := h.prompt(j)
			for n := 1; n <= replicas; n++ {
				h.share.report(job.Sighting{PromptID: p, Path: job.Path(fmt.Sprintf("qm/%s/_started/s_%05d_.png", p, n)), Mark: job.MarkStarted, At: time.Now()})
				h.share.report(job.Sighting{PromptID: p, Node: "9", Path: job.Path(fmt.Sprintf("qm/%s/9/a_%05d_.json", p, n)), Size: int64(71 * (n - 1)), Mark: job.MarkSettling, At: time.Now()})
			}
			h.pass(time.Second)
			h.ends(j)
			h.pass(5 * time.Minute)
			for _, o := range h.now(j).Outputs {
				if want := strings.HasSuffix(string(o.Source), fmt.Sprintf("a_%05d_.json", replicas)); (o.State == job.OutputStored) != want {
					t.Errorf("%d replicas: %s is %s", replicas, o.Source, o.State)
				}
			}
			if now := h.now(j); now.State() != job.Done || len(now.Outputs) != replicas {
				t.Errorf("%d replicas: %s, %d outputs", replicas, now.State(), len(now.Outputs))
			}
		})
	}
}

// TestRow01ANodeThatIgnoresItsFolder: a node that looks as if it took a folder, and
// that no table has, takes turns with what writes anywhere until a file in that
// folder shows that it does; jobs of one class then run side by side.
func TestRow01ANodeThatIgnoresItsFolder(t *testing.T) {
	looksIsolated := wanted{Expect: []job.Expected{{Node: "9", Class: "Slashless", Custom: true, Prefix: "anna"}}, Strangers: map[string]string{"9": "Slashless"}}
	open(t, 4, engine.Policy{}, func(h *house) {
		c := h.ask("user003", looksIsolated)
		b := h.ask("user002", own("anna"))
		h.pass(time.Second)
		h.stands("anna.png", 10, nil) // of user003
		h.ends(c, "anna.png")
		h.pass(3 * time.Minute)
		h.delivers(map[string]int{"user002": 0, "user003": 1})
		h.stands("anna.png", 12, nil)
		h.ends(b, "anna.png")
		h.pass(3 * time.Minute)
		h.delivers(map[string]int{"user002": 1, "user003": 1})
	})
	open(t, 4, engine.Policy{}, func(h *house) {
		c, d := h.ask("user003", looksIsolated), h.ask("user002", looksIsolated)
		h.pass(time.Second)
		h.want(d, job.Queued)
		h.see(h.prompt(c), job.MarkSeen, "anna_00001_.png")
		h.pass(time.Second)
		if now := h.now(d).State(); !now.InFlight() {
			t.Errorf("the class takes its folder, and the next job of it is %s", now)
		}
	})
}

// TestRow01ANamedFileBesideASilentJob: a job that was accepted long ago, and of which
// nothing shows that it began, takes no file from the one that reports it.
func TestRow01ANamedFileBesideASilentJob(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		h.ask("user001", stranger("Zork Show")) // its replica dies before it begins
		h.pass(3 * time.Minute)
		b := h.ask("user002", own("day/bert"))
		h.pass(2 * time.Second)
		h.stands("day/bert.png", 10, nil)
		h.ends(b, "day/bert.png")
		h.pass(time.Minute)
		h.want(b, job.Done)
		h.delivers(map[string]int{"user002": 1})
	})
}

// TestRow04DoneBeforeTheHistory: a job that was done by what stood in its folder says
// so when its history then names a file that does not come.
func TestRow04DoneBeforeTheHistory(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		a := h.ask("user001", stranger("Zork Save"))
		h.pass(time.Second)
		h.see(h.prompt(a), job.MarkWhole, "x_00001_.png")
		h.pass(time.Second)
		h.endsOutside(a, "shots/final.jpg")
		h.pass(10 * time.Minute)
		now := h.now(a)
		h.want(a, job.Done)
		if len(now.Warnings) != 1 || now.Warnings[0].Code != "partial" || !strings.Contains(now.Warnings[0].Message, "shots/final.jpg") {
			t.Errorf("its warnings are %+v", now.Warnings)
		}
	})
}

// TestRow02ADisputedFileHoldsWhatMayOverwriteIt: a file that an admin must decide about
// keeps waiting what writes to its path and what has the same node for a late window,
// and what may write anywhere for a minute.
func TestRow02ADisputedFileHoldsWhatMayOverwriteIt(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		a := h.ask("user001", stranger("Zork Save"))
		h.pass(time.Second)
		h.stands("zork.png", 10, nil)
		h.see(h.prompt(a), job.MarkWhole, "x_00001_.png")
		h.ends(a)
		for len(h.orphans()) == 0 {
			h.pass(time.Second)
		}
		if o := h.orphans(); len(o[0].Candidates) == 0 {
			t.Fatalf("orphans %+v", o)
		}
		same, path, other := h.ask("user002", stranger("Zork Save")), h.ask("user003", own("zork")), h.ask("user004", stranger("Other Save"))
		h.pass(50 * time.Second)
		for _, j := range []job.Job{same, path, other} {
			h.want(j, job.Queued)
		}
		h.pass(20 * time.Second)
		h.want(same, job.Queued)
		h.want(path, job.Queued)
		if now := h.now(other).State(); now == job.Queued {
			t.Errorf("an unrelated job waits: %s", h.Standing(h.now(other)).Phase)
		}
	})
}

// TestRow14HalfWhenItIsCopied: a file that was complete, and that its killed writer then
// began to write again, keeps its job and the jobs after it waiting no longer than a
// half file does.
func TestRow14HalfWhenItIsCopied(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		a := h.ask("user001", own("anna"))
		h.pass(time.Second)
		half := &job.Error{Code: "not_whole", Class: job.Conflict, Transient: true, Message: "incomplete"}
		h.share.fail["anna.png"] = slices.Repeat([]error{half}, 1000)
		h.stands("anna.png", 10, nil)
		h.ends(a, "anna.png")
		b := h.ask("user002", own("anna"))
		h.pass(5 * time.Minute)
		if now := h.now(a); !now.Attempts[0].State.Terminal() || now.Outputs[0].State != job.OutputVanished {
			t.Errorf("its job is %s, the file is %s", now.Attempts[0].State, now.Outputs[0].State)
		}
		if now := h.now(b); now.State() == job.Queued {
			t.Errorf("the next job waits: %s", h.Standing(now).Phase)
		}
	})
}

// TestRow13AClassIsNamedOnce: a node that looks as if it took a folder is named once
// in the error of a job that saved nothing.
func TestRow13AClassIsNamedOnce(t *testing.T) {
	open(t, 1, engine.Policy{Retries: 0}, func(h *house) {
		a := h.ask("user001", wanted{Expect: []job.Expected{{Node: "9", Class: "Slashless", Custom: true}}, Strangers: map[string]string{"9": "Slashless"}})
		h.pass(time.Second)
		h.ends(a)
		h.pass(5 * time.Minute)
		e := h.now(a).Attempts[0].Error
		if e == nil || strings.Count(e.Message, "Slashless") != 1 {
			t.Errorf("its error is %+v", e)
		}
	})
}
