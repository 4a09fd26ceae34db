package server

import (
	"net/http"
	"net/url"

	"github.com/comfyume/qmtui/internal/api"
)

// health answers with 200 as long as the process works; Status tells more.
func (s *Server) health(w http.ResponseWriter, r *request) error {
	q := api.FromStatus(s.svc.Status())
	h := api.Health{Status: "healthy", Version: s.opts.Version, ActiveGPU: q.Active, Depth: q.Depth,
		Mode: q.Mode, Pending: q.Pending, Running: q.Running, Reasons: obstacles(s.svc.Status())}
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
	out := api.Readiness{Reasons: obstacles(s.svc.Status())}
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
