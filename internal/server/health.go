package server

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// stuckAfter is how long the engine may be silent, which speaks every second.
const stuckAfter = 30 * time.Second

// stuck says that the engine hangs, which nothing but a restart may mend.
func stuck(st job.QueueStatus, now time.Time) *job.Error {
	silent := now.Sub(st.At)
	if st.At.IsZero() || silent < stuckAfter {
		return nil
	}
	return &job.Error{Code: "loop_stuck", Class: job.Unavailable, Message: fmt.Sprintf("the engine has not taken a turn for %s", silent.Round(time.Second)),
		Hint: "look at the log and at the disk of the state folder; a restart harms no job"}
}

// health answers with 200 as long as the process works; Status tells more.
func (s *Server) health(w http.ResponseWriter, r *request) error {
	if e := stuck(s.svc.Status(), s.opts.Now()); e != nil {
		return e
	}
	q := api.FromStatus(s.svc.Status())
	h := api.Health{Status: "healthy", Version: s.opts.Version, ActiveGPU: q.Active, Depth: q.Depth,
		Mode: q.Mode, Pending: q.Pending, Running: q.Running, Reasons: s.obstacles()}
	if len(h.Reasons) > 0 {
		h.Status = "degraded"
	}
	if !q.Started.IsZero() {
		h.Uptime = s.opts.Now().Sub(q.Started.Time).Seconds()
	}
	for _, d := range s.svc.Workers() {
		if d.Name == q.Active {
			h.Inference = d.Driver
			if r.who.Admin {
				h.Endpoint = withoutSecrets(d.URL)
			}
		}
	}
	return writeJSON(w, http.StatusOK, h)
}

// ready answers 503 while the manager cannot do its work.
func (s *Server) ready(w http.ResponseWriter, _ *request) error {
	out := api.Readiness{Reasons: s.obstacles()}
	if e := stuck(s.svc.Status(), s.opts.Now()); e != nil {
		out.Reasons = append(out.Reasons, api.Reason{Code: e.Code, Message: e.Message, Hint: e.Hint})
	}
	status := http.StatusOK
	if out.Ready = len(out.Reasons) == 0; !out.Ready {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "10")
	}
	return writeJSON(w, status, out)
}

// withoutSecrets drops what may be a password from an address.
func withoutSecrets(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
