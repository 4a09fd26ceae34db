package engine_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine/upkeep"
	"github.com/comfyume/qmtui/internal/job"
)

// The GPU time of a forgotten user stays in the sums, under the pseudonym, also
// after a restart and when it is done twice.
func TestForgetUser(t *testing.T) {
	governed(t, upkeep.Rules{}, func(h *house) {
		for user, took := range map[string]time.Duration{"user001": time.Minute, "user002": 3 * time.Minute} {
			j := h.submit(user, 1)
			h.hear(j, job.Started, nil)
			h.pass(took)
			h.hear(j, job.Finished, nil)
			h.see(h.prompt(j), job.MarkWhole, "out_00001_.png")
			h.pass(10 * time.Second)
		}
		before := h.Spend(1)[0].Users
		for range 2 {
			if err := h.ForgetUser(context.Background(), "user002", "forgotten-1"); err != nil {
				t.Fatal(err)
			}
		}
		want := slices.Clone(before)
		for i := range want {
			if want[i].User == "user002" {
				want[i].User = "forgotten-1"
			}
		}
		for _, restarted := range []bool{false, true} {
			if restarted {
				h.stop()
				h.start()
			}
			h.pass(2 * time.Second)
			if got := h.Spend(1)[0].Users; len(got) != 2 || !slices.Equal(got, want) {
				t.Errorf("restarted %t: %+v, want %+v", restarted, got, want)
			}
			users, err := h.Users()
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range users {
				if forgotten := u.User == "user002"; forgotten != (u.Charge == 0) || forgotten != (u.GPUSeconds == 0) {
					t.Errorf("restarted %t: %+v", restarted, u)
				}
			}
		}
	})
}
