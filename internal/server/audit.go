package server

import (
	"net/http"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// mostAudit is how many deeds the ledger keeps.
const mostAudit = 10_000

// audit answers with what people and rules did, newest first.
func (s *Server) audit(w http.ResponseWriter, r *request) error {
	if err := r.who.adminOnly("reading the audit log"); err != nil {
		return err
	}
	if s.opts.Audit == nil {
		return &job.Error{Code: "no_audit", Class: job.NotFound, Message: "this server keeps no audit log", Hint: "ask the manager itself"}
	}
	v := r.URL.Query()
	limit, err := readLimit(v.Get("limit"), defaultLimit, mostAudit)
	if err != nil {
		return err
	}
	since, err := readTime("since", v.Get("since"))
	if err != nil {
		return err
	}
	all, err := s.opts.Audit(mostAudit)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, pickDeeds(all, since, v.Get("q"), limit))
}

// pickDeeds takes the newest deeds since then that have the text in any of
// their fields, upper and lower case alike.
func pickDeeds(all []job.AuditEntry, since time.Time, text string, limit int) []api.AuditEntry {
	out := []api.AuditEntry{}
	for _, e := range all {
		if len(out) == limit || e.At.Before(since) {
			break
		}
		fields := strings.Join([]string{e.Actor, e.Via, e.Proof, e.Verb, e.Target, e.Result}, "\n")
		if strings.Contains(strings.ToLower(fields), strings.ToLower(text)) {
			out = append(out, e)
		}
	}
	return out
}
