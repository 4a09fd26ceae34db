package fleet

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// balancer is a deployment whose replicas are chosen at random.
type balancer struct {
	replicas int
	later    int // so many after half of the prompts
	restarts bool
}

// answers plays what is said there of prompts that are asked about a few times
// each. ever says that the replicas were taken for one server while there were
// several, wrong that an attempt was taken for lost that was not.
func (c balancer) answers(dice *rand.Rand) (s solo, ever, wrong bool) {
	now, n := time.Unix(0, 0), c.replicas
	since := make([]time.Time, max(c.replicas, c.later)) // when each replica last started
	for i := range 60 {
		if i == 30 && c.later > 0 {
			n = c.later
		}
		on, accepted := dice.IntN(n), now
		asks := 1 + dice.IntN(4)
		for asked := 0; asked < asks || s.missed > 0 && asked < 40; asked++ {
			now = now.Add(time.Second)
			if c.restarts && dice.IntN(20) == 0 {
				since[dice.IntN(n)] = now
				if dice.IntN(2) == 0 {
					s = s.unreachable(now)
				}
				now = now.Add(time.Second)
			}
			there := !since[on].After(accepted)
			if dice.IntN(n) == on && there {
				s = s.knows(accepted, now)
			} else {
				lost := false
				s, lost = s.misses(accepted, now)
				wrong = wrong || lost && there
			}
			ever = ever || s.is() && n > 1 && c.later == 0
		}
	}
	return s, ever, wrong
}

func TestRow06SeveralReplicasAreNotTakenForOneServer(t *testing.T) {
	for _, c := range []balancer{{2, 0, false}, {2, 0, true}, {3, 0, false}, {3, 0, true}, {1, 2, false}, {1, 3, false}, {1, 2, true}} {
		const runs = 20_000
		dice, ever, lost := rand.New(rand.NewPCG(uint64(c.replicas), 1)), 0, 0
		for range runs {
			_, e, w := c.answers(dice)
			ever, lost = ever+count(e), lost+count(w)
		}
		if ever >= runs/1000 || lost >= runs/1000 {
			t.Errorf("%+v: taken for one in %d of %d runs, attempts lost wrongly in %d", c, ever, runs, lost)
		}
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestRow06OneServerIsFound(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		if s, _, wrong := (balancer{replicas: 1}).answers(dice); !s.is() || wrong {
			t.Fatalf("%+v, lost wrongly %v", s, wrong)
		}
		if _, _, wrong := (balancer{replicas: 1, restarts: true}).answers(dice); wrong {
			t.Fatal("an attempt is lost that the server knows")
		}
	}
}

func TestSolo(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(1000+s), 0) }
	half := func(n int) time.Time { return at(10).Add(time.Duration(n) * 500 * time.Millisecond) }
	// misses asks n times, every half second from 10 on, about a prompt of 0.
	misses := func(s solo, n int) (out solo, lost bool) {
		for i := range n {
			s, lost = s.misses(at(0), half(i))
		}
		return s, lost
	}
	one := solo{knew: soloAsks}
	for _, c := range []struct {
		name string
		do   func(s solo) (solo, bool)
		is   bool
		lost bool
	}{
		{"one miss", func(s solo) (solo, bool) { return misses(s, 1) }, true, false},
		{"nearly enough", func(s solo) (solo, bool) { return misses(s, lostAsks-1) }, true, false},
		{"enough", func(s solo) (solo, bool) { return misses(s, lostAsks) }, true, true},
		{"enough, but at once", func(s solo) (out solo, lost bool) {
			for range lostAsks {
				s, lost = s.misses(at(0), at(10))
			}
			return s, lost
		}, true, false},
		{"known again", func(s solo) (solo, bool) {
			s, _ = misses(s, 4)
			return s.knows(at(0), at(20)), false
		}, false, false},
		{"out of reach, then misses", func(s solo) (solo, bool) { return misses(s.unreachable(at(9)), lostAtOnce) }, true, true},
		{"out of reach, then one", func(s solo) (solo, bool) { return misses(s.unreachable(at(9)), 1) }, true, false},
		{"out of reach before it was accepted", func(s solo) (out solo, lost bool) {
			s = s.unreachable(at(-1))
			return misses(s, lostAtOnce)
		}, true, false},
		{"out of reach, but it knows", func(s solo) (solo, bool) {
			return misses(s.unreachable(at(9)).knows(at(0), at(9)), lostAtOnce)
		}, true, false},
		{"a second prompt is gone after a restart", func(s solo) (solo, bool) {
			s, _ = misses(s.unreachable(at(9)), lostAtOnce)
			return s.misses(at(1), at(20))
		}, true, true},
		{"a newer prompt is missed too", func(s solo) (solo, bool) {
			s, _ = misses(s, 2)
			return s.misses(at(11), at(12))
		}, false, false},
		{"it knows what was lost", func(s solo) (solo, bool) {
			s, _ = misses(s, lostAsks)
			return s.knows(at(1), at(20)), false
		}, false, false},
		{"a newer prompt is known meanwhile", func(s solo) (solo, bool) {
			s, _ = s.misses(at(0), at(9))
			s = s.knows(at(10), at(10))
			return misses(s, lostAsks)
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

// proven runs short jobs until the deployment is known to be one server.
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
					elapse(t, 25*time.Second)
					broke := got.of(job.Broke)
					if len(broke) != 1 || broke[0].PromptID != promptID(n) || broke[0].Error.Code != "worker_restarted" || !broke[0].Error.Transient ||
						broke[0].Error.Class != job.Unavailable || broke[0].At.Sub(killed) > 20*time.Second {
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
