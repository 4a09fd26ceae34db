package server

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/comfyume/qmtui/internal/face"
	"github.com/comfyume/qmtui/internal/job"
)

// faceReach is how many of a user's newest jobs of a kind the face lists.
const faceReach = 1000

var (
	openStates  = slices.DeleteFunc(job.States(), job.State.Terminal)
	endedStates = slices.DeleteFunc(job.States(), func(s job.State) bool { return !s.Terminal() })
)

// openJobs lists the user's jobs that have not ended, oldest first.
func (s *Server) openJobs(user string) ([]job.Job, error) {
	page, err := s.svc.Jobs(job.Query{Filter: job.Filter{User: user, States: openStates}, Sort: job.OldestFirst, Limit: faceReach})
	return page.Jobs, err
}

// entry is a job with its bodies.
func (s *Server) entry(j job.Job) (face.Entry, error) {
	workflow, extra, err := s.svc.Workflow(j.ID)
	return face.Entry{Job: j, Workflow: workflow, Extra: absent(extra), View: s.view}, err
}

// faceQueue answers GET queue: what no worker has begun is pending, also while
// a machine is being woken for it.
func (s *Server) faceQueue(w http.ResponseWriter, r *request) error {
	open, err := s.openJobs(r.PathValue("user"))
	if err != nil {
		return err
	}
	running, pending := []any{}, []any{}
	for _, j := range open {
		e, err := s.entry(j)
		if err != nil {
			return err
		}
		if face.Waiting(j) {
			pending = append(pending, e.Item())
		} else {
			running = append(running, e.Item())
		}
	}
	return writeJSON(w, http.StatusOK, map[string]any{"queue_running": running, "queue_pending": pending})
}

// faceChangeQueue answers POST queue: clear takes all that wait out of it,
// delete those that are named.
func (s *Server) faceChangeQueue(w http.ResponseWriter, r *request) error {
	body, err := r.fields()
	if err != nil {
		return err
	}
	open, err := s.openJobs(r.PathValue("user"))
	if err != nil {
		return err
	}
	all, named := readChange(body)
	return s.faceCancel(w, r, open, func(j job.Job) bool {
		return all && face.Waiting(j) || slices.Contains(named, face.ID(j)) || slices.Contains(named, string(j.ID))
	})
}

// readChange reads {clear, delete} of the queue or of the history.
func readChange(body map[string]json.RawMessage) (all bool, named []string) {
	_ = json.Unmarshal(body["clear"], &all) // what is no truth value is false
	var ids []any
	_ = json.Unmarshal(body["delete"], &ids)
	for _, one := range ids {
		if id, ok := one.(string); ok {
			named = append(named, id)
		}
	}
	return all, named
}

// faceInterrupt answers POST interrupt: it stops the prompt that is named, or
// the one that runs. Never another user's, unlike ComfyUI.
func (s *Server) faceInterrupt(w http.ResponseWriter, r *request) error {
	body, err := r.fields()
	if err != nil {
		return err
	}
	open, err := s.openJobs(r.PathValue("user"))
	if err != nil {
		return err
	}
	var named string
	_ = json.Unmarshal(body["prompt_id"], &named) // without one, the current
	if named == "" {
		named = current(open)
	}
	return s.faceCancel(w, r, open, func(j job.Job) bool { return named != "" && (face.ID(j) == named || string(j.ID) == named) })
}

// current is the job that came furthest, of those the one that was sent first;
// empty when none was sent.
func current(open []job.Job) string {
	sent := slices.DeleteFunc(slices.Clone(open), func(j job.Job) bool { return j.State() == job.Queued || j.Want == job.WantCancel })
	if len(sent) == 0 {
		return ""
	}
	first := slices.MinFunc(sent, func(a, b job.Job) int {
		return cmp.Or(cmp.Compare(min(b.State(), job.Running), min(a.State(), job.Running)),
			a.Current().When(job.Assigned).Compare(b.Current().When(job.Assigned)))
	})
	return string(first.ID)
}

// faceCancel cancels the jobs that are meant. Like ComfyUI it answers 200
// without a body, also when it was too late.
func (s *Server) faceCancel(w http.ResponseWriter, r *request, open []job.Job, meant func(job.Job) bool) error {
	if _, err := s.cancelMeant(r, open, meant); err != nil {
		return err
	}
	return faceOK(w)
}

// cancelMeant cancels the jobs that are meant, and reports whether there was one
// for which it was not too late.
func (s *Server) cancelMeant(r *request, open []job.Job, meant func(job.Job) bool) (bool, error) {
	var ids []job.ID
	for _, j := range open {
		if meant(j) {
			ids = append(ids, j.ID)
		}
	}
	if len(ids) == 0 {
		return false, nil
	}
	done, err := s.svc.Act(r.Context(), job.Action{Verb: job.DoCancel, Filter: job.Filter{IDs: ids, User: r.PathValue("user")}, Caller: r.who.Caller})
	return slices.ContainsFunc(done, func(d job.ActionResult) bool { return d.Error == nil }), err
}

// faceCancelJob answers POST jobs/{id}/cancel, which later pages use.
func (s *Server) faceCancelJob(w http.ResponseWriter, r *request) error {
	if err := r.discard(); err != nil {
		return err
	}
	return s.faceCancelled(w, r, []string{r.PathValue("id")})
}

// faceCancelJobs answers POST jobs/cancel.
func (s *Server) faceCancelJobs(w http.ResponseWriter, r *request) error {
	body, err := r.fields()
	if err != nil {
		return err
	}
	var ids []string
	if json.Unmarshal(body["job_ids"], &ids) != nil || ids == nil {
		return faceWrong(w, http.StatusBadRequest, "job_ids must be a list")
	}
	return s.faceCancelled(w, r, ids)
}

func (s *Server) faceCancelled(w http.ResponseWriter, r *request, named []string) error {
	open, err := s.openJobs(r.PathValue("user"))
	if err != nil {
		return err
	}
	cancelled, err := s.cancelMeant(r, open, func(j job.Job) bool {
		return slices.Contains(named, face.ID(j)) || slices.Contains(named, string(j.ID))
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]bool{"cancelled": cancelled})
}

// faceOK answers as ComfyUI does when it has nothing to say.
func faceOK(w http.ResponseWriter) error {
	bound(w)
	w.WriteHeader(http.StatusOK)
	return nil
}
