package server

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// forgotten forgets everybody but user009, who has jobs.
func forgotten(_ context.Context, user string, dryRun bool, _ job.Caller) (job.Forgotten, error) {
	if user == "user009" {
		return job.Forgotten{}, &job.Error{Code: "user_has_jobs", Class: job.Conflict, Message: "2 of user009's jobs wait or run", Hint: "cancel them first"}
	}
	f := job.Forgotten{DryRun: dryRun, Personal: job.Personal{Jobs: 12, Outputs: 30, Bytes: 41_000_000, Audit: 4}, StagedInputs: 3, Tokens: 1,
		Untouched: []job.Untouched{{What: "delivered files", Path: "/outputs/user001", Next: "remove the folder, or give it to the user"}}}
	if !dryRun {
		f.Pseudonym = "forgotten-5e0c1f7a"
	}
	return f, nil
}

func TestForgetUser(t *testing.T) {
	s := newServer(t, newFake(), func(o *Options) { o.Forget = forgotten })
	for body, pseudonym := range map[string]string{`{"user_id":"user001","dry_run":true}`: "", `{"user_id":"user001"}`: "forgotten-5e0c1f7a"} {
		var got api.Forgotten
		w := ask(s.Handler(), "POST", api.PathUserForget, body)
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Pseudonym != pseudonym || got.DryRun != (pseudonym == "") || got.Jobs != 12 {
			t.Errorf("%s: %s, %v", body, w.Body, err)
		}
	}
	wantError(t, ask(s.Handler(), "POST", api.PathUserForget, `{"user_id":"user009"}`), http.StatusConflict, "user_has_jobs")
	wantError(t, ask(s.Handler(), "POST", api.PathUserForget, `{"user_id":"../x"}`), http.StatusUnprocessableEntity, "bad_user")
	wantError(t, ask(s.Handler(), "POST", api.PathUserForget, `{"user_id":"user001","dryrun":true}`), http.StatusUnprocessableEntity, "bad_field")
	wantError(t, ask(newServer(t, newFake(), nil).Handler(), "POST", api.PathUserForget, `{"user_id":"user001"}`), http.StatusNotFound, "no_forget")
}
