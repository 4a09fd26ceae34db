package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// rawJSON is a body that is JSON already.
type rawJSON = json.RawMessage

const actionBody = 1 << 20 // bytes: ten thousand ids and a filter

// actions answers POST /api/jobs/actions.
func (s *Server) actions(w http.ResponseWriter, r *request) error {
	var body api.ActionRequest
	if err := r.decode(actionBody, &body, true); err != nil {
		return err
	}
	a, none, err := readAction(body, r.who)
	if err != nil {
		return err
	}
	if err := r.narrow(&a.Filter); err != nil {
		return err
	}
	var results []job.ActionResult
	if !none {
		if results, err = s.svc.Act(r.Context(), a); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, s.actionReport(a, results))
}

// readAction turns a body into an action. It picks nothing by accident: a
// filter that is empty needs "all".
func readAction(b api.ActionRequest, caller who) (a job.Action, none bool, err error) {
	a = job.Action{Verb: b.Action, All: b.All, DryRun: b.DryRun, Caller: caller.Caller}
	if !slices.Contains([]job.Verb{job.DoCancel, job.DoRetry, job.DoPriority}, a.Verb) {
		return a, false, badField("action", fmt.Sprintf("%.40q is not one", string(b.Action)), "use cancel, retry or priority")
	}
	if a.Verb == job.DoPriority {
		if b.Priority == nil {
			return a, false, missingField("priority", "use 0 (instructor), 1 (high), 2 (normal) or 3 (low)")
		}
		if a.Priority = *b.Priority; checkPriority(caller, a.Priority) != nil {
			return a, false, checkPriority(caller, a.Priority)
		}
	}
	filter := api.Filter{}
	if b.Filter != nil {
		filter = *b.Filter
	}
	filter.IDs = append(slices.Clone(b.IDs), filter.IDs...)
	if a.Filter, none, err = readFilter(filter); err != nil {
		return a, false, err
	}
	if a.Filter.Empty() && !none && !b.All {
		return a, false, &job.Error{Code: "empty_filter", Class: job.Invalid, Message: "the action names no jobs",
			Hint: `give ids or a filter, or "all": true for every job`}
	}
	return a, none, nil
}

func (s *Server) actionReport(a job.Action, results []job.ActionResult) api.ActionReport {
	out := api.ActionReport{Action: a.Verb, DryRun: a.DryRun, Matched: len(results), Results: make([]api.ActionResult, 0, len(results))}
	for _, res := range results {
		if res.Error == nil {
			out.Done++
		} else {
			out.Failed++
		}
		out.Results = append(out.Results, api.ActionResult{ID: res.Job.ID, Job: s.show(res.Job), Error: api.FromError(res.Error)})
	}
	return out
}
