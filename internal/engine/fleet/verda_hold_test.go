package fleet

import (
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

func patches(s *scene) int { return s.wire.count("PATCH ") }

func least(t *testing.T, s *scene, f *Fleet) int {
	t.Helper()
	got, err := newControl(f.opts).scaling(t.Context(), "gpu")
	if err != nil {
		t.Fatal(err)
	}
	return got.Least
}

func TestHoldAndGiveBack(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t)
		_, stop := start(t, f)
		f.Hold(nil)
		elapse(t, 5*time.Minute)
		if n := patches(s); n != 0 {
			t.Fatalf("%d patches with nothing wanted", n)
		}
		begun := time.Now()
		f.Hold([]string{"h200"})
		elapse(t, 10*time.Second) // not only at the next look
		if d := f.Deployments()[0]; least(t, s, f) != 1 || d.Held == nil || d.Held.Was != 0 || d.Held.Since.Before(begun) {
			t.Errorf("held at %d, %+v", least(t, s, f), d.Held)
		}
		if !strings.Contains(s.logged.String(), "drifts") {
			t.Error("the drift was not logged")
		}
		elapse(t, time.Hour)
		f.Hold(nil)
		elapse(t, 10*time.Second)
		if n := patches(s); least(t, s, f) != 0 || n != 2 || f.Deployments()[0].Held != nil {
			t.Errorf("afterwards at %d after %d patches", least(t, s, f), n)
		}
		stop()
	})
}

// TestHoldIsTriedAgain lets the control API refuse for a while.
func TestHoldIsTriedAgain(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t)
		_, stop := start(t, f)
		s.sim.Throttle(3, "20")
		f.Hold([]string{"h200"})
		elapse(t, 10*time.Second)
		if n := patches(s); n != 0 {
			t.Errorf("%d patches in spite of 429", n)
		}
		elapse(t, 5*time.Minute)
		if n := patches(s); n != 1 || least(t, s, f) != 1 {
			t.Errorf("afterwards %d patches", n)
		}
		stop()
	})
}

func TestHeldReplicaIsGivenBackAfterACrash(t *testing.T) {
	for name, wanted := range map[string][]string{"nobody wants it any more": nil, "it is wanted still": {"h200"}} {
		t.Run(name, func(t *testing.T) {
			onPlatform(t, nil, func(t *testing.T, s *scene) {
				f := s.fleet(t)
				if err := f.sites[0].takeHold(t.Context(), f.control); err != nil { // and then the process dies
					t.Fatal(err)
				}
				again := s.fleet(t)
				if again.Deployments()[0].Held == nil {
					t.Error("nobody knows that it is held")
				}
				_, stop := start(t, again)
				elapse(t, 5*time.Minute)
				if n := patches(s); n != 1 {
					t.Errorf("%d patches before anybody decided", n)
				}
				again.Hold(wanted)
				elapse(t, time.Minute)
				if got, n := least(t, s, again), patches(s); got != len(wanted) || n != 2-len(wanted) {
					t.Errorf("at %d after %d patches", got, n)
				}
				stop()
			})
		})
	}
}

func TestHeldReplicaIsGivenBackAtTheEnd(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t)
		_, stop := start(t, f)
		f.Hold([]string{"h200"})
		elapse(t, time.Minute)
		stop()
		if least(t, s, f) != 0 || f.Deployments()[0].Held != nil {
			t.Error("an orderly end kept the replica")
		}
	})
}

func TestHoldLeavesOthersChangesAlone(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t)
		c := newControl(f.opts)
		if err := c.setLeast(t.Context(), "gpu", 1); err != nil {
			t.Fatal(err)
		}
		_, stop := start(t, f)
		f.Hold([]string{"h200"})
		elapse(t, 5*time.Minute)
		f.Hold(nil)
		elapse(t, 5*time.Minute)
		if n := patches(s); n != 1 || least(t, s, f) != 1 {
			t.Errorf("%d patches where somebody else holds a replica", n)
		}
		f.Hold([]string{"h200"})
		if err := c.setLeast(t.Context(), "gpu", 0); err != nil {
			t.Fatal(err)
		}
		elapse(t, 2*time.Minute)
		if err := c.setLeast(t.Context(), "gpu", 3); err != nil { // an admin wants more while we hold
			t.Fatal(err)
		}
		f.Hold(nil)
		elapse(t, 2*time.Minute)
		if least(t, s, f) != 3 {
			t.Errorf("an admin's 3 became %d", least(t, s, f))
		}
		stop()
	})
}

// TestNothingIsHeldWithoutMemory: after a crash nobody would give it back.
func TestNothingIsHeldWithoutMemory(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t, func(o *Options) { o.Settings = nil })
		_, stop := start(t, f)
		f.Hold([]string{"h200"})
		elapse(t, 5*time.Minute)
		stop()
		if n := patches(s); n != 0 {
			t.Errorf("%d patches", n)
		}
	})
}

// TestAHoldThatCannotBeGivenBackIsSaid: the account was taken out of the
// configuration while a replica was held.
func TestAHoldThatCannotBeGivenBackIsSaid(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t)
		if err := f.sites[0].takeHold(t.Context(), f.control); err != nil {
			t.Fatal(err)
		}
		again := s.fleet(t, func(o *Options) { o.Control = Control{} })
		if d := again.Deployments()[0]; d.Held == nil || !strings.Contains(s.logged.String(), "by hand") {
			t.Errorf("%+v, %s", d.Held, s.logged.String())
		}
		var kept job.Held
		if ok, err := again.opts.Settings.Setting("verda.hold.h200", &kept); !ok || err != nil || kept.Since.IsZero() {
			t.Error("it was forgotten")
		}
	})
}
