package share

import (
	"context"
	"fmt"

	"github.com/comfyume/qmtui/internal/job"
)

// Memory keeps over a restart which file system the share is. Its methods may
// be called from any goroutine.
type Memory interface {
	// Setting reads what SetSetting kept under key into v; false when there is nothing.
	Setting(key string, v any) (bool, error)
	SetSetting(key string, v any) error
}

// settingHome is the key of the home in the memory.
const settingHome = "share/home"

// home is the file system that the share is, in terms that outlive a reboot.
// Device numbers do not. The zero value: none is known.
type home struct {
	Path   string `json:"path"` // of the share, as configured
	Kind   string `json:"kind"`
	OnRoot bool   `json:"on_root,omitempty"` // it is the root's own
	Source string `json:"source,omitempty"`  // what it is mounted from; empty for a local disk
	FSID   string `json:"fsid,omitempty"`    // of a disk that has one made of its UUID
}

// lastingID lists the file systems whose id comes from their UUID. Others make
// it of a device number (xfs), anew at each mount (tmpfs), or have none (nfs).
var lastingID = map[string]bool{"ext4": true, "btrfs": true}

func homeOf(path string, v survey) home {
	h := home{Path: path, Kind: v.kind, OnRoot: v.id.dev == v.root, Source: v.source}
	if lastingID[v.kind] {
		h.FSID = fmt.Sprintf("%08x%08x", uint32(v.id.fsid[0]), uint32(v.id.fsid[1]))
	}
	return h
}

// String is the home for people.
func (h home) String() string {
	s := h.Kind
	if h.Source != "" {
		s += " from " + job.Path(h.Source).String()
	}
	if h.OnRoot {
		s += " of the root"
	}
	return s
}

// strays says why now is not believed to be the share that was; nil when it
// is. A folder on the root may have the share mounted over it at any time, and
// another path is an admin's doing.
func (h home) strays(now home) *job.Error {
	switch {
	case h == (home{}) || h == now || h.Path != now.Path || h.OnRoot && !now.OnRoot:
		return nil
	case now.OnRoot:
		e := errNotMounted(fmt.Sprintf("%s is not a mount point any more: it was %s", now.Path, h))
		e.Hint = `mount it; if the files are on this disk now, run "qmtui queue accept-share"`
		return e
	}
	return &job.Error{Code: "share_changed", Class: job.Unavailable, Transient: true,
		Message: fmt.Sprintf("%s is %s, and it was %s: its files may be others", now.Path, now, h),
		Hint:    `if that is right, run "qmtui queue accept-share"`}
}

// known is the home that was last believed in; it reads the memory once.
func (s *Share) known() home {
	s.homeMu.Lock()
	defer s.homeMu.Unlock()
	if s.recalled || s.opt.Memory == nil {
		return s.home
	}
	if _, err := s.opt.Memory.Setting(settingHome, &s.home); err != nil {
		s.log.Warn("recall which file system the share is", "error", err)
		return s.home
	}
	s.recalled = true
	return s.home
}

// settle keeps a home that is believed in.
func (s *Share) settle(h home) {
	s.homeMu.Lock()
	defer s.homeMu.Unlock()
	if h == s.home {
		return
	}
	s.home = h
	if s.opt.Memory == nil {
		return
	}
	if err := s.opt.Memory.SetSetting(settingHome, h); err != nil {
		s.log.Warn("keep which file system the share is", "error", err)
	}
}

// judgeHome compares what was found with what is remembered, and remembers it.
// A sentinel that is seen proves the share by itself.
func (s *Share) judgeHome(v survey) *job.Error {
	now := homeOf(s.opt.Outputs, v)
	if e := s.known().strays(now); e != nil && s.opt.Sentinel == "" {
		return e
	}
	s.settle(now)
	return nil
}

// Accept takes what stands at the share's place now for the share: an admin
// says that its file system was changed on purpose. The error is a *job.Error.
func (s *Share) Accept(ctx context.Context) error {
	_, err := errand(ctx, s, task{name: "accept the share"}, func(*pulse) (struct{}, error) {
		v, err := surveyMount(s.opt)
		if err != nil {
			return struct{}{}, err
		}
		if why := doubt(s.opt, identity{}, v); why != "" {
			return struct{}{}, errNotMounted(why)
		}
		s.settle(homeOf(s.opt.Outputs, v))
		s.mu.Lock()
		s.was = v.id
		s.mu.Unlock()
		if _, e := s.prove(); e != nil {
			return struct{}{}, e
		}
		return struct{}{}, nil
	}, nil)
	if err != nil {
		return s.classify("look at", s.opt.Outputs, err)
	}
	return nil
}
