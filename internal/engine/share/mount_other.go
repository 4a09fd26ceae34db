//go:build unix && !linux

package share

import "golang.org/x/sys/unix"

// fileSystem fills in what statfs says. Its type stays unknown, so that it is
// taken for a remote one.
func (v *survey) fileSystem(fd int) error {
	var st unix.Statfs_t
	if _, err := retry(func() (int, error) { return 0, unix.Fstatfs(fd, &st) }); err != nil {
		return err
	}
	v.kind, v.id.fsid = "unknown", st.Fsid.Val
	v.readOnly = st.Flags&unix.MNT_RDONLY != 0
	v.free = int64(st.Bavail) * int64(st.Bsize)
	return nil
}

// freeSpace is what an ordinary user may still write there, in bytes.
func freeSpace(fd int) (int64, error) {
	var st unix.Statfs_t
	_, err := retry(func() (int, error) { return 0, unix.Fstatfs(fd, &st) })
	return int64(st.Bavail) * int64(st.Bsize), err
}
