package server

import (
	"encoding/json"
	"net/http"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/face"
	"github.com/comfyume/qmtui/internal/job"
)

// facePosted is the answer of POST prompt. It has no key "error": a client takes
// that for a failure.
type facePosted struct {
	ID         string   `json:"prompt_id"`
	Number     float64  `json:"number"`
	NodeErrors struct{} `json:"node_errors"`
}

// facePost answers POST prompt, after the job is on disk.
func (s *Server) facePost(w http.ResponseWriter, r *request) error {
	j, err := s.facePrompt(r)
	if err == nil {
		return writeJSON(w, http.StatusOK, facePosted{ID: face.ID(j), Number: face.Number(j)})
	}
	e := job.AsError(err)
	if e.Class == job.Internal || ended(err) {
		return err
	}
	askToWait(w, e)
	return writeJSON(w, api.StatusOf(e), face.Refuse(e))
}

func (s *Server) facePrompt(r *request) (job.Job, error) {
	raw, err := r.readAny(2*s.opts.MaxWorkflow + smallBody)
	if err != nil {
		return job.Job{}, err
	}
	if err := s.chargeSubmit(r.charged(), int64(len(raw))); err != nil {
		return job.Job{}, err
	}
	if err := r.asPrompt(len(raw)); err != nil {
		return job.Job{}, err
	}
	if err := inspect(raw, maxDepth+2); err != nil {
		return job.Job{}, err
	}
	p, err := face.ReadPrompt(raw)
	if err != nil {
		return job.Job{}, err
	}
	if p.Front && p.Note.Number == nil {
		p.Note.Number = s.frontNumber()
	}
	priority := job.Normal
	if p.Front {
		priority = job.High
	}
	body := api.SubmitRequest{User: r.PathValue("user"), Workflow: p.Workflow, Extra: p.Extra, Priority: &priority, Metadata: p.Note.Metadata()}
	req, err := s.check(body, face.Key(p.ID), r.who)
	if err != nil {
		return job.Job{}, err
	}
	j, _, err := s.svc.Submit(r.Context(), req)
	return j, err
}

// frontNumber is below all numbers there are, as ComfyUI answers front.
func (s *Server) frontNumber() *float64 {
	n := -face.Number(job.Job{Spec: job.Spec{Submitted: s.opts.Now()}})
	return &n
}

// faceRemaining answers GET prompt.
func (s *Server) faceRemaining(w http.ResponseWriter, r *request) error {
	open, err := s.openJobs(r.PathValue("user"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"exec_info": map[string]int{"queue_remaining": len(open)}})
}

// fields reads the body as an object of whatever values, of any content type:
// ComfyUI's own scripts send JSON as a form's type. Pages of other sites are
// kept out by their origin.
func (r *request) fields() (map[string]json.RawMessage, error) {
	raw, err := r.readAny(smallBody)
	if err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	if len(raw) > 0 && json.Unmarshal(raw, &all) != nil {
		return nil, badJSON("it is not an object")
	}
	return all, nil
}
