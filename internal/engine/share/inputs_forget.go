package share

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/comfy"
)

// ForgetInputs removes everything that was staged for a user, and the folders
// that are empty then, and returns how many files that were. With dryRun it
// counts them. The user's own files are not touched. It may be repeated; the
// error is a *job.Error.
func (s *Share) ForgetInputs(ctx context.Context, user string, dryRun bool) (int, error) {
	work := task{name: "remove the staged inputs of a user", stall: copyStall * s.opt.Stall}
	n, err := errand(ctx, s, work, func(p *pulse) (int, error) {
		root, err := s.openInputs()
		if err != nil {
			return 0, err
		}
		root.Close()
		t := &tidying{s: s, ctx: ctx, pulse: p, before: time.Unix(1<<40, 0), count: dryRun}
		for _, top := range []string{comfy.Root, path.Join("3d", comfy.Root)} {
			err := t.top(path.Join(top, user))
			if err == nil && !dryRun {
				err = s.removeEmpty(top, user)
			}
			if err != nil {
				return t.removed, err
			}
		}
		return t.removed, nil
	}, nil)
	if err != nil {
		return n, s.classify("remove staged inputs from", s.opt.Inputs, err)
	}
	return n, nil
}

// removeEmpty removes a folder below the workers' input folder if nothing is in it.
func (s *Share) removeEmpty(below, name string) error {
	d, err := openFolder(s.opt.Inputs, below)
	if errors.Is(err, fs.ErrNotExist) || notFolder(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.close()
	_, err = retry(func() (int, error) { return 0, unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR) })
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	return err
}
