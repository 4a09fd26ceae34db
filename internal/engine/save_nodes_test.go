package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

// own is a job whose node chooses the name of its file itself.
func own(place string) wanted {
	return wanted{Expect: []job.Expected{{Node: "9", Class: "Own Saver", Custom: true, Outside: true}}, Places: []string{place}}
}

// stands reports a file outside the attempts' own folders.
func (h *house) stands(path string, size int64, claim *job.Claim) {
	h.share.report(job.Sighting{Path: job.Path(path), Size: size, Mark: job.MarkWhole, At: time.Now(), Modified: time.Now(), Claim: claim})
	synctest.Wait()
}

// ends lets a history tell the end of a job's run, with the files it names.
func (h *house) ends(j job.Job, files ...job.Path) {
	a := h.now(j).Current()
	h.fleet.report(job.Fact{Job: j.ID, Attempt: a.N, PromptID: a.PromptID, Kind: job.Finished, At: time.Now(), Evidence: job.ByHistory, Files: files})
	synctest.Wait()
}

func (h *house) orphans() []job.Orphan {
	h.Helper()
	all, err := h.Orphans(job.OrphanOpen)
	if err != nil {
		h.Fatal(err)
	}
	return all
}

// delivers holds what users have to a number of files each.
func (h *house) delivers(want map[string]int) {
	h.Helper()
	for user, n := range want {
		if got := h.share.delivered(user); len(got) != n {
			h.Errorf("%s has %v, want %d files", user, got, n)
		}
	}
}

// TestRow01SameNameTwoUsers: two users whose nodes write to one path take turns,
// and each gets the version that was written in their time, told by a history
// or by that time alone.
func TestRow01SameNameTwoUsers(t *testing.T) {
	for _, heard := range []bool{true, false} {
		open(t, 4, engine.Policy{}, func(h *house) {
			a, b := h.ask("user001", own("day/anna")), h.ask("user002", own("day/anna"))
			h.pass(time.Second)
			if n := len(h.fleet.posted()); n != 1 {
				t.Fatalf("%d prompts are in flight that write to one path", n)
			}
			if p := h.Standing(h.now(b)).Phase; !strings.Contains(p, string(a.ID)) || !strings.Contains(p, "same place") {
				t.Errorf("the second one waits: %q", p)
			}
			if n := h.Status().Exclusive; n != 1 {
				t.Errorf("%d jobs wait for another", n)
			}
			for _, j := range []job.Job{a, b} {
				h.want(j, job.Accepted)
				h.share.set(func(s *fakeShare) { s.sums["day/Anna.png"] = "xxh64:of " + j.User })
				h.stands("day/Anna.png", 10, nil)
				if heard {
					h.ends(j, "day/Anna.png")
				}
				h.pass(20 * time.Second)
				h.want(j, job.Done)
				h.pass(20 * time.Second)
			}
			h.delivers(map[string]int{"user001": 1, "user002": 1})
			if o := h.orphans(); len(o) != 0 {
				t.Errorf("orphans %+v", o)
			}
		})
	}
}

// TestRow01OtherPlacesFlyTogether: exclusive means the same place, not all
// places.
func TestRow01OtherPlacesFlyTogether(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		h.ask("user001", own("day/anna"))
		h.ask("user002", own("day/bert"))
		h.submit("user003", 1)
		h.pass(time.Second)
		if n := len(h.fleet.posted()); n != 3 {
			t.Errorf("%d of 3 prompts are in flight", n)
		}
	})
}

// TestRow01TwoHistoriesNameOnePath: what two attempts name and nothing decides
// is an orphan with both as candidates, whatever order they come in.
func TestRow01TwoHistoriesNameOnePath(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		unknown := wanted{Unsure: true, Expect: []job.Expected{{Node: "9", Class: "SaveImage", Count: 1}}}
		a, b := h.ask("user001", unknown), h.ask("user002", unknown)
		h.pass(time.Second)
		h.see(h.prompt(a), job.MarkWhole, "x_00001_.png")
		h.see(h.prompt(b), job.MarkWhole, "x_00001_.png")
		h.stands("same.jpg", 10, nil)
		h.pass(time.Second)
		h.ends(a, "same.jpg")
		h.ends(b, "same.jpg")
		h.pass(2 * time.Minute)
		h.delivers(map[string]int{"user001": 1, "user002": 1})
		if o := h.orphans(); len(o) != 1 || len(o[0].Candidates) != 2 {
			t.Fatalf("orphans %+v", o)
		}
	})
}

// TestRow02OrphanGoesToOneUser: while an admin assigns an orphan, and after
// that, neither metadata nor a history give the file to another user.
func TestRow02OrphanGoesToOneUser(t *testing.T) {
	claim := func(h *house, j job.Job) {
		h.stands("someone.png", 10, &job.Claim{Job: j.ID, PromptID: h.prompt(j), Attempt: 1, Node: "9"})
	}
	history := func(h *house, j job.Job) { h.ends(j, "someone.png") }
	for name, evidence := range map[string]func(*house, job.Job){"metadata": claim, "history": history} {
		for _, during := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				open(t, 1, engine.Policy{}, func(h *house) {
					j := h.submit("user001", 1)
					h.pass(time.Second)
					id, gate, done := h.orphaned().ID, make(chan struct{}), make(chan error, 1)
					h.share.set(func(s *fakeShare) { s.gate = gate })
					go func() {
						_, err := h.AssignOrphan(context.Background(), id, "user002", job.Caller{Name: "admin"})
						done <- err
					}()
					h.pass(time.Second)
					if during {
						evidence(h, j)
						h.pass(time.Second)
					}
					close(gate)
					if err := <-done; err != nil {
						t.Fatal(err)
					}
					if !during {
						h.pass(time.Second)
						evidence(h, j)
					}
					h.pass(5 * time.Minute)
					h.delivers(map[string]int{"user001": 0, "user002": 1})
					if t.Failed() {
						facts, _ := h.Facts(j.ID)
						for _, f := range facts {
							t.Logf("%s %s %s %+v %+v", f.At, f.Kind, f.Evidence, f.Output, f.Warning)
						}
						o, _ := h.ledger.Orphan(id)
						t.Logf("during %v: %+v", during, o)
					}
				})
			})
		}
	}
}

// TestRow04HistoryNamesTheFile: a file that only a history names is waited for,
// looked for by path, delivered, and known after a restart.
func TestRow04HistoryNamesTheFile(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.ask("user001", wanted{Places: []string{""}})
		h.pass(time.Second)
		h.ends(j, "day/anna.png")
		h.pass(10 * time.Second)
		h.want(j, job.Rendered)
		h.share.set(func(s *fakeShare) {
			if len(s.folders) != 1 || len(s.folders[0].Paths) != 1 || s.folders[0].Paths[0] != "day/anna.png" {
				t.Errorf("the share looks into %+v", s.folders)
			}
		})
		h.stop()
		h.start()
		h.stands("day/anna.png", 10, nil)
		h.pass(2 * time.Second)
		j = h.want(j, job.Done)
		if j.Outputs[0].Evidence != job.ByHistory {
			t.Errorf("evidence %s", j.Outputs[0].Evidence)
		}
		h.stop()
		h.pass(time.Hour)
		h.start()
		h.stands("day/anna.png", 10, nil)
		h.pass(time.Minute)
		h.delivers(map[string]int{"user001": 1})
		if o := h.orphans(); len(o) != 0 {
			t.Errorf("a delivered file became an orphan: %+v", o)
		}
	})
}

// TestRow04LostBecomesDone: a lost job whose files all come after all is done,
// and says so.
func TestRow04LostBecomesDone(t *testing.T) {
	open(t, 1, engine.Policy{EvidenceTimeout: time.Minute, Retries: -1}, func(h *house) {
		j := h.submit("user001", 2)
		h.pass(2 * time.Minute)
		h.want(j, job.Lost)
		h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
		h.pass(2 * time.Second)
		h.want(j, job.Lost)
		h.see(h.prompt(j), job.MarkWhole, "out_00002_.png")
		h.pass(2 * time.Second)
		j = h.want(j, job.Done)
		if n := len(j.Warnings); n == 0 || j.Warnings[n-1].Code != "came_late" {
			t.Errorf("warnings %+v", j.Warnings)
		}
	})
}

// runs lets one job after the other run as they should, so that usual times are
// known: a first sign after 300 ms, the end after five seconds.
func (h *house) runs(n int) {
	h.Helper()
	for range n {
		j := h.submit("warm", 1)
		h.pass(300 * time.Millisecond)
		h.see(h.prompt(j), job.MarkStarted, "_started")
		h.pass(5 * time.Second)
		h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
		h.pass(2 * time.Second)
		h.want(j, job.Done)
	}
}

func badGateway(_ context.Context, s job.Submission) job.Fact {
	return answer(s, job.Unanswered, &job.Error{Code: "bad_gateway", Transient: true, Message: "502"})
}

// TestRow06UnconfirmedFreesItsSlot: with room for one, a 502 does not stop the
// queue for longer than a few usual delays of the first sign, and what was
// accepted all the same is not sent again.
func TestRow06UnconfirmedFreesItsSlot(t *testing.T) {
	open(t, 1, engine.Policy{MaxRunning: 10}, func(h *house) {
		h.runs(4)
		h.fleet.answers(badGateway)
		h.fleet.answers(badGateway)
		lost, queued, next := h.submit("user001", 1), h.submit("user002", 1), h.submit("user003", 1)
		before := len(h.fleet.posted())
		h.pass(6 * time.Second)
		if n := len(h.fleet.posted()); n != before+2 {
			t.Fatalf("%d prompts sent in 6 s, want all three", n-before+1)
		}
		// The second one had arrived.
		h.see(h.prompt(queued), job.MarkStarted, "_started")
		h.see(h.prompt(queued), job.MarkWhole, "out_00001_.png")
		h.see(h.prompt(next), job.MarkStarted, "_started")
		h.see(h.prompt(next), job.MarkWhole, "out_00001_.png")
		h.pass(5 * time.Second)
		h.want(queued, job.Done)
		h.want(next, job.Done)
		if n := len(h.now(lost).Attempts); n != 1 {
			t.Fatalf("the silent prompt was sent again after 11 s")
		}
		h.pass(20 * time.Second)
		if n := len(h.now(lost).Attempts); n != 2 {
			t.Errorf("the silent prompt has %d attempts after half a minute", n)
		}
	})
}

// TestRow06MostPostsFail: with room for one and a 502 on two of three POSTs, no
// queue of one user or of many stands still for longer than a few usual delays of
// the first sign, also while nothing is given up yet, and nothing is rendered twice.
func TestRow06MostPostsFail(t *testing.T) {
	for _, users := range []int{1, 12} {
		open(t, 1, engine.Policy{}, func(h *house) {
			h.runs(4)
			var mu sync.Mutex
			var times []time.Time
			ran := map[job.ID]int{}
			serve := func(_ context.Context, s job.Submission) job.Fact {
				mu.Lock()
				defer mu.Unlock()
				times = append(times, time.Now())
				if len(times)%3 != 0 {
					return badGateway(t.Context(), s)
				}
				ran[s.Job]++
				go func() {
					time.Sleep(300 * time.Millisecond)
					h.share.report(job.Sighting{PromptID: s.PromptID, Path: job.Path("qm/" + s.PromptID + "/9/_started"), Mark: job.MarkStarted, At: time.Now()})
					time.Sleep(2 * time.Second)
					h.share.report(job.Sighting{PromptID: s.PromptID, Node: "9", Path: job.Path("qm/" + s.PromptID + "/9/out_00001_.png"), Size: 10, Mark: job.MarkWhole, At: time.Now()})
				}()
				return answer(s, job.Acknowledged, nil)
			}
			for range 150 {
				h.fleet.answers(serve)
			}
			var jobs []job.Job
			for k := range 36 {
				jobs = append(jobs, h.submit(fmt.Sprintf("user%03d", 1+k%users), 1))
			}
			h.pass(8 * time.Minute)
			mu.Lock()
			defer mu.Unlock()
			for k, at := range times[1:] {
				if gap := at.Sub(times[k]); gap > 5*time.Second && len(times)-k > 18 { // at the end none waits to be sent
					t.Errorf("%d users: nothing sent for %v after the prompt %d of %d", users, gap, k+1, len(times))
				}
			}
			for _, j := range jobs {
				if h.want(j, job.Done); ran[j.ID] != 1 {
					t.Errorf("%s ran %d times", j.ID, ran[j.ID])
				}
			}
			if took := times[len(times)-1].Sub(times[0]); took > 6*time.Minute {
				t.Errorf("%d users: %d prompts took %v", users, len(times), took)
			}
		})
	}
}

// TestRow06UnconfirmedAtFirst: also before any usual delay is known a 502 does
// not stop the queue, and the job that it befell is not sent again at once.
func TestRow06UnconfirmedAtFirst(t *testing.T) {
	open(t, 1, engine.Policy{MaxRunning: 10}, func(h *house) {
		h.fleet.set(func(f *fakeFleet) {
			f.deployments[0].State, f.deployments[0].ScaleToZero = job.WarmthCold, true
		})
		h.fleet.answers(badGateway)
		lost, next := h.submit("user001", 1), h.submit("user002", 1)
		h.pass(20 * time.Second)
		h.want(next, job.Accepted)
		h.see(h.prompt(next), job.MarkStarted, "_started")
		h.pass(4 * time.Minute)
		if n := len(h.now(lost).Attempts); n != 1 {
			t.Errorf("%d attempts of a prompt that may be queued behind a cold start", n)
		}
	})
}

// TestRow06NothingIsGivenUpBehindALongRun: a prompt that may wait in a worker's
// own queue is not paid for again.
func TestRow06NothingIsGivenUpBehindALongRun(t *testing.T) {
	open(t, 2, engine.Policy{MaxRunning: 10}, func(h *house) {
		h.runs(4)
		video := h.ask("user001", wanted{Expect: []job.Expected{{Node: "9", Class: "SaveVideo", Count: 1}}})
		h.pass(time.Second)
		h.see(h.prompt(video), job.MarkStarted, "_started")
		h.fleet.answers(badGateway)
		j := h.submit("user002", 1)
		h.pass(4 * time.Minute)
		if n := len(h.now(j).Attempts); n != 1 {
			t.Errorf("sent again behind a run of four minutes: %d attempts", n)
		}
		h.see(h.prompt(video), job.MarkWhole, "v_00001_.mp4")
		h.pass(time.Minute)
		if n := len(h.now(j).Attempts); n != 2 {
			t.Errorf("%d attempts a minute after the video ended", n)
		}
	})
}

// TestRow06SilentRunFreesItsSlot: a replica killed in mid-render frees its slot
// within a minute when a run usually takes five seconds, and the panel says so.
func TestRow06SilentRunFreesItsSlot(t *testing.T) {
	open(t, 1, engine.Policy{MaxRunning: 10}, func(h *house) {
		h.runs(4)
		killed := h.submit("user001", 1)
		h.pass(300 * time.Millisecond)
		h.see(h.prompt(killed), job.MarkStarted, "_started")
		next := h.submit("user002", 1)
		h.pass(10 * time.Second)
		h.want(next, job.Queued)
		h.pass(30 * time.Second)
		h.want(next, job.Accepted)
		h.see(h.prompt(next), job.MarkStarted, "_started")
		w, ok := h.warning("silent_attempts")
		if !ok || !strings.Contains(w.Message, "1 attempt") || !strings.Contains(w.Message, "used for other jobs") {
			t.Errorf("warning %+v, %v", w, ok)
		}
		if d := h.Workers()[0]; d.Silent != 1 || d.Released != 1 {
			t.Errorf("%d silent, %d slots released", d.Silent, d.Released)
		}
		if s, d := h.Status(), h.Workers()[0]; s.InFlight != 2 || s.NoSlot != 1 || s.Elsewhere != 0 || s.Occupied() != 1 || d.NoSlot != 1 {
			t.Errorf("%d in flight, %d of them without a slot, %d elsewhere", s.InFlight, s.NoSlot, s.Elsewhere)
		}
		if p := h.Standing(h.now(killed)).Phase; !strings.Contains(p, "no sign for 4") || !strings.Contains(p, "given up at") {
			t.Errorf("phase %q", p)
		}
		h.see(h.prompt(next), job.MarkWhole, "out_00001_.png")
		h.pass(5 * time.Second)
		h.want(next, job.Done)
		if s := h.Status(); s.Occupied() != 0 || s.Wait != 0 {
			t.Errorf("%d slots are occupied, and a new job waits %v s", s.Occupied(), s.Wait)
		}
	})
}

// TestRow06SlotsOfTheActiveDeployment: what is in flight on another deployment
// takes no slot of the active one.
func TestRow06SlotsOfTheActiveDeployment(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		h.fleet.set(func(f *fakeFleet) {
			f.deployments = append(f.deployments, job.Deployment{Name: "other", Capacity: 1, State: job.WarmthWarm})
		})
		h.submit("user001", 1)
		h.pass(time.Second)
		if _, err := h.ActivateWorker(context.Background(), "other", job.Caller{Name: "admin", Admin: true}); err != nil {
			t.Fatal(err)
		}
		h.submit("user002", 1)
		h.pass(2 * time.Second)
		if s := h.Status(); s.InFlight != 2 || s.Elsewhere != 1 || s.Occupied() != 1 || s.Capacity != 1 {
			t.Errorf("%d in flight, %d elsewhere, %d of %d slots occupied", s.InFlight, s.Elsewhere, s.Occupied(), s.Capacity)
		}
	})
}

// TestRow06RestartInAColdStart: a prompt whose answer was not heard, because
// the manager was restarted during a cold start, is not sent again while the
// deployment may still be starting.
func TestRow06RestartInAColdStart(t *testing.T) {
	open(t, 1, engine.Policy{DoubtTimeout: 15 * time.Second}, func(h *house) {
		h.fleet.set(func(f *fakeFleet) {
			f.deployments[0].State, f.deployments[0].ScaleToZero = job.WarmthCold, true
		})
		h.fleet.answers(func(ctx context.Context, s job.Submission) job.Fact {
			<-ctx.Done()
			return answer(s, job.Unanswered, &job.Error{Code: "no_answer", Transient: true})
		})
		j := h.submit("ada", 1)
		h.pass(6 * time.Second)
		h.stop()
		h.start()
		h.pass(14 * time.Minute)
		if n := len(h.now(j).Attempts); n != 1 {
			t.Fatalf("%d attempts while the first may wait for a machine", n)
		}
		h.pass(3 * time.Minute)
		if n := len(h.now(j).Attempts); n != 2 {
			t.Errorf("%d attempts after the longest cold start", n)
		}
	})
}

// TestRow06AllSlotsSilent: when silent attempts hold every slot, no wait is
// promised.
func TestRow06AllSlotsSilent(t *testing.T) {
	open(t, 1, engine.Policy{MaxRunning: 10}, func(h *house) {
		h.runs(4)
		first := h.ask("user001", wanted{Expect: []job.Expected{{Node: "9", Class: "SaveVideo", Count: 1}}})
		h.pass(time.Second)
		h.see(h.prompt(first), job.MarkStarted, "_started")
		h.submit("user002", 1)
		h.pass(10 * time.Minute)
		if w := h.Status().Wait; w != -1 {
			t.Errorf("the next job starts in %v s", w)
		}
		if _, ok := h.warning("silent_attempts"); !ok {
			t.Errorf("warnings %+v", h.Status().Warnings)
		}
		if d := h.Workers()[0]; d.Silent != 1 || d.Released != 0 {
			t.Errorf("%d silent, %d slots released", d.Silent, d.Released)
		}
	})
}

// TestRow08Drip: an attempt whose number of files nobody knows is not over
// while files still come at their pace.
func TestRow08Drip(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 0)
		h.pass(time.Second)
		for i := range 6 {
			if i > 0 {
				h.pass(5 * time.Second)
				h.want(j, job.Running)
			}
			h.see(h.prompt(j), job.MarkWhole, []string{"f_00001_.png", "f_00002_.png", "f_00003_.png", "f_00004_.png", "f_00005_.png", "f_00006_.png"}[i])
		}
		h.pass(time.Minute)
		if j = h.want(j, job.Done); len(j.Outputs) != 6 {
			t.Errorf("%d outputs", len(j.Outputs))
		}
	})
}

// TestRow10CopiesAreIgnored: a copy of a delivered picture elsewhere on the
// share is neither delivered again nor an orphan; another job's equal bytes are
// its own.
func TestRow10CopiesAreIgnored(t *testing.T) {
	open(t, 2, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 1)
		h.pass(time.Second)
		claim := &job.Claim{Job: j.ID, PromptID: h.prompt(j), Attempt: 1, Node: "9"}
		h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
		h.pass(5 * time.Second)
		h.want(j, job.Done)
		for range 2 { // while it is open, and when it is closed
			h.stands("copies/a.png", 10, claim)
			h.stands("copies/b.png", 10, claim)
			h.pass(time.Hour)
		}
		if n := h.Status().Copies; n != 4 {
			t.Errorf("%d copies were ignored", n)
		}
		h.delivers(map[string]int{"user001": 1})
		if o := h.orphans(); len(o) != 0 {
			t.Errorf("orphans %+v", o)
		}
		k := h.submit("user001", 1)
		h.pass(time.Second)
		h.see(h.prompt(k), job.MarkWhole, "out_00001_.png")
		h.pass(5 * time.Second)
		h.delivers(map[string]int{"user001": 2})
	})
}

// TestRow14BrokenOff: a batch that was broken off keeps its complete files and
// is tried again, or is accepted with a warning when that is wanted.
func TestRow14BrokenOff(t *testing.T) {
	broken := func(h *house, want job.State) job.Job {
		j := h.submit("user001", 4)
		h.pass(time.Second)
		p := h.prompt(j)
		h.see(p, job.MarkWhole, "out_00001_.png", "out_00002_.png", "out_00003_.png")
		h.see(p, job.MarkSeen, "out_00004_.png")
		h.pass(40 * time.Minute)
		h.delivers(map[string]int{"user001": 3})
		return h.now(j)
	}
	open(t, 1, engine.Policy{}, func(h *house) {
		j := broken(h, job.Accepted)
		if len(j.Attempts) != 2 || j.Attempts[0].Error.Code != "broken_off" {
			t.Errorf("attempts %+v", j.Attempts)
		}
	})
	open(t, 1, engine.Policy{Partial: engine.PartialAccept}, func(h *house) {
		j := broken(h, job.Done)
		if j.State() != job.Done || len(j.Attempts) != 1 {
			t.Errorf("%s after %d attempts", j.State(), len(j.Attempts))
		}
	})
}

// TestRow14BrokenOffUnknownCount: the same where the number of files is unknown:
// a half file that nobody will finish is no file that came late.
func TestRow14BrokenOffUnknownCount(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.submit("user001", 0)
		h.pass(time.Second)
		p := h.prompt(j)
		h.see(p, job.MarkWhole, "out_00001_.png", "out_00002_.png", "out_00003_.png")
		h.see(p, job.MarkSeen, "out_00004_.png")
		h.pass(40 * time.Minute)
		if n := len(h.fleet.posted()); n != 2 {
			t.Errorf("%s after %d prompts: %+v", h.now(j).State(), n, h.now(j).Warnings)
		}
	})
}

// TestLearn: a custom class that saves nothing when it is given a folder is sent
// once more as it was written, alone; what came of it is remembered for the
// deployment.
func TestLearn(t *testing.T) {
	flat := wanted{Expect: []job.Expected{{Node: "9", Class: "Flat Saver", Custom: true}}}
	open(t, 2, engine.Policy{}, func(h *house) {
		j := h.ask("user001", flat)
		h.pass(time.Second)
		h.ends(j)
		h.pass(2 * time.Minute)
		posts := h.fleet.posted()
		if len(posts) != 2 || len(posts[1].Plain) != 1 || posts[1].Plain[0] != "Flat Saver" {
			t.Fatalf("posts %+v", posts)
		}
		other := h.ask("user002", flat)
		h.pass(time.Second)
		h.stands("portraits/anna_0001.png", 10, nil)
		h.ends(j, "portraits/anna_0001.png")
		h.pass(10 * time.Second)
		h.want(j, job.Done)
		h.delivers(map[string]int{"user001": 1})
		h.ends(other) // it was sent before that was known, and is sent again
		h.pass(2 * time.Minute)
		h.stands("portraits/bert_0001.png", 10, nil)
		h.ends(other, "portraits/bert_0001.png")
		h.pass(10 * time.Second)
		h.want(other, job.Done)
		if l := h.Workers()[0].Learned; len(l) != 1 || !l[0].Plain || l[0].Class != "Flat Saver" {
			t.Errorf("learned %+v", l)
		}
		h.stop()
		h.start()
		third := h.ask("user003", flat)
		h.pass(5 * time.Minute)
		if a := h.now(third).Attempts[0]; len(a.Plain) != 1 || len(a.Places) != 1 {
			t.Errorf("after a restart its first attempt is %+v", a)
		}
	})
}

// TestLearnThatNothingIsSaved: a class that saves nothing either way costs one
// more run, once.
func TestLearnThatNothingIsSaved(t *testing.T) {
	shows := wanted{Expect: []job.Expected{{Node: "9", Class: "Shows Only", Custom: true}}}
	open(t, 2, engine.Policy{}, func(h *house) {
		j := h.ask("user001", shows)
		for range 2 {
			h.pass(time.Second)
			h.ends(j)
			h.pass(2 * time.Minute)
		}
		j = h.want(j, job.Lost)
		if e := j.Current().Error; e.NodeType != "Shows Only" || !strings.Contains(e.Hint, "[[save_node]]") {
			t.Errorf("%+v", e)
		}
		k := h.ask("user001", shows)
		h.pass(time.Second)
		h.ends(k)
		h.pass(2 * time.Minute)
		if k = h.want(k, job.Lost); len(k.Attempts) != 1 {
			t.Errorf("%d attempts of the next job", len(k.Attempts))
		}
	})
}

// stranger is a picture and an output node of which nobody knows whether and
// where it writes.
func stranger(class string) wanted {
	return wanted{Unsure: true, Strangers: map[string]string{"7": class}, Expect: []job.Expected{{Node: "9", Class: "SaveImage", Count: 1}}}
}

// asked are the attempts that the fleet asks about.
func (h *house) asked() []job.Flight {
	h.fleet.mu.Lock()
	defer h.fleet.mu.Unlock()
	return slices.Clone(h.fleet.flights)
}

// endsOutside reports a history that names files of node 7.
func (h *house) endsOutside(j job.Job, files ...job.Path) {
	a := h.now(j).Current()
	h.fleet.report(job.Fact{Job: j.ID, Attempt: a.N, PromptID: a.PromptID, Kind: job.Finished, At: time.Now(), Evidence: job.ByHistory, Files: files, Outside: []string{"7"}})
	synctest.Wait()
}

// TestRow01StrangersTakeTurns: jobs with an output node of which nobody knows
// whether it writes run one after the other until a history shows that it names
// no file outside its folder; then they run side by side, and jobs with other
// such nodes do not.
func TestRow01StrangersTakeTurns(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		a, b := h.ask("user001", stranger("Zork Show")), h.ask("user002", stranger("Zork Show"))
		h.submit("user003", 1)
		h.pass(time.Second)
		if n := len(h.fleet.posted()); n != 2 {
			t.Fatalf("%d prompts in flight, want a stranger and an isolated one", n)
		}
		h.see(h.prompt(a), job.MarkWhole, "x_00001_.png")
		h.ends(a, job.Path("qm/"+h.prompt(a)+"/9/x_00001_.png"))
		h.pass(20 * time.Second)
		h.want(a, job.Done)
		h.want(b, job.Accepted)
		e := h.ask("user003", stranger("Zork Show"))
		c, d := h.ask("user004", stranger("Zork Save")), h.ask("user005", stranger("Zork Save"))
		h.pass(time.Second)
		if n := len(h.fleet.posted()); n != 5 {
			t.Fatalf("%d prompts sent, want 5: one of two with the other class waits", n)
		}
		for _, j := range []job.Job{b, e} {
			h.see(h.prompt(j), job.MarkWhole, "x_00001_.png")
			h.ends(j)
		}
		h.stands("shots/final.jpg", 10, nil)
		h.see(h.prompt(c), job.MarkWhole, "x_00001_.png")
		h.endsOutside(c, "shots/final.jpg")
		h.pass(20 * time.Second)
		h.want(c, job.Done)
		h.stands("shots/final.jpg", 11, nil)
		h.see(h.prompt(d), job.MarkWhole, "x_00001_.png")
		h.endsOutside(d, "shots/final.jpg")
		h.pass(20 * time.Second)
		h.want(d, job.Done)
		h.delivers(map[string]int{"user004": 2, "user005": 2})
		for _, l := range h.Workers()[0].Learned {
			if l.Plain != (l.Class == "Zork Save") {
				t.Errorf("learned %+v", l)
			}
		}
	})
}

// TestRow01AStrangerIsAskedAfterwards: where the share shows the end of a run
// before its history is heard, the worker is asked for it for a while: what it
// says ends the turns.
func TestRow01AStrangerIsAskedAfterwards(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		a := h.ask("user001", stranger("Zork Show"))
		h.pass(time.Second)
		h.see(h.prompt(a), job.MarkWhole, "x_00001_.png")
		h.pass(5 * time.Second)
		h.want(a, job.Done)
		if f := h.asked(); len(f) != 1 || f[0].Wrote == 0 {
			t.Fatalf("asked about %+v", f)
		}
		h.pass(40 * time.Second)
		if f := h.asked(); len(f) != 0 {
			t.Errorf("asked for ever: %+v", f)
		}
	})
}

// TestRow03LearnedMeanwhile: a job in flight while another shows how its class
// saves waits for that, and is sent again in the way that was found to work; or
// not at all when none was.
func TestRow03LearnedMeanwhile(t *testing.T) {
	flat := wanted{Expect: []job.Expected{{Node: "9", Class: "Flat Saver", Custom: true}}}
	for _, saves := range []bool{true, false} {
		open(t, 2, engine.Policy{}, func(h *house) {
			a, b := h.ask("user001", flat), h.ask("user002", flat)
			h.pass(time.Second)
			h.ends(a)
			h.pass(70 * time.Second)
			h.ends(b)
			h.pass(2 * time.Minute)
			h.want(a, job.Accepted)
			h.want(b, job.Rendered)
			for range 3 { // whoever is sent again saves
				for _, j := range []job.Job{a, b} {
					if j = h.now(j); j.State() != job.Accepted {
						continue
					}
					if p := "anna_" + j.User + ".png"; saves {
						h.stands(p, 10, nil)
						h.ends(j, job.Path(p))
					} else {
						h.ends(j)
					}
				}
				h.pass(2 * time.Minute)
			}
			for _, j := range []job.Job{a, b} {
				if j = h.now(j); (j.State() == job.Done) != saves {
					t.Errorf("%s: %s after %d attempts", j.User, j.State(), len(j.Attempts))
				}
			}
			if n := len(h.fleet.posted()); saves && n != 4 || !saves && n != 3 {
				t.Errorf("%d prompts", n)
			}
		})
	}
}

// TestRow01NamedBeforeItIsWritten: a history may name a file whose new version is
// still to come. What stands there until then is the delivered one of the job
// before, also for a manager that has just started and sees it anew.
func TestRow01NamedBeforeItIsWritten(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		a := h.ask("user001", own("day/anna"))
		h.pass(time.Second)
		old := job.Sighting{Path: "day/anna.png", Size: 10, Mark: job.MarkWhole, At: time.Now(), Modified: time.Now()}
		h.share.report(old)
		h.ends(a, "day/anna.png")
		h.pass(20 * time.Second)
		h.want(a, job.Done)
		b := h.ask("user002", own("day/anna"))
		h.pass(time.Second)
		h.ends(b, "day/anna.png")
		h.stop()
		h.start()
		old.At = time.Now()
		h.share.report(old)
		h.pass(10 * time.Second)
		h.delivers(map[string]int{"user001": 1, "user002": 0})
		h.stands("day/anna.png", 10, nil)
		h.pass(10 * time.Second)
		h.want(b, job.Done)
		h.delivers(map[string]int{"user001": 1, "user002": 1})
	})
}

// TestRow04CachedNode: a worker that has a node's result in its cache writes
// nothing, and its history names the file of the run before, which another user
// has. That is this job's file as well.
func TestRow04CachedNode(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		a := h.ask("user001", own("preview3d_"))
		h.pass(time.Second)
		mesh := job.Sighting{Path: "preview3d_ab.glb", Size: 10, Mark: job.MarkWhole, At: time.Now(), Modified: time.Now()}
		h.share.report(mesh)
		h.ends(a, mesh.Path)
		h.pass(20 * time.Second)
		h.want(a, job.Done)
		for _, user := range []string{"user002", "user001"} {
			j := h.ask(user, own("preview3d_"))
			h.pass(time.Second)
			n := h.now(j).Current()
			h.fleet.report(job.Fact{Job: j.ID, Attempt: n.N, PromptID: n.PromptID, Kind: job.Finished, At: time.Now(), Evidence: job.ByHistory,
				Files: []job.Path{mesh.Path}, Outside: []string{"9"}, Reused: []job.Path{mesh.Path}})
			synctest.Wait()
			mesh.At = time.Now()
			h.share.report(mesh)
			h.pass(20 * time.Second)
			h.want(j, job.Done)
		}
		h.delivers(map[string]int{"user001": 2, "user002": 1})
	})
}

// TestRow04WrittenAfterTheCachedNode: a file that was written after an attempt with
// a cached node had been sent is not what that node reports, though it stands at the
// same path.
func TestRow04WrittenAfterTheCachedNode(t *testing.T) {
	open(t, 1, engine.Policy{Retries: -1}, func(h *house) {
		var last job.Sighting
		write := func(user string) {
			j := h.ask(user, own("day/anna"))
			h.pass(time.Second)
			h.share.set(func(s *fakeShare) { s.sums["day/anna.png"] = "xxh64:of " + user })
			last = job.Sighting{Path: "day/anna.png", Size: 10, Mark: job.MarkWhole, At: time.Now(), Modified: time.Now()}
			h.share.report(last)
			h.ends(j, last.Path)
			h.pass(40 * time.Second)
			h.want(j, job.Done)
		}
		write("user001")
		cached := h.ask("user002", own("day/anna"))
		h.pass(time.Second)
		a := h.now(cached).Current()
		h.fleet.report(job.Fact{Job: cached.ID, Attempt: a.N, PromptID: a.PromptID, Kind: job.Finished, At: time.Now(), Evidence: job.ByHistory,
			Files: []job.Path{last.Path}, Outside: []string{"9"}, Reused: []job.Path{last.Path}})
		h.pass(2 * time.Minute) // the file is not seen again meanwhile
		before := len(h.share.delivered("user002"))
		write("user003")
		h.stop()
		h.start() // all that stands there is seen again
		last.At = time.Now()
		h.share.report(last)
		h.pass(time.Minute)
		h.delivers(map[string]int{"user001": 1, "user002": before, "user003": 1})
	})
}

// TestRow01ASilentStrangerStopsNobody: a job that is exclusive only because
// nobody knows a class of its nodes keeps others waiting no longer than its slot.
func TestRow01ASilentStrangerStopsNobody(t *testing.T) {
	open(t, 4, engine.Policy{}, func(h *house) {
		h.ask("user001", stranger("Zork Show"))
		h.ask("user002", stranger("Zork Show"))
		h.ask("user003", own("day/anna"))
		h.pass(time.Minute)
		if n := len(h.fleet.posted()); n != 1 {
			t.Fatalf("%d prompts sent at once", n)
		}
		h.pass(2 * time.Minute)
		if n := len(h.fleet.posted()); n != 2 {
			t.Errorf("%d prompts sent once the first was silent", n)
		}
	})
}

// TestRow21AFileThatOnlyTheHistoryNames: Preview3D may write into the root of the
// share or only show, and nothing in the prompt tells. The job is not done with
// the pictures that stand in its own folder.
func TestRow21AFileThatOnlyTheHistoryNames(t *testing.T) {
	shows := wanted{Expect: []job.Expected{{Node: "9", Class: "SaveImage", Count: 1}}, Places: []string{"preview3d_"}}
	open(t, 2, engine.Policy{}, func(h *house) {
		j := h.ask("user001", shows)
		h.pass(time.Second)
		h.see(h.prompt(j), job.MarkWhole, "x_00001_.png")
		h.pass(5 * time.Second)
		if s := h.now(j).State(); s.Terminal() || s == job.Rendered {
			t.Fatalf("%s while the run goes on", s)
		}
		h.ends(j, "preview3d_1.glb")
		h.pass(time.Second)
		h.stands("preview3d_1.glb", 100, nil)
		h.pass(time.Second)
		if j := h.want(j, job.Done); len(j.Outputs) != 2 {
			t.Errorf("outputs %+v", j.Outputs)
		}
		h.delivers(map[string]int{"user001": 2})
	})
	open(t, 2, engine.Policy{}, func(h *house) { // it only showed
		j := h.ask("user001", shows)
		h.pass(time.Second)
		h.see(h.prompt(j), job.MarkWhole, "x_00001_.png")
		h.ends(j)
		h.pass(time.Second)
		h.want(j, job.Done)
	})
	open(t, 2, engine.Policy{}, func(h *house) { // nobody hears of its end
		j := h.ask("user001", shows)
		h.pass(time.Second)
		h.see(h.prompt(j), job.MarkWhole, "x_00001_.png")
		h.pass(15 * time.Second)
		h.want(j, job.Done)
	})
}

// TestRow07AVanishedFileIsWrittenAgain: a file whose version was given up is
// delivered in the next one, while its job is open; after that it is an orphan.
func TestRow07AVanishedFileIsWrittenAgain(t *testing.T) {
	for _, late := range []bool{false, true} {
		open(t, 1, engine.Policy{}, func(h *house) {
			h.share.set(func(s *fakeShare) {
				for range 10 {
					s.fail["day/anna.png"] = append(s.fail["day/anna.png"], &job.Error{Code: "source_vanished", Class: job.NotFound, Transient: true, Message: "written again"})
				}
			})
			j := h.ask("user001", own("day/anna"))
			h.pass(time.Second)
			h.stands("day/anna.png", 10, nil)
			h.ends(j, "day/anna.png")
			h.pass(3 * time.Minute)
			if o := h.now(j).Outputs; len(o) != 1 || o[0].State != job.OutputVanished {
				t.Fatalf("outputs %+v", o)
			}
			h.share.set(func(s *fakeShare) { clear(s.fail) })
			if late {
				h.pass(time.Hour)
			}
			h.stands("day/anna.png", 10, nil)
			h.pass(time.Minute)
			if o := h.orphans(); (len(o) == 1) != late {
				t.Errorf("late %v: orphans %+v", late, o)
			}
			if n := len(h.share.delivered("user001")); (n == 1) == late {
				t.Errorf("late %v: %d files delivered", late, n)
			}
		})
	}
}

// TestRow01WrittenAfterAnInferredEnd: where no history reported the end of a run,
// it may have been too early: what comes to its place later is an orphan that
// names the job, and is not overwritten.
func TestRow01WrittenAfterAnInferredEnd(t *testing.T) {
	open(t, 1, engine.Policy{}, func(h *house) {
		j := h.ask("user001", wanted{Expect: []job.Expected{{Node: "9", Class: "SaveImage", Count: 1}, {Node: "7", Class: "Own", Custom: true, Outside: true}}, Places: []string{"day/"}})
		h.pass(time.Second)
		h.see(h.prompt(j), job.MarkWhole, "x_00001_.png")
		h.stands("day/anna.png", 10, nil)
		h.pass(time.Minute)
		h.want(j, job.Done)
		h.pass(3 * time.Minute) // longer than the clocks may differ
		h.stands("day/late.png", 10, nil)
		h.pass(time.Minute)
		if o := h.orphans(); len(o) != 1 || !slices.Equal(o[0].Candidates, []job.ID{j.ID}) {
			t.Errorf("orphans %+v", o)
		}
		h.ask("user002", own("day/late"))
		h.pass(time.Minute)
		if n := len(h.fleet.posted()); n != 1 {
			t.Errorf("%d prompts sent while an admin is to decide", n)
		}
	})
}
