package server

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/comfyume/qmtui/internal/job"
)

// rewrite changes a small file as a whole, or not at all: whoever reads it
// meanwhile, or after a crash, finds the old text or the new one. A new file
// has mode 0600; an old one keeps its mode. Both keep the owner, of the file or
// else of its folder; where that is root and nobody else may read the file, they
// get the owner of the folder state, who is the manager's user.
func rewrite(path, state string, change func(old []byte) ([]byte, error)) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	old, err := readAuthFile(path)
	if err != nil {
		return unwritableAuth(path, err)
	}
	text, err := change(bytes.Clone(old))
	if err != nil {
		return err
	}
	temp, err := writeBeside(path, state, text)
	if err != nil {
		return unwritableAuth(path, err)
	}
	defer os.Remove(temp)
	if now, err := readAuthFile(path); err != nil || !bytes.Equal(now, old) || (now == nil) != (old == nil) {
		return &job.Error{Code: "file_changed", Class: job.Conflict, Message: path + " was changed by somebody else meanwhile", Hint: "try again"}
	}
	if err := os.Rename(temp, path); err != nil {
		return unwritableAuth(path, err)
	}
	return syncFolder(filepath.Dir(path))
}

// writeBeside writes a temporary file that is ready to take path's place.
func writeBeside(path, state string, text []byte) (name string, err error) {
	mode, like := fs.FileMode(0o600), filepath.Dir(path)
	if info, err := os.Stat(path); err == nil {
		mode, like = info.Mode().Perm(), path
	}
	if state != "" && ownedByRoot(like) && mode&0o077 == 0 {
		like = state
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".qmtui-*.part")
	if err != nil {
		return "", err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(text); err != nil {
		return "", err
	}
	copyOwner(f, like) // first: a change of owner may clear bits of the mode
	if err := f.Chmod(mode); err != nil {
		return "", err
	}
	return f.Name(), f.Sync()
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}

func unwritableAuth(path string, err error) error {
	if isOpen(err) {
		return err
	}
	return &job.Error{Code: "auth_file_unwritable", Class: job.Unavailable, Message: fmt.Sprintf("cannot write %s: %v", path, err),
		Hint: "run as the manager's user, and check the folder's permissions and free space"}
}
