package doctor

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// resident is one whose manager is m, in a bubble of time.
func resident(t *testing.T, m *fakeManager) *Resident {
	v := tried(t, m)
	r := NewResident(v, "1.2.3")
	go func() { _ = r.Run(t.Context()) }()
	return r
}

// tried is a visit to folders that are there.
func tried(t *testing.T, m *fakeManager) Visit {
	dir := t.TempDir()
	v := Visit{Manager: m}
	v.Config.State.Dir, v.Config.Share.Outputs, v.Config.Users.Outputs = dir, dir, dir
	return v
}

func begin(t *testing.T, r *Resident, q api.DoctorRequest) api.DoctorStanding {
	t.Helper()
	s, err := r.Begin(q)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestResident: a look without a canary submits nothing; one with it does, and
// what was found is kept until the next.
func TestResident(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := ready(goodCanary().Job)
		r := resident(t, m)
		if s := r.Standing(); s.Report != nil || s.Running != nil {
			t.Errorf("before the first: %+v", s)
		}
		if s := begin(t, r, api.DoctorRequest{}); s.Running == nil || s.Running.Canary {
			t.Errorf("it does not run: %+v", s)
		}
		waitForEnd(r)
		first := r.Standing().Report
		if first == nil || len(m.submitted) != 0 || first.Version != "1.2.3" || len(first.Checks) < 20 {
			t.Fatalf("%d submitted, found %+v", len(m.submitted), first)
		}
		begin(t, r, api.DoctorRequest{Canary: true})
		waitForEnd(r)
		second := r.Standing().Report
		if len(m.submitted) != 1 || len(second.Checks) != len(first.Checks)+3 {
			t.Errorf("%d submitted, %d findings after %d", len(m.submitted), len(second.Checks), len(first.Checks))
		}
	})
}

func waitForEnd(r *Resident) {
	for r.Standing().Running != nil {
		synctest.Wait()
		<-time.After(time.Second) // of the bubble
	}
}

// TestResidentIsJoined: somebody who asks meanwhile begins nothing, and a
// canary is not sent by joining.
func TestResidentIsJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := ready(goodCanary().Job)
		r := NewResident(tried(t, m), "")
		begin(t, r, api.DoctorRequest{})
		begin(t, r, api.DoctorRequest{})
		if _, err := r.Begin(api.DoctorRequest{Canary: true}); code(err) != "doctor_busy" {
			t.Errorf("a canary meanwhile: %v", err)
		}
		go func() { _ = r.Run(t.Context()) }()
		waitForEnd(r)
		if len(m.submitted) != 0 || r.Standing().Report == nil {
			t.Errorf("submitted %v", m.submitted)
		}
	})
}

// TestResidentLeavesFewBehind: looks that hang do not pile up.
func TestResidentLeavesFewBehind(t *testing.T) {
	r := NewResident(tried(t, ready()), "")
	hung := make(chan int)
	for range maxLeft + 1 {
		leave(hung)
	}
	_, err := r.Begin(api.DoctorRequest{})
	if code(err) != "doctor_hangs" || !strings.Contains(err.Error(), "9 looks") {
		t.Errorf("it begins: %v", err)
	}
	close(hung)
	for left.Load() > 0 {
		runtime.Gosched() // they are ending
	}
	if _, err := r.Begin(api.DoctorRequest{}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func code(err error) string {
	var e *job.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Code
}
