package share

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

// OpenSource reads a file on the share; the caller closes it. Only a regular
// file with one name is opened, through no link. The error is a *job.Error.
func (s *Share) OpenSource(p job.Path) (File, error) {
	work := task{name: "open a file of the share", limit: readers}
	f, err := errand(context.Background(), s, work, func(*pulse) (*os.File, error) {
		c := &copying{s: s, t: job.Transfer{Source: p}}
		if err := s.at("open source"); err != nil {
			return nil, err
		}
		err := c.openSource()
		return c.src, err
	}, func(f *os.File) { f.Close() })
	if err != nil {
		return nil, s.classify("open", filepath.Join(s.opt.Outputs, string(p)), err)
	}
	return f, nil
}

// TakeBack removes what Copy made at t.Dest with that checksum. It removes
// nothing but that: with not_taken_back the file there has changed, or the
// share does not hold the same bytes any more, so that it would be the last
// copy. A file that is gone already is no error. After a crash at any point the
// same call ends the same way.
func (s *Share) TakeBack(ctx context.Context, t job.Transfer, checksum string) error {
	work := task{name: "take back " + t.Source.String(), stall: copyStall * s.opt.Stall}
	_, err := errand(ctx, s, work, func(p *pulse) (struct{}, error) {
		c := &copying{s: s, ctx: ctx, t: t, pulse: p}
		defer c.close()
		return struct{}{}, c.takeBack(checksum)
	}, nil)
	if err != nil {
		return s.classify("take back", filepath.Join(s.opt.Users, t.User, t.Dest), err)
	}
	return nil
}

func (c *copying) takeBack(checksum string) error {
	if err := c.step("check", c.check); err != nil {
		return err
	}
	err := c.step("source", c.openSource)
	if e := job.AsError(err); err != nil && e.Code != "source_vanished" {
		return err
	}
	if err != nil || !c.holds(c.src, checksum) {
		return errNotTakenBack("the share does not hold the file as it was delivered any more, so the user's copy stays", "leave it to the user")
	}
	if c.to, err = c.s.deliveredFolder(c.t); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	f, err := c.to.openFinal()
	if errors.Is(err, fs.ErrNotExist) { // also after a crash below: what is left is ours
		return c.removeTemporary()
	}
	if err != nil {
		return err
	}
	changed := errNotTakenBack(fmt.Sprintf("%s in the folder of %s is not the file that was delivered any more, so it stays", job.Path(c.t.Dest), c.t.User),
		"ask the user about it")
	if f == nil {
		return changed
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return err
	}
	if !c.holds(f, checksum) {
		return changed
	}
	if err := c.step("stale", c.removeTemporary); err != nil {
		return err
	}
	return c.step("remove", func() error { return c.removeFinal(before, changed) })
}

// holds reports whether all of a file has that checksum.
func (c *copying) holds(f *os.File, checksum string) bool {
	sum, _, err := c.checksum(f)
	return err == nil && fmt.Sprintf("xxh64:%016x", sum) == checksum
}

// removeFinal moves the file to our own temporary name before it removes it:
// only there is it certain that it is the file that was read.
func (c *copying) removeFinal(before fs.FileInfo, changed error) error {
	temporary, fd := temporaryName(c.t.Output), int(c.to.dir.Fd())
	if _, err := retry(func() (int, error) { return 0, unix.Renameat(fd, c.to.name, fd, temporary) }); err != nil {
		return wrapRename(c.to.name, temporary, err)
	}
	now, err := c.to.root.Lstat(temporary)
	if err != nil {
		return err
	}
	if !os.SameFile(before, now) || now.Size() != before.Size() || !now.ModTime().Equal(before.ModTime()) {
		return cmpError(c.to.publish(temporary), job.AsError(changed))
	}
	if err := c.removeTemporary(); err != nil {
		return err
	}
	return c.to.sync()
}

// deliveredFolder opens the folder that a file was delivered into and makes nothing.
func (s *Share) deliveredFolder(t job.Transfer) (*target, error) {
	user, err := s.userRoot(t.User)
	if err != nil {
		return nil, err
	}
	defer user.Close()
	folder, name := path.Split(t.Dest)
	root, err := user.OpenRoot(orDot(strings.Trim(folder, "/")))
	if err != nil {
		return nil, err
	}
	return newTarget(root, name)
}

func errNotTakenBack(message, hint string) *job.Error {
	return &job.Error{Code: "not_taken_back", Class: job.Conflict, Message: message, Hint: hint}
}
