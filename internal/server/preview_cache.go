package server

import (
	"container/list"
	"sync"

	"github.com/comfyume/qmtui/internal/job"
)

type previewKey struct {
	id    job.OutputID
	width int
}

type preview struct {
	key previewKey
	png []byte
}

// previewCache keeps the previews that were asked for last, up to a number of
// bytes. An output's bytes never change, so nothing grows old.
type previewCache struct {
	max int

	mu    sync.Mutex
	size  int
	order *list.List // of preview, the newest in front
	byKey map[previewKey]*list.Element
}

func newPreviewCache(bytes int) *previewCache {
	return &previewCache{max: bytes, order: list.New(), byKey: map[previewKey]*list.Element{}}
}

func (c *previewCache) get(k previewKey) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[k]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(preview).png, true
}

func (c *previewCache) put(k previewKey, png []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[k]; ok || len(png) > c.max {
		return
	}
	c.byKey[k], c.size = c.order.PushFront(preview{k, png}), c.size+len(png)
	for c.size > c.max {
		last := c.order.Remove(c.order.Back()).(preview)
		c.size -= len(last.png)
		delete(c.byKey, last.key)
	}
}
