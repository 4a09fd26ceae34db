package share

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// Tidy removes staged files that were last used before the given time and are
// not among the live ones, by user, and folders that are empty then. What was
// not staged by Stage is never touched. It stops between two files when ctx
// ends, and returns how many it removed; the error is a *job.Error.
func (s *Share) Tidy(ctx context.Context, before time.Time, live map[string][]job.Input) (int, error) {
	inUse := map[string]bool{}
	for user, files := range live {
		for _, in := range files {
			inUse[stagedName(user, in)] = true
		}
	}
	work := task{name: "tidy the staged inputs", stall: copyStall * s.opt.Stall}
	n, err := errand(ctx, s, work, func(p *pulse) (int, error) {
		root, err := s.openInputs()
		if err != nil {
			return 0, err
		}
		root.Close()
		t := &tidying{s: s, ctx: ctx, pulse: p, before: before, inUse: inUse}
		for _, top := range []string{comfy.Root, path.Join("3d", comfy.Root)} {
			if err := t.top(top); err != nil {
				return t.removed, err
			}
		}
		return t.removed, nil
	}, nil)
	if err != nil {
		return n, s.classify("tidy", s.opt.Inputs, err)
	}
	return n, nil
}

type tidying struct {
	s       *Share
	ctx     context.Context
	pulse   *pulse
	before  time.Time
	inUse   map[string]bool
	count   bool // remove nothing
	removed int
}

// maxStaged bounds what is listed of one folder.
const maxStaged = 100_000

// top looks into one of our folders in the input folder.
func (t *tidying) top(name string) error {
	d, err := openFolder(t.s.opt.Inputs, name)
	if errors.Is(err, fs.ErrNotExist) || notFolder(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.close()
	return t.folder(d, name)
}

// folder looks at everything in d, which has the given name below the input folder.
func (t *tidying) folder(d *folder, name string) error {
	names, _, err := d.names(maxStaged)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := t.ctx.Err(); err != nil {
			return err
		}
		t.pulse.beat()
		if err := t.entry(d, n, path.Join(name, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (t *tidying) entry(d *folder, name, below string) error {
	st, err := d.stat(name)
	if err != nil {
		return err
	}
	if isFolder(&st) {
		child, err := d.folder(name)
		if err != nil {
			return err
		}
		err = t.folder(child, below)
		child.close()
		if err != nil {
			return err
		}
		return t.removeFolder(d, name, below)
	}
	return t.removeFile(d, name, below)
}

// removeFile removes one file, unless it is used meanwhile.
func (t *tidying) removeFile(d *folder, name, below string) error {
	t.s.stagedMu.Lock()
	defer t.s.stagedMu.Unlock()
	st, err := d.stat(name)
	if err != nil || regular(&st) != nil || !modified(&st).Before(t.before) || !ours(name, below) || t.inUse[below] {
		return err
	}
	if t.count {
		t.removed++
		return nil
	}
	if err := t.s.at("tidy"); err != nil {
		return err
	}
	if _, err := retry(func() (int, error) { return 0, unix.Unlinkat(d.fd, name, 0) }); err != nil {
		return err
	}
	t.removed++
	return nil
}

// ours reports a staged file, or what a crash has left of one.
func ours(name, below string) bool {
	left := strings.HasPrefix(name, ".qmtui-") && strings.HasSuffix(name, ".part")
	return comfy.IsStaged(below) && (left || !strings.HasPrefix(name, "."))
}

// removeFolder removes an empty folder of a staged file. One with something in
// it stays, and so does a young one, which is about to be filled.
func (t *tidying) removeFolder(d *folder, name, below string) error {
	st, err := d.stat(name)
	if err != nil || t.count || !modified(&st).Before(t.before) || !comfy.IsStaged(path.Join(below, "input/x")) && !comfy.IsStaged(path.Join(below, "x")) {
		return err
	}
	_, err = retry(func() (int, error) { return 0, unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR) })
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}
