package comfy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// JobState is what one replica knows of a prompt.
type JobState int

// The states of a prompt on a replica. JobUnsaid, the zero value: its answer
// does not tell.
const (
	JobUnsaid  JobState = iota
	JobUnknown          // it never had the prompt, or has forgotten it
	JobQueued
	JobRunning
	JobEnded
)

// Job asks one replica what became of a prompt: queued, running and ended in
// one call (GET /api/jobs/{id}, 0.8.0 to 0.33.0; a server without it gives
// ErrNoSuchCall). The entry is nil unless it has ended.
func (c *Client) Job(ctx context.Context, promptID string) (JobState, *HistoryEntry, error) {
	if promptID == "" {
		return JobUnsaid, nil, fmt.Errorf("ask for job: %w", errNoPromptID)
	}
	body, err := c.call(ctx, http.MethodGet, "/api/jobs/"+url.PathEscape(promptID), nil, largeBody)
	var a *AnswerError
	if errors.As(err, &a) && a.Status == http.StatusNotFound && saysNoJob(a.body) {
		return JobUnknown, nil, nil
	}
	if err != nil {
		return JobUnsaid, nil, fmt.Errorf("ask for job: %w", noSuchCall(err))
	}
	var wire struct {
		ID      string                     `json:"id"`
		Status  string                     `json:"status"`
		Outputs map[string]json.RawMessage `json:"outputs"`
		Told    json.RawMessage            `json:"execution_status"`
		Sent    struct {
			Prompt json.RawMessage `json:"prompt"`
		} `json:"workflow"`
	}
	if err := json.Unmarshal(nullBareNumbers(body), &wire); err != nil || wire.ID != promptID {
		return JobUnsaid, nil, fmt.Errorf("ask for job: %w", ErrNoSuchCall)
	}
	switch wire.Status {
	case "pending":
		return JobQueued, nil, nil
	case "in_progress":
		return JobRunning, nil, nil
	case "completed", "failed", "cancelled":
		raw, err := json.Marshal(map[string]any{"prompt": []any{0, wire.ID, wire.Sent.Prompt}, "outputs": wire.Outputs, "status": wire.Told})
		if err != nil {
			return JobUnsaid, nil, fmt.Errorf("ask for job: %w", err)
		}
		entry, err := readHistory(raw, c.SaveNodes)
		if err != nil {
			return JobUnsaid, nil, fmt.Errorf("ask for job %s: %w", promptID, err)
		}
		return JobEnded, entry, nil
	}
	return JobUnsaid, nil, nil
}

// saysNoJob reports ComfyUI's own 404 for a job, and no proxy's: {"error": "Job not found"}.
func saysNoJob(body []byte) bool {
	var wire struct {
		Error string `json:"error"`
	}
	return json.Unmarshal(body, &wire) == nil && strings.EqualFold(wire.Error, "job not found")
}

// CancelJob takes one prompt out of the queue or stops it, and never another
// (POST /api/jobs/{id}/cancel, since 0.33.0; an older server gives
// ErrNoSuchCall). False says that the replica which answered ran no such prompt.
func (c *Client) CancelJob(ctx context.Context, promptID string) (bool, error) {
	if promptID == "" {
		return false, fmt.Errorf("cancel job: %w", errNoPromptID)
	}
	body, err := c.call(ctx, http.MethodPost, "/api/jobs/"+url.PathEscape(promptID)+"/cancel", []byte("{}"), smallBody)
	if err != nil {
		return false, fmt.Errorf("cancel job: %w", noSuchCall(err))
	}
	var wire struct {
		Cancelled *bool `json:"cancelled"`
	}
	if json.Unmarshal(body, &wire) != nil || wire.Cancelled == nil {
		return false, fmt.Errorf("cancel job: %w", ErrNoSuchCall)
	}
	return *wire.Cancelled, nil
}

// maxAssets is how many of the newest files are asked for; the server gives no more.
const maxAssets = 500

// Assets lists the files that a prompt wrote below the output folder, of a
// server that keeps track of all files (--enable-assets, since 0.33.0; any
// other gives ErrNoSuchCall). Only the newest files are looked through.
func (c *Client) Assets(ctx context.Context, promptID string) ([]string, error) {
	if promptID == "" {
		return nil, fmt.Errorf("ask for assets: %w", errNoPromptID)
	}
	var wire struct {
		Assets []struct {
			Job  string `json:"job_id"`
			Path string `json:"display_name"`
		} `json:"assets"`
	}
	query := fmt.Sprintf("/api/assets?include_tags=output&sort=created_at&order=desc&limit=%d", maxAssets)
	err := c.get(ctx, query, largeBody, &wire)
	var a *AnswerError
	if errors.As(err, &a) && a.Status == http.StatusServiceUnavailable {
		err = ErrNoSuchCall
	}
	if err != nil {
		return nil, fmt.Errorf("ask for assets: %w", noSuchCall(err))
	}
	var files []string
	for _, x := range wire.Assets {
		if x.Job == promptID && x.Path != "" {
			files = append(files, path.Clean(x.Path))
		}
	}
	return files, nil
}
