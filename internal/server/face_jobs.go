package server

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/comfyume/qmtui/internal/face"
	"github.com/comfyume/qmtui/internal/job"
)

// jobsQuery is the query of GET jobs, as ComfyUI reads it.
type jobsQuery struct {
	status     []string // empty for all
	workflow   string
	byDuration bool
	ascending  bool
	limit      *int
	offset     int
}

// readJobsQuery reads the query; wrong is ComfyUI's sentence about it, empty for none.
func readJobsQuery(r *request) (q jobsQuery, wrong string) {
	v := r.URL.Query()
	q.workflow = v.Get("workflow_id")
	var unknown []string
	for _, one := range strings.Split(v.Get("status"), ",") {
		one = strings.ToLower(strings.TrimSpace(one))
		if one == "" {
			continue
		}
		if q.status = append(q.status, one); !slices.Contains(face.Statuses, one) {
			unknown = append(unknown, one)
		}
	}
	if len(unknown) > 0 {
		return q, fmt.Sprintf("Invalid status value(s): %s. Valid values: %s", strings.Join(unknown, ", "), strings.Join(face.Statuses, ", "))
	}
	switch strings.ToLower(v.Get("sort_by")) {
	case "", "created_at":
	case "execution_duration":
		q.byDuration = true
	default:
		return q, "sort_by must be 'created_at' or 'execution_duration'"
	}
	switch strings.ToLower(v.Get("sort_order")) {
	case "", "desc":
	case "asc":
		q.ascending = true
	default:
		return q, "sort_order must be 'asc' or 'desc'"
	}
	return q, q.readPart(v.Get("limit"), v.Get("offset"), v.Has("limit"))
}

func (q *jobsQuery) readPart(limit, offset string, limited bool) (wrong string) {
	if limited {
		n, err := strconv.Atoi(limit)
		if err != nil {
			return "limit must be an integer"
		}
		if n <= 0 {
			return "limit must be a positive integer"
		}
		q.limit = &n
	}
	if offset != "" {
		n, err := strconv.Atoi(offset)
		if err != nil {
			return "offset must be an integer"
		}
		q.offset = max(0, n)
	}
	return ""
}

// faceWrong is an error of GET jobs in ComfyUI's form.
func faceWrong(w http.ResponseWriter, status int, sentence string) error {
	return writeJSON(w, status, map[string]string{"error": sentence})
}

// faceJobs answers GET jobs, the list of newer pages.
func (s *Server) faceJobs(w http.ResponseWriter, r *request) error {
	q, wrong := readJobsQuery(r)
	if wrong != "" {
		return faceWrong(w, http.StatusBadRequest, wrong)
	}
	user := r.PathValue("user")
	open, err := s.openJobs(user)
	if err != nil {
		return err
	}
	ended, err := s.endedJobs(user)
	if err != nil {
		return err
	}
	all, err := s.listed(append(open, ended...), q)
	if err != nil {
		return err
	}
	page := face.Pagination{Offset: q.offset, Limit: q.limit, Total: len(all)}
	part := all[min(q.offset, len(all)):]
	if q.limit != nil {
		part = part[:min(*q.limit, len(part))]
	}
	page.More = q.offset+len(part) < len(all)
	return writeJSON(w, http.StatusOK, face.Jobs{Jobs: part, Pagination: page})
}

// listed is the jobs that the query asks for, in its order.
func (s *Server) listed(jobs []job.Job, q jobsQuery) ([]face.Listed, error) {
	out := make([]face.Listed, 0, len(jobs))
	for _, j := range jobs {
		if len(q.status) > 0 && !slices.Contains(q.status, face.StatusOf(j)) {
			continue
		}
		l, err := s.list(j)
		if err != nil {
			return nil, err
		}
		if q.workflow == "" || l.Workflow == q.workflow {
			out = append(out, l)
		}
	}
	slices.SortStableFunc(out, func(a, b face.Listed) int {
		order := cmp.Compare(a.Created, b.Created)
		if q.byDuration {
			order = cmp.Compare(a.Duration(), b.Duration())
		}
		if !q.ascending {
			order = -order
		}
		return order
	})
	return out, nil
}

// list reads the bodies of a job only when the list needs them: a job that
// came by another way has not told the id of its workflow.
func (s *Server) list(j job.Job) (face.Listed, error) {
	e := face.Entry{Job: j, View: s.view}
	if j.Extra != "" && face.NoteOf(j) == (face.Note{}) {
		var err error
		if e, err = s.entry(j); err != nil {
			return face.Listed{}, err
		}
	}
	return e.Listed(), nil
}

// faceJob answers GET jobs/{id}.
func (s *Server) faceJob(w http.ResponseWriter, r *request) error {
	j, ok, err := s.findPrompt(r.PathValue("user"), r.PathValue("id"))
	if err != nil {
		return err
	}
	if !ok || j.State().Terminal() && !face.Visible(j) {
		return faceWrong(w, http.StatusNotFound, "Job not found")
	}
	e, err := s.entry(j)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, e.Detail())
}
