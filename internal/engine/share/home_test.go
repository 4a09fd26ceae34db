package share

import (
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

// memory is a Memory that tests give to one share after the other.
type memory struct {
	mu   sync.Mutex
	kept map[string][]byte
}

func (m *memory) Setting(key string, v any) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.kept[key]
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal(b, v)
}

func (m *memory) SetSetting(key string, v any) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, err := json.Marshal(v)
	if m.kept == nil {
		m.kept = map[string][]byte{}
	}
	m.kept[key] = b
	return err
}

func TestHome(t *testing.T) {
	nfs := home{Path: "/mnt/sfs", Kind: "nfs", Source: "10.0.0.1:/a"}
	disk := home{Path: "/mnt/sfs", Kind: "ext4", FSID: "1"}
	bare := home{Path: "/mnt/sfs", Kind: "ext4", OnRoot: true, FSID: "2"}
	with := func(h home, change func(*home)) home { change(&h); return h }
	for _, c := range []struct {
		name     string
		was, now home
		want     string
	}{
		{"the first time", home{}, bare, ""},
		{"the same", nfs, nfs, ""},
		{"unmounted", nfs, bare, "share_not_mounted"},
		{"a disk that is not mounted", disk, bare, "share_not_mounted"},
		{"mounted at last", bare, nfs, ""},
		{"another export", nfs, with(nfs, func(h *home) { h.Source = "10.0.0.1:/clone" }), "share_changed"},
		{"another disk", disk, with(disk, func(h *home) { h.FSID = "3" }), "share_changed"},
		{"the mount below it", nfs, disk, "share_changed"},
		{"another path", nfs, with(bare, func(h *home) { h.Path = "/mnt/new" }), ""},
	} {
		if got := c.was.strays(c.now); code(asError(got)) != c.want {
			t.Errorf("%s: %v, want %q", c.name, got, c.want)
		}
	}
}

func asError(e *job.Error) error {
	if e == nil {
		return nil
	}
	return e
}

// TestAwayAtStart starts a second time without the share: what looks like an
// empty local folder is not believed to be the share, until it is back.
func TestAwayAtStart(t *testing.T) {
	d := newDisks(t)
	var root, here unix.Stat_t
	if unix.Stat("/", &root) != nil || unix.Stat(d.outputs, &here) != nil || root.Dev != here.Dev {
		t.Skip("temporary files are on a disk of their own")
	}
	d.opt.Memory = &memory{}
	unmount := mountTmpfs(t, d.outputs, "size=4m")
	synctest.Test(t, func(t *testing.T) {
		run := func(s *Share) *job.Error {
			w := watch(t, s)
			pass(3 * time.Second)
			if err := w.stop(); err != nil {
				t.Error(err)
			}
			return s.Status().Error
		}
		if e := run(d.share()); e != nil {
			t.Fatalf("the first time: %v", e)
		}
		unmount()
		s := d.share()
		if e := run(s); e == nil || e.Code != "share_not_mounted" || !strings.Contains(e.Message, "tmpfs") || s.Status().Mounted {
			t.Errorf("away at start: %v", e)
		}
		mountTmpfs(t, d.outputs, "size=4m")
		if e := run(d.share()); e != nil {
			t.Errorf("back: %v", e)
		}
	})
}

// TestAccept lets an admin say that another file system is the share now.
func TestAccept(t *testing.T) {
	d := newDisks(t)
	was := home{Path: d.outputs, Kind: "nfs", Source: "10.0.0.1:/a"}
	m := &memory{}
	if err := m.SetSetting(settingHome, was); err != nil {
		t.Fatal(err)
	}
	d.opt.Memory = m
	s := d.share()
	if _, e := s.prove(); e == nil {
		t.Fatal("a local folder is taken for the nfs that was")
	}
	tr := transfer("cat_00001_.png", "cat_00001_.png")
	if _, err := s.Copy(t.Context(), tr); code(err) != "share_not_mounted" && code(err) != "share_changed" {
		t.Errorf("a copy from it: %v", err)
	}
	if err := s.Accept(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := s.Status(); !st.Mounted || st.Error != nil {
		t.Errorf("accepted: %+v", st)
	}
	if _, e := d.share().prove(); e != nil {
		t.Errorf("after a restart: %v", e)
	}
	if err := os.Remove(d.outputs); err != nil {
		t.Fatal(err)
	}
	if err := s.Accept(t.Context()); code(err) == "" {
		t.Error("what is not there was accepted")
	}
}
