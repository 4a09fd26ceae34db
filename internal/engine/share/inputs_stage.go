package share

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

// stagingFile is one file on its way to the workers, owned by its errand's goroutine.
type stagingFile struct {
	s     *Share
	ctx   context.Context
	pulse *pulse
	user  string
	in    job.Input
	name  string // below the workers' input folder

	root *os.Root // of the workers' input folder
	src  *os.File
	to   *target
	tmp  *os.File
}

func (g *stagingFile) close() {
	for _, f := range []*os.File{g.src, g.tmp} {
		if f != nil {
			f.Close()
		}
	}
	if g.to != nil {
		g.to.close()
	}
	if g.root != nil {
		g.root.Close()
	}
}

func (g *stagingFile) run() error {
	if err := g.step("inputs", g.openRoot); err != nil {
		return err
	}
	if there, err := g.there(); err != nil || there {
		return err
	}
	steps := []stagingStep{
		{"input source", g.openSource}, {"input folder", g.openFolder}, {"input stale", g.removeTemporary}, {"input reserve", g.reserve},
		{"input create", g.create}, {"input bytes", g.bytes}, {"input sync", g.sync}, {"input publish", g.publish},
		{"input folder sync", func() error { return g.to.sync() }}, {"input finished", func() error { return nil }},
	}
	for _, st := range steps {
		if err := g.step(st.name, st.do); err != nil {
			if g.to != nil {
				_ = g.removeTemporary()
			}
			return err
		}
	}
	return nil
}

type stagingStep struct {
	name string
	do   func() error
}

func (g *stagingFile) step(name string, do func() error) error {
	if err := g.ctx.Err(); err != nil {
		return err
	}
	if err := g.s.at(name); err != nil {
		return err
	}
	g.pulse.beat()
	return do()
}

// openRoot opens the workers' input folder, if it is what it should be: a bare
// mount point would take the file and show it to nobody.
func (g *stagingFile) openRoot() error {
	if _, err := g.s.prove(); err != nil {
		return err
	}
	var err error
	g.root, err = g.s.openInputs()
	return err
}

func (s *Share) openInputs() (*os.Root, error) {
	root, err := os.OpenRoot(s.opt.Inputs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errInputsAway(s.opt.Inputs + " does not exist")
	}
	if err != nil {
		return nil, err
	}
	if s.opt.RequireMount && device(s.opt.Inputs) == device("/") {
		root.Close()
		return nil, errInputsAway(s.opt.Inputs + " is not a mount point")
	}
	return root, nil
}

// there reports a file that was staged before, and marks it as used now. What
// else stands there is in the way of nobody but us, and goes.
func (g *stagingFile) there() (bool, error) {
	g.s.stagedMu.Lock()
	defer g.s.stagedMu.Unlock()
	st, err := g.root.Lstat(g.name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if st.Mode().IsRegular() && st.Size() == g.in.Size {
		now := g.s.opt.Now()
		return true, tolerate(g.root.Chtimes(g.name, now, now))
	}
	g.s.log.Warn("a staged input is not what was staged, and is staged anew", "name", g.name, "size", st.Size(), "mode", st.Mode())
	return false, g.root.Remove(g.name)
}

func (g *stagingFile) openSource() error {
	var err error
	g.src, err = g.s.openInput(g.user, g.in)
	return err
}

func (g *stagingFile) openFolder() error {
	folder, name := path.Split(g.name)
	folder = path.Clean(folder)
	for i := range len(folder) + 1 {
		if i == len(folder) || folder[i] == '/' {
			if err := g.s.makeFolder(g.root, folder[:i]); err != nil {
				return err
			}
		}
	}
	root, err := g.root.OpenRoot(folder)
	if err != nil {
		return err
	}
	g.to, err = newTarget(root, name)
	return err
}

// temporary is the same for every try, so that the next one removes what a
// crash has left.
func (g *stagingFile) temporary() string { return ".qmtui-" + g.in.Sum[:16] + ".part" }

func (g *stagingFile) removeTemporary() error { return g.to.remove(g.temporary()) }

func (g *stagingFile) reserve() error { return g.s.room(g.to.dir, g.in.Size) }

func (g *stagingFile) create() error {
	var err error
	g.tmp, err = g.to.create(g.temporary())
	return err
}

// bytes copies, and believes only the bytes that were meant.
func (g *stagingFile) bytes() error {
	h, size := sha256.New(), int64(0)
	if err := pump(g.ctx, g.pulse, io.MultiWriter(g.tmp, h, (*counter)(&size)), g.src); err != nil {
		return err
	}
	if size != g.in.Size || hex.EncodeToString(h.Sum(nil)) != g.in.Sum {
		return faultChanged
	}
	return nil
}

func (g *stagingFile) sync() error {
	if err := tolerate(g.tmp.Chmod(g.s.opt.FileMode.Perm() | 0o444)); err != nil { // the workers are somebody else
		return err
	}
	if err := g.tmp.Sync(); err != nil {
		return err
	}
	err := g.tmp.Close()
	g.tmp = nil
	return err
}

func (g *stagingFile) publish() error {
	err := g.to.publish(g.temporary())
	if errors.Is(err, unix.EEXIST) {
		return g.removeTemporary() // the name says which bytes those are
	}
	return err
}

func errInputsAway(why string) *job.Error {
	return &job.Error{Code: "inputs_not_mounted", Class: job.Unavailable, Transient: true, Message: "share.inputs: " + why,
		Hint: `mount it; what waits for it goes on by itself. "qmtui doctor" checks all folders`}
}

// inputPath is where a user's file stands below dir, which has the folders of all users.
func (s *Share) inputPath(user string, in job.Input) (dir, below string) {
	switch in.Base {
	case "output":
		return s.opt.Users, belowUser(s.opt.Subfolder, user, in.Path)
	case "temp":
		return s.opt.UserInputs, path.Join(TempFolder, in.Path)
	}
	return s.opt.UserInputs, in.Path
}

// TempFolder is the sub-folder of a user's uploads for those of type temp.
const TempFolder = "temp"

// belowUser is the path without what users' pages put before it.
func belowUser(subfolder, user, p string) string {
	prefix := path.Clean("/" + expand(subfolder, user))[1:]
	if rest, ok := cutFolder(p, prefix); ok {
		return rest
	}
	return p
}

// openInput opens a user's own file for reading. The error is an inputFault
// when it cannot be had.
func (s *Share) openInput(user string, in job.Input) (*os.File, error) {
	dir, below := s.inputPath(user, in)
	if _, err := os.Stat(dir); err != nil {
		return nil, errUsersAway(dir, err)
	}
	root, err := openUser(dir, user)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, faultMissing
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(filepath.FromSlash(below), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if other := otherForm(root, below); other != "" {
			f, err = root.OpenFile(filepath.FromSlash(other), os.O_RDONLY|unix.O_NONBLOCK, 0)
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return nil, faultMissing
	case errors.Is(err, fs.ErrPermission):
		return nil, errNotReadable(path.Join(dir, user, below))
	case err != nil && (escapes(err) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO)):
		return nil, faultHostile
	case err != nil:
		return nil, err
	}
	var st unix.Stat_t
	if err := fstat(f, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		f.Close()
		return nil, cmpFault(err)
	}
	if st.Nlink > 1 && in.Base != "output" { // outputs are what we delivered
		f.Close()
		return nil, faultLinked
	}
	return f, nil
}
