package engine

import (
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

func TestClockSkew(t *testing.T) {
	sent, seen := noon, noon.Add(time.Minute)
	tests := []struct {
		name     string
		modified time.Time
		want     time.Duration
		warns    bool
	}{
		{"while it ran", noon.Add(30 * time.Second), 0, false},
		{"a cache showed it late", noon.Add(time.Second), 0, false},
		{"before it was sent", noon.Add(-time.Minute), -time.Minute, true},
		{"after it was seen", noon.Add(2 * time.Minute), time.Minute, true},
		{"a little", noon.Add(-time.Second), -time.Second, false},
		{"unknown", time.Time{}, 0, false},
	}
	for _, tt := range tests {
		got := clockSkew(tt.modified, sent, seen)
		if got != tt.want || (skewWarning(got) != nil) != tt.warns {
			t.Errorf("%s: %v (warning %v), want %v, %v", tt.name, got, skewWarning(got), tt.want, tt.warns)
		}
	}
}

func TestLowDisk(t *testing.T) {
	full := job.ShareStatus{Path: "/mnt", LookedAt: noon, Free: 1 << 20}
	if e := lowDisk(full, 5<<30); e == nil || e.Code != "disk_low" || e.Hint == "" {
		t.Errorf("a nearly full share: %v", e)
	}
	for name, s := range map[string]job.ShareStatus{
		"room enough":   {LookedAt: noon, Free: 6 << 30},
		"not looked at": {Free: 0},
		"away: said so": {LookedAt: noon, Error: &job.Error{Code: "share_not_mounted"}},
	} {
		if e := lowDisk(s, 5<<30); e != nil {
			t.Errorf("%s: %v", name, e)
		}
	}
}
