//go:build linux || darwin

package metrics

import "golang.org/x/sys/unix"

// lookRoom asks the file system that path is on. It may hang as the mount does.
func lookRoom(path string) (room, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return room{}, err
	}
	block := int64(st.Bsize)
	r := room{free: int64(st.Bavail) * block, size: int64(st.Blocks) * block, files: int64(st.Ffree)}
	if st.Files == 0 { // btrfs and many network file systems have no bound
		r.files = -1
	}
	return r, nil
}
