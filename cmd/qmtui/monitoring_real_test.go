package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/assets"
	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/server"
)

// TestPrometheusReadsEverything lets a real Prometheus scrape a manager at
// work: every query of every panel returns data, every rule evaluates, and no
// alert but that of the faults in the scene is raised.
func TestPrometheusReadsEverything(t *testing.T) {
	t.Parallel()
	bin, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("Prometheus is not installed: apt-get install prometheus")
	}
	s := openSite(t, func(p *plan) {
		p.config.Server.Listen = "127.0.0.1:0"
		p.config.Auth.Mode = "login"
		p.config.Metrics.Users = 3
		p.config.Budget.PerDay, p.config.Deployments[0].BudgetPerDay = 1000, 500
		p.config.Queue.Retries = 2
		p.workers.Faults.ExecutionError, p.workers.Faults.Unavailable = 0.3, 0.2
		p.workers.Deployments[0].ColdStart = 6 * time.Second // shorter does not count as cold
		p.workers.Deployments[0].ScaleDown = time.Hour
	})
	token, err := server.AddToken(s.scene.State(), server.Token{User: "prometheus", Name: "scrape", Created: time.Now()})
	check(t, err)
	prom := startPrometheus(t, bin, s.manager.server.Addr().String(), token)
	events, err := s.client.Events(t.Context(), 0) // a stream that stays open
	check(t, err)
	defer events.Close()
	for round := range 3 { // so that rates have something to rise from
		s.burst(round)
		prom.until("it has scraped what happened", fmt.Sprintf("sum(qmtui_job_duration_seconds_count) >= %d", round+1))
	}
	for _, q := range panelQueries(t) {
		t.Run(q.panel, func(t *testing.T) { prom.wantData(t, q.expr) })
	}
	t.Run("the rules", func(t *testing.T) { prom.wantCalm(t, "QmtuiAttemptsFailing", "QmtuiDiskLow") })
	t.Run("the format", func(t *testing.T) { wantGoodFormat(t, s, token) })
}

// burst submits jobs of three users and waits for their ends.
func (s *site) burst(round int) {
	s.Helper()
	prompts, err := fs.Sub(assets.Prompts, "prompts")
	check(s.T, err)
	requests, err := demo.Load{Users: 3, Jobs: 2, Seed: uint64(round + 1), Prompts: demo.Without(prompts, "preview-only.json")}.Requests()
	check(s.T, err)
	for _, r := range requests {
		r.Key = fmt.Sprint(r.Key, "-", round)
		j, _, err := s.client.Submit(s.Context(), r.SubmitRequest)
		check(s.T, err)
		defer s.await(j.ID, "at its end", func(j api.Job) bool { return j.State.Terminal() })
	}
}

// prometheus is a real one, in a process of its own.
type prometheus struct {
	*testing.T
	base string
}

// startPrometheus lets one scrape a manager four times a second, with the
// alert rules that are shipped.
func startPrometheus(t *testing.T, bin, target, token string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	rules, err := assets.Monitoring.ReadFile("prometheus/qmtui.rules.yml")
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, "qmtui.rules.yml"), rules, 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "token"), []byte(token), 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "prometheus.yml"), fmt.Appendf(nil, `
global: {scrape_interval: 250ms, evaluation_interval: 1s}
scrape_configs:
  - job_name: qmtui
    authorization: {type: Bearer, credentials_file: %s/token}
    static_configs: [{targets: [%q]}]
rule_files: [qmtui.rules.yml]
`, dir, target), 0o600))
	log, err := os.Create(filepath.Join(dir, "log"))
	check(t, err)
	address := fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0])
	ctx, stop := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, bin, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--log.level=warn")
	c.Stdout, c.Stderr, c.Dir = log, log, dir
	check(t, c.Start())
	t.Cleanup(func() {
		stop()
		_ = c.Wait()
		_ = log.Close()
		if said, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("Prometheus says:\n%s", said)
		}
	})
	p := &prometheus{T: t, base: "http://" + address}
	p.until("it scrapes", `up{job="qmtui"} == 1`)
	return p
}

// sample is one series of an answer, with its values.
type sample struct {
	Metric map[string]string
	Values [][2]any
	Value  [2]any
}

// ask calls the HTTP API and returns what it answers under "data".
func (p *prometheus) ask(path string, q url.Values, data any) error {
	r, err := http.Get(p.base + path + "?" + q.Encode())
	if err != nil {
		return err
	}
	defer r.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", answer.Status, answer.Error)
	}
	return json.Unmarshal(answer.Data, data)
}

// query evaluates an expression over the last half minute.
func (p *prometheus) query(expr string) ([]sample, error) {
	now := time.Now()
	var data struct{ Result []sample }
	err := p.ask("/api/v1/query_range", url.Values{"query": {expr}, "step": {"1"},
		"start": {strconv.FormatInt(now.Add(-30*time.Second).Unix(), 10)}, "end": {fmt.Sprintf("%.3f", float64(now.UnixMilli())/1000)}}, &data)
	return data.Result, err
}

// until asks until the expression gives something.
func (p *prometheus) until(what, expr string) {
	p.Helper()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(patience)
	for {
		if got, err := p.query(expr); err == nil && finite(got) {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			p.Fatalf("not in %s: %s (%s)", patience, what, expr)
		}
	}
}

func (p *prometheus) wantData(t *testing.T, expr string) {
	t.Helper()
	expr = strings.NewReplacer("$__rate_interval", "10s", "$job", ".*", "$deployment", ".*").Replace(expr)
	got, err := p.query(expr)
	if err != nil || !finite(got) {
		t.Errorf("%s gives %v (%v)", expr, got, err)
	}
}

// finite reports a number among the values: quantiles of nothing are NaN.
func finite(all []sample) bool {
	for _, s := range all {
		for _, v := range s.Values {
			text, _ := v[1].(string)
			if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
				return true
			}
		}
	}
	return false
}

// wantCalm expects that every rule evaluates and that none but those in
// expected is pending or fires.
func (p *prometheus) wantCalm(t *testing.T, expected ...string) {
	var data struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError, State string }
		}
	}
	check(t, p.ask("/api/v1/rules", nil, &data))
	n := 0
	for _, g := range data.Groups {
		for _, r := range g.Rules {
			n++
			if r.Health != "ok" {
				t.Errorf("%s is %s: %s", r.Name, r.Health, r.LastError)
			}
			if r.State != "inactive" && !strings.Contains(strings.Join(expected, " "), r.Name) {
				t.Errorf("%s is %s in a healthy scene", r.Name, r.State)
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d rules were loaded", n)
	}
}

// wantGoodFormat lets promtool judge names, help and types.
func wantGoodFormat(t *testing.T, s *site, token string) {
	figures := scrape(t, s, token)
	c := exec.CommandContext(t.Context(), "promtool", "check", "metrics")
	c.Stdin = strings.NewReader(figures)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	for _, j := range s.jobs() {
		if strings.Contains(figures, string(j)) {
			t.Errorf("the id of job %s is in the metrics", j)
		}
	}
}

func (s *site) jobs() []job.ID {
	page, err := s.client.Jobs(s.Context(), api.Query{Limit: 1000})
	check(s.T, err)
	var ids []job.ID
	for _, j := range page.Items {
		ids = append(ids, j.ID)
	}
	return ids
}

type panelQuery struct{ panel, expr string }

func panelQueries(t *testing.T) []panelQuery {
	t.Helper()
	raw, err := assets.Monitoring.ReadFile("grafana/qmtui.json")
	check(t, err)
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	check(t, json.Unmarshal(raw, &d))
	var all []panelQuery
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			all = append(all, panelQuery{p.Title + " " + q.RefID, q.Expr})
		}
	}
	return all
}
