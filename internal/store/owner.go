package store

import (
	"os"
	"syscall"
)

// keepOwner gives path the owner of like where root made it: what an admin
// does beside a stopped manager must not shut out the manager's user. Others
// own what they make anyway.
func keepOwner(path, like string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(like)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Lchown(path, int(st.Uid), int(st.Gid))
}
