package share

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// identity names a mounted file system; the zero value none.
type identity struct {
	dev  uint64
	fsid [2]int32
}

// survey is what was found where the share should be.
type survey struct {
	id       identity
	root     uint64 // device of "/"
	above    uint64 // device of the folder above
	kind     string // file system type as the mount table has it, or "unknown"
	source   string // what it is mounted from; empty for a local disk, or when unknown
	options  string // mount options of a network file system
	readOnly bool
	free     int64 // bytes
	sentinel error // why the sentinel cannot be seen; nil when it is there or none is asked for
}

// doubt says why the share is not believed to be mounted; empty when it is.
// was is the file system that was proved before: falling back to that of the
// root, or of the folder above, is what an unmounted share looks like.
func doubt(o Options, was identity, now survey) string {
	onRoot, wasAway := now.id.dev == now.root, was != (identity{}) && was.dev != now.id.dev
	switch {
	case o.RequireMount && onRoot:
		return o.Outputs + " is not a mount point"
	case now.sentinel != nil:
		return fmt.Sprintf("%s is not mounted: its sentinel %s cannot be seen", o.Outputs, o.Sentinel)
	case wasAway && (onRoot || now.id.dev == now.above):
		return o.Outputs + " is not a mount point any more"
	}
	return ""
}

// surveyMount asks the disk. It may hang.
func surveyMount(o Options) (survey, error) {
	d, err := openFolder(o.Outputs, "")
	if err != nil {
		return survey{}, err
	}
	defer d.close()
	var st unix.Stat_t
	if _, err := retry(func() (int, error) { return 0, unix.Fstat(d.fd, &st) }); err != nil {
		return survey{}, err
	}
	v := survey{id: identity{dev: uint64(st.Dev)}, root: device("/"), above: device(filepath.Dir(o.Outputs))}
	if err := v.fileSystem(d.fd); err != nil {
		return survey{}, err
	}
	if o.Sentinel != "" {
		v.sentinel = unix.Faccessat(d.fd, o.Sentinel, unix.F_OK, 0)
	}
	return v, nil
}

func device(path string) uint64 {
	var st unix.Stat_t
	if _, err := retry(func() (int, error) { return 0, unix.Stat(path, &st) }); err != nil {
		return 0
	}
	return uint64(st.Dev)
}

// prove looks whether the share is there and keeps what it found in the
// status. It may hang; nobody waits for it without a limit.
func (s *Share) prove() (survey, *job.Error) {
	began := s.opt.Now()
	if err := s.at("prove"); err != nil {
		return survey{}, s.unproved(s.classify("look at", s.opt.Outputs, err))
	}
	v, err := surveyMount(s.opt)
	if errors.Is(err, fs.ErrNotExist) || notFolder(err) {
		return survey{}, s.unproved(errNotMounted(s.opt.Outputs + " does not exist"))
	}
	if err != nil {
		return survey{}, s.unproved(s.classify("look at", s.opt.Outputs, err))
	}
	if e := s.doubted(v); e != nil {
		return v, s.unproved(e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.was = v.id
	s.status.Mounted, s.status.Error = true, nil
	s.status.FSType, s.status.ReadOnly, s.status.Free = v.kind, v.readOnly, v.free
	s.status.LookedAt = latest(s.status.LookedAt, began)
	return v, nil
}

// doubted is why what was found is not believed to be the share; nil when it is.
func (s *Share) doubted(v survey) *job.Error {
	s.mu.Lock()
	was := s.was
	s.mu.Unlock()
	if why := doubt(s.opt, was, v); why != "" {
		return errNotMounted(why)
	}
	return s.judgeHome(v)
}

func (s *Share) unproved(e *job.Error) *job.Error {
	s.setStatus(func(st *job.ShareStatus) { st.Mounted, st.Error = false, e })
	return e
}

// proveFor reports that the share is mounted and still has the top folder of
// path, without which nothing may be said to have vanished.
func (s *Share) proveFor(path string) bool {
	if _, err := s.prove(); err != nil {
		return false
	}
	top := ""
	if id, _ := origin(path); id != "" {
		top = comfy.Root
	}
	d, err := openFolder(s.opt.Outputs, top)
	if err != nil {
		return false
	}
	defer d.close()
	names, _, err := d.names(1)
	return err == nil && (top != "" || len(names) > 0) // a bare mount point has nothing in it
}

// hintsWork lists the file systems on which every write raises an event.
var hintsWork = map[string]bool{"ext4": true, "xfs": true, "btrfs": true, "tmpfs": true, "zfs": true}

// hinting decides whether to ask for events. A type that nobody knows is
// taken for a remote one: 40 files written behind FUSE raised none, and adding
// the watch gave no error.
func hinting(watch, kind string) bool {
	return watch == "notify" || watch == "auto" && hintsWork[kind]
}

// cacheGuard is how long a file of unknown format must be quiet: longer than
// the file system may show old attributes.
func cacheGuard(kind, options string) time.Duration {
	const margin = 2 * time.Second
	switch {
	case hintsWork[kind]:
		return margin
	case kind == "nfs":
		return mountSeconds(options, 60, "acregmax", "actimeo") + margin
	case kind == "cifs":
		return mountSeconds(options, 1, "acregmax", "actimeo") + margin
	case kind == "fuse":
		return 20*time.Second + margin // sshfs keeps attributes that long
	}
	return time.Minute + margin
}

// mountSeconds reads the greatest of the named options; otherwise is its
// default in seconds.
func mountSeconds(options string, otherwise int, names ...string) time.Duration {
	found := -1
	for option := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(option, "=")
		for _, name := range names {
			if n, err := strconv.Atoi(value); err == nil && key == name {
				found = max(found, n)
			}
		}
	}
	if found < 0 {
		found = otherwise
	}
	return time.Duration(found) * time.Second
}
