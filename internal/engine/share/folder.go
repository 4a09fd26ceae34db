package share

import (
	"errors"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// folder is an opened directory that was reached without following a symbolic
// link. Names are single components.
type folder struct{ fd int }

// inode names a file for as long as it lives.
type inode struct{ dev, ino uint64 }

const openFolderFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC | unix.O_NONBLOCK

// openFolder opens rel below root, component by component. Links above and in
// root itself are the admin's and are followed.
func openFolder(root, rel string) (*folder, error) {
	fd, err := retry(func() (int, error) { return unix.Open(root, openFolderFlags, 0) })
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: root, Err: err}
	}
	d := &folder{fd}
	for name := range strings.SplitSeq(rel, "/") {
		if name == "" {
			continue
		}
		next, err := d.folder(name)
		d.close()
		if err != nil {
			return nil, err
		}
		d = next
	}
	return d, nil
}

// folder opens a sub-folder; a link is ENOTDIR or ELOOP.
func (d *folder) folder(name string) (*folder, error) {
	if err := component(name); err != nil {
		return nil, err
	}
	fd, err := retry(func() (int, error) {
		return unix.Openat(d.fd, name, openFolderFlags|unix.O_NOFOLLOW, 0)
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return &folder{fd}, nil
}

// component refuses what is not one name in this folder.
func component(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return &os.PathError{Op: "open", Path: name, Err: errHostile("not a plain name")}
	}
	return nil
}

func (d *folder) close() { _ = unix.Close(d.fd) }

// direntBuffer is large, because on a network share each call costs a trip.
const direntBuffer = 256 << 10

var direntBuffers = sync.Pool{New: func() any { return new([direntBuffer]byte) }}

// names lists at most limit names; more reports that some were left out.
func (d *folder) names(limit int) (names []string, more bool, err error) {
	buf := direntBuffers.Get().(*[direntBuffer]byte)
	defer direntBuffers.Put(buf)
	for {
		n, err := retry(func() (int, error) { return unix.ReadDirent(d.fd, buf[:]) })
		if err != nil || n <= 0 {
			return names, false, err
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
		if len(names) > limit {
			return names[:limit], true, nil
		}
	}
}

// stat says what stands under name, without following it.
func (d *folder) stat(name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	if err := component(name); err != nil {
		return st, err
	}
	_, err := retry(func() (int, error) {
		return 0, unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	})
	if err != nil {
		return st, &os.PathError{Op: "stat", Path: name, Err: err}
	}
	return st, nil
}

// file opens a regular file with one link for reading. What is anything else
// is errHostile and was not opened, or at most without an effect.
func (d *folder) file(name string) (*os.File, unix.Stat_t, error) {
	st, err := d.stat(name)
	if err != nil {
		return nil, st, err
	}
	if err := regular(&st); err != nil {
		return nil, st, err
	}
	fd, err := retry(func() (int, error) {
		return unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	})
	if errors.Is(err, unix.ELOOP) {
		return nil, st, errHostile("a symbolic link")
	}
	if err != nil {
		return nil, st, &os.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	if err = fstat(f, &st); err == nil {
		err = regular(&st)
	}
	if err != nil {
		f.Close()
		return nil, st, err
	}
	return f, st, nil
}

func fstat(f *os.File, st *unix.Stat_t) error {
	_, err := retry(func() (int, error) { return 0, unix.Fstat(int(f.Fd()), st) })
	if err != nil {
		return &os.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	return nil
}

// regular is nil for a regular file with one link, else an errHostile that
// says what it is.
func regular(st *unix.Stat_t) error {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		if st.Nlink > 1 {
			return errHostile("a file with several hard links")
		}
		return nil
	case unix.S_IFLNK:
		return errHostile("a symbolic link")
	case unix.S_IFIFO:
		return errHostile("a named pipe")
	case unix.S_IFSOCK:
		return errHostile("a socket")
	case unix.S_IFCHR, unix.S_IFBLK:
		return errHostile("a device")
	}
	return errHostile("not a regular file")
}

func isFolder(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFDIR }

// errHostile says in words what was found in place of a file.
type errHostile string

func (e errHostile) Error() string { return string(e) }

// retry repeats a call that a signal interrupted, as FUSE and NFS let happen.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
