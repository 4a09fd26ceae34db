// Package calendar reads the times of day, days and windows that a person
// writes into the configuration, such as "mon-fri 09:50" and "workshop
// 09:45-17:00", and says when they are. It is pure: the clock comes in as a value.
package calendar

import (
	"fmt"
	"strings"
	"time"
)

// Calendar is what the texts are read against. The zero value: local time, no
// workshop days.
type Calendar struct {
	Zone     *time.Location // nil means local time
	Workshop []Days         // what the word "workshop" stands for
}

// New reads a time zone of the IANA database ("Europe/Amsterdam", "" for local
// time) and the workshop days. The error names what cannot be read.
func New(zone string, workshop []string) (Calendar, error) {
	c := Calendar{Zone: time.Local}
	if zone != "" {
		z, err := time.LoadLocation(zone)
		if err != nil {
			return Calendar{}, fmt.Errorf("there is no time zone %q", zone)
		}
		c.Zone = z
	}
	for _, text := range workshop {
		d, err := c.days(text)
		if err != nil {
			return Calendar{}, err
		}
		if len(d) == 0 {
			return Calendar{}, fmt.Errorf("%q names no day", text)
		}
		c.Workshop = append(c.Workshop, d...)
	}
	return c, nil
}

func (c Calendar) zone() *time.Location {
	if c.Zone == nil {
		return time.Local
	}
	return c.Zone
}

// Day is the date of a time in the calendar's zone, "2006-01-02".
func (c Calendar) Day(t time.Time) string { return t.In(c.zone()).Format(time.DateOnly) }

// Midnight is when the day after t's begins.
func (c Calendar) Midnight(t time.Time) time.Time {
	t = t.In(c.zone())
	return time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, c.zone())
}

// Time is a time of day on some days. It comes from [Calendar.Time].
type Time struct {
	days []Days // none means every day
	at   time.Duration
	zone *time.Location
	text string
}

// Time reads "09:50", "mon-fri 09:50", "workshop 09:50" or "2026-12-01 09:50".
func (c Calendar) Time(text string) (Time, error) {
	days, clock, err := c.split(text)
	if err != nil {
		return Time{}, err
	}
	at, err := clockTime(clock)
	if err != nil || at >= 24*time.Hour {
		return Time{}, notRead(text, `a time such as "mon-fri 09:50"`)
	}
	return Time{days: days, at: at, zone: c.zone(), text: text}, nil
}

// String is the text that it was read from.
func (t Time) String() string { return t.text }

// Last is the latest such time that is not after now and not more than a day
// before it; false when there is none.
func (t Time) Last(now time.Time) (time.Time, bool) {
	for back := range 2 {
		if at, ok := t.on(now, -back); ok && !at.After(now) {
			return at, true
		}
	}
	return time.Time{}, false
}

// Next is the first such time after now; false when there is none in a year.
func (t Time) Next(now time.Time) (time.Time, bool) {
	for ahead := range 366 {
		if at, ok := t.on(now, ahead); ok && at.After(now) {
			return at, true
		}
	}
	return time.Time{}, false
}

// on is the time on the day that lies so many days from now's.
func (t Time) on(now time.Time, days int) (time.Time, bool) {
	day := dayOf(now, days, t.zone)
	return onDay(day, t.at), included(t.days, day)
}

// Window is a time of some days that lasts. It comes from [Calendar.Window].
type Window struct {
	days     []Days // on which it begins; none means every day
	from, to time.Duration
	zone     *time.Location
	text     string
}

// Window reads "mon-fri 09:45-17:00"; one that ends no later than it begins
// lasts until the next day.
func (c Calendar) Window(text string) (Window, error) {
	days, clock, err := c.split(text)
	if err != nil {
		return Window{}, err
	}
	a, b, _ := strings.Cut(clock, "-")
	from, err := clockTime(a)
	to, err2 := clockTime(b)
	if err != nil || err2 != nil || from >= 24*time.Hour {
		return Window{}, notRead(text, `a window such as "mon-fri 09:45-17:00"`)
	}
	return Window{days: days, from: from, to: to, zone: c.zone(), text: text}, nil
}

// String is the text that it was read from.
func (w Window) String() string { return w.text }

// Contains says whether t lies in the window, its end excluded.
func (w Window) Contains(t time.Time) bool {
	_, ok := w.Until(t)
	return ok
}

// Until is the end of the window that t lies in; false when it lies in none.
func (w Window) Until(t time.Time) (time.Time, bool) {
	for back := range 2 { // it may have begun yesterday
		day := dayOf(t, -back, w.zone)
		if !included(w.days, day) {
			continue
		}
		end := onDay(day, w.to)
		if w.to <= w.from {
			end = onDay(day, w.to+24*time.Hour)
		}
		if !t.Before(onDay(day, w.from)) && t.Before(end) {
			return end, true
		}
	}
	return time.Time{}, false
}

// split takes a text into its days and its time of day, the last word.
func (c Calendar) split(text string) ([]Days, string, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil, "", notRead(text, `a time such as "mon-fri 09:50"`)
	}
	days, err := c.days(strings.Join(words[:len(words)-1], " "))
	return days, words[len(words)-1], err
}

func notRead(text, want string) error { return fmt.Errorf("%.60q is not %s", text, want) }

// clockTime reads 00:00 to 24:00.
func clockTime(text string) (time.Duration, error) {
	if text == "24:00" {
		return 24 * time.Hour, nil
	}
	t, err := time.Parse("15:04", text)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err
}

// dayOf is the midnight with which the day begins that lies so many days from t's.
func dayOf(t time.Time, days int, zone *time.Location) time.Time {
	t = t.In(zone)
	return time.Date(t.Year(), t.Month(), t.Day()+days, 0, 0, 0, 0, zone)
}

// onDay is a time on the clock of that day, also when clocks change.
func onDay(day time.Time, since time.Duration) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, int(since), day.Location())
}
