package engine_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/job"
)

// TestRow16NothingIsSentWhileNoDeploymentIsActive: jobs wait, say why, and go
// on when an admin chooses a deployment, which a restart does not forget.
func TestRow16NothingIsSentWhileNoDeploymentIsActive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{T: t, ledger: ledgertest.NewMemory(), share: newShare(), fleet: newFleet(1), idle: true}
		h.start()
		j := h.submit("user001", 1)
		h.pass(time.Minute)
		if n := len(h.fleet.posted()); n != 0 || h.Status().Active != "" {
			t.Errorf("%d prompts were sent to %q", n, h.Status().Active)
		}
		if got := h.Standing(h.now(j)).Phase; !strings.Contains(got, "no deployment is active") || !strings.Contains(got, "qmtui workers use NAME") {
			t.Errorf("phase %q", got)
		}
		if _, ok := h.warning("no_active_worker"); !ok || h.Status().Wait != -1 {
			t.Errorf("wait %v, warnings %v", h.Status().Wait, h.Status().Warnings)
		}
		name := h.fleet.Deployments()[0].Name
		if _, err := h.ActivateWorker(context.Background(), name, job.Caller{Name: "admin", Admin: true}); err != nil {
			t.Fatal(err)
		}
		h.pass(time.Second)
		if n := len(h.fleet.posted()); n != 1 {
			t.Errorf("%d prompts were sent", n)
		}
		h.stop()
		h.start()
		defer func() { h.stop() }()
		if got := h.Status().Active; got != name {
			t.Errorf("after a restart %q is active", got)
		}
	})
}
