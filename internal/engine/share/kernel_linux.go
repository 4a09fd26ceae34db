package share

import (
	"os"

	"golang.org/x/sys/unix"
)

// copyRange lets the kernel copy the next bytes of src from off on to the same
// place of dst; zero at the end.
func copyRange(dst, src *os.File, off int64) (int64, error) {
	from, to := off, off
	n, err := retry(func() (int, error) {
		return unix.CopyFileRange(int(src.Fd()), &from, int(dst.Fd()), &to, rangeChunk, 0)
	})
	return int64(n), err
}

// exchangeNames exchanges two names in one step.
func exchangeNames(fd int, a, b string) error {
	_, err := retry(func() (int, error) { return 0, unix.Renameat2(fd, a, fd, b, unix.RENAME_EXCHANGE) })
	return err
}

func renameNoReplace(fd int, from, to string) error {
	_, err := retry(func() (int, error) { return 0, unix.Renameat2(fd, from, fd, to, unix.RENAME_NOREPLACE) })
	return err
}
