package server

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/comfyume/qmtui/internal/job"
)

// tempFolder is the sub-folder of a user's uploads for those of type temp: the
// engine looks for them there.
const tempFolder = "temp"

// openUser opens the user's folder below dir, beyond which nothing in it can
// lead. It must be a real folder: through a link of that name one user would
// have another's.
func openUser(dir, user string) (*os.Root, error) {
	base, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer base.Close()
	root, err := base.OpenRoot(user)
	if link, lerr := base.Lstat(user); lerr == nil && link.Mode()&fs.ModeSymlink != 0 {
		err = errors.Join(err, &job.Error{Code: "folder_blocked", Class: job.Conflict, Message: "the folder of " + user + " is a symbolic link", Hint: "an admin puts a real folder in its place"})
	}
	if err != nil {
		if root != nil {
			root.Close()
		}
		return nil, err
	}
	return root, nil
}

// openUpload opens a regular file of the user's uploads; kind is input or temp.
// What is not there, or not for showing, is fs.ErrNotExist.
func (s *Server) openUpload(user, kind, name string) (File, error) {
	if kind == tempFolder {
		name = path.Join(tempFolder, name)
	}
	if s.opts.Inputs == "" || !fs.ValidPath(name) || strings.HasPrefix(name, ".") || strings.Contains(name, "/.") {
		return nil, fs.ErrNotExist
	}
	root, err := openUser(s.opts.Inputs, user)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, errors.Join(fs.ErrNotExist, err) // also a link that leads out
	}
	// A file with several names may be another's that somebody linked to.
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() || hardLinks(st) > 1 {
		f.Close()
		return nil, errors.Join(fs.ErrNotExist, err)
	}
	return f, nil
}

// openFaceFile opens a file of the user of the face, by the type that ComfyUI
// has for its folder. The error is fs.ErrNotExist for what is not there.
func (s *Server) openFaceFile(user, kind, name string) (File, error) {
	if kind != "output" {
		return s.openUpload(user, kind, name)
	}
	f, err := s.svc.Delivered(user, name)
	if err != nil && job.AsError(err).Class == job.NotFound {
		return nil, fs.ErrNotExist
	}
	return f, err
}

// notThere answers as ComfyUI does for a file that is not there.
func notThere(w http.ResponseWriter, status int) error {
	bound(w)
	w.WriteHeader(status)
	return nil
}

// maxOffered bounds how many files a page is offered to choose from.
const maxOffered = 5000

// uploads lists the user's files at the top of the own folder and below 3d, as
// far as they may be had; none when the folder cannot be read.
func (s *Server) uploads(user string) []string {
	root, err := openUser(s.opts.Inputs, user)
	if err != nil {
		return nil
	}
	defer root.Close()
	var all []string
	// What cannot be read is not offered.
	_ = fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || len(all) >= maxOffered:
			return fs.SkipDir
		case p != "." && strings.HasPrefix(d.Name(), "."), d.IsDir() && p != "." && p != "3d" && !strings.HasPrefix(p, "3d/"):
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.Type().IsRegular():
			all = append(all, p)
		}
		return nil
	})
	return all
}
