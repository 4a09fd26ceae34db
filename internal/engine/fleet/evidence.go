package fleet

import (
	"cmp"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// testimony turns a history entry into facts: when it began, and how it ended.
// The worker's clock is not ours, so only the length of the run is taken from
// it. The names of the files are left to the share.
func testimony(f job.Flight, h *comfy.HistoryEntry, now time.Time) []job.Fact {
	end := job.Fact{Job: f.Job, Attempt: f.Attempt, PromptID: f.PromptID, Deployment: f.Deployment,
		At: now, Evidence: job.ByHistory, Kind: job.Finished, Error: breakage(h)}
	if end.Error != nil {
		end.Kind = job.Broke
	}
	if took := h.Ended.Sub(h.Started); !h.Started.IsZero() && took > 0 && took < 24*time.Hour {
		began := end
		began.Kind, began.At, began.Error = job.Started, now.Add(-took), nil
		return []job.Fact{began, end}
	}
	return []job.Fact{end}
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
