package fleet

import (
	"context"
	"fmt"

	"github.com/comfyume/qmtui/internal/comfy"
)

// driver reaches one deployment. Its methods may be called from any goroutine
// and send at most one request each to its replicas. testDriver is its
// conformance suite.
type driver interface {
	// Submit sends one POST, whose answer a cold start may delay until ctx
	// ends. Every error is a *comfy.SubmitError. A platform that holds the POST
	// may be asked about it meanwhile; one that turned the POST itself down may
	// get it once more in another form.
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

// admitter is a driver whose platform can tell what became of a POST, long
// after the connection that carried it is gone, and without asking a replica.
type admitter interface {
	// Admission asks about the POST of a prompt. The receipt and the error,
	// a *comfy.SubmitError, are set once Stage is Answered.
	Admission(ctx context.Context, promptID string) (Admission, error)
	// Stage is what was last heard of a POST under way; empty for nothing.
	Stage() Stage
	// Way is how prompts reach it and why, in words of [job.Deployment].
	Way() (way, because string)
}

// drivers makes a driver by its name in the configuration.
var drivers = map[string]func(Spec, Options) driver{
	"comfyui": newComfyUI,
	"verda":   newVerda,
}

func newDriver(s Spec, o Options) (driver, error) {
	make, ok := drivers[s.Driver]
	if !ok {
		return nil, fmt.Errorf("deployment %s: there is no driver %q; use \"comfyui\" or \"verda\"", s.Name, s.Driver)
	}
	return make(s, o), nil
}
