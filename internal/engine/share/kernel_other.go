//go:build unix && !linux

package share

import (
	"os"

	"golang.org/x/sys/unix"
)

// copyRange is not to be had here: the bytes are pumped.
func copyRange(dst, src *os.File, off int64) (int64, error) { return 0, unix.ENOTSUP }

// exchangeNames is not to be had here: one name is moved away first.
func exchangeNames(fd int, a, b string) error { return unix.ENOTSUP }

// renameNoReplace is not to be had here: a link and an unlink do.
func renameNoReplace(fd int, from, to string) error { return unix.ENOTSUP }
