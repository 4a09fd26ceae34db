package server

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

func (s *Server) queueStatus(w http.ResponseWriter, _ *request) error {
	return writeJSON(w, http.StatusOK, api.FromStatus(s.svc.Status()))
}

// setMode makes the handler of pause, resume or drain.
func (s *Server) setMode(m job.Mode) handler {
	return func(w http.ResponseWriter, r *request) error {
		if err := firstError(r.who.adminOnly("changing the queue's mode"), r.discard()); err != nil {
			return err
		}
		if err := s.svc.SetMode(r.Context(), m, r.who.Caller); err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, api.FromStatus(s.svc.Status()))
	}
}

// acceptShare takes what is mounted now for the share.
func (s *Server) acceptShare(w http.ResponseWriter, r *request) error {
	if err := firstError(r.who.adminOnly("accepting the share"), r.discard()); err != nil {
		return err
	}
	if err := s.svc.AcceptShare(r.Context(), r.who.Caller); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.FromStatus(s.svc.Status()))
}

// obstacles lists what keeps the manager from doing its work.
func (s *Server) obstacles() []api.Reason {
	out := obstacles(s.svc.Status())
	for _, f := range s.opts.Disks.Full() {
		e := job.AsError(fullDisk(f))
		if !slices.ContainsFunc(out, func(r api.Reason) bool { return r.Code == e.Code }) {
			out = append(out, api.Reason{Code: e.Code, Message: e.Message, Hint: e.Hint})
		}
	}
	return out
}

// obstacles are those that the status of the queue tells.
func obstacles(st job.QueueStatus) []api.Reason {
	out := []api.Reason{}
	add := func(code, message, hint string) {
		out = append(out, api.Reason{Code: code, Message: message, Hint: hint})
	}
	if st.Mode == job.ModeDraining {
		add("draining", "the queue is draining and takes no jobs", `run "qmtui queue resume"`)
	}
	if e := st.Ledger; e != nil {
		add(e.Code, e.Message, e.Hint)
	}
	switch share := st.Share; {
	case share.Error != nil:
		add(share.Error.Code, share.Error.Message, share.Error.Hint)
	case share.Stalled:
		add("share_stalled", fmt.Sprintf("a look at %s has been hanging for long", share.Path), "look at the mount and its server")
	case !share.Mounted && share.LookedAt.IsZero():
		add("share_not_looked_at", fmt.Sprintf("%s has not been looked at yet since the start", share.Path), "nothing, it is a matter of moments")
	case !share.Mounted:
		add("share_not_mounted", fmt.Sprintf("%s is not mounted", share.Path), `run "qmtui doctor"`)
	}
	if e := st.Stopped; e != nil {
		// Anybody may ask, so what the endpoint said is left out.
		add(e.Code, "nothing is sent to "+st.Active+", because nothing can be rendered there", `run "qmtui queue status"`)
	}
	if st.Active == "" {
		add("no_active_worker", "no deployment is active, so nothing is rendered", `run "qmtui workers use NAME"`)
	}
	return out
}
