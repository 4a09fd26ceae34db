package comfy

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
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
	// Cached are the ids of the nodes that did not run, because an earlier prompt had
	// the same: the files that they report are those of its run.
	Cached []string
	// Error is nil when no node failed.
	Error *ExecutionError
	// Interrupted is true when somebody stopped it.
	Interrupted bool
	// Started and Ended are the server's clock, in UTC; zero when unknown.
	Started, Ended time.Time
}

// HistoryFile is one file as a node reported it. Subfolder is an absolute path where
// the node said one, whatever folder that is.
type HistoryFile struct {
	Node, Filename, Subfolder string
	// Type is "output", or "temp" for previews, or "input".
	Type string
	// Kind is the key under which the node lists it: images, gifs, audio, video, 3d, files, result, ...
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
	entry, err := readHistory(raw, c.SaveNodes)
	if err != nil {
		return nil, fmt.Errorf("read history of %s: %w", promptID, err)
	}
	return entry, nil
}

// readHistory reads one entry; rows are the installation's own. Parts of a shape that is
// not ComfyUI's are left out.
func readHistory(raw json.RawMessage, rows SaveNodes) (*HistoryEntry, error) {
	var wire struct {
		Prompt  json.RawMessage            `json:"prompt"`
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
	classes := historyClasses(wire.Prompt)
	for node, outputs := range wire.Outputs {
		files := readFiles(node, classes(node), outputs)
		if row, known := rows.find(classes(node)); known && row.None != "" {
			// What such a node shows stands in no output folder, whatever the server says.
			files = slices.DeleteFunc(files, func(f HistoryFile) bool { return f.Type == string(BaseOutput) })
		}
		h.Outputs = append(h.Outputs, files...)
	}
	slices.SortStableFunc(h.Outputs, func(a, b HistoryFile) int {
		return cmp.Or(cmp.Compare(len(a.Node), len(b.Node)), strings.Compare(a.Node, b.Node), strings.Compare(a.Kind, b.Kind))
	})
	for _, message := range wire.Status.Messages {
		h.read(message)
	}
	return h, nil
}

// historyClasses gives the class of a node by the prompt of an entry, [number, id, nodes,
// ...]; "" for one that it does not have. It is read when the first node is asked for.
func historyClasses(raw json.RawMessage) func(node string) string {
	read := sync.OnceValue(func() map[string]struct {
		Class string `json:"class_type"`
	} {
		var parts []json.RawMessage
		var nodes map[string]struct {
			Class string `json:"class_type"`
		}
		if json.Unmarshal(raw, &parts) == nil && len(parts) > 2 {
			_ = json.Unmarshal(parts[2], &nodes)
		}
		return nodes
	})
	return func(node string) string { return read()[node].Class }
}

// Bounds of what one history entry is read for.
const (
	maxHistoryFiles = 100_000
	maxHistoryDepth = 8
)

// fileKeys are the keys under which nodes list plain paths: "result" of the 3D nodes
// is [path, camera, info], and a text node's "text" is no path whatever it says.
var fileKeys = []string{"result", "files", "model_file", "glb", "mesh"}

// readFiles finds the files among what a node reported, {filename, subfolder, type} at any
// depth and plain paths under fileKeys. What leads out of the folder is left out, and
// texts, flags and whatever else custom nodes add.
func readFiles(node, class string, raw json.RawMessage) []HistoryFile {
	var kinds map[string]any
	if json.Unmarshal(raw, &kinds) != nil {
		return nil
	}
	r := historyReader{node: node, class: class}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		r.kind, r.paths = kind, slices.Contains(fileKeys, kind)
		r.read(kinds[kind], 0)
	}
	return r.files
}

// historyReader collects what one node reported under one key.
type historyReader struct {
	node, class, kind string
	paths             bool // plain texts are paths
	files             []HistoryFile
}

func (r *historyReader) read(value any, depth int) {
	if depth > maxHistoryDepth || len(r.files) >= maxHistoryFiles {
		return
	}
	switch v := value.(type) {
	case string:
		r.text(v)
	case []any:
		for _, item := range v {
			r.read(item, depth+1)
		}
	case map[string]any:
		name, _ := v["filename"].(string)
		kind, _ := v["type"].(string)
		if v["mediaType"] == "3d" && len(v) == 4 {
			r.text(name) // GET /api/jobs writes so what was a plain text (comfy_execution/jobs.py, 0.33.0)
			return
		}
		if name != "" && kind != "" {
			folder, _ := v["subfolder"].(string)
			r.add(folder, name, kind)
			return
		}
		in := *r
		in.paths = false // the texts of an object are no list of paths
		for _, key := range slices.Sorted(maps.Keys(v)) {
			in.read(v[key], depth+1)
		}
		r.files = in.files
	}
}

// text takes a plain text that is a path.
func (r *historyReader) text(v string) {
	if !r.paths || !hasExtension(v) {
		return
	}
	base, name := cutBase(v)
	if base == BaseInput && !strings.HasSuffix(v, "]") {
		base = shownBase(r.class, name)
	}
	r.add(path.Dir(name), path.Base(name), string(base))
}

// sequenceForm is the pattern of the names of a sequence, which some nodes report
// in place of its files (VideoHelperSuite, image sequences).
var sequenceForm = regexp.MustCompile(`%0?\d*d`)

// add takes a file whose path cannot lead out of its folder.
func (r *historyReader) add(folder, name, kind string) {
	if folder == "." {
		folder = ""
	}
	if strings.HasPrefix(name, "/") {
		folder, name = path.Split(name)
	}
	absolute := strings.HasPrefix(folder, "/")
	if sequenceForm.MatchString(name) || !fs.ValidPath(strings.TrimPrefix(path.Join(folder, name), "/")) || strings.Contains("/"+folder+"/"+name+"/", "/../") || strings.ContainsAny(folder+name, "\x00\r\n") {
		return
	}
	if folder = strings.TrimSuffix(folder, "/"); absolute && folder == "" {
		return
	}
	r.files = append(r.files, HistoryFile{Node: r.node, Filename: name, Subfolder: folder, Type: kind, Kind: r.kind})
}

var (
	extensionForm = regexp.MustCompile(`^[^\r\n]*[^/]\.[0-9A-Za-z]{1,8}(?: ?\[(?:output|input|temp)\])?$`)
	shown3DForm   = regexp.MustCompile(`^preview3d_[0-9a-f]{32}\.`)
	hidden3DForm  = regexp.MustCompile(`^(?:preview3d_advanced|preview_splat|preview_pointcloud)_[0-9a-f]{32}\.`)
)

func hasExtension(text string) bool {
	return len(text) <= maxFilePath && extensionForm.MatchString(text)
}

// shownBase is where the file of a plain path is: with the outputs, unless a node only
// shows it. Preview3D writes a model that it is given into the root of the outputs, and
// repeats a name that it is given, whoever's file that is; the newer preview nodes write
// into the temp folder (nodes_load_3d.py, ComfyUI 0.33.0).
func shownBase(class, name string) Base {
	switch {
	case hidden3DForm.MatchString(name):
		return BaseTemp
	case strings.HasPrefix(class, "Preview") && !shown3DForm.MatchString(name):
		return BaseTemp
	}
	return BaseOutput
}

// read takes one of the messages, [name, data], into account.
func (h *HistoryEntry) read(message json.RawMessage) {
	var parts []json.RawMessage
	if json.Unmarshal(message, &parts) != nil || len(parts) < 2 {
		return
	}
	var data struct {
		Timestamp json.Number       `json:"timestamp"`
		Nodes     []json.RawMessage `json:"nodes"`
	}
	_ = json.Unmarshal(parts[1], &data) // zero time when it is another shape
	at := fromMillis(data.Timestamp)
	switch scalar(parts[0]) {
	case "execution_start":
		h.Started = at
	case "execution_cached":
		for _, id := range data.Nodes {
			h.Cached = append(h.Cached, scalar(id))
		}
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
