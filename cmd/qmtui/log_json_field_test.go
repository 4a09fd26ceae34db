package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/comfyume/qmtui/assets"
	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
)

// promtail is what of its configuration the stages here use.
type promtail struct {
	Clients       []struct{ URL string }
	ScrapeConfigs []struct {
		JobName string `yaml:"job_name"`
		Journal struct {
			Matches string
			Labels  map[string]string
		}
		Stages []struct {
			JSON      struct{ Expressions map[string]string }
			Timestamp struct{ Source, Format string }
			Labels    map[string]*string
		} `yaml:"pipeline_stages"`
	} `yaml:"scrape_configs"`
}

// TestJSONLogAsPromtailReadsIt lets a manager log what goes right and wrong, and
// takes its lines through the stages that are shipped: one event a line, times
// and levels that are understood, labels with few values, and the job on every
// line about one.
func TestJSONLogAsPromtailReadsIt(t *testing.T) {
	s := openSite(t, func(p *plan) {
		p.logs = config.Log{Format: "json", Level: "debug"}
		p.config.Queue.Retries = 1
		p.workers.Faults.ExecutionError, p.workers.Faults.Unavailable, p.workers.Faults.HostileName = 0.4, 0.3, 0.5
	})
	var ids []job.ID
	for i := range 8 {
		j, _, err := s.client.Submit(t.Context(), api.SubmitRequest{User: "user001", Workflow: savingBatch("a", i+1)})
		check(t, err)
		ids = append(ids, j.ID)
	}
	for _, id := range ids {
		s.await(id, "at its end", func(j api.Job) bool { return j.State.Terminal() })
	}
	read := readPromtail(t)
	about := map[string]bool{}
	for _, line := range s.log.lines() {
		if line == "" {
			continue
		}
		event := read.line(t, line)
		id, _ := event["job"].(string)
		about[id] = true
		_, prompt := event["prompt"]
		if what, _ := event["msg"].(string); id == "" && (prompt || isFact(what)) {
			t.Errorf("no job is on %s", line)
		}
	}
	for _, id := range ids {
		if !about[string(id)] {
			t.Errorf("nothing is logged of job %s", id)
		}
	}
}

func isFact(msg string) bool {
	return slices.Contains([]job.Kind{job.Created, job.Assigned, job.Acknowledged, job.Started, job.Stored, job.Completed, job.Broke, job.Expired}, job.Kind(msg))
}

func readPromtail(t *testing.T) promtail {
	t.Helper()
	raw, err := assets.Monitoring.ReadFile("loki/promtail.yaml")
	check(t, err)
	var p promtail
	check(t, yaml.Unmarshal(raw, &p))
	if len(p.ScrapeConfigs) != 1 || len(p.ScrapeConfigs[0].Stages) != 3 || len(p.Clients) != 1 || p.ScrapeConfigs[0].Journal.Labels["job"] != "qmtui" {
		t.Fatalf("it has %+v", p)
	}
	return p
}

// line takes one line through the stages, and gives its fields.
func (p promtail) line(t *testing.T, line string) map[string]any {
	t.Helper()
	var event map[string]any
	if err := json.Unmarshal([]byte(line), &event); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	taken := map[string]string{}
	stages := p.ScrapeConfigs[0].Stages
	for name, key := range stages[0].JSON.Expressions {
		taken[name], _ = event[key].(string)
	}
	if stages[1].Timestamp.Format != "RFC3339Nano" {
		t.Errorf("times are read as %s", stages[1].Timestamp.Format)
	}
	if _, err := time.Parse(time.RFC3339Nano, taken[stages[1].Timestamp.Source]); err != nil {
		t.Errorf("%v: %s", err, line)
	}
	for label := range stages[2].Labels {
		if known := map[string][]string{"level": {"DEBUG", "INFO", "WARN", "ERROR"}, "deployment": {"", "h200-spot"}}[label]; !slices.Contains(known, taken[label]) {
			t.Errorf("the label %s is %q: %s", label, taken[label], line)
		}
	}
	if msg, _ := event["msg"].(string); msg == "" || strings.ContainsAny(msg, "\n\r\x1b") {
		t.Errorf("the event of %s", line)
	}
	return event
}
