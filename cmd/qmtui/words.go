package main

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/comfyume/qmtui/internal/job"
)

// clock tells the time of day for ages; tests of pure functions pass their own.
func age(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return length(now.Sub(t)) + " ago"
}

// length is a duration in at most two units: 850ms, 12s, 3m05s, 2h10m, 4d3h.
func length(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}

// size is a number of bytes for people.
func size(n int64) string {
	if n < 0 {
		return "-"
	}
	return humanize.IBytes(uint64(n))
}

// stamp is a time in the reader's own zone, with the day when it is not now's.
func stamp(t, now time.Time) string {
	t = t.Local()
	if y, m, d := now.Local().Date(); y == t.Year() && m == t.Month() && d == t.Day() {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04:05")
}

// priorityName is a priority as the site calls it.
func priorityName(p job.Priority) string {
	switch p {
	case job.Instructor:
		return "instructor"
	case job.High:
		return "high"
	case job.Normal:
		return "normal"
	case job.Low:
		return "low"
	}
	return fmt.Sprint(int(p))
}

// parsePriority reads a priority by number or name.
func parsePriority(s string) (job.Priority, error) {
	for p := job.Instructor; p <= job.Low; p++ {
		if s == fmt.Sprint(int(p)) || s == priorityName(p) {
			return p, nil
		}
	}
	return 0, fmt.Errorf("%q is not a priority: use 0 (instructor), 1 (high), 2 (normal) or 3 (low)", s)
}
