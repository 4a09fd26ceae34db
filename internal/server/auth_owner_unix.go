//go:build unix

package server

import (
	"io/fs"
	"os"
	"syscall"
)

// copyOwner gives f the owner of the file like, as far as we may.
func copyOwner(f *os.File, like string) {
	info, err := os.Stat(like)
	if err != nil {
		return
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(st.Uid), int(st.Gid)) // only root may
	}
}

func ownedByRoot(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Uid == 0
}

// hardLinks is how many names a file has.
func hardLinks(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink)
	}
	return 1
}
