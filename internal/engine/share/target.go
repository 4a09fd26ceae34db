package share

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

// target is the folder of a user that a file is copied into, opened so that
// nothing in it leads out of the user's own.
type target struct {
	root *os.Root // the folder itself
	dir  *os.File // the same, to sync it and to rename in it
	dev  uint64
	name string // the file's final name
}

// openTarget makes the folders that are missing, durably, and opens the last.
func (s *Share) openTarget(t job.Transfer) (*target, error) {
	if err := s.makeUser(t.User); err != nil {
		return nil, err
	}
	user, err := s.userRoot(t.User)
	if err != nil {
		return nil, err
	}
	defer user.Close()
	folder, name := path.Split(t.Dest)
	folder = strings.Trim(folder, "/")
	for i := range len(folder) + 1 {
		if i == len(folder) && i > 0 || i < len(folder) && folder[i] == '/' {
			if err := s.makeFolder(user, folder[:i]); err != nil {
				return nil, err
			}
		}
	}
	root, err := user.OpenRoot(orDot(folder))
	if err != nil {
		return nil, err
	}
	return newTarget(root, name)
}

func newTarget(root *os.Root, name string) (*target, error) {
	dir, err := root.Open(".")
	if err != nil {
		root.Close()
		return nil, err
	}
	to := &target{root: root, dir: dir, name: name}
	var st unix.Stat_t
	if err := fstat(dir, &st); err != nil {
		to.close()
		return nil, err
	}
	to.dev = uint64(st.Dev)
	return to, nil
}

func (to *target) close() {
	to.dir.Close()
	to.root.Close()
}

// makeUser makes a user's folder; never the folder of all users, which is
// missing when its disk is not mounted.
func (s *Share) makeUser(user string) error {
	if err := job.CheckUser(user); err != nil {
		return err
	}
	users, err := os.OpenRoot(s.opt.Users)
	if errors.Is(err, fs.ErrNotExist) {
		return s.usersThere()
	}
	if err != nil {
		return err
	}
	defer users.Close()
	return s.makeFolder(users, user)
}

// makeFolder makes name in root unless it is there, and sees to it that its
// entry is durable: once for each folder, since an earlier process may have
// died between making and syncing.
func (s *Share) makeFolder(root *os.Root, name string) error {
	err := root.Mkdir(name, s.opt.DirMode.Perm())
	made := err == nil
	if made {
		err = tolerate(root.Chmod(name, s.opt.DirMode.Perm()))
	} else if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err != nil {
		return err
	}
	child, err := openSub(root, name)
	if err != nil {
		return err
	}
	defer child.Close()
	var st unix.Stat_t
	if err := fstat(child, &st); err != nil || !made && s.isSynced(inodeOf(&st)) {
		return err
	}
	parent, err := root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer parent.Close()
	if err := syncFolder(parent); err != nil {
		return err
	}
	s.noteSynced(inodeOf(&st))
	return nil
}

// openSub opens a folder below root; what else stands there is told with its
// place, for somebody has to move it.
func openSub(root *os.Root, name string) (*os.File, error) {
	if err := blocked(root, name, nil); err != nil {
		return nil, err
	}
	return root.Open(name)
}

// blocked is errBlocked where something else than a folder stands at name,
// otherwise err. Asked for a root, os itself does not say so by a number.
func blocked(root *os.Root, name string, err error) error {
	if st, e := root.Stat(name); errors.Is(e, unix.ENOTDIR) || e == nil && !st.IsDir() {
		return errBlocked("at "+job.Path(path.Join(root.Name(), name)).String(), "in the place of a folder")
	}
	return err
}

// rememberedFolders bounds the memory of folders that are known to be durable.
const rememberedFolders = 10_000

func (s *Share) isSynced(id inode) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.synced[id]
}

func (s *Share) noteSynced(id inode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.synced) >= rememberedFolders {
		clear(s.synced)
	}
	s.synced[id] = true
}

// syncFolder makes the entries of a folder durable. File systems that have no
// such thing say EINVAL.
func syncFolder(dir *os.File) error {
	if err := dir.Sync(); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) {
		return err
	}
	return nil
}

// tolerate forgives a file system that has no permissions to set.
func tolerate(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}

func (to *target) sync() error { return syncFolder(to.dir) }

// remove is for our own temporary file; one that is not there is no error.
func (to *target) remove(name string) error {
	if err := to.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (to *target) create(name string) (*os.File, error) {
	return to.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
}

// openFinal opens what stands at the final name; see open.
func (to *target) openFinal() (*os.File, error) { return to.open(to.name) }

// open opens what stands under a name in the folder; nil for something that is
// no regular file.
func (to *target) open(name string) (*os.File, error) {
	st, err := to.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, nil
	}
	return to.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
}

// publish gives the temporary file its final name, replacing nothing: the
// error is EEXIST when something stands there.
func (to *target) publish(temporary string) error { return to.publishAs(temporary, to.name) }

// publishAs is publish under another name.
func (to *target) publishAs(temporary, name string) error {
	fd := int(to.dir.Fd())
	err := renameNoReplace(fd, temporary, name)
	if notSupported(err) {
		err = linkAndRemove(fd, temporary, name)
	}
	return wrapRename(temporary, name, err)
}

// linkAndRemove is the way for file systems that cannot rename without
// replacing. A crash between leaves two names of one whole file; the next try
// removes the temporary one.
func linkAndRemove(fd int, temporary, name string) error {
	if _, err := retry(func() (int, error) { return 0, unix.Linkat(fd, temporary, fd, name, 0) }); err != nil {
		return err
	}
	_, err := retry(func() (int, error) { return 0, unix.Unlinkat(fd, temporary, 0) })
	return err
}

func wrapRename(from, to string, err error) error {
	if err == nil {
		return nil
	}
	return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
}
