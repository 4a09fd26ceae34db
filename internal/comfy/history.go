package comfy

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// HistoryEntry is what one replica remembers of a prompt that has ended.
type HistoryEntry struct {
	// Status is ComfyUI's status_str: "success" or "error"; "" when it says none.
	// Success can hide an error: see Succeeded.
	Status    string
	Completed bool
	// Outputs are the files that nodes reported, by node. A node that was cached
	// reports its old file, a cached one without a client reports nothing.
	Outputs []HistoryFile
	// Error is nil when no node failed.
	Error *ExecutionError
	// Interrupted is true when somebody stopped it.
	Interrupted bool
	// Started and Ended are the server's clock, in UTC; zero when unknown.
	Started, Ended time.Time
}

// HistoryFile is one file as a node reported it.
type HistoryFile struct {
	Node, Filename, Subfolder string
	// Type is "output", or "temp" for previews, or "input".
	Type string
	// Kind is the key under which the node lists it: images, gifs, audio, video, 3d, ...
	Kind string
}

// ExecutionError is a node that raised.
type ExecutionError struct {
	NodeID, NodeType string
	// Message is what the node said; Type the class of the exception.
	Message, Type string
	Traceback     []string
}

// Succeeded is true only when the status says so and no message contradicts it: a
// cycle ends with status "success" and an execution_error (ComfyUI 0.8.0, transcripts
// 15-faults/cycle).
func (h *HistoryEntry) Succeeded() bool {
	return h.Status == "success" && h.Error == nil && !h.Interrupted
}

// History asks for one prompt. Nil without an error means that the replica which
// answered knows nothing: the prompt waits, runs, is unknown, or ended on another one.
func (c *Client) History(ctx context.Context, promptID string) (*HistoryEntry, error) {
	if promptID == "" {
		return nil, fmt.Errorf("read history: %w", errNoPromptID)
	}
	var entries map[string]json.RawMessage
	if err := c.get(ctx, "/history/"+url.PathEscape(promptID), largeBody, &entries); err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	raw, found := entries[promptID]
	if !found {
		return nil, nil
	}
	entry, err := readHistory(raw)
	if err != nil {
		return nil, fmt.Errorf("read history of %s: %w", promptID, err)
	}
	return entry, nil
}

// readHistory reads one entry. The prompt in it is skipped; parts of a shape that is
// not ComfyUI's are left out.
func readHistory(raw json.RawMessage) (*HistoryEntry, error) {
	var wire struct {
		Outputs map[string]json.RawMessage `json:"outputs"`
		Status  struct {
			Text      string            `json:"status_str"`
			Completed bool              `json:"completed"`
			Messages  []json.RawMessage `json:"messages"`
		} `json:"status"`
	}
	if err := json.Unmarshal(raw, &wire); err != nil {
		return nil, err
	}
	h := &HistoryEntry{Status: wire.Status.Text, Completed: wire.Status.Completed}
	for node, outputs := range wire.Outputs {
		h.Outputs = append(h.Outputs, readFiles(node, outputs)...)
	}
	slices.SortStableFunc(h.Outputs, func(a, b HistoryFile) int {
		return cmp.Or(cmp.Compare(len(a.Node), len(b.Node)), strings.Compare(a.Node, b.Node), strings.Compare(a.Kind, b.Kind))
	})
	for _, message := range wire.Status.Messages {
		h.read(message)
	}
	return h, nil
}

// readFiles finds the files among what a node reported: texts, flags and whatever else
// custom nodes add are passed over.
func readFiles(node string, raw json.RawMessage) []HistoryFile {
	var kinds map[string]json.RawMessage
	if json.Unmarshal(raw, &kinds) != nil {
		return nil
	}
	var files []HistoryFile
	for kind, list := range kinds {
		var items []json.RawMessage
		_ = json.Unmarshal(list, &items) // no list, no files
		for _, item := range items {
			if f, ok := readFile(item); ok {
				f.Node, f.Kind = node, kind
				files = append(files, f)
			}
		}
	}
	return files
}

func readFile(raw json.RawMessage) (HistoryFile, bool) {
	var wire struct {
		Filename  string `json:"filename"`
		Subfolder string `json:"subfolder"`
		Type      string `json:"type"`
	}
	if json.Unmarshal(raw, &wire) != nil || wire.Filename == "" {
		return HistoryFile{}, false
	}
	return HistoryFile{Filename: wire.Filename, Subfolder: wire.Subfolder, Type: wire.Type}, true
}

// read takes one of the messages, [name, data], into account.
func (h *HistoryEntry) read(message json.RawMessage) {
	var parts []json.RawMessage
	if json.Unmarshal(message, &parts) != nil || len(parts) < 2 {
		return
	}
	var data struct {
		Timestamp json.Number `json:"timestamp"`
	}
	_ = json.Unmarshal(parts[1], &data) // zero time when it is another shape
	at := fromMillis(data.Timestamp)
	switch scalar(parts[0]) {
	case "execution_start":
		h.Started = at
	case "execution_success":
		h.Ended = at
	case "execution_interrupted":
		h.Interrupted, h.Ended = true, at
	case "execution_error":
		h.Error, h.Ended = readExecutionError(parts[1]), at
	}
}

// fromMillis reads milliseconds since 1970.
func fromMillis(n json.Number) time.Time {
	ms, err := n.Float64()
	if err != nil || ms <= 0 || ms > 1e15 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

// readExecutionError never returns nil: the name of the message is evidence enough.
func readExecutionError(raw json.RawMessage) *ExecutionError {
	var wire struct {
		NodeID    json.RawMessage `json:"node_id"`
		NodeType  json.RawMessage `json:"node_type"`
		Message   json.RawMessage `json:"exception_message"`
		Type      json.RawMessage `json:"exception_type"`
		Traceback json.RawMessage `json:"traceback"`
	}
	_ = json.Unmarshal(raw, &wire) // an error of another shape is still an error
	e := &ExecutionError{
		NodeID: scalar(wire.NodeID), NodeType: scalar(wire.NodeType),
		Message: strings.TrimSpace(scalar(wire.Message)), Type: scalar(wire.Type),
	}
	_ = json.Unmarshal(wire.Traceback, &e.Traceback)
	return e
}
