package simulator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// serveControl is the control API, below /v1.
func (p *platform) serveControl(w http.ResponseWriter, r *http.Request, path string) {
	if p.throttles(w, r.Method+" "+path) {
		return
	}
	if path == "/oauth2/token" && r.Method == http.MethodPost {
		p.logIn(w, r)
		return
	}
	if !p.holds(r.Header.Get("Authorization")) {
		refuse(w, http.StatusUnauthorized, "unauthorized_request", "Access token is missing or invalid")
		return
	}
	rest, ok := strings.CutPrefix(path, "/container-deployments")
	if !ok {
		refuse(w, http.StatusNotFound, "not_found", "No such path")
		return
	}
	p.serveDeployments(w, r, strings.Trim(rest, "/"))
}

// throttles counts the call and answers 429 while that is asked for.
func (p *platform) throttles(w http.ResponseWriter, call string) bool {
	p.mu.Lock()
	p.calls = append(p.calls, call)
	hit, after := p.throttled > 0, p.retryAfter
	if hit {
		p.throttled--
	}
	p.mu.Unlock()
	if hit {
		w.Header().Set("Retry-After", after)
		refuse(w, http.StatusTooManyRequests, "too_many_requests", "Too many requests")
	}
	return hit
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, dict("code", code, "message", message))
}

// logIn is OAuth2's client credentials grant.
func (p *platform) logIn(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Grant  string `json:"grant_type"`
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&in) != nil || in.Grant != "client_credentials" {
		refuse(w, http.StatusBadRequest, "invalid_request", "Invalid grant type")
		return
	}
	if in.ID == "" || in.ID != p.spec.ClientID || in.Secret != p.spec.ClientSecret {
		refuse(w, http.StatusUnauthorized, "unauthorized_request", "Invalid client id or client secret")
		return
	}
	p.mu.Lock()
	p.issued++
	token := fmt.Sprintf("token-%d", p.issued)
	life := p.fleet.scaled(p.spec.TokenLife)
	p.tokens[token] = time.Now().Add(life)
	p.mu.Unlock()
	writeJSON(w, http.StatusOK, dict("access_token", token, "token_type", "Bearer", "expires_in", number(int(life.Seconds())), "scope", "fullAccess"))
}

func (p *platform) holds(authorization string) bool {
	token, ok := strings.CutPrefix(authorization, "Bearer ")
	p.mu.Lock()
	defer p.mu.Unlock()
	return ok && time.Now().Before(p.tokens[token])
}

func (p *platform) serveDeployments(w http.ResponseWriter, r *http.Request, rest string) {
	name, what, _ := strings.Cut(rest, "/")
	d := p.fleet.deployments[name]
	switch {
	case name == "":
		p.list(w)
	case d == nil:
		refuse(w, http.StatusNotFound, "not_found", "No such deployment")
	case what == "status":
		writeJSON(w, http.StatusOK, dict("status", p.status(d)))
	case what == "replicas":
		writeJSON(w, http.StatusOK, dict("list", d.listed()))
	case what == "scaling" && r.Method == http.MethodPatch:
		p.rescale(w, r, d)
	case what == "scaling":
		writeJSON(w, http.StatusOK, d.scaling())
	default:
		refuse(w, http.StatusNotFound, "not_found", "No such path")
	}
}

func (p *platform) list(w http.ResponseWriter) {
	all := []any{}
	for _, spec := range p.fleet.cfg.Deployments {
		all = append(all, dict("name", spec.Name, "endpoint_base_url", "/"+spec.Name))
	}
	writeJSON(w, http.StatusOK, all)
}

func (p *platform) status(d *deployment) string {
	p.mu.Lock()
	said := p.said[d.spec.Name]
	p.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case said != "":
		return said
	case d.awake && len(d.live) == 0:
		return "initializing"
	}
	return "healthy"
}

// listed is the replicas that are up.
func (d *deployment) listed() []any {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := []any{}
	for _, l := range d.leases {
		if l.To.IsZero() {
			all = append(all, dict("id", l.Replica, "status", "running", "started_at", l.From.UTC().Format(time.RFC3339)))
		}
	}
	return all
}

func (d *deployment) scaling() *object {
	d.mu.Lock()
	defer d.mu.Unlock()
	return dict("min_replica_count", number(d.least), "max_replica_count", number(d.spec.Replicas),
		"scale_down_policy", dict("delay_seconds", number(int(d.spec.ScaleDown.Seconds()))),
		"concurrent_requests_per_replica", number(1), "scaling_triggers", dict("queue_load", dict("threshold", number(1))))
}

func (p *platform) rescale(w http.ResponseWriter, r *http.Request, d *deployment) {
	var in struct {
		Least *int `json:"min_replica_count"`
	}
	if json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&in) != nil || in.Least == nil || *in.Least < 0 || *in.Least > d.spec.Replicas {
		refuse(w, http.StatusBadRequest, "invalid_request", "min_replica_count is missing or out of range")
		return
	}
	if err := d.setLeast(r.Context(), *in.Least); err != nil {
		refuse(w, http.StatusServiceUnavailable, "unavailable", err.Error())
		return
	}
	writeJSON(w, http.StatusOK, d.scaling())
}
