package assets_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestLimitsBuild7Service: the service and the container have bounds of memory
// and of threads, so that they cannot take the machine with them.
func TestLimitsBuild7Service(t *testing.T) {
	unit, err := os.ReadFile("systemd/qmtui.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"\nMemoryMax=40%\n", "\nMemoryHigh=35%\n", "\nTasksMax=2048\n", "\nOOMPolicy=stop\n"} {
		if !strings.Contains(string(unit), line) {
			t.Errorf("the unit does not say %q", strings.TrimSpace(line))
		}
	}
	raw, err := os.ReadFile("compose/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Memory string            `yaml:"mem_limit"`
			Tasks  int               `yaml:"pids_limit"`
			Env    map[string]string `yaml:"environment"`
		}
	}
	if err := yaml.Unmarshal(raw, &compose); err != nil {
		t.Fatal(err)
	}
	if s := compose.Services["queue-manager"]; s.Memory != "${QMTUI_MEMORY:-2g}" || s.Tasks != 2048 {
		t.Errorf("%+v", s)
	} else if s.Env["QMTUI_SERVER_PROXY_SECRET_ENV"] != "PROXY_SECRET" || s.Env["PROXY_SECRET"] == "" {
		t.Error("the user header is believed without a secret")
	}
}

// TestLimitsBuild7UnitVerifies lets systemd itself read the unit.
func TestLimitsBuild7UnitVerifies(t *testing.T) {
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	unit, err := os.ReadFile("systemd/qmtui.service")
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "qmtui.service")
	if err := os.WriteFile(copied, []byte(strings.Replace(string(unit), "/usr/bin/qmtui", "/bin/true", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.CommandContext(t.Context(), tool, "verify", "--man=no", copied).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, copied) {
			t.Error(strings.TrimSpace(line))
		}
	}
}
