package server

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

func (s *Server) listUsers(w http.ResponseWriter, r *request) error {
	users, err := s.svc.Users()
	if err != nil {
		return err
	}
	out := []api.User{}
	reached := s.budgets.set.Reached()
	for _, u := range users {
		if u.Limits = reached[u.User]; r.who.may(u.User) {
			out = append(out, u)
		}
		delete(reached, u.User)
	}
	for user, limits := range reached { // of users who have no jobs
		if job.CheckUser(user) == nil && r.who.may(user) {
			out = append(out, api.User{User: user, Limits: limits})
		}
	}
	slices.SortStableFunc(out, func(a, b api.User) int { return strings.Compare(a.User, b.User) })
	return writeJSON(w, http.StatusOK, out)
}

// forgetUser removes what is kept of a user, or makes it anonymous. A user who
// is the caller as well loses the login with it.
func (s *Server) forgetUser(w http.ResponseWriter, r *request) error {
	var body api.ForgetRequest
	if err := firstError(r.who.adminOnly("forgetting a user"), r.decode(smallBody, &body, true)); err != nil {
		return err
	}
	if err := job.CheckUser(body.User); err != nil {
		return err
	}
	if s.opts.Forget == nil {
		return &job.Error{Code: "no_forget", Class: job.NotFound, Message: "this server keeps nothing of users", Hint: "ask the manager itself"}
	}
	f, err := s.opts.Forget(r.Context(), body.User, body.DryRun, r.who.Caller)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, f)
}

// userOutputs answers with the outputs of a user's jobs, newest job first. A
// job's outputs come together, so a page may be longer than its limit.
func (s *Server) userOutputs(w http.ResponseWriter, r *request) error {
	user := r.PathValue("user")
	if err := job.CheckUser(user); err != nil {
		return err
	}
	if !r.who.may(user) {
		return forbidUser(user)
	}
	v := r.URL.Query()
	limit, err := readLimit(v.Get("limit"), defaultLimit, maxLimit)
	if err != nil {
		return err
	}
	out, page, err := s.collectOutputs(user, v.Get("state"), v.Get("cursor"), limit)
	if err != nil {
		return err
	}
	paged(w, page)
	return writeJSON(w, http.StatusOK, out)
}

// collectOutputs reads pages of jobs until limit outputs are together.
func (s *Server) collectOutputs(user, state, cursor string, limit int) ([]api.UserOutput, job.Page, error) {
	out := []api.UserOutput{}
	for {
		page, err := s.svc.Jobs(job.Query{Filter: job.Filter{User: user}, Limit: min(limit, defaultLimit), Cursor: cursor})
		if err != nil {
			return nil, page, err
		}
		for _, j := range page.Jobs {
			out = append(out, s.outputsOf(j, state)...)
		}
		if cursor = page.Next; cursor == "" || len(out) >= limit {
			return out, page, nil
		}
	}
}

// outputsOf lists a job's outputs in that state; in any when it is empty.
func (s *Server) outputsOf(j job.Job, state string) []api.UserOutput {
	var out []api.UserOutput
	for _, o := range j.Outputs {
		if state == "" || o.State.String() == state {
			out = append(out, api.UserOutput{Output: s.view.Output(j, o), Job: j.ID, JobName: j.Name, User: j.User,
				Created: api.Time{Time: j.Submitted}})
		}
	}
	return out
}

// pathOutput reads the output id of the path.
func pathOutput(r *request) job.OutputID { return job.OutputID(r.PathValue("id")) }

func (s *Server) listOrphans(w http.ResponseWriter, r *request) error {
	if err := r.who.adminOnly("the list of orphans"); err != nil {
		return err
	}
	state := r.URL.Query().Get("state")
	switch state {
	case "", job.OrphanOpen, job.OrphanAssigned, job.OrphanDiscarded:
	default:
		return badField("state", strconv.Quote(state)+" is not a state of an orphan", "use open, assigned or discarded")
	}
	orphans, err := s.svc.Orphans(state)
	if err != nil {
		return err
	}
	out := make([]api.Orphan, 0, len(orphans))
	for _, o := range orphans {
		out = append(out, s.showOrphan(o))
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *Server) showOrphan(o job.Orphan) api.Orphan {
	return s.view.Orphan(o, func(id job.ID) string {
		j, err := s.svc.Job(id)
		if err != nil {
			return ""
		}
		return j.User
	})
}

func (s *Server) assignOrphan(w http.ResponseWriter, r *request) error {
	var body api.AssignRequest
	if err := firstError(r.who.adminOnly("assigning an orphan"), r.decode(smallBody, &body, true)); err != nil {
		return err
	}
	if err := job.CheckUser(body.User); err != nil {
		return err
	}
	if err := s.checkKnown(r.who, body.User); err != nil {
		return err
	}
	o, err := s.svc.AssignOrphan(r.Context(), pathOutput(r), body.User, r.who.Caller)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.showOrphan(o))
}

func (s *Server) unassignOrphan(w http.ResponseWriter, r *request) error {
	if err := r.who.adminOnly("undoing the assignment of an orphan"); err != nil {
		return err
	}
	o, err := s.svc.UnassignOrphan(r.Context(), pathOutput(r), r.who.Caller)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.showOrphan(o))
}

func (s *Server) discardOrphan(w http.ResponseWriter, r *request) error {
	if err := r.who.adminOnly("discarding an orphan"); err != nil {
		return err
	}
	var body api.DiscardRequest
	if r.ContentLength != 0 {
		if err := r.decode(smallBody, &body, true); err != nil {
			return err
		}
	}
	if err := checkName(body.Reason); err != nil {
		return badField("reason", "is too long or holds control characters", "use at most 200 printable characters")
	}
	o, err := s.svc.DiscardOrphan(r.Context(), pathOutput(r), body.Reason, r.who.Caller)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.showOrphan(o))
}
