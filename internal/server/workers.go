package server

import (
	"context"
	"net/http"
	"slices"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

func (s *Server) listWorkers(w http.ResponseWriter, r *request) error {
	out := []api.Worker{}
	for _, d := range s.svc.Workers() {
		out = append(out, showWorker(d, r.who))
	}
	return writeJSON(w, http.StatusOK, out)
}

// showWorker is a deployment as that caller may see it.
func showWorker(d job.Deployment, caller who) api.Worker {
	d.URL = withoutSecrets(d.URL)
	if !caller.Admin {
		d.URL, d.System, d.Rules, d.Today = "", nil, "", job.Spent{}
		d.Learned = slices.Clone(d.Learned)
		for i := range d.Learned {
			d.Learned[i].Job = "" // another user's
		}
	}
	return d
}

// worker makes the handler of something that is done to a deployment. It may
// wait for a cold start, so nothing but the caller bounds it.
func (s *Server) worker(what string, do func(Service, context.Context, string, job.Caller) (job.Deployment, error)) handler {
	return func(w http.ResponseWriter, r *request) error {
		if err := firstError(r.who.adminOnly(what), r.discard()); err != nil {
			return err
		}
		d, err := do(s.svc, r.Context(), r.PathValue("name"), r.who.Caller)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, showWorker(d, r.who))
	}
}
