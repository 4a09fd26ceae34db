package fleet

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// answers plays what a balancer with so many replicas says of prompts that are
// asked about a few times each, replicas restarting now and then.
// ever says that they were taken for one server at some time.
func answers(replicas int, dice *rand.Rand, restarts bool) (s solo, ever bool, lostWrongly int) {
	now := time.Unix(0, 0)
	type prompt struct {
		on       int
		accepted time.Time
	}
	since := make([]time.Time, replicas) // when each replica last started
	for range 60 {
		p := prompt{on: dice.IntN(replicas), accepted: now}
		for range 1 + dice.IntN(4) {
			now = now.Add(time.Duration(1+dice.IntN(5)) * time.Second)
			if restarts && dice.IntN(20) == 0 {
				since[dice.IntN(replicas)] = now
				if dice.IntN(2) == 0 {
					s = s.unreachable(now)
				}
				now = now.Add(time.Second)
			}
			ever = ever || s.is()
			if asked := dice.IntN(replicas); asked == p.on && !since[asked].After(p.accepted) {
				s = s.knows(p.accepted, now)
				continue
			}
			lost := false
			if s, lost = s.misses(p.accepted, now); lost && !since[p.on].After(p.accepted) {
				lostWrongly++
			}
		}
	}
	return s, ever, lostWrongly
}

func TestRow06SeveralReplicasAreNotTakenForOneServer(t *testing.T) {
	for replicas := 2; replicas <= 3; replicas++ {
		for _, restarts := range []bool{false, true} {
			const runs = 20_000
			dice, wrong, lost := rand.New(rand.NewPCG(uint64(replicas), 1)), 0, 0
			for range runs {
				_, ever, l := answers(replicas, dice, restarts)
				if ever {
					wrong++
				}
				lost += min(l, 1)
			}
			if wrong > runs/1000 || lost > runs/1000 {
				t.Errorf("%d replicas, restarts %v: taken for one in %d of %d runs, attempts lost wrongly in %d", replicas, restarts, wrong, runs, lost)
			}
		}
	}
}

func TestRow06OneServerIsFound(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		if s, _, lost := answers(1, dice, false); !s.is() || lost > 0 {
			t.Fatalf("%+v, %d lost", s, lost)
		}
		if _, _, lost := answers(1, dice, true); lost > 0 {
			t.Fatalf("%d lost that the server knows", lost)
		}
	}
}

func TestSolo(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(1000+s), 0) }
	one := solo{knew: soloAsks}
	for _, c := range []struct {
		name string
		do   func(s solo) (solo, bool)
		is   bool
		lost bool
	}{
		{"one miss", func(s solo) (solo, bool) { return s.misses(at(0), at(10)) }, true, false},
		{"three misses at once", func(s solo) (solo, bool) {
			s, _ = s.misses(at(0), at(10))
			s, _ = s.misses(at(0), at(11))
			return s.misses(at(0), at(12))
		}, true, false},
		{"three misses over 5s", func(s solo) (solo, bool) {
			s, _ = s.misses(at(0), at(10))
			s, _ = s.misses(at(0), at(12))
			return s.misses(at(0), at(15))
		}, true, true},
		{"known again", func(s solo) (solo, bool) {
			s, _ = s.misses(at(0), at(10))
			return s.knows(at(0), at(11)), false
		}, false, false},
		{"out of reach, then a miss", func(s solo) (solo, bool) { return s.unreachable(at(9)).misses(at(0), at(10)) }, true, true},
		{"out of reach before it was accepted", func(s solo) (solo, bool) { return s.unreachable(at(1)).misses(at(2), at(10)) }, true, false},
		{"out of reach, but it knows", func(s solo) (solo, bool) {
			return s.unreachable(at(9)).knows(at(0), at(10)).misses(at(0), at(11))
		}, true, false},
		{"a second prompt is gone after a restart", func(s solo) (solo, bool) {
			s, _ = s.unreachable(at(9)).misses(at(0), at(10))
			return s.misses(at(1), at(11))
		}, true, true},
		{"a newer prompt is missed too", func(s solo) (solo, bool) {
			s, _ = s.misses(at(0), at(10))
			return s.misses(at(11), at(12))
		}, false, false},
		{"it knows what was lost", func(s solo) (solo, bool) {
			s, _ = s.unreachable(at(9)).misses(at(0), at(10))
			return s.knows(at(1), at(11)), false
		}, false, false},
		{"a newer prompt is known meanwhile", func(s solo) (solo, bool) {
			s, _ = s.misses(at(0), at(10))
			s = s.knows(at(11), at(12))
			s, _ = s.misses(at(0), at(13))
			return s.misses(at(0), at(16))
		}, true, true},
		{"of an earlier process", func(s solo) (solo, bool) { return s.misses(time.Time{}, at(10)) }, true, false},
	} {
		if s, lost := c.do(one); s.is() != c.is || lost != c.lost {
			t.Errorf("%s: one server %v, lost %v: %+v", c.name, s.is(), lost, s)
		}
	}
	if s, lost := (solo{}).misses(time.Time{}, at(1)); lost || !s.open() {
		t.Error("a prompt of an earlier process says that there are several servers")
	}
	if s, _ := (solo{}).misses(at(0), at(1)); s.open() {
		t.Error("a prompt that was just accepted and is unknown says nothing")
	}
}

// soon runs short jobs until the deployment is known to be one server.
func (c *cluster) proven(t *testing.T, fl *Fleet, from int) int {
	t.Helper()
	for n := from; n < from+12; n++ {
		if fl.Deployments()[0].Single {
			return n
		}
		c.send(t, fl, n)
		elapse(t, 6*time.Second)
	}
	t.Fatalf("not known to be one server after %d jobs: %v", 12, c.seen)
	return 0
}

func TestRow06ARestartOfOneServerBreaksItsAttempts(t *testing.T) {
	for _, modern := range []bool{false, true} {
		for _, noticed := range []bool{false, true} {
			t.Run(fmt.Sprintf("modern %v, out of reach %v", modern, noticed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newCluster(1, 1)
					c.modern = modern
					fl := c.open(t, plain())
					got, stop := start(t, fl)
					defer stop()
					n := c.proven(t, fl, 1)
					c.run = 10 * time.Minute
					c.send(t, fl, n)
					elapse(t, 30*time.Second)
					if broke := got.of(job.Broke); len(broke) != 0 {
						t.Fatalf("broke while it runs: %+v", broke)
					}
					killed := time.Now()
					c.restart(0)
					if noticed {
						c.setDown(0, true)
						elapse(t, 20*time.Second)
						if d := fl.Deployments()[0]; d.State != job.WarmthFailing {
							t.Errorf("nobody answers: %s (%s)", d.State, d.Because)
						}
						c.setDown(0, false)
						killed = time.Now()
					}
					elapse(t, 20*time.Second)
					broke := got.of(job.Broke)
					if len(broke) != 1 || broke[0].PromptID != promptID(n) || broke[0].Error.Code != "worker_restarted" || !broke[0].Error.Transient ||
						broke[0].Error.Class != job.Unavailable || broke[0].At.Sub(killed) > 15*time.Second {
						t.Errorf("%s later: %+v", time.Since(killed), broke)
					}
					if !fl.Deployments()[0].Single {
						t.Error("a restart is taken for a second server")
					}
				})
			})
		}
	}
}

func TestRow06NothingIsConcludedBehindABalancer(t *testing.T) {
	for _, replicas := range []int{2, 3} {
		for seed := range uint64(40) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(replicas, seed)
				c.modern, c.run = seed%2 == 0, 20*time.Second
				fl := c.open(t, plain())
				got, stop := start(t, fl)
				defer stop()
				for n := 1; n <= 6; n++ {
					c.send(t, fl, n)
					elapse(t, 25*time.Second)
					if n == 4 {
						c.restart(0)
					}
				}
				if broke := got.of(job.Broke); len(broke) != 0 || fl.Deployments()[0].Single {
					t.Errorf("seed %d, %d replicas: single %v, broke %+v", seed, replicas, fl.Deployments()[0].Single, broke)
				}
			})
		}
	}
}

// What we stop ourselves is unknown afterwards, and that is no restart.
func TestRow06AnInterruptIsNoRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(1, 1)
		c.modern = true
		fl := c.open(t, plain())
		got, stop := start(t, fl)
		defer stop()
		n := c.proven(t, fl, 1)
		c.run = time.Minute
		c.send(t, fl, n)
		if err := fl.Interrupt(t.Context(), flight(n, job.Running)); err != nil {
			t.Fatal(err)
		}
		elapse(t, 30*time.Second)
		if broke := got.of(job.Broke); len(broke) != 0 || !fl.Deployments()[0].Single {
			t.Errorf("single %v, broke %+v", fl.Deployments()[0].Single, broke)
		}
	})
}

// Ends of short runs on one server are noticed at once.
func TestRow06YoungAttemptsAreAskedAboutSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(1, 1)
		c.modern, c.run = true, 1500*time.Millisecond
		s := plain()
		s.KeepAlive = time.Minute
		fl := c.open(t, s)
		got, stop := start(t, fl)
		defer stop()
		began := time.Now()
		c.send(t, fl, 1)
		elapse(t, 10*time.Second)
		if ends := got.of(job.Finished); len(ends) == 0 || ends[0].At.Sub(began) != 2*time.Second {
			t.Errorf("ended %+v", ends)
		}
	})
}
