package fleet

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// submitError says for people what became of a POST. Codes: worker_refused
// (ComfyUI's own 400, node_errors kept), malformed_prompt, too_large,
// endpoint_or_key, try_later, no_answer, server_error, unreadable_answer.
func submitError(e *comfy.SubmitError, timeout time.Duration) *job.Error {
	out := &job.Error{Code: e.Code, Class: job.Unavailable, Message: e.Message, Hint: e.Hint,
		NodeErrors: nodeErrors(e.NodeErrors), RetryAfter: int(math.Ceil(e.RetryAfter.Seconds()))}
	switch e.Class {
	case comfy.RefusedForGood:
		return blame(refusedForGood(out), e.NodeErrors)
	case comfy.TryLater:
		out.Code, out.Transient = "try_later", true
		return out
	}
	return nobodyKnows(out, e, timeout)
}

func refusedForGood(out *job.Error) *job.Error {
	switch out.Code {
	case "endpoint_or_key": // whoever asks gets this answer
		out.Transient = true
		return out
	case "too_large":
		out.Class = job.TooLarge
		return out
	case "malformed_prompt":
	default:
		out.Code = "worker_refused"
	}
	out.Class = job.Invalid
	if out.Hint == "" {
		out.Hint = "mend the workflow, or check that the workers have its nodes and models"
	}
	return out
}

func nobodyKnows(out *job.Error, e *comfy.SubmitError, timeout time.Duration) *job.Error {
	switch {
	case errors.Is(e, context.DeadlineExceeded) && timeout > 0:
		out.Message = "no answer to POST /prompt within " + span(timeout)
	case errors.Is(e, context.Canceled):
		out.Message = "the manager stopped while POST /prompt waited for its answer"
	}
	out.Hint = "it may run all the same; its files will tell"
	return out
}
