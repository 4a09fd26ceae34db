package engine_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/calendar"
	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/engine/upkeep"
	"github.com/comfyume/qmtui/internal/job"
)

// governed opens a house with two deployments of capacity 1, "spot" and
// "demand", at 3 an hour, and rules for them. A bubble's clock begins at
// midnight UTC on a Saturday.
func governed(t *testing.T, rules upkeep.Rules, fn func(h *house)) {
	t.Helper()
	rules.Calendar = calendar.Calendar{Zone: time.UTC}
	synctest.Test(t, func(t *testing.T) {
		h := &house{T: t, ledger: ledgertest.NewMemory(), share: newShare(), fleet: newFleet(1), rules: rules}
		h.fleet.deployments = []job.Deployment{{Name: "spot", Capacity: 1, PricePerHour: 3, State: job.WarmthWarm},
			{Name: "demand", Capacity: 1, PricePerHour: 6, State: job.WarmthCold}}
		h.start()
		fn(h)
		h.stop()
	})
}

// tell changes what the fleet says of a deployment.
func (f *fakeFleet) tell(name string, change func(*job.Deployment)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deployments = slices.Clone(f.deployments)
	for i := range f.deployments {
		if f.deployments[i].Name == name {
			change(&f.deployments[i])
		}
	}
}

func (f *fakeFleet) asked() (woken, refreshed int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.woken), len(f.refreshed)
}

// held is of which deployments a replica is to be held; false when nobody said.
func (f *fakeFleet) held() ([]string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.holds) == 0 {
		return nil, false
	}
	return f.holds[len(f.holds)-1], true
}

// warning finds the one that stands with a code.
func (h *house) warning(code string) (job.Warning, bool) {
	for _, w := range h.Status().Warnings {
		if w.Code == code {
			return w, true
		}
	}
	return job.Warning{}, false
}

// wantWarning checks that it stands since then, says so much and what to do.
func (h *house) wantWarning(code string, since time.Time, say string) {
	h.Helper()
	w, ok := h.warning(code)
	if !ok || w.At.Sub(since).Abs() > 2*time.Second || !strings.Contains(w.Message, say) || w.Hint == "" {
		h.Errorf("%s: %v, %+v, want since %s", code, ok, w, since)
	}
}

// away lets time go by without a manager.
func (h *house) away(d time.Duration) {
	h.Helper()
	h.stop()
	time.Sleep(d) // fake time: see testing/synctest
	h.start()
	h.pass(2 * time.Second)
}

func (h *house) verbs() string {
	var all []string
	for _, e := range h.deeds {
		if e.Actor != "qmtui" || e.Via != "rule" || e.At.IsZero() {
			h.Errorf("a deed of nobody: %+v", e)
		}
		all = append(all, e.Verb+" ("+e.Target+", "+e.Result+")")
	}
	return strings.Join(all, "; ")
}

var admin = job.Caller{Name: "admin", Admin: true}

func TestFailoverMovesWhatWasNeverAccepted(t *testing.T) {
	rules := upkeep.Rules{Deployments: map[string]upkeep.Care{"spot": {Failover: upkeep.Failover{To: []string{"demand"}}}}}
	governed(t, rules, func(h *house) {
		accepted, waiting := h.submit("user001", 1), h.submit("user002", 1)
		h.pass(time.Second)
		h.want(accepted, job.Accepted)
		h.want(waiting, job.Queued)
		h.fleet.tell("spot", func(d *job.Deployment) { d.Lost, d.LostAt = 1, time.Now() })
		h.pass(2 * time.Second)
		since := time.Now()
		if a := h.want(accepted, job.Accepted).Current(); a.Deployment != "spot" || a.N != 1 {
			t.Errorf("what was accepted went to %s, attempt %d", a.Deployment, a.N)
		}
		if a := h.want(waiting, job.Accepted).Current(); a.Deployment != "demand" {
			t.Errorf("what waited is on %s", a.Deployment)
		}
		if n := len(h.fleet.posted()); n != 2 {
			t.Errorf("%d POSTs for two jobs", n)
		}
		h.wantWarning("failed_over", since, "jobs go to demand instead of spot, because the platform took replicas of spot away")
		h.away(time.Hour) // it is remembered
		h.wantWarning("failed_over", since, "demand instead of spot")
		if _, err := h.ActivateWorker(context.Background(), "spot", admin); err != nil {
			t.Fatal(err)
		}
		h.pass(10 * time.Second) // the lost replica is known still, but was before the choice
		if _, ok := h.warning("failed_over"); ok || h.Status().Active != "spot" {
			t.Errorf("a person's choice did not hold: %s", h.Status().Active)
		}
		if got := h.verbs(); got != "failover to demand (spot, spot_lost)" {
			t.Error(got)
		}
	})
}

// TestFailoverLeavesADoubtfulPromptAlone: nobody answered, so it may run.
func TestFailoverLeavesADoubtfulPromptAlone(t *testing.T) {
	rules := upkeep.Rules{Deployments: map[string]upkeep.Care{"spot": {Failover: upkeep.Failover{To: []string{"demand"}, Wait: 5 * time.Minute}}}}
	governed(t, rules, func(h *house) {
		h.fleet.answers(func(ctx context.Context, s job.Submission) job.Fact {
			<-ctx.Done()
			return answer(s, job.Unanswered, nil)
		})
		sent, waiting := h.submit("user001", 1), h.submit("user002", 1)
		h.fleet.tell("spot", func(d *job.Deployment) { d.State, d.WaitingSince = job.Warming, time.Now() })
		h.pass(4 * time.Minute)
		h.want(waiting, job.Queued)
		h.pass(2 * time.Minute)
		if a := h.want(waiting, job.Accepted).Current(); a.Deployment != "demand" {
			t.Errorf("what waited is on %s", a.Deployment)
		}
		if a := h.want(sent, job.Submitting).Current(); a.Deployment != "spot" {
			t.Errorf("what was sent is on %s", a.Deployment)
		}
		w, _ := h.warning("failed_over")
		if !strings.Contains(w.Message, "a prompt waits for a machine of spot for 5m") {
			t.Error(w.Message)
		}
	})
}

func TestBudgetPausesAndSaysSo(t *testing.T) {
	governed(t, upkeep.Rules{Deployments: map[string]upkeep.Care{"spot": {PerDay: 10}}}, func(h *house) {
		cost := func(amount float64) {
			h.fleet.tell("spot", func(d *job.Deployment) { d.Today.Amount = amount })
			h.pass(2 * time.Second)
		}
		running := h.submit("user001", 1)
		h.pass(time.Second)
		waiting := h.submit("user002", 1)
		cost(8)
		h.wantWarning("budget_near", time.Now(), "8.00 of the cap of 10.00 of spot")
		cost(9.6)
		since := time.Now()
		h.wantWarning("budget_reached", since, "no job is sent to spot")
		h.hear(running, job.Finished, nil) // what was in flight goes on
		h.see(h.prompt(running), job.MarkWhole, "out_00001_.png")
		h.pass(5 * time.Second)
		h.want(running, job.Done)
		h.away(5 * time.Hour)
		h.want(waiting, job.Queued)
		h.wantWarning("budget_reached", since, "no job is sent to spot")
		if s := h.Standing(h.now(waiting)); s.Phase != "waiting: today's budget is spent" || s.Wait != -1 {
			t.Errorf("%+v", s)
		}
		if err := h.SetMode(context.Background(), job.ModeRunning, admin); err != nil { // is not knowing enough
			t.Fatal(err)
		}
		h.pass(10 * time.Second)
		h.want(waiting, job.Queued)
		if err := h.LiftBudget(context.Background(), admin); err != nil {
			t.Fatal(err)
		}
		h.pass(2 * time.Second)
		h.want(waiting, job.Accepted)
		h.wantWarning("budget_lifted", time.Now(), "beyond the cap of 10.00 of spot; admin lifted it")
		h.hear(waiting, job.Finished, nil)
		h.see(h.prompt(waiting), job.MarkWhole, "out_00001_.png")
		h.away(20 * time.Hour) // the lift was for a day
		last := h.submit("user003", 1)
		h.pass(10 * time.Second)
		h.want(last, job.Queued)
		cost(0) // a new day's bill
		h.want(last, job.Accepted)
		if got := h.verbs(); got != "budget pause (spot, budget_reached); budget pause ends (spot, ok); budget pause (spot, budget_reached); budget pause ends (spot, ok)" {
			t.Error(got)
		}
	})
}

func TestNothingToLift(t *testing.T) {
	governed(t, upkeep.Rules{PerDay: 10}, func(h *house) {
		if e := job.AsError(h.LiftBudget(context.Background(), admin)); e == nil || e.Code != "no_budget_reached" {
			t.Error(e)
		}
	})
}

// schedule warms spot at ten past midnight for a quarter of an hour, which
// costs two steps of 0.50.
func schedule(t *testing.T, limit float64) upkeep.Rules {
	t.Helper()
	at, err := calendar.Calendar{Zone: time.UTC}.Time("00:10")
	if err != nil {
		t.Fatal(err)
	}
	return upkeep.Rules{Deployments: map[string]upkeep.Care{"spot": {Warm: upkeep.Warm{At: []calendar.Time{at}, For: 15 * time.Minute, Max: limit}}}}
}

func TestScheduleWarmsOnce(t *testing.T) {
	governed(t, schedule(t, 1), func(h *house) {
		h.pass(9 * time.Minute)
		if n, _ := h.fleet.asked(); n != 0 {
			t.Fatalf("woken %d times before its time", n)
		}
		h.pass(2 * time.Minute)
		h.stop()
		h.start() // within the ten minutes in which a late one would be done
		h.pass(13 * time.Minute)
		woken, refreshed := h.fleet.asked()
		if woken != 1 {
			t.Errorf("woken %d times", woken)
		}
		h.pass(10 * time.Minute)
		if w, r := h.fleet.asked(); w != 1 || r != refreshed {
			t.Errorf("woken %d times, asked %d times after its time", w, r-refreshed)
		}
		h.away(23*time.Hour + 30*time.Minute)
		h.pass(10 * time.Minute)
		if n, _ := h.fleet.asked(); n != 2 {
			t.Errorf("woken %d times in two days", n)
		}
		if got := h.verbs(); got != "warm by schedule (spot, ok); warm by schedule (spot, ok)" {
			t.Error(got)
		}
	})
}

func TestWarmedDeploymentIsKeptAwakeUntilSomebodyComes(t *testing.T) {
	for name, c := range map[string]struct {
		then func(h *house)
		want int
	}{
		"nobody comes":      {func(*house) {}, 14},
		"somebody comes":    {func(h *house) { h.submit("user001", 1) }, 4},
		"it fell asleep":    {func(h *house) { h.fleet.tell("spot", func(d *job.Deployment) { d.State = job.WarmthCold }) }, 4},
		"the queue is held": {func(h *house) { _ = h.SetMode(context.Background(), job.ModePaused, admin) }, 4},
	} {
		t.Run(name, func(t *testing.T) {
			governed(t, schedule(t, 1), func(h *house) {
				h.pass(10*time.Minute + 4*time.Minute + 30*time.Second)
				c.then(h)
				h.pass(15 * time.Minute)
				if w, n := h.fleet.asked(); w != 1 || n != c.want {
					t.Errorf("woken %d times, asked %d times, want %d", w, n, c.want)
				}
			})
		})
	}
}

func TestScheduleRespectsItsGuard(t *testing.T) {
	for name, c := range map[string]struct {
		limit float64
		then  func(h *house)
		say   string
	}{
		"too dear":            {0.9, func(*house) {}, "would cost about 1.00"},
		"the queue is paused": {1, func(h *house) { _ = h.SetMode(context.Background(), job.ModePaused, admin) }, "the queue is paused"},
		"jobs go elsewhere":   {1, func(h *house) { _, _ = h.ActivateWorker(context.Background(), "demand", admin) }, "demand is active"},
	} {
		t.Run(name, func(t *testing.T) {
			governed(t, schedule(t, c.limit), func(h *house) {
				h.fleet.tell("spot", func(d *job.Deployment) { d.State = job.WarmthCold })
				c.then(h)
				due := time.Now().Add(10 * time.Minute)
				h.pass(11 * time.Minute)
				if n, r := h.fleet.asked(); n+r != 0 {
					t.Errorf("woken %d times, asked %d times", n, r)
				}
				h.wantWarning("warmup_skipped", due, c.say)
				if got := h.verbs(); got != "leave a warm-up out (spot, skipped)" {
					t.Error(got)
				}
				h.away(24*time.Hour - 10*time.Minute)
				if _, ok := h.warning("warmup_skipped"); ok {
					t.Error("it warns of yesterday's")
				}
			})
		})
	}
}

func TestAFailedWarmupWarns(t *testing.T) {
	governed(t, schedule(t, 1), func(h *house) {
		h.fleet.tell("spot", func(d *job.Deployment) { d.State = job.WarmthFailing })
		h.fleet.set(func(f *fakeFleet) { f.wakeErr = &job.Error{Code: "endpoint_or_key", Message: "the key is wrong"} })
		h.pass(20 * time.Minute)
		h.wantWarning("warmup_failed", time.Now().Add(-10*time.Minute), "the key is wrong")
		if n, _ := h.fleet.asked(); n != 1 || h.verbs() != "warm by schedule (spot, endpoint_or_key)" {
			t.Errorf("woken %d times, %s", n, h.verbs())
		}
	})
}

func TestHoldFollowsTheWindow(t *testing.T) {
	w, err := calendar.Calendar{Zone: time.UTC}.Window("01:00-02:00")
	if err != nil {
		t.Fatal(err)
	}
	rules := upkeep.Rules{Deployments: map[string]upkeep.Care{"spot": {Hold: upkeep.Hold{Windows: []calendar.Window{w}}}}}
	governed(t, rules, func(h *house) {
		want := func(when string, names ...string) {
			t.Helper()
			if got, told := h.fleet.held(); !told || !slices.Equal(got, names) {
				t.Errorf("%s: %q, %v", when, got, told)
			}
		}
		want("before")
		h.away(time.Hour)
		want("in the window", "spot")
		since := time.Now()
		h.fleet.tell("spot", func(d *job.Deployment) { d.Held = &job.Held{Since: since} })
		h.pass(10 * time.Second)
		h.wantWarning("replica_held", since, "3.00 an hour, because of the window 01:00-02:00; it is given back at 02:00. It drifts")
		_ = h.SetMode(context.Background(), job.ModeDraining, admin)
		h.pass(2 * time.Second)
		want("draining")
		h.wantWarning("replica_held", since, "it is being given back")
		_ = h.SetMode(context.Background(), job.ModeRunning, admin)
		h.pass(2 * time.Second)
		want("running again", "spot")
		h.away(time.Hour)
		want("after the window")
		h.fleet.tell("spot", func(d *job.Deployment) { d.Held = nil })
		h.pass(2 * time.Second)
		if _, ok := h.warning("replica_held"); ok {
			t.Error("it warns of what is not")
		}
		if got := h.verbs(); got != "hold a replica (spot, ok); give the replica back (spot, ok)" {
			t.Error(got)
		}
	})
}

// TestHoldIsNotGivenBackForAMomentAtAStart: until the share was seen nobody
// knows whether jobs can be sent.
func TestHoldIsNotGivenBackForAMomentAtAStart(t *testing.T) {
	governed(t, upkeep.Rules{}, func(h *house) {
		h.stop()
		h.fleet.set(func(f *fakeFleet) { f.holds = nil })
		h.share.tell(func(s *job.ShareStatus) { *s = job.ShareStatus{} })
		h.start()
		h.pass(10 * time.Second)
		if got, told := h.fleet.held(); told {
			t.Errorf("told %q", got)
		}
		h.share.tell(func(s *job.ShareStatus) { s.Mounted = true })
		h.pass(2 * time.Second)
		if got, told := h.fleet.held(); !told || len(got) != 0 {
			t.Errorf("told %q, %v", got, told)
		}
	})
}

func TestSpendIsDividedByMeasuredTime(t *testing.T) {
	governed(t, upkeep.Rules{PerDay: 20, Deployments: map[string]upkeep.Care{"spot": {PerDay: 10}}}, func(h *house) {
		h.fleet.set(func(f *fakeFleet) {
			f.spent = map[string][]job.Spent{"spot": {{Day: "2000-01-01", Billed: 1200, Amount: 1, Evidence: job.ByPlatform}}}
		})
		for user, took := range map[string]time.Duration{"user001": time.Minute, "user002": 3 * time.Minute} {
			j := h.submit(user, 1)
			h.hear(j, job.Started, nil)
			h.pass(took)
			h.hear(j, job.Finished, nil)
			h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
			h.pass(10 * time.Second)
		}
		h.stop()
		h.start()
		h.pass(2 * time.Second)
		all := h.Spend(7)
		if len(all) != 1 || all[0].Day != "2000-01-01" || all[0].Amount != 1 || all[0].Cap != 20 || len(all[0].Deployments) != 1 {
			t.Fatalf("%+v", all)
		}
		d := all[0].Deployments[0]
		if d.Name != "spot" || d.Cap != 10 || d.Amount != 1 || len(d.Users) != 2 || d.Users[0].User != "user002" || d.Users[0].Amount < 0.74 || d.Users[0].Amount > 0.76 {
			t.Errorf("%+v", d)
		}
		if !slices.Equal(all[0].Users, d.Users) {
			t.Errorf("%+v", all[0].Users)
		}
	})
}
