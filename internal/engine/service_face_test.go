package engine_test

import (
	"testing"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

// What the front remembers is durable and cannot touch the loop's own settings.
func TestRemember(t *testing.T) {
	open(t, 0, engine.Policy{}, func(h *house) {
		var said string
		if found, err := h.Remembered("mode", &said); found || err != nil {
			t.Errorf("before anything: %v %v", found, err)
		}
		if err := h.Remember("mode", "paused"); err != nil {
			t.Fatal(err)
		}
		h.stop()
		h.start()
		if found, err := h.Remembered("mode", &said); !found || err != nil || said != "paused" {
			t.Errorf("after a restart: %v %v %q", found, err, said)
		}
		if mode := h.Status().Mode; mode != job.ModeRunning {
			t.Errorf("the queue is %s", mode)
		}
		if _, err := h.ByKey("user001", "comfy:x"); job.AsError(err).Class != job.NotFound {
			t.Errorf("an unknown key: %v", err)
		}
		if got := h.Nodes(); len(got.JSON) == 0 || got.Deployment == "" || got.Deployment != h.Status().Active {
			t.Errorf("the nodes are those of %q, of %q", got.JSON, got.Deployment)
		}
	})
}
