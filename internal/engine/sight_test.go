package engine

import (
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

func TestAgeSurvivesALeapOfTheClock(t *testing.T) {
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	for _, tt := range []struct {
		name     string
		t, leapt time.Time
		want     time.Duration
	}{
		{"no leap", ago(time.Hour), time.Time{}, time.Hour},
		{"before a leap", ago(time.Hour), ago(time.Minute), time.Minute},
		{"after a leap", ago(time.Minute), ago(time.Hour), time.Minute},
		{"set back meanwhile", ago(-time.Hour), ago(time.Minute), time.Minute},
		{"set back while the manager was away", ago(-time.Hour), time.Time{}, 0},
		{"never", time.Time{}, ago(time.Minute), time.Minute},
	} {
		if got := (View{Now: noon, Leapt: tt.leapt}).age(tt.t); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestLeap(t *testing.T) {
	for _, tt := range []struct{ wall, monotonic, want time.Duration }{
		{time.Hour, time.Hour, 0},
		{200*time.Millisecond + time.Second, 200 * time.Millisecond, 0},
		{time.Hour, 200 * time.Millisecond, time.Hour - 200*time.Millisecond},
		{-time.Hour, time.Second, -time.Hour - time.Second},
	} {
		if got := leap(tt.wall, tt.monotonic); got != tt.want {
			t.Errorf("%v on the wall in %v: %v, want %v", tt.wall, tt.monotonic, got, tt.want)
		}
	}
}

// A clock that is set an hour forwards, as after a suspend, ends no attempt.
func TestNoDeadlineFallsBecauseOfALeap(t *testing.T) {
	j := job.Job{Spec: job.Spec{ID: "1", User: "a", Expect: []job.Expected{{Node: "9", Count: 1}}}, Attempts: []job.Attempt{{N: 1, State: job.Accepted,
		PromptID: "p", Deployment: "gpu", Witnesses: []job.Witness{{Kind: job.Acknowledged, Evidence: job.ByPlatform, At: noon.Add(-time.Hour)}}}}}
	v := View{Now: noon, Sighted: noon.Add(-2 * time.Hour), Looked: noon, Mode: job.ModeRunning, Jobs: []*job.Job{&j}, Policy: Policy{}.filled()}
	if facts := Plan(v); len(facts) != 1 || facts[0].Kind != job.Expired {
		t.Errorf("an hour of silence: %v", facts)
	}
	v.Leapt = noon.Add(-time.Second)
	if facts := Plan(v); len(facts) != 0 {
		t.Errorf("an hour of silence that a leap made: %v", facts)
	}
}

// A disk that hangs is known to only after a while: what falls due since it
// last answered waits for the next look.
func TestNothingIsGivenUpUnseen(t *testing.T) {
	p := Policy{}.filled()
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	for name, tt := range map[string]struct {
		a    job.Attempt
		over time.Duration // for how long it has been due
		want job.Kind
	}{
		"no sign of it": {job.Attempt{State: job.Accepted, Witnesses: []job.Witness{{Kind: job.Acknowledged, At: ago(p.EvidenceTimeout + time.Minute)}}}, time.Minute, job.Expired},
		"no files":      {job.Attempt{State: job.Rendered, Witnesses: []job.Witness{{Kind: job.Finished, At: ago(p.missingGrace() + time.Minute)}}}, time.Minute, job.Expired},
	} {
		tt.a.N, tt.a.PromptID, tt.a.Deployment = 1, "p", "gpu"
		j := job.Job{Spec: job.Spec{ID: "1", User: "a", Expect: []job.Expected{{Node: "9", Count: 1}}}, Attempts: []job.Attempt{tt.a}}
		v := View{Now: noon, Sighted: ago(24 * time.Hour), Looked: ago(tt.over + time.Second), Mode: job.ModeRunning, Jobs: []*job.Job{&j}, Policy: p}
		if facts := Plan(v); len(facts) != 0 {
			t.Errorf("%s, and nobody looked since: %v", name, facts)
		}
		v.Looked = ago(tt.over - time.Second)
		if facts := Plan(v); len(facts) != 1 || facts[0].Kind != tt.want {
			t.Errorf("%s: %v", name, facts)
		}
	}
}

// Looks that are far apart are a gap, although nobody said that the share hung.
func TestGapBetweenLooks(t *testing.T) {
	l := &loop{Engine: &Engine{policy: Policy{}.filled()}}
	at := noon
	see := func(looked time.Time) bool {
		at = at.Add(time.Second)
		l.sight(job.ShareStatus{Mounted: true, LookedAt: looked}, at)
		return l.sighted.Equal(at)
	}
	if !see(noon) || see(noon.Add(time.Second)) || see(noon.Add(time.Second)) {
		t.Error("sight begins once")
	}
	if at = at.Add(time.Hour); see(noon.Add(time.Second)) {
		t.Error("sight begins without a look")
	}
	if !see(at) || see(at) {
		t.Error("sight begins anew once with the look after a gap")
	}
}
