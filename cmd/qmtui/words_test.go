package main

import (
	"slices"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

func TestLength(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{-time.Second, "0ms"}, {0, "0ms"}, {850 * time.Millisecond, "850ms"}, {9990 * time.Millisecond, "9.9s"}, {12 * time.Second, "12s"},
		{185 * time.Second, "3m05s"}, {130 * time.Minute, "2h10m"}, {99 * time.Hour, "4d3h"},
	} {
		if got := length(c.d); got != c.want {
			t.Errorf("%s: %s, want %s", c.d, got, c.want)
		}
	}
}

func TestParsePriority(t *testing.T) {
	for in, want := range map[string]job.Priority{"0": 0, "instructor": 0, "1": 1, "high": 1, "2": 2, "normal": 2, "3": 3, "low": 3} {
		if got, err := parsePriority(in); err != nil || got != want {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "4", "-1", "High", " 1"} {
		if got, err := parsePriority(in); err == nil {
			t.Errorf("%q is taken for %v", in, got)
		}
	}
}

func TestParseSince(t *testing.T) {
	zone := time.FixedZone("CET", 3600)
	now := time.Date(2026, 1, 31, 15, 0, 0, 0, zone)
	for in, want := range map[string]time.Time{
		"":                     {},
		"2h":                   now.Add(-2 * time.Hour),
		"3d":                   now.Add(-72 * time.Hour),
		"2026-01-30":           time.Date(2026, 1, 30, 0, 0, 0, 0, zone),
		"2026-01-30 14:30":     time.Date(2026, 1, 30, 14, 30, 0, 0, zone),
		"2026-01-30T14:30:05Z": time.Date(2026, 1, 30, 14, 30, 5, 0, time.UTC),
		"14:30":                time.Date(2026, 1, 31, 14, 30, 0, 0, zone),
	} {
		if got, err := parseSince(in, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"yesterday", "-2h", "0", "2026-13-01", "25:00"} {
		if got, err := parseSince(in, now); err == nil {
			t.Errorf("%q is taken for %v", in, got)
		}
	}
}

func TestAddState(t *testing.T) {
	for in, want := range map[string][]job.State{
		"queued": {job.Queued}, "lost": {job.Lost}, "completed": {job.Done},
		"pending": {job.Queued, job.Submitting, job.Accepted},
	} {
		var f api.Filter
		if err := addState(&f, in); err != nil || !slices.Equal(f.States, want) {
			t.Errorf("%s: %v, %v", in, f.States, err)
		}
	}
	if err := addState(&api.Filter{}, "sleeping"); err == nil {
		t.Error("sleeping is taken for a state")
	}
}

func TestCostSentence(t *testing.T) {
	for _, c := range []struct {
		w    api.Worker
		want string
	}{
		{api.Worker{Name: "h200", State: job.WarmthCold, PricePerHour: 0.97, Cold: job.Timing{Count: 3, P50: 120}},
			"h200 is asleep; waking it starts a machine that is paid for: 0.97 an hour, billed in steps of 10 minutes, so at least 0.16, and it takes about 2m00s"},
		{api.Worker{Name: "b300", State: job.WarmthWarm},
			"b300 is warm; asking it keeps a machine running that is paid for, at a price that the configuration does not know, billed in steps of 10 minutes"},
	} {
		if got := costSentence(c.w); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestMayWake(t *testing.T) {
	for _, c := range []struct {
		scales bool
		state  job.Warmth
		want   bool
	}{{true, job.WarmthCold, true}, {true, job.WarmthUnknown, true}, {true, job.WarmthWarm, false}, {false, job.WarmthUnknown, false}} {
		if got := mayWake(api.Worker{ScaleToZero: c.scales, State: c.state}); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
