package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
)

// filterFlags pick jobs on the command line.
type filterFlags struct {
	user, since, match string
	states             []string
}

func (f *filterFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.user, "user", "", "jobs of that user")
	c.Flags().StringSliceVar(&f.states, "state", nil, "jobs in that state or status, or several separated by commas")
	c.Flags().StringVar(&f.since, "since", "", "jobs submitted within that time (2h, 3d) or since (2026-01-31, 14:30)")
	c.Flags().StringVar(&f.match, "match", "", "jobs with that text in id, user, name, deployment, error or node class")
}

// filter is what the flags pick; now is where durations are counted from.
func (f *filterFlags) filter(command string, now time.Time) (api.Filter, error) {
	out := api.Filter{User: f.user, Match: f.match}
	for _, word := range f.states {
		if err := addState(&out, strings.TrimSpace(word)); err != nil {
			return out, usage(command, "--state: %s", err)
		}
	}
	since, err := parseSince(f.since, now)
	if err != nil {
		return out, usage(command, "--since: %s", err)
	}
	out.Since = since
	return out, nil
}

// addState adds a word that is a state's name or a status of the first site's API.
func addState(f *api.Filter, word string) error {
	if s, err := job.ParseState(word); err == nil {
		f.States = append(f.States, s)
		return nil
	}
	covered := job.StatesOf(word)
	if len(covered) == 0 {
		var names []string
		for _, s := range job.States() {
			names = append(names, s.String())
		}
		return fmt.Errorf("%q is not a state: use %s, or pending, completed", word, strings.Join(names, ", "))
	}
	for _, s := range covered {
		if !slices.Contains(f.States, s) {
			f.States = append(f.States, s)
		}
	}
	return nil
}

// parseSince reads a length of time before now, a day, a time of today, or
// both. Empty is the zero time.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	var d config.Duration
	if err := d.UnmarshalText([]byte(text)); err == nil && d > 0 {
		return now.Add(-d.Std()), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{"15:04:05", "15:04"} {
		if t, err := time.Parse(layout, text); err == nil {
			y, m, day := now.Date()
			return time.Date(y, m, day, t.Hour(), t.Minute(), t.Second(), 0, now.Location()), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a length of time (2h, 3d) nor a time (2026-01-31, 2026-01-31 14:30, 14:30)", text)
}
