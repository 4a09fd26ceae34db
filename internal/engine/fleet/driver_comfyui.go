package fleet

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/comfyume/qmtui/internal/comfy"
)

// comfyUI speaks only ComfyUI's own protocol, to one server or to a balancer
// with several behind it.
type comfyUI struct {
	*comfy.Client
	calls *callSupport
}

func newComfyUI(s Spec, o Options) driver { return comfyUIOf(s, o) }

func comfyUIOf(s Spec, o Options) comfyUI {
	return comfyUI{&comfy.Client{Base: s.URL, Key: s.Key, KeyNow: s.KeyNow, HTTP: o.HTTP, Fresh: true, SaveNodes: o.SaveNodes}, &callSupport{}}
}

// callSupport remembers which calls of newer servers were found to be missing,
// so that each is tried once, and once more when another version answers.
type callSupport struct {
	mu       sync.Mutex
	missing  map[string]bool
	versions map[string]bool
}

// heard takes in the version of a server that answered.
func (c *callSupport) heard(version string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.versions == nil {
		c.versions = map[string]bool{}
	}
	if !c.versions[version] {
		c.versions[version] = true
		c.missing = nil
	}
}

// try makes a call unless it is known to be missing; false when it is.
func (c *callSupport) try(name string, call func() error) (bool, error) {
	c.mu.Lock()
	missing := c.missing[name]
	c.mu.Unlock()
	if missing {
		return false, nil
	}
	err := call()
	if !errors.Is(err, comfy.ErrNoSuchCall) {
		return true, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.missing == nil {
		c.missing = map[string]bool{}
	}
	c.missing[name] = true
	return false, nil
}

func (d comfyUI) Evidence(ctx context.Context, promptID string) (state comfy.JobState, entry *comfy.HistoryEntry, err error) {
	there, err := d.calls.try("GET /api/jobs", func() error {
		var err error
		state, entry, err = d.Job(ctx, promptID)
		return err
	})
	var a *comfy.AnswerError
	// One prompt of an odd shape makes some versions fail on this call (0.8.0).
	if there && !(errors.As(err, &a) && a.Status == http.StatusInternalServerError) {
		return state, entry, err
	}
	if entry, err = d.History(ctx, promptID); entry != nil {
		state = comfy.JobEnded
	}
	return state, entry, err
}

func (d comfyUI) Asks() string {
	d.calls.mu.Lock()
	defer d.calls.mu.Unlock()
	if d.calls.missing["GET /api/jobs"] {
		return "GET /history"
	}
	return "GET /api/jobs"
}

func (d comfyUI) Assets(ctx context.Context, promptID string) (files []string, err error) {
	_, err = d.calls.try("GET /api/assets", func() error {
		var err error
		files, err = d.Client.Assets(ctx, promptID)
		return err
	})
	return files, err
}

func (d comfyUI) Stats(ctx context.Context) (comfy.SystemStats, error) {
	stats, err := d.SystemStats(ctx)
	if err == nil {
		d.calls.heard(stats.Version)
	}
	return stats, err
}

func (d comfyUI) Nodes(ctx context.Context) (*comfy.ObjectInfo, error) { return d.ObjectInfo(ctx) }

// Class asks for the whole list where a server answers for no single class.
func (d comfyUI) Class(ctx context.Context, name string) (info *comfy.ObjectInfo, err error) {
	there, err := d.calls.try("GET /object_info/class", func() error {
		var err error
		info, err = d.ObjectInfoOf(ctx, name)
		return err
	})
	if !there {
		return d.ObjectInfo(ctx)
	}
	return info, err
}

func (d comfyUI) Replaced(ctx context.Context) (old []string, err error) {
	_, err = d.calls.try("GET /node_replacements", func() error {
		var err error
		old, err = d.NodeReplacements(ctx)
		return err
	})
	return old, err
}

func (d comfyUI) Stop(ctx context.Context, promptID string) error {
	there, err := d.calls.try("POST /api/jobs/cancel", func() error {
		_, err := d.CancelJob(ctx, promptID)
		return err
	})
	if there {
		return err
	}
	return errors.Join(d.DeleteQueued(ctx, promptID), d.Interrupt(ctx, promptID))
}
