package server

import (
	"net/http"
	"strconv"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// listJobs answers GET /api/jobs with a plain list, as the first site's API did.
func (s *Server) listJobs(w http.ResponseWriter, r *request) error {
	q, none, err := readQuery(r.URL.Query())
	if err != nil {
		return err
	}
	if err := r.narrow(&q.Filter); err != nil {
		return err
	}
	var page job.Page
	if !none {
		if page, err = s.svc.Jobs(q); err != nil {
			return err
		}
	}
	jobs := make([]api.Job, 0, len(page.Jobs))
	for _, j := range page.Jobs {
		jobs = append(jobs, s.show(j))
	}
	paged(w, page)
	return writeJSON(w, http.StatusOK, jobs)
}

// narrow keeps a filter to the caller's own jobs.
func (r *request) narrow(f *job.Filter) error {
	own := r.who.scope()
	switch {
	case own == "":
		return nil
	case f.User != "" && f.User != own:
		return forbidUser(f.User)
	}
	f.User = own
	return nil
}

func paged(w http.ResponseWriter, p job.Page) {
	w.Header().Set(api.HeaderTotal, strconv.Itoa(p.Total))
	if p.Next != "" {
		w.Header().Set(api.HeaderNextCursor, p.Next)
	}
}

// own finds the job of the path, which must be the caller's to touch.
func (s *Server) own(r *request) (job.Job, error) {
	j, err := s.svc.Job(job.ID(r.PathValue("id")))
	if err != nil {
		return job.Job{}, err
	}
	if !r.who.may(j.User) {
		return job.Job{}, forbidUser(j.User)
	}
	return j, nil
}

func (s *Server) getJob(w http.ResponseWriter, r *request) error {
	j, err := s.own(r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.view.JobDetail(j, s.svc.Standing(j)))
}

func (s *Server) deleteJob(w http.ResponseWriter, r *request) error {
	if err := r.discard(); err != nil {
		return err
	}
	if _, err := s.actOne(r, job.Action{Verb: job.DoCancel}); err != nil {
		return err
	}
	return writeNothing(w)
}

// act makes the handler of a verb that needs nothing else.
func (s *Server) act(verb job.Verb) handler {
	return func(w http.ResponseWriter, r *request) error {
		if err := r.discard(); err != nil {
			return err
		}
		j, err := s.actOne(r, job.Action{Verb: verb})
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, s.show(j))
	}
}

// actOne does a to the job of the path.
func (s *Server) actOne(r *request, a job.Action) (job.Job, error) {
	j, err := s.own(r)
	if err != nil {
		return job.Job{}, err
	}
	a.Filter, a.Caller = job.Filter{IDs: []job.ID{j.ID}}, r.who.Caller
	results, err := s.svc.Act(r.Context(), a)
	switch {
	case err != nil:
		return job.Job{}, err
	case len(results) == 0:
		return job.Job{}, job.ErrNoJob
	case results[0].Error != nil:
		return job.Job{}, conflict{results[0].Error, results[0].Job.State()}
	}
	return results[0].Job, nil
}

// setPriority answers PATCH /api/jobs/{id}/priority, with the number in the
// query (the first site's form) or in a JSON body (its page's).
func (s *Server) setPriority(w http.ResponseWriter, r *request) error {
	p, err := readPriority(r)
	if err != nil {
		return err
	}
	if err := checkPriority(r.who, p); err != nil {
		return err
	}
	j, err := s.actOne(r, job.Action{Verb: job.DoPriority, Priority: p})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.show(j))
}

func readPriority(r *request) (job.Priority, error) {
	if text := r.URL.Query().Get("priority"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return 0, badField("priority", "is not a number", "use 0 (instructor), 1 (high), 2 (normal) or 3 (low)")
		}
		return job.Priority(n), r.discard()
	}
	if r.ContentLength == 0 {
		return 0, missingField("priority", "send ?priority=N or {\"priority\": N}")
	}
	var body api.PriorityRequest
	if err := r.decode(smallBody, &body, false); err != nil {
		return 0, err
	}
	if body.Priority == nil {
		return 0, missingField("priority", "send ?priority=N or {\"priority\": N}")
	}
	return *body.Priority, nil
}

func (s *Server) jobFacts(w http.ResponseWriter, r *request) error {
	j, err := s.own(r)
	if err != nil {
		return err
	}
	facts, err := s.svc.Facts(j.ID)
	if err != nil {
		return err
	}
	out := make([]api.Fact, 0, len(facts))
	for _, f := range facts {
		out = append(out, api.FromFact(f))
	}
	return writeJSON(w, http.StatusOK, out)
}

// jobWorkflow answers with the prompt itself, ready to be submitted again; on
// request with the extra data beside it.
func (s *Server) jobWorkflow(w http.ResponseWriter, r *request) error {
	j, err := s.own(r)
	if err != nil {
		return err
	}
	workflow, extra, err := s.svc.Workflow(j.ID)
	if err != nil {
		return err
	}
	if both, _ := strconv.ParseBool(r.URL.Query().Get("extra_data")); both {
		return writeJSON(w, http.StatusOK, api.Submitted{Workflow: workflow, Extra: absent(extra)})
	}
	return writeJSON(w, http.StatusOK, rawJSON(workflow))
}
