package fleet

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// observed turns a history entry into facts: when it began, and how it ended.
// The worker's clock is not ours, so only the length of the run is taken from
// it. The files it names are told as well: they help where one stands outside
// its attempt's folder.
func observed(f job.Flight, h *comfy.HistoryEntry, outputs string, now time.Time) []job.Fact {
	end := job.Fact{Job: f.Job, Attempt: f.Attempt, PromptID: f.PromptID,
		At: now, Evidence: job.ByHistory, Kind: job.Finished, Error: breakage(h)}
	end.Files, end.Outside, end.Reused = reported(f.PromptID, outputs, h.Outputs, h.Cached)
	if end.Error != nil {
		end.Kind = job.Broke
	}
	if took := h.Ended.Sub(h.Started); !h.Started.IsZero() && took > 0 && took < 24*time.Hour {
		began := end
		began.Kind, began.At, began.Error, began.Files, began.Outside, began.Reused = job.Started, now.Add(-took), nil, nil, nil, nil
		return []job.Fact{began, end}
	}
	return []job.Fact{end}
}

// reported lists the files on the share that a history names, the nodes of those
// outside the attempt's own folder, and which of these are of cached nodes.
// Names that lead out of the share are left out, the start marker's, and those
// in another attempt's folder: a node that was cached reports its old file
// (comfyui.md, Cache). outputs is the workers' absolute output folder, empty when
// nobody knows it: absolute paths are taken below it only.
func reported(promptID, outputs string, files []comfy.HistoryFile, cached []string) (paths []job.Path, outside []string, reused []job.Path) {
	for _, f := range files {
		p := path.Join(f.Subfolder, f.Filename)
		if below, ok := strings.CutPrefix(p, strings.TrimSuffix(outputs, "/")+"/"); ok && outputs != "" {
			p = below
		}
		below, own := strings.CutPrefix(p, comfy.Folder(promptID)+"/")
		marker := own && strings.HasPrefix(below, comfy.StartedFolder+"/")
		if f.Type == "output" && fs.ValidPath(p) && !marker && (own || !strings.HasPrefix(p, comfy.Root+"/")) {
			paths = append(paths, job.Path(p))
			if !own && !slices.Contains(outside, f.Node) {
				outside = append(outside, f.Node)
			}
			if !own && slices.Contains(cached, f.Node) {
				reused = append(reused, job.Path(p))
			}
		}
	}
	return paths, outside, reused
}

// breakage is why a run did not end well; nil when it did. A status of success
// can hide an error among the messages (transcripts 15-faults, cycle).
func breakage(h *comfy.HistoryEntry) *job.Error {
	switch {
	case h.Error != nil:
		return executionError(h.Error)
	case h.Interrupted:
		return &job.Error{Code: "interrupted", Class: job.Conflict, Message: "the run was interrupted on the worker",
			Hint: "retry the job if nobody meant to stop it"}
	case h.Status == "error":
		return &job.Error{Code: "execution_error", Class: job.Invalid, Message: "the worker reported an error without a cause",
			Hint: "see the log of the worker"}
	}
	return nil
}

func executionError(e *comfy.ExecutionError) *job.Error {
	message := cmp.Or(e.Message, e.Type, "the node raised an error")
	out := &job.Error{Code: "execution_error", Class: job.Invalid, Message: message, Node: e.NodeID, NodeType: e.NodeType,
		Traceback: e.Traceback, Hint: "mend the workflow or its inputs, then submit again"}
	if e.Message != "" && e.Type != "" {
		out.Message = e.Type + ": " + e.Message
	}
	if outOfMemory(e) {
		out.Code, out.Hint = "out_of_memory", "make the picture, batch or video smaller, or use a deployment with more memory"
	}
	return out
}

// outOfMemory recognises the errors of PyTorch on GPU and CPU.
func outOfMemory(e *comfy.ExecutionError) bool {
	return strings.Contains(e.Type, "OutOfMemory") || e.Type == "MemoryError" ||
		strings.Contains(e.Message, "out of memory") || strings.Contains(e.Message, "can't allocate memory")
}
