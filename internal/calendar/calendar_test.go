package calendar

import (
	"strings"
	"testing"
	"time"
)

// amsterdam is a calendar with five workshop days.
func amsterdam(t *testing.T) Calendar {
	t.Helper()
	c, err := New("Europe/Amsterdam", []string{"2026-11-30..2026-12-03", "2026-12-05"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c Calendar) at(t *testing.T, text string) time.Time {
	t.Helper()
	out, err := time.ParseInLocation("2006-01-02 15:04", text, c.Zone)
	if err != nil {
		t.Fatal(err)
	}
	return out.UTC()
}

func TestWindow(t *testing.T) {
	c := amsterdam(t)
	for _, x := range []struct {
		window, at string
		want       bool
	}{
		{"mon-tue 09:50-17:00", "2026-11-23 09:49", false}, {"mon-tue 09:50-17:00", "2026-11-23 09:50", true},
		{"mon tue 09:50-17:00", "2026-11-24 16:59", true}, {"mon tue 09:50-17:00", "2026-11-24 17:00", false},
		{"mon-tue 09:50-17:00", "2026-11-25 12:00", false},
		{"fri 22:00-02:00", "2026-11-27 21:59", false}, {"fri 22:00-02:00", "2026-11-27 23:00", true},
		{"fri 22:00-02:00", "2026-11-28 01:59", true}, {"fri 22:00-02:00", "2026-11-28 02:00", false},
		{"fri 22:00-02:00", "2026-11-27 01:00", false},
		{"00:00-24:00", "2026-11-27 01:00", true}, {"daily 00:00-24:00", "2026-11-27 23:59", true},
		{"sat-sun 10:00-11:00", "2026-11-29 10:30", true}, {"sat-mon 10:00-11:00", "2026-11-27 10:30", false},
		{"workshop 09:00-10:00", "2026-12-03 09:30", true}, {"workshop 09:00-10:00", "2026-12-04 09:30", false},
		{"workshop 09:00-10:00", "2026-12-05 09:30", true}, {"2026-12-04 09:00-10:00", "2026-12-04 09:30", true},
		{"WORKSHOP 9:00-10:00", "2026-12-03 09:30", true},
		// The night in which clocks go back, and the one in which they go forward.
		{"09:00-10:00", "2026-10-25 09:30", true}, {"09:00-10:00", "2026-03-29 09:30", true}, {"09:00-10:00", "2026-03-29 10:30", false},
	} {
		w, err := c.Window(x.window)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.Contains(c.at(t, x.at)); got != x.want {
			t.Errorf("%q contains %s = %v", x.window, x.at, got)
		}
	}
}

func TestWindowEnds(t *testing.T) {
	c := amsterdam(t)
	w, _ := c.Window("fri 22:00-02:00")
	if end, ok := w.Until(c.at(t, "2026-11-28 01:00")); !ok || !end.Equal(c.at(t, "2026-11-28 02:00")) {
		t.Errorf("ends %v, %v", end, ok)
	}
}

func TestTime(t *testing.T) {
	c := amsterdam(t)
	for _, x := range []struct{ time, now, last, next string }{
		{"09:50", "2026-11-27 09:49", "2026-11-26 09:50", "2026-11-27 09:50"},
		{"09:50", "2026-11-27 09:50", "2026-11-27 09:50", "2026-11-28 09:50"},
		{"mon 09:50", "2026-11-25 12:00", "", "2026-11-30 09:50"},
		{"workshop 09:50", "2026-12-03 12:00", "2026-12-03 09:50", "2026-12-05 09:50"},
		{"workshop 09:50", "2026-12-07 12:00", "", ""},
	} {
		at, err := c.Time(x.time)
		if err != nil {
			t.Fatal(err)
		}
		last, _ := at.Last(c.at(t, x.now))
		next, _ := at.Next(c.at(t, x.now))
		for want, got := range map[string]time.Time{x.last: last, x.next: next} {
			if want == "" && !got.IsZero() || want != "" && !got.Equal(c.at(t, want)) {
				t.Errorf("%q at %s: %s, want %q", x.time, x.now, got, want)
			}
		}
	}
}

func TestBadTexts(t *testing.T) {
	c := Calendar{Zone: time.UTC}
	for text, want := range map[string]string{
		"": "is not", "monday 09:50": "such as", "mon 25:00": "is not a time", "mon 24:00": "is not a time", "mon": "is not a time", "9.50": "is not",
		"workshop 09:50": "calendar.workshop_days", "2026-13-01 09:50": "a date", "2026-12-05..2026-12-01 09:50": "a date", "mon,tue 09:50": "a day",
	} {
		if _, err := c.Time(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"", "mon-fri", "09:50", "09:50-", "-17:00", "24:00-01:00", "mon 9-17"} {
		if _, err := c.Window(text); err == nil {
			t.Errorf("%q is read as a window", text)
		}
	}
	if _, err := New("Mars/Olympus", nil); err == nil {
		t.Error("a zone of Mars")
	}
	if _, err := New("", []string{"daily"}); err == nil {
		t.Error("every day is a workshop day")
	}
}

func TestDay(t *testing.T) {
	c := amsterdam(t)
	late := time.Date(2026, 11, 27, 23, 30, 0, 0, time.UTC)
	if got := c.Day(late); got != "2026-11-28" {
		t.Error(got)
	}
	if got := c.Midnight(late); !got.Equal(c.at(t, "2026-11-29 00:00")) {
		t.Error(got)
	}
}

func FuzzTexts(f *testing.F) {
	for _, text := range []string{"mon-fri 09:50", "workshop 09:45-17:00", "2026-12-01..2026-12-05 22:00-02:00", "sat-mon 24:00"} {
		f.Add(text)
	}
	c := Calendar{Zone: time.UTC, Workshop: []Days{{from: 1, to: 5}}}
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		if at, err := c.Time(text); err == nil {
			if last, ok := at.Last(now); ok && (last.After(now) || now.Sub(last) > 48*time.Hour) {
				t.Errorf("%q was last at %s", text, last)
			}
		}
		if w, err := c.Window(text); err == nil {
			if end, ok := w.Until(now); ok && !end.After(now) {
				t.Errorf("%q lasts until %s", text, end)
			}
		}
	})
}
