package fleet

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"io"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
)

const (
	// keepNodesEvery is how long a kept list may say that it is older than it is.
	keepNodesEvery = time.Hour
	// maxKeptNodes bounds a kept list, compressed; a larger one is not kept.
	maxKeptNodes = 8 << 20
	// maxNodes bounds it when it is read back, as package comfy bounds the answer.
	maxNodes = 64 << 20
)

// keptNodes is a node list as it is kept over a restart, so that pages have the
// workers' nodes and models before anything is sent.
type keptNodes struct {
	URL      string    `json:"url"` // of the deployment; another one has other workers
	At       time.Time `json:"at"`
	Replaced []string  `json:"replaced,omitempty"`
	Gzip     []byte    `json:"gzip"`

	raw []byte
}

func (s *site) nodesKey() string { return "nodes." + s.spec.Name }

// toKeep is the list when it is not kept yet as it is now, otherwise nil. The
// caller holds the site's lock.
func (l *nodeList) toKeep(url string, now time.Time) *keptNodes {
	raw := l.union.JSON()
	sum := sha256.Sum256(raw)
	if sum == l.keptSum && now.Sub(l.keptAt) < keepNodesEvery {
		return nil
	}
	l.keptSum, l.keptAt = sum, now
	return &keptNodes{URL: url, At: l.readAt, Replaced: l.replaced, raw: raw}
}

func (s *site) keepNodes(k *keptNodes) {
	if k == nil || s.opts.Settings == nil {
		return
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(k.raw) // into memory
	_ = z.Close()
	if k.Gzip = b.Bytes(); len(k.Gzip) > maxKeptNodes {
		s.opts.Logger.Warn("node list too large to keep", "deployment", s.spec.Name, "bytes", len(k.Gzip))
		return
	}
	if err := s.opts.Settings.SetSetting(s.nodesKey(), k); err != nil {
		s.opts.Logger.Warn("keep the node list", "deployment", s.spec.Name, "error", err)
	}
}

// recallNodes takes what an earlier process kept of the same workers.
func (s *site) recallNodes() {
	if s.opts.Settings == nil {
		return
	}
	var k keptNodes
	found, err := s.opts.Settings.Setting(s.nodesKey(), &k)
	if err == nil && (!found || k.URL != s.spec.URL) {
		return
	}
	var info *comfy.ObjectInfo
	if err == nil {
		info, err = k.read()
	}
	if err != nil {
		s.opts.Logger.Warn("recall the node list", "deployment", s.spec.Name, "error", err)
		return
	}
	s.list.replaced = k.Replaced
	s.list.add(info, k.At, false)
	s.list.readAt, s.list.keptAt, s.list.keptSum = k.At, k.At, sha256.Sum256(info.JSON())
}

func (k keptNodes) read() (*comfy.ObjectInfo, error) {
	z, err := gzip.NewReader(bytes.NewReader(k.Gzip))
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(z, maxNodes))
	if err != nil {
		return nil, err
	}
	return comfy.ParseObjectInfo(raw)
}
