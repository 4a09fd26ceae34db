package comfy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// errNoPromptID stops a call that would act on whatever runs there.
var errNoPromptID = errors.New("there is no prompt id; nothing was sent")

// Queue returns the prompt ids of one replica's queue; behind a balancer that may be any
// replica. Pending ones come in the order of a heap, not in that of running.
func (c *Client) Queue(ctx context.Context) (running, pending []string, err error) {
	var wire struct {
		Running []json.RawMessage `json:"queue_running"`
		Pending []json.RawMessage `json:"queue_pending"`
	}
	if err := c.get(ctx, "/queue", largeBody, &wire); err != nil {
		return nil, nil, fmt.Errorf("read queue: %w", err)
	}
	return queuedIDs(wire.Running), queuedIDs(wire.Pending), nil
}

// CheckpointFolders lists where a server looks for checkpoints. The folder
// "checkpoints" below its output folder is always one of them (0.8.0 and 0.33.0).
func (c *Client) CheckpointFolders(ctx context.Context) ([]string, error) {
	var folders map[string][]string
	if err := c.get(ctx, "/internal/folder_paths", smallBody, &folders); err != nil {
		return nil, fmt.Errorf("ask for folders: %w", err)
	}
	return folders["checkpoints"], nil
}

// queuedIDs takes the second element of each [number, id, prompt, extra_data, outputs].
func queuedIDs(items []json.RawMessage) []string {
	var ids []string
	for _, item := range items {
		var parts []json.RawMessage
		if json.Unmarshal(item, &parts) == nil && len(parts) > 1 {
			ids = append(ids, scalar(parts[1]))
		}
	}
	return ids
}

// DeleteQueued takes a waiting prompt out of the queue. ComfyUI answers the same whether
// or not it was there, and a balancer may ask the wrong replica: no error is no proof.
func (c *Client) DeleteQueued(ctx context.Context, promptID string) error {
	if promptID == "" {
		return fmt.Errorf("delete from queue: %w", errNoPromptID)
	}
	in := map[string][]string{"delete": {promptID}}
	if err := c.post(ctx, "/queue", in); err != nil {
		return fmt.Errorf("delete from queue: %w", err)
	}
	return nil
}

// Interrupt stops a running prompt at its next node. With an id that does not run
// there it does nothing (ComfyUI 0.3.64 and 0.8.0); an empty id would stop whatever
// runs and is never sent. No error is no proof that anything stopped.
func (c *Client) Interrupt(ctx context.Context, promptID string) error {
	if promptID == "" {
		return fmt.Errorf("interrupt: %w", errNoPromptID)
	}
	if err := c.post(ctx, "/interrupt", map[string]string{"prompt_id": promptID}); err != nil {
		return fmt.Errorf("interrupt: %w", err)
	}
	return nil
}
