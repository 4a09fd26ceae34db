package fleet

import (
	"context"
	"fmt"

	"github.com/comfyume/qmtui/internal/comfy"
)

// driver reaches one deployment. Its methods may be called from any goroutine.
// What newer servers answer in one request is tried first, and not again where
// a server has no such call. testDriver is its conformance suite.
type driver interface {
	// Submit sends one POST, whose answer a cold start may delay until ctx
	// ends. Every error is a *comfy.SubmitError. A platform that holds the POST
	// may be asked about it meanwhile; one that turned the POST itself down may
	// get it once more in another form.
	Submit(ctx context.Context, r comfy.Request) (comfy.Receipt, error)
	// Evidence asks a replica what it knows of a prompt. The entry is nil unless
	// it says that the prompt has ended.
	Evidence(ctx context.Context, promptID string) (comfy.JobState, *comfy.HistoryEntry, error)
	// Asks is the request by which Evidence asks, for people.
	Asks() string
	// Assets lists the files that a prompt wrote, of a server that keeps track of them.
	Assets(ctx context.Context, promptID string) ([]string, error)
	// Queue lists the prompts of whichever replica answers.
	Queue(ctx context.Context) (running, pending []string, err error)
	// Stats and Nodes ask a worker about itself; on a sleeping deployment they wake it.
	Stats(ctx context.Context) (comfy.SystemStats, error)
	Nodes(ctx context.Context) (*comfy.ObjectInfo, error)
	// Class asks for one class only; an empty list says that the worker lacks it.
	Class(ctx context.Context, name string) (*comfy.ObjectInfo, error)
	// Replaced lists the old classes that a worker replaces by others; none of
	// one that replaces nothing.
	Replaced(ctx context.Context) ([]string, error)
	// Stop takes a prompt out of the queue or ends it; never without an id. That
	// it was heard does not say that it did anything.
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
