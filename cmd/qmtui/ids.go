package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// shortID is how lists show a job's id: its end, because the ids of one moment
// begin alike (they are UUIDs of version 7).
func shortID(id job.ID) string {
	if len(id) <= 8 {
		return string(id)
	}
	return string(id[len(id)-8:])
}

// findJob finds the one job whose id is text, begins with it or ends with it.
func findJob(ctx context.Context, c *api.Client, text string) (api.Job, error) {
	want := strings.ToLower(strings.TrimSpace(text))
	if uuid.Validate(want) == nil && len(want) == 36 {
		return c.Job(ctx, job.ID(want))
	}
	var found []api.Job
	q := api.Query{Filter: api.Filter{Match: want}, Limit: 1000}
	for want != "" {
		page, err := c.Jobs(ctx, q)
		if err != nil {
			return api.Job{}, err
		}
		for _, j := range page.Items {
			if id := string(j.ID); strings.HasPrefix(id, want) || strings.HasSuffix(id, want) {
				found = append(found, j)
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	switch len(found) {
	case 0:
		none := *job.ErrNoJob
		none.Message = fmt.Sprintf("no job's id begins or ends with %q", text)
		return api.Job{}, &none
	case 1:
		return c.Job(ctx, found[0].ID) // with what lists leave out
	}
	return api.Job{}, failed("ambiguous_id", fmt.Sprintf("%q fits %d jobs", text, len(found)), "give more of the id")
}

// findJobs finds a job for each text.
func findJobs(ctx context.Context, c *api.Client, texts []string) ([]job.ID, error) {
	var ids []job.ID
	for _, text := range texts {
		j, err := findJob(ctx, c, text)
		if err != nil {
			return nil, err
		}
		ids = append(ids, j.ID)
	}
	return ids, nil
}
