package server

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/comfyume/qmtui/internal/face"
	"github.com/comfyume/qmtui/internal/job"
)

// hidden is what a user has taken out of their history. The jobs themselves
// are kept: only the face does not show them any more.
type hidden struct {
	Before time.Time `json:"before,omitzero"` // jobs that ended until then
	IDs    []job.ID  `json:"ids,omitempty"`   // and these
}

// maxHidden bounds how many single jobs are kept out of a history; it is
// more than the history shows.
const maxHidden = 2 * faceReach

// HiddenKey is under what key of [Service] that is remembered.
func HiddenKey(user string) string { return "hidden/" + user }

func (h hidden) hides(j job.Job) bool {
	return !h.Before.IsZero() && !j.EndedAt().After(h.Before) || slices.Contains(h.IDs, j.ID)
}

// endedJobs lists the user's ended jobs that the history shows, newest first.
func (s *Server) endedJobs(user string) ([]job.Job, error) {
	var gone hidden
	if _, err := s.svc.Remembered(HiddenKey(user), &gone); err != nil {
		return nil, err
	}
	page, err := s.svc.Jobs(job.Query{Filter: job.Filter{User: user, States: endedStates}, Limit: faceReach})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(page.Jobs), func(j job.Job) bool { return !face.Visible(j) || gone.hides(j) }), nil
}

// faceHistory answers GET history, oldest first: the newest max_items, or as
// many from offset on, counted from the oldest.
func (s *Server) faceHistory(w http.ResponseWriter, r *request) error {
	limit, err := readCount(r, "max_items", faceReach)
	if err != nil {
		return err
	}
	offset, err := readCount(r, "offset", -1)
	if err != nil {
		return err
	}
	jobs, err := s.endedJobs(r.PathValue("user"))
	if err != nil {
		return err
	}
	slices.Reverse(jobs)
	limit = min(max(0, limit), len(jobs))
	if offset < 0 {
		offset = len(jobs) - limit
	}
	offset = min(offset, len(jobs))
	return s.writeHistory(w, jobs[offset:min(offset+limit, len(jobs))])
}

// readCount reads a whole number of the query; absent when it is not there.
func readCount(r *request, name string, absent int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, badField(name, "is not a whole number", "leave it out")
	}
	return n, nil
}

func (s *Server) writeHistory(w http.ResponseWriter, jobs []job.Job) error {
	entries := make([]face.Entry, 0, len(jobs))
	for _, j := range jobs {
		e, err := s.entry(j)
		if err != nil {
			return err
		}
		entries = append(entries, e)
	}
	return writeJSON(w, http.StatusOK, face.Histories(entries))
}

// faceHistoryOf answers GET history/{id}: {} for a prompt that is unknown or
// has not ended.
func (s *Server) faceHistoryOf(w http.ResponseWriter, r *request) error {
	j, ok, err := s.findPrompt(r.PathValue("user"), r.PathValue("id"))
	if err != nil {
		return err
	}
	if !ok || !face.Visible(j) {
		return writeJSON(w, http.StatusOK, struct{}{})
	}
	return s.writeHistory(w, []job.Job{j})
}

// findPrompt finds a user's job by the prompt_id that the client knows, or by
// its own id. Another user's is not found.
func (s *Server) findPrompt(user, id string) (j job.Job, ok bool, err error) {
	for _, look := range []func() (job.Job, error){
		func() (job.Job, error) { return s.svc.ByKey(user, face.Key(id)) },
		func() (job.Job, error) { return s.svc.Job(job.ID(id)) },
	} {
		j, err = look()
		switch {
		case err == nil && j.User == user:
			return j, true, nil
		case err != nil && job.AsError(err).Class != job.NotFound:
			return job.Job{}, false, err
		}
	}
	return job.Job{}, false, nil
}

// faceChangeHistory answers POST history: clear hides all that have ended,
// delete those that are named. No job and no file is lost by it.
func (s *Server) faceChangeHistory(w http.ResponseWriter, r *request) error {
	body, err := r.fields()
	if err != nil {
		return err
	}
	user := r.PathValue("user")
	all, named := readChange(body)
	s.hiding.Lock()
	defer s.hiding.Unlock()
	var gone hidden
	if _, err := s.svc.Remembered(HiddenKey(user), &gone); err != nil {
		return err
	}
	if all {
		gone = hidden{Before: s.opts.Now()}
	}
	for _, id := range named {
		j, ok, err := s.findPrompt(user, id)
		if err != nil {
			return err
		}
		if ok && !slices.Contains(gone.IDs, j.ID) {
			gone.IDs = append(gone.IDs, j.ID)
		}
	}
	gone.IDs = gone.IDs[max(0, len(gone.IDs)-maxHidden):]
	if err := s.svc.Remember(HiddenKey(user), gone); err != nil {
		return err
	}
	return faceOK(w)
}
