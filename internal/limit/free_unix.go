//go:build linux || darwin

package limit

import "golang.org/x/sys/unix"

// freeSpace is what an ordinary user may still write there, in bytes. It may
// hang as the mount does.
func freeSpace(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
