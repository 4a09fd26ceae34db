package server

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// maxAuthFile bounds the files of the login, in bytes.
const maxAuthFile = 4 << 20

// settled is how old a file's time must be, when it is read, to show the next
// change: clocks of file systems are coarse.
const settled = 2 * time.Second

// reread holds what a file says, and reads it again when it changed. A file
// that cannot be read says nothing: then nobody is let in by it. It may be
// used from any goroutine.
type reread[T any] struct {
	path  string
	parse func([]byte) (T, error) // may return both; nil bytes when there is no file
	fail  func(error)             // told once a change

	mu    sync.Mutex
	value T
	err   error
	seen  signature
	fresh bool // seen is to be trusted
}

// signature changes with a file.
type signature struct {
	info fs.FileInfo
	size int64
	at   time.Time
}

func (s signature) equal(o signature) bool {
	same := s.info == nil && o.info == nil || s.info != nil && o.info != nil && os.SameFile(s.info, o.info)
	return same && s.size == o.size && s.at.Equal(o.at) && (s.info == nil || s.info.Mode() == o.info.Mode())
}

// get is what the file says now, and what is wrong with it.
func (f *reread[T]) get() (T, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := sign(f.path)
	if f.fresh && now.equal(f.seen) {
		return f.value, f.err
	}
	changed := !now.equal(f.seen)
	f.seen, f.fresh = now, time.Since(now.at) > settled
	raw, err := readAuthFile(f.path)
	if err != nil {
		var none T
		f.value, f.err = none, err
	} else {
		f.value, f.err = f.parse(raw)
	}
	if f.err != nil && changed && f.fail != nil {
		f.fail(f.err)
	}
	return f.value, f.err
}

func sign(path string) signature {
	info, err := os.Stat(path)
	if err != nil {
		return signature{}
	}
	return signature{info, info.Size(), info.ModTime()}
}

// readAuthFile reads a file whole; nil for one that is not there. One that
// everybody may write to, or put another in the place of, is refused.
func readAuthFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s is not a plain file", path), err)
	}
	if err := onlyOurs(path, info); err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxAuthFile+1))
	if len(raw) > maxAuthFile {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxAuthFile)
	}
	return raw, err
}

// onlyOurs refuses a file of the login that everybody may write to, or whose
// folder lets everybody put another file in its place.
func onlyOurs(path string, info fs.FileInfo) error {
	const everybody = 0o002
	if runtime.GOOS == "windows" {
		return nil
	}
	if info.Mode().Perm()&everybody != 0 {
		return authFileOpen(path, info.Mode().Perm(), "chmod o-w "+path+", and look whether its content is still yours")
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	dir := filepath.Dir(path)
	if d, err := os.Stat(dir); err == nil && d.Mode().Perm()&everybody != 0 && d.Mode()&fs.ModeSticky == 0 {
		return authFileOpen(dir, d.Mode().Perm(), "chmod o-w "+dir+", and look whether the content of "+path+" is still yours")
	}
	return nil
}

func authFileOpen(path string, mode fs.FileMode, hint string) error {
	return &job.Error{Code: "auth_file_open", Class: job.Invalid, Message: fmt.Sprintf("everybody may write to %s (mode %04o), and so let themselves in", path, mode), Hint: hint}
}

// isOpen reports an error of onlyOurs, which says itself what to do.
func isOpen(err error) bool {
	var e *job.Error
	return errors.As(err, &e) && e.Code == "auth_file_open"
}
