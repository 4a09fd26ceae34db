package calendar

import (
	"slices"
	"strings"
	"time"
)

// Days is a run of weekdays or of dates, both ends included.
type Days struct {
	from, to time.Weekday
	first    string // dates as "2006-01-02"; empty for weekdays
	last     string
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// days reads words such as "mon-fri", "sat", "2026-12-01", "2026-12-01..2026-12-05",
// "workshop" and "daily". No word and "daily" give none, which means every day.
func (c Calendar) days(text string) ([]Days, error) {
	var out []Days
	for _, word := range strings.Fields(strings.ToLower(text)) {
		switch {
		case word == "daily":
			return nil, nil
		case word == "workshop" && len(c.Workshop) == 0:
			return nil, errNoWorkshop
		case word == "workshop":
			out = append(out, c.Workshop...)
		default:
			d, err := run(word)
			if err != nil {
				return nil, err
			}
			out = append(out, d)
		}
	}
	return out, nil
}

type calendarError string

func (e calendarError) Error() string { return string(e) }

const errNoWorkshop = calendarError(`"workshop" stands for no day: name the days in calendar.workshop_days`)

// run reads one word.
func run(word string) (Days, error) {
	if first, last, ranged := strings.Cut(word, ".."); ranged || strings.Count(word, "-") == 2 {
		if !ranged {
			last = first
		}
		a, err := time.Parse(time.DateOnly, first)
		b, err2 := time.Parse(time.DateOnly, last)
		if err != nil || err2 != nil || b.Before(a) {
			return Days{}, notRead(word, `a date such as "2026-12-01", or a run such as "2026-12-01..2026-12-05"`)
		}
		return Days{first: first, last: last}, nil
	}
	a, b, ranged := strings.Cut(word, "-")
	if !ranged {
		b = a
	}
	from, to := slices.Index(weekdays, a), slices.Index(weekdays, b)
	if from < 0 || to < 0 {
		return Days{}, notRead(word, `a day such as "mon", "mon-fri", "2026-12-01", "workshop" or "daily"`)
	}
	return Days{from: time.Weekday(from), to: time.Weekday(to)}, nil
}

// has says whether the day, a midnight, is among them.
func (d Days) has(day time.Time) bool {
	if d.first != "" {
		date := day.Format(time.DateOnly)
		return d.first <= date && date <= d.last
	}
	w := day.Weekday()
	if d.from <= d.to {
		return d.from <= w && w <= d.to
	}
	return w >= d.from || w <= d.to
}

func included(all []Days, day time.Time) bool {
	return len(all) == 0 || slices.ContainsFunc(all, func(d Days) bool { return d.has(day) })
}
