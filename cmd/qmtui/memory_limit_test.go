package main

import (
	"log/slog"
	"os"
	"runtime/debug"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// TestLimitsBuild7HeapFollowsTheMachine: the heap's limit comes from the control
// group, or else from the machine, unless somebody set it.
func TestLimitsBuild7HeapFollowsTheMachine(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	unbounded := func() (uint64, error) { return 0, memlimit.ErrNoLimit }
	for _, c := range []struct {
		name            string
		mayUse, machine memlimit.Provider
		env             string
		want            int64
	}{
		{"a control group", memlimit.Limit(2 << 30), memlimit.Limit(64 << 30), "", 9 * (2 << 30) / 10},
		{"none", unbounded, memlimit.Limit(10 << 30), "", 4 << 30},
		{"set by somebody", memlimit.Limit(2 << 30), memlimit.Limit(64 << 30), "5GiB", 1 << 40},
	} {
		t.Setenv("GOMEMLIMIT", c.env)
		if c.env == "" {
			if err := os.Unsetenv("GOMEMLIMIT"); err != nil {
				t.Fatal(err)
			}
		}
		debug.SetMemoryLimit(1 << 40)
		limitMemory(slog.New(slog.DiscardHandler), c.mayUse, c.machine)
		if got := debug.SetMemoryLimit(-1); got < c.want-1 || got > c.want+1 {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
