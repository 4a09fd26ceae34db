package share

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

// classify turns a trouble with a disk into what a person sees. verb and path
// say what was tried.
func (s *Share) classify(verb, path string, err error) *job.Error {
	var known *job.Error
	var hostile errHostile
	shown := job.Path(path).String()
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &hostile):
		return errHostileSource(shown, hostile)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return &job.Error{Code: "disk_full", Class: job.Unavailable, Transient: true,
			Message: fmt.Sprintf("%s %s: %v", verb, shown, cause(err)), Hint: "free some space; the copy is tried again by itself"}
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
		return &job.Error{Code: "not_writable", Class: job.Unavailable, Transient: true,
			Message: fmt.Sprintf("%s %s: %v for user id %d", verb, shown, cause(err), os.Geteuid()),
			Hint:    `give that user id the right to it; "qmtui doctor" checks all folders`}
	case errors.Is(err, unix.ENOTDIR):
		return errBlocked("on the way to "+shown, "where a folder is needed")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &job.Error{Code: "copy_failed", Class: job.Unavailable, Transient: true,
			Message: fmt.Sprintf("%s %s: interrupted", verb, shown), Hint: "it is tried again by itself"}
	}
	return &job.Error{Code: "copy_failed", Class: job.Internal, Transient: true,
		Message: fmt.Sprintf("%s %s: %v", verb, shown, cause(err)), Hint: `it is tried again by itself; "qmtui doctor" checks the disks`}
}

// cause is the innermost error, without the raw path that a PathError repeats.
func cause(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}

func errHostileSource(path string, what errHostile) *job.Error {
	return &job.Error{Code: "hostile_source", Class: job.Forbidden,
		Message: fmt.Sprintf("%s is %s and is never read", path, string(what)), Hint: "look at it on the share by hand"}
}

// errBlocked is about something that stands in the place of a folder.
func errBlocked(where, why string) *job.Error {
	return &job.Error{Code: "folder_blocked", Class: job.Unavailable, Transient: true,
		Message: fmt.Sprintf("a file stands %s, %s", where, why), Hint: "move it away; what waits for the folder then goes on by itself"}
}

func errNotMounted(why string) *job.Error {
	return &job.Error{Code: "share_not_mounted", Class: job.Unavailable, Message: why, Hint: `run "qmtui doctor"`, Transient: true}
}

func errNotReadable(path string) *job.Error {
	return &job.Error{Code: "not_readable", Class: job.Unavailable, Transient: true,
		Message: fmt.Sprintf("user id %d may not read %s", os.Geteuid(), job.Path(path)),
		Hint:    "let the workers write files that this user id may read"}
}

func errVanished(path string) *job.Error {
	return &job.Error{Code: "source_vanished", Class: job.NotFound,
		Message: fmt.Sprintf("%s is not on the share any more", path), Hint: "render it again"}
}

func errWrittenAgain(path string) *job.Error {
	return &job.Error{Code: "source_vanished", Class: job.NotFound,
		Message: fmt.Sprintf("%s was written again before it was copied", path), Hint: "what stands there now is looked at anew"}
}

func errNotWhole(path, why string) *job.Error {
	return &job.Error{Code: "not_whole", Class: job.Conflict, Transient: true,
		Message: fmt.Sprintf("%s %s", path, why), Hint: "it is looked at again"}
}

func errDestTaken(dest string) *job.Error {
	return &job.Error{Code: "dest_taken", Class: job.Conflict,
		Message: fmt.Sprintf("another file stands at %s", job.Path(dest)), Hint: "another name is chosen"}
}

func errBusy(what string) *job.Error {
	return &job.Error{Code: "share_stalled", Class: job.Unavailable, Transient: true,
		Message: what + ": an earlier try is still under way", Hint: "it is tried again by itself; if that goes on, see that the mount answers"}
}

func errStalled(what string, after time.Duration) *job.Error {
	return &job.Error{Code: "share_stalled", Class: job.Unavailable, Transient: true,
		Message: fmt.Sprintf("%s: the disk has not answered for %v", what, after), Hint: `see that the mount answers; "qmtui doctor" names it`}
}
