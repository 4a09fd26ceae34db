package store

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

var errClosed = &job.Error{Code: "state_closed", Class: job.Unavailable, Message: "the ledger is closed", Hint: "the manager is stopping; try again when it is back"}

// trouble wraps an error of the disk with the verb, and gives those that
// people can mend a code. It returns nil for nil.
func trouble(verb string, err error) error {
	var e *job.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return err
	case diskFull(err):
		return &job.Error{Code: "disk_full", Class: job.Unavailable, Transient: true,
			Message: fmt.Sprintf("cannot %s: %v", verb, err), Hint: "free space on the disk of state.dir; nothing was recorded"}
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
		return &job.Error{Code: "state_not_writable", Class: job.Unavailable,
			Message: fmt.Sprintf("cannot %s: %v", verb, err), Hint: "give this user the folder of state.dir"}
	}
	return fmt.Errorf("%s: %w", verb, err)
}

// diskFull also reads the text, because bbolt drops the number when it cannot
// grow the file (bbolt 1.5.0, DB.grow).
func diskFull(err error) bool {
	for _, errno := range []unix.Errno{unix.ENOSPC, unix.EDQUOT, unix.EFBIG} {
		if errors.Is(err, errno) || strings.Contains(err.Error(), errno.Error()) {
			return true
		}
	}
	return false
}
