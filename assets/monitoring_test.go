package assets_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	grafana "github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/comfyume/qmtui/assets"
)

// promtool is the checker that comes with Prometheus.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed: apt-get install prometheus")
	}
	if out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestAlertRules(t *testing.T) {
	t.Run("check", func(t *testing.T) { promtool(t, "check", "rules", "prometheus/qmtui.rules.yml") })
	t.Run("test", func(t *testing.T) { promtool(t, "test", "rules", "prometheus/qmtui.rules.test.yml") })
	t.Run("scrape", func(t *testing.T) {
		promtool(t, "check", "config", "--syntax-only", "prometheus/prometheus.yml")
	})
}

// TestEveryAlertIsTested: a rule without a test that it fires, and without a
// word in the documentation, is not there.
func TestEveryAlertIsTested(t *testing.T) {
	rules, tests := monitoring(t, "prometheus/qmtui.rules.yml"), monitoring(t, "prometheus/qmtui.rules.test.yml")
	doc, err := os.ReadFile("../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(rules, -1)
	if len(names) < 10 {
		t.Fatalf("only %d alerts", len(names))
	}
	for _, n := range names {
		if !strings.Contains(tests, `ALERTS{alertname="`+n[1]+`", alertstate="firing"`) {
			t.Errorf("no test lets %s fire", n[1])
		}
		if !strings.Contains(string(doc), "`"+n[1]+"`") {
			t.Errorf("docs/monitoring.md does not say what to do about %s", n[1])
		}
	}
}

// dashboard is what of Grafana's model the panels here use.
type dashboard struct {
	Title, UID    string
	SchemaVersion int
	Templating    struct {
		List []struct{ Name, Type string }
	}
	Panels []struct {
		ID                 int
		Type, Title        string
		Datasource         source
		GridPos            struct{ H, W, X, Y int }
		Targets            []target
		FieldConfig        struct{ Defaults struct{ Unit string } }
		Description        string
		Panels, Transforms []json.RawMessage
	}
}

type source struct{ Type, UID string }

type target struct {
	RefID      string
	Expr       string
	Datasource source
}

func TestDashboard(t *testing.T) {
	var d dashboard
	if err := json.Unmarshal([]byte(monitoring(t, "grafana/qmtui.json")), &d); err != nil {
		t.Fatal(err)
	}
	if d.Title == "" || d.UID == "" || d.SchemaVersion < 30 || len(d.Panels) < 20 {
		t.Errorf("%q %q, schema %d, %d panels", d.Title, d.UID, d.SchemaVersion, len(d.Panels))
	}
	if v := d.Templating.List; len(v) == 0 || v[0].Name != "datasource" || v[0].Type != "datasource" {
		t.Errorf("the first variable is not the data source: %v", v)
	}
	known := regexp.MustCompile(`^(row|stat|timeseries|state-timeline|heatmap|table)$`)
	ids, titles, taken := map[int]bool{}, map[string]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || titles[p.Type+p.Title] || p.ID < 1 || p.Title == "" || !known.MatchString(p.Type) {
			t.Errorf("panel %d %q (%s): an id or a title twice, or a type that is not known", p.ID, p.Title, p.Type)
		}
		ids[p.ID], titles[p.Type+p.Title] = true, true
		if p.GridPos.X < 0 || p.GridPos.W < 1 || p.GridPos.X+p.GridPos.W > 24 || p.GridPos.H < 1 {
			t.Errorf("%q does not fit the grid: %+v", p.Title, p.GridPos)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok {
					t.Fatalf("%q lies on %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" {
			checkTargets(t, p.Title, p.Datasource, p.Targets)
		}
	}
}

// TestDashboardIsGrafanas reads the dashboard by Grafana's own published schema,
// with those of its panels and of Prometheus queries: no field is missing, and
// none is there that nobody knows.
func TestDashboardIsGrafanas(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	//lint:ignore SA1019 the shipped dashboard is of the classic model, which Grafana goes on importing
	var d grafana.Dashboard
	if err := d.UnmarshalJSONStrict([]byte(monitoring(t, "grafana/qmtui.json"))); err != nil && err.Error() != "" { // it may be an empty list
		t.Error(err)
	}
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
	if len(d.Panels) < 20 {
		t.Errorf("%d panels", len(d.Panels))
	}
}

func checkTargets(t *testing.T, title string, ds source, targets []target) {
	t.Helper()
	if len(targets) == 0 || ds.UID != "${datasource}" {
		t.Errorf("%q has %d queries of %q", title, len(targets), ds.UID)
	}
	refs := map[string]bool{}
	for _, q := range targets {
		if refs[q.RefID] || q.RefID == "" || q.Expr == "" || q.Datasource.UID != "${datasource}" {
			t.Errorf("%q: query %+v", title, q)
		}
		refs[q.RefID] = true
	}
}

// TestEveryQueryParses gives all queries to promtool as recording rules.
func TestEveryQueryParses(t *testing.T) {
	var b strings.Builder
	b.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	var d dashboard
	if err := json.Unmarshal([]byte(monitoring(t, "grafana/qmtui.json")), &d); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			expr, _ := json.Marshal(strings.ReplaceAll(q.Expr, "$__rate_interval", "5m"))
			fmt.Fprintf(&b, "      - {record: 'panel:q%d', expr: %s}\n", n, expr)
			n++
		}
	}
	file := filepath.Join(t.TempDir(), "queries.yml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if n < 40 {
		t.Errorf("only %d queries", n)
	}
	promtool(t, "check", "rules", file)
}

func monitoring(t *testing.T, name string) string {
	t.Helper()
	raw, err := assets.Monitoring.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
