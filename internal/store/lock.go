package store

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

const lockName = "qmtui.lock"

// lockFile is the claim of this process on the state folder. The file is never
// unlinked: between an unlink and a new file two processes could each hold one.
type lockFile struct{ f *os.File }

// holder is what the lock file says of the process that has it.
type holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Start time.Time `json:"start"`
}

// takeLock waits up to timeout; the error names the holder.
func takeLock(path string, timeout time.Duration, now func() time.Time) (*lockFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, trouble("open the lock", err)
	}
	if err := keepOwner(path, filepath.Dir(path)); err != nil {
		return nil, errors.Join(trouble("give the lock to the folder's owner", err), f.Close())
	}
	if err := waitLock(f, timeout); err != nil {
		defer f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, heldBy(path, f)
		}
		return nil, trouble("lock the state folder", err)
	}
	l := &lockFile{f}
	if err := l.sign(now()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

func waitLock(f *os.File, timeout time.Duration) error {
	until := time.Now().Add(timeout)
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(until) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// sign writes who holds the lock, for the error of the next process.
func (l *lockFile) sign(now time.Time) error {
	host, _ := os.Hostname()
	b, err := json.Marshal(holder{os.Getpid(), cmp.Or(host, "this host"), now.UTC()})
	if err != nil {
		return fmt.Errorf("sign the lock: %w", err)
	}
	if err := l.f.Truncate(0); err != nil {
		return trouble("sign the lock", err)
	}
	if _, err := l.f.WriteAt(append(b, '\n'), 0); err != nil {
		return trouble("sign the lock", err)
	}
	return nil
}

func heldBy(path string, f *os.File) error {
	var h holder
	who := "another process"
	if b, err := io.ReadAll(io.LimitReader(f, 4096)); err == nil && json.Unmarshal(b, &h) == nil && h.PID != 0 {
		who = fmt.Sprintf("process %d on %s since %s", h.PID, h.Host, h.Start.Format(time.RFC3339))
	}
	return &job.Error{Code: "state_locked", Class: job.Conflict,
		Message: path + " is held by " + who, Hint: "stop it or use its socket"}
}

// release gives the lock back by closing the file.
func (l *lockFile) release() error {
	if err := l.f.Close(); err != nil {
		return fmt.Errorf("release the lock: %w", err)
	}
	return nil
}
