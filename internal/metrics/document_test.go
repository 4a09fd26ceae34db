package metrics

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/comfyume/qmtui/internal/job"
)

var (
	fullName = regexp.MustCompile("`(qmtui_[a-z0-9_]+)`")
	tailName = regexp.MustCompile("`(_[a-z0-9_]+)`")
)

// TestDocumentNamesEveryMetric holds the table of docs/monitoring.md against
// what is told, both ways.
func TestDocumentNamesEveryMetric(t *testing.T) {
	raw, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	told := families(t)
	said := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		if !strings.HasPrefix(line, "| `qmtui_") {
			continue
		}
		names := fullName.FindAllStringSubmatch(line, -1)
		for _, n := range names {
			said[n[1]] = true
			if !told[n[1]] {
				t.Errorf("the document speaks of %s, which is not told", n[1])
			}
		}
		for _, tail := range tailName.FindAllStringSubmatch(line, -1) {
			name := joined(names[0][1], tail[1], told)
			if name == "" {
				t.Errorf("the document speaks of %s%s, which is not told", names[0][1], tail[1])
			}
			said[name] = true
		}
	}
	for name := range told {
		if strings.HasPrefix(name, "qmtui_") && !said[name] {
			t.Errorf("the document does not speak of %s", name)
		}
	}
}

// joined is the metric whose name is a beginning of first and then tail.
func joined(first, tail string, told map[string]bool) string {
	for i := len(first); i > 0; i = strings.LastIndexByte(first[:i], '_') {
		if told[first[:i]+tail] {
			return first[:i] + tail
		}
	}
	return ""
}

// families are the names of all metrics there are.
func families(t *testing.T) map[string]bool {
	t.Helper()
	s, o := newFakeSource(), h200
	o.BudgetPerDay, o.Budgets = 10, map[string]float64{"h200": 5}
	o.TopUsers, o.Store, o.Disks = 1, func() StoreStats { return StoreStats{} }, map[string]string{"state": t.TempDir()}
	o.Limits = func() []LimitUse {
		return []LimitUse{{Limit: "streams", Places: 512, Taken: 3, Highest: 0.5, Refused: 7}}
	}
	s.users = []job.UserStatus{{User: "ada"}}
	m := start(t, o, s)
	m.Called("GET", "/health")(200, false)
	m.jobs.warnings.WithLabelValues("partial")
	m.rooms.measure("state", o.Disks["state"])
	all, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range all {
		names[f.GetName()] = true
	}
	return names
}
