package main

import (
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/assets"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/server"
)

// scrape reads the metrics over TCP as a scraper does.
func scrape(t *testing.T, s *site, token string) string {
	t.Helper()
	status, body := getAs(t, s, token, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("scrape: %d %s", status, body)
	}
	return body
}

// getAs calls the manager over TCP, with a token unless that is empty.
func getAs(t *testing.T, s *site, token, path string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.manager.server.Addr().String()+path, nil)
	check(t, err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	check(t, err)
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	check(t, err)
	return answer.StatusCode, string(raw)
}

// TestManagerTellsItsFigures: what one job leaves in the metrics.
func TestManagerTellsItsFigures(t *testing.T) {
	s := openSite(t, func(p *plan) { p.config.Server.Listen = "127.0.0.1:0" })
	s.awaitEnd(s.submit("user001", example(t, "text-to-image.json")).ID, job.Done)
	var figures, missing string
	want := []string{
		"qmtui_jobs_submitted_total 1", `qmtui_jobs{state="done"} 1`, `qmtui_job_wait_seconds_count{deployment="h200-spot"} 1`,
		`qmtui_job_duration_seconds_count{deployment="h200-spot"} 1`, `qmtui_job_attempts_total{code="none",deployment="h200-spot",outcome="done"} 1`,
		`qmtui_outputs_total{evidence="prefix",state="stored"} 1`, "qmtui_copy_duration_seconds_count 1", `qmtui_cold_start_seconds_count{deployment="h200-spot"} 0`,
		`qmtui_deployment_state{deployment="h200-spot",state="warm"} 1`, `qmtui_deployment_price_per_hour{deployment="h200-spot"} 0.97`,
		"qmtui_share_mounted 1", `qmtui_disk_free_bytes{disk="state"}`, `qmtui_disk_free_bytes{disk="users"}`, "qmtui_store_size_bytes ",
		`qmtui_http_requests_total{code="201",method="POST",route="/api/jobs"} 1`, `qmtui_oldest_job_seconds{state="queued"} 0`, "qmtui_build_info{", "go_goroutines ",
	}
	defer func() {
		if missing != "" {
			t.Logf("not told: %s", missing)
		}
	}()
	s.eventually("all figures are told", func() bool {
		figures, missing = scrape(t, s, ""), ""
		for _, w := range want {
			if !strings.Contains(figures, "\n"+w) {
				missing += w + "\n"
			}
		}
		return missing == ""
	})
	if strings.Contains(figures, "user001") {
		t.Error("a user is named though nobody asked for it")
	}
}

// TestReaderOfMetricsReadsNothingElse: the token of a scraper is no key to the house.
func TestReaderOfMetricsReadsNothingElse(t *testing.T) {
	s := openSite(t, func(p *plan) { p.config.Server.Listen, p.config.Auth.Mode = "127.0.0.1:0", "login" })
	token, err := server.AddToken(s.scene.State(), server.Token{User: config.Default().Metrics.Readers[0], Name: "scrape", Created: time.Now()})
	check(t, err)
	if !strings.Contains(scrape(t, s, token), "qmtui_queue_depth") {
		t.Error("the reader reads no figures")
	}
	s.submit("user001", example(t, "text-to-image.json"))
	if status, body := getAs(t, s, token, "/api/jobs"); status != http.StatusOK || strings.Contains(body, "user001") {
		t.Errorf("of others' jobs the reader sees %d %s", status, body)
	}
	if status, body := getAs(t, s, token, "/api/orphans"); status != http.StatusForbidden {
		t.Errorf("the reader reads orphans: %d %s", status, body)
	}
}

// example reads one of the prompts that are shipped.
func example(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := fs.ReadFile(assets.Prompts, "prompts/"+name)
	check(t, err)
	return raw
}
