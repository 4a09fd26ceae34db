package fleet

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

func whileBusy(o *Options) { o.Deployments[0].Hold = Hold{WhileBusy: true} }

func patches(s *scene) int { return s.wire.count("PATCH ") }

func least(t *testing.T, s *scene, f *Fleet) int {
	t.Helper()
	got, err := newControl(f.opts).scaling(t.Context(), "gpu")
	if err != nil {
		t.Fatal(err)
	}
	return got.Least
}

func TestHoldWhileBusyAndGiveBack(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t, whileBusy)
		_, stop := start(t, f)
		elapse(t, 5*time.Minute)
		if n := patches(s); n != 0 {
			t.Fatalf("%d patches with nothing in flight", n)
		}
		f.Follow([]job.Flight{flight(1, job.Accepted)})
		elapse(t, time.Minute)
		if d := f.Deployments()[0]; least(t, s, f) != 1 || !strings.Contains(d.Because, "drifts from the site's infrastructure code") {
			t.Errorf("held at %d, %s", least(t, s, f), d.Because)
		}
		if !strings.Contains(s.logged.String(), "drifts") {
			t.Error("the drift was not logged")
		}
		f.Follow(nil)
		elapse(t, 2*time.Minute)
		if n := patches(s); least(t, s, f) != 0 || n != 2 {
			t.Errorf("afterwards at %d after %d patches", least(t, s, f), n)
		}
		stop()
	})
}

func TestHeldReplicaIsGivenBackAfterACrash(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t, whileBusy)
		if err := f.sites[0].takeHold(t.Context(), f.control); err != nil { // and then the process dies
			t.Fatal(err)
		}
		again := s.fleet(t) // holding is even switched off
		_, stop := start(t, again)
		elapse(t, time.Minute)
		if least(t, s, again) != 0 {
			t.Error("not given back at the next start")
		}
		stop()
	})
}

func TestHeldReplicaIsGivenBackAtTheEnd(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t, whileBusy)
		_, stop := start(t, f)
		f.Follow([]job.Flight{flight(1, job.Accepted)})
		elapse(t, time.Minute)
		stop()
		if least(t, s, f) != 0 {
			t.Error("an orderly end kept the replica")
		}
	})
}

func TestHoldLeavesOthersChangesAlone(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t, whileBusy)
		c := newControl(f.opts)
		if err := c.setLeast(t.Context(), "gpu", 1); err != nil {
			t.Fatal(err)
		}
		_, stop := start(t, f)
		f.Follow([]job.Flight{flight(1, job.Accepted)})
		elapse(t, 5*time.Minute)
		f.Follow(nil)
		elapse(t, 5*time.Minute)
		if n := patches(s); n != 1 || least(t, s, f) != 1 {
			t.Errorf("%d patches where somebody else holds a replica", n)
		}
		f.Follow([]job.Flight{flight(2, job.Accepted)})
		if err := c.setLeast(t.Context(), "gpu", 0); err != nil {
			t.Fatal(err)
		}
		elapse(t, 2*time.Minute)
		if err := c.setLeast(t.Context(), "gpu", 3); err != nil { // an admin wants more while we hold
			t.Fatal(err)
		}
		f.Follow(nil)
		elapse(t, 2*time.Minute)
		if least(t, s, f) != 3 {
			t.Errorf("an admin's 3 became %d", least(t, s, f))
		}
		stop()
	})
}

func TestHoldNeedsSomethingToRememberBy(t *testing.T) {
	o := Options{Deployments: []Spec{{Name: "a", Driver: "verda", URL: "https://x.example/a", Hold: Hold{WhileBusy: true}}}}
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "account") {
		t.Errorf("without an account: %v", err)
	}
	o.Control.ClientID = "id"
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "remember") {
		t.Errorf("without settings: %v", err)
	}
	o.Settings = newNotebook()
	if _, err := New(o); err != nil {
		t.Error(err)
	}
}

func TestWindow(t *testing.T) {
	zone := time.FixedZone("there", 2*3600)
	at := func(text string) time.Time {
		out, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
		if err != nil {
			t.Fatal(err)
		}
		return out.UTC()
	}
	workshop := Window{Days: []time.Weekday{time.Monday, time.Tuesday}, From: 9*time.Hour + 50*time.Minute, To: 17 * time.Hour, Zone: zone}
	night := Window{Days: []time.Weekday{time.Friday}, From: 22 * time.Hour, To: 2 * time.Hour, Zone: zone}
	for _, c := range []struct {
		w    Window
		at   string
		want bool
	}{
		{workshop, "2026-11-23 09:49", false}, {workshop, "2026-11-23 09:50", true}, {workshop, "2026-11-24 16:59", true},
		{workshop, "2026-11-24 17:00", false}, {workshop, "2026-11-25 12:00", false},
		{night, "2026-11-27 21:59", false}, {night, "2026-11-27 23:00", true}, {night, "2026-11-28 01:59", true},
		{night, "2026-11-28 02:00", false}, {night, "2026-11-27 01:00", false},
		{Window{Zone: zone}, "2026-11-27 01:00", true}, // from midnight to midnight, every day
	} {
		if got := c.w.Contains(at(c.at)); got != c.want {
			t.Errorf("%+v contains %s = %v", c.w, c.at, got)
		}
	}
}

func TestWindowWhenClocksChange(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		t.Skip("no time zones here")
	}
	w := Window{From: 9 * time.Hour, To: 10 * time.Hour, Zone: zone}
	if !w.Contains(time.Date(2026, 3, 29, 9, 30, 0, 0, zone)) || w.Contains(time.Date(2026, 3, 29, 10, 30, 0, 0, zone)) {
		t.Error("the window does not follow the clock on the wall")
	}
}

func TestHoldInAWindow(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) { // a bubble's clock begins at midnight UTC
		f := s.fleet(t, func(o *Options) {
			o.Deployments[0].Hold = Hold{Windows: []Window{{From: time.Hour, To: 2 * time.Hour, Zone: time.UTC}}}
		})
		_, stop := start(t, f)
		defer stop()
		for hour, want := range []int{0, 1, 0} {
			elapse(t, 30*time.Minute)
			synctest.Wait()
			if got := least(t, s, f); got != want {
				t.Errorf("at half past %d: %d", hour, got)
			}
			elapse(t, 30*time.Minute)
		}
	})
}
