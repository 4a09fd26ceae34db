package engine_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/engine/upkeep"
	"github.com/comfyume/qmtui/internal/job"
)

// TestAskedDeployment: a job that names a deployment goes there and nowhere
// else, also after a failed attempt, and leaves the active one alone.
func TestAskedDeployment(t *testing.T) {
	governed(t, upkeep.Rules{}, func(h *house) {
		ask := func(deployment string) (job.Job, error) {
			body, _ := json.Marshal([]job.Expected{{Node: "9", Class: "SaveImage", Prefix: "out", Count: 1}})
			j, _, err := h.Submit(context.Background(), job.Request{User: "admin", Workflow: body, Priority: job.High, Caller: admin, Deployment: deployment})
			synctest.Wait()
			return j, err
		}
		if _, err := ask("nowhere"); job.AsError(err).Code != "worker_not_found" {
			t.Errorf("a name that none has: %v", err)
		}
		first, err := ask("demand")
		if err != nil {
			t.Fatal(err)
		}
		h.submit("user001", 1)
		h.pass(2 * time.Second)
		second, err := ask("demand")
		if err != nil {
			t.Fatal(err)
		}
		h.pass(2 * time.Second)
		var went []string
		for _, s := range h.fleet.posted() {
			went = append(went, s.User+" "+s.Deployment)
		}
		if len(went) != 2 || went[0] != "admin demand" || went[1] != "user001 spot" {
			t.Errorf("%q", went)
		}
		if s := h.Standing(h.now(second)); s.Phase != "waiting for demand, which is asked for" || s.Position != -1 {
			t.Errorf("%+v", s)
		}
		h.hear(first, job.Broke, &job.Error{Code: "execution_error", Message: "no"})
		h.pass(2 * time.Second)
		if p := h.fleet.posted(); len(p) != 3 || p[2].Deployment != "demand" || p[2].Job != second.ID {
			t.Errorf("then %+v", p)
		}
	})
}
