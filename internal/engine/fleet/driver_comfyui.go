package fleet

import (
	"context"

	"github.com/comfyume/qmtui/internal/comfy"
)

// comfyUI speaks only ComfyUI's own protocol, to one server or to a balancer
// with several behind it.
type comfyUI struct {
	*comfy.Client
}

func newComfyUI(s Spec, o Options) driver {
	return comfyUI{&comfy.Client{Base: s.URL, Key: s.Key, HTTP: o.HTTP}}
}

func (d comfyUI) Evidence(ctx context.Context, promptID string) (*comfy.HistoryEntry, error) {
	return d.History(ctx, promptID)
}

func (d comfyUI) Stats(ctx context.Context) (comfy.SystemStats, error) { return d.SystemStats(ctx) }

func (d comfyUI) Nodes(ctx context.Context) (*comfy.ObjectInfo, error) { return d.ObjectInfo(ctx) }

func (d comfyUI) Dequeue(ctx context.Context, promptID string) error {
	return d.DeleteQueued(ctx, promptID)
}

func (d comfyUI) Stop(ctx context.Context, promptID string) error {
	return d.Interrupt(ctx, promptID)
}
