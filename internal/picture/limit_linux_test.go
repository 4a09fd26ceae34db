package picture

import (
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"
)

// limited says in the environment what a process is to do beyond its limits.
const limited = "QMTUI_TEST_LIMITED"

func init() {
	what := os.Getenv(limited)
	if what == "" {
		return
	}
	if err := limitProcess(64<<20, time.Second); err != nil {
		panic(err)
	}
	debug.SetGCPercent(-1)
	for held := [][]byte{}; ; {
		if what == "memory" {
			b := make([]byte, 16<<20)
			for i := range b {
				b[i] = 1
			}
			held = append(held, b)
		}
	}
}

// TestLimitsOfTheKernel: a helper that goes beyond its memory or its time is ended.
func TestLimitsOfTheKernel(t *testing.T) {
	if raceDetector {
		t.Skip("the detector takes memory of its own")
	}
	for what, want := range map[string]func(*exec.Cmd, string) bool{
		"time": func(c *exec.Cmd, _ string) bool {
			return c.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
		},
		"memory": func(_ *exec.Cmd, said string) bool { return strings.Contains(said, "out of memory") },
	} {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = []string{limited + "=" + what, "GOMAXPROCS=1"}
		said, _ := cmd.CombinedOutput()
		if !want(cmd, string(said)) || cmd.ProcessState.UserTime() > 3*time.Second {
			t.Errorf("%s: %v after %v, %.300s", what, cmd.ProcessState, cmd.ProcessState.UserTime(), said)
		}
	}
}
