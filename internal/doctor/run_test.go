package doctor

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestHungStageHangsNothing: what does not answer fails by its deadline, and
// the others are told in their order.
func TestHungStageHangsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release) // what hangs is left behind, but must not outlive the test
		stages := []stage{
			{name: "slow", checks: []*Check{settingsFair}, run: func(context.Context) []Result {
				time.Sleep(time.Second)
				return []Result{settingsFair.say("fair", "slow")}
			}},
			{name: "hung", checks: []*Check{shareMounted, shareAlive}, run: func(context.Context) []Result {
				<-release
				return nil
			}},
			{name: "quick", checks: []*Check{settingsTags}, run: func(context.Context) []Result {
				return []Result{settingsTags.say("tagged", "quick")}
			}},
		}
		var told []string
		began := time.Now()
		got := runStages(t.Context(), stages, func(_, _ int, name string) { told = append(told, name) })
		if took := time.Since(began); took != patience {
			t.Errorf("it took %s", took)
		}
		want := []string{"queue-mode ok", "share-mounted fail", "share-alive skip", "tagging ok"}
		for i, r := range got {
			if i >= len(want) || r.Name+" "+string(r.Verdict) != want[i] {
				t.Fatalf("result %d is %+v", i, r)
			}
		}
		if len(got) != len(want) || got[1].Code != "stalled" || got[1].Next == "" {
			t.Errorf("results: %+v", got)
		}
		if order := strings.Join(told, " "); order != "quick slow hung" {
			t.Errorf("progress was %s", order)
		}
	})
}

// TestStoppedDoctorSaysSo: an interrupt ends the wait, and nothing is called broken.
func TestStoppedDoctorSaysSo(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	s := stage{name: "hung", checks: []*Check{shareMounted}, run: func(context.Context) []Result { stop(); <-release; return nil }}
	if got := runStages(ctx, []stage{s}, nil); len(got) != 1 || got[0].Verdict != Skip {
		t.Errorf("it says %+v", got)
	}
}

func TestBrokenCheckIsAFinding(t *testing.T) {
	s := stage{name: "broken", checks: []*Check{shareMounted}, run: func(context.Context) []Result { panic("boom") }}
	got := runStages(t.Context(), []stage{s}, nil)
	if len(got) != 1 || got[0].Verdict != Fail || !strings.Contains(got[0].Reason, "boom") || strings.Contains(got[0].Next, "\n") {
		t.Errorf("it says %+v", got)
	}
}
