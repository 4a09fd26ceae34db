package fleet

import (
	"context"
	"fmt"
	"net/http"

	"github.com/comfyume/qmtui/internal/comfy"
)

// driver reaches one deployment. Its methods may be called from any goroutine
// and send at most one request each. testDriver is its conformance suite.
type driver interface {
	// Submit sends one POST, whose answer a cold start may delay until ctx
	// ends. Every error is a *comfy.SubmitError.
	Submit(ctx context.Context, r comfy.Request) (comfy.Receipt, error)
	// Evidence asks what became of a prompt. Nil without an error means nothing.
	Evidence(ctx context.Context, promptID string) (*comfy.HistoryEntry, error)
	// Queue lists the prompts of whichever replica answers.
	Queue(ctx context.Context) (running, pending []string, err error)
	// Stats and Nodes ask a worker about itself; on a sleeping deployment they wake it.
	Stats(ctx context.Context) (comfy.SystemStats, error)
	Nodes(ctx context.Context) (*comfy.ObjectInfo, error)
	// Dequeue takes a waiting prompt out, Stop ends a running one; never
	// without an id. That they were heard does not say that they did anything.
	Dequeue(ctx context.Context, promptID string) error
	Stop(ctx context.Context, promptID string) error
}

// drivers makes a driver by its name in the configuration.
var drivers = map[string]func(Spec, *http.Client) driver{
	"comfyui": newComfyUI,
}

func newDriver(s Spec, h *http.Client) (driver, error) {
	make, ok := drivers[s.Driver]
	if !ok {
		return nil, fmt.Errorf("deployment %s: there is no driver %q; use \"comfyui\"", s.Name, s.Driver)
	}
	return make(s, h), nil
}
