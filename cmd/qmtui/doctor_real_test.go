package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/doctor"
)

// TestDoctorOnRealComfyUI lets doctor look at real servers and send canaries
// through them, with each driver, and with a manager that looks at another
// folder than they write to. It needs what TestRealComfyUI needs.
func TestDoctorOnRealComfyUI(t *testing.T) {
	s := openRealStage(t, nil)
	again := func(change func(*config.Config)) {
		s.stop()
		change(&s.config)
		s.startManager(t)
	}
	t.Run("what it says of the servers", func(t *testing.T) {
		got := doctor.Visit{Config: s.config, Manager: s.client, Wake: true, Prompts: examplePrompts()}.Examine(t.Context())
		if v := verdicts(got, "deployment", "output-directory", "comfyui-version", "worker-clock"); v != "answers set known agrees" {
			t.Errorf("it says %s:\n%s", v, reasons(got))
		}
		if v := verdicts(got, "models"); v != "there" && v != "models" {
			t.Errorf("of models it says %s:\n%s", v, reasons(got))
		}
	})
	t.Run("a canary", func(t *testing.T) { s.wantCanary(t, "accepted came delivered") })
	t.Run("a canary by the Verda driver", func(t *testing.T) {
		again(func(c *config.Config) { c.Deployments[0].Driver = "verda" })
		s.wantCanary(t, "accepted plain came delivered", "ComfyUI itself answered")
	})
	t.Run("a canary that is written elsewhere", func(t *testing.T) {
		s.balancer.setSticky(true)
		elsewhere := filepath.Join(t.TempDir(), "clone")
		orFatal(t, os.Mkdir(elsewhere, 0o755))
		again(func(c *config.Config) { c.Share.Outputs = elsewhere })
		s.wantCanary(t, "accepted plain elsewhere not_reached", "as it sees it")
	})
}

func (s *realStage) wantCanary(t *testing.T, want string, says ...string) {
	t.Helper()
	got := doctor.Visit{Config: s.config, Manager: s.client, Prompts: examplePrompts()}.Fly(t.Context(), doctor.Canary{Here: true})
	t.Logf("\n%s", reasons(got))
	if v := verdicts(got, "canary-accepted", "canary-way", "canary-share", "canary-delivered"); v != want {
		t.Errorf("it says %s, want %s", v, want)
	}
	for _, words := range says {
		if !strings.Contains(reasons(got), words) {
			t.Errorf("nothing says %q", words)
		}
	}
	if left, err := os.ReadDir(filepath.Join(s.users, doctor.CanaryUser)); err == nil {
		t.Errorf("its folder is left, with %v", left)
	}
}
