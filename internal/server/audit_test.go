package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// keptDeeds is an audit log of two deeds, newest first.
func keptDeeds(int) ([]job.AuditEntry, error) {
	return []job.AuditEntry{
		{At: epoch.Add(time.Minute), Actor: "qmtui", Via: "rule", Verb: "hold a replica", Target: "h200", Result: "ok"},
		{At: epoch, Actor: "ada@laptop", Via: "ssh", Proof: "SHA256:abc as ada", Verb: "cancel", Target: "0198b6ff-0000-7000-8000-000000000001", Result: "too_late"},
	}, nil
}

func TestAudit(t *testing.T) {
	s := newServer(t, newFake(), func(o *Options) { o.Audit = keptDeeds })
	for query, want := range map[string][]string{
		"":                         {"hold a replica", "cancel"},
		"?limit=1":                 {"hold a replica"},
		"?q=LAPTOP":                {"cancel"},
		"?q=rule":                  {"hold a replica"},
		"?q=too_late":              {"cancel"},
		"?q=nothing":               {},
		"?since=2100-01-01T00:00Z": nil, // no time
		"?limit=0":                 nil,
		"?since=" + epoch.Add(time.Second).UTC().Format(time.RFC3339): {"hold a replica"},
	} {
		w := ask(s.Handler(), "GET", api.PathAudit+query, "")
		if want == nil {
			wantError(t, w, http.StatusUnprocessableEntity, "bad_field")
			continue
		}
		var got []api.AuditEntry
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) || got == nil {
			t.Errorf("%s: %+v, want %v", query, got, want)
			continue
		}
		for i := range want {
			if got[i].Verb != want[i] {
				t.Errorf("%s: %+v, want %v", query, got, want)
			}
		}
	}
}

func TestNoAudit(t *testing.T) {
	wantError(t, ask(newServer(t, newFake(), nil).Handler(), "GET", api.PathAudit, ""), http.StatusNotFound, "no_audit")
	broken := newServer(t, newFake(), func(o *Options) {
		o.Audit = func(int) ([]job.AuditEntry, error) { return nil, errors.New("the disk is gone") }
	})
	wantError(t, ask(broken.Handler(), "GET", api.PathAudit, ""), http.StatusInternalServerError, "internal")
}
