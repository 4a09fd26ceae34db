package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

func jobsListCommand(a *app) *cobra.Command {
	var f filterFlags
	var limit int
	var oldest bool
	c := &cobra.Command{Use: "list", Short: "List jobs, newest first", Args: takes(0, 0, ""),
		Example: "  qmtui jobs list\n  qmtui jobs list --state running,queued --limit 200\n  qmtui jobs list --match never_appeared --since 1d --json"}
	f.add(c)
	c.Flags().IntVar(&limit, "limit", 50, "at most that many; 0 for all")
	c.Flags().BoolVar(&oldest, "oldest-first", false, "oldest first")
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		filter, err := f.filter(c.CommandPath(), time.Now())
		if err != nil {
			return err
		}
		if limit < 0 {
			return usage(c.CommandPath(), "--limit must not be below 0")
		}
		q := api.Query{Filter: filter, Sort: job.NewestFirst}
		if oldest {
			q.Sort = job.OldestFirst
		}
		return a.listJobs(c.Context(), q, limit, *asJSON)
	}
	return c
}

func (a *app) listJobs(ctx context.Context, q api.Query, limit int, asJSON bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	jobs, total, err := fetchJobs(ctx, c, q, limit)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(a.stdout, map[string]any{"jobs": jobs, "total": total})
	}
	return a.jobTable(jobs, total, time.Now())
}

// fetchJobs gets up to limit jobs (zero: all), page by page.
func fetchJobs(ctx context.Context, c *api.Client, q api.Query, limit int) ([]api.Job, int, error) {
	const page = 1000
	jobs, total := []api.Job{}, 0
	for {
		q.Limit = page
		if limit > 0 {
			q.Limit = min(page, limit-len(jobs))
		}
		p, err := c.Jobs(ctx, q)
		if err != nil {
			return nil, 0, err
		}
		jobs, total = append(jobs, p.Items...), p.Total
		if q.Cursor = p.Next; q.Cursor == "" || limit > 0 && len(jobs) >= limit {
			return jobs, total, nil
		}
	}
}

func (a *app) jobTable(jobs []api.Job, total int, now time.Time) error {
	if len(jobs) == 0 {
		a.printf("no jobs\n")
		return nil
	}
	t := newColumns("ID", "USER", "STATE", "PRIORITY", "AGE", "FILES", "NAME", "PHASE")
	for _, j := range jobs {
		t.add(shortID(j.ID), j.User, j.State.String(), priorityName(j.Priority), length(now.Sub(j.Created.Time)),
			fmt.Sprint(storedCount(j)), shorten(j.Name, 30), shorten(j.Phase, 90))
	}
	if err := t.write(a.stdout); err != nil {
		return err
	}
	if len(jobs) < total {
		a.printf("%d of %d jobs; more with --limit\n", len(jobs), total)
	}
	return nil
}
