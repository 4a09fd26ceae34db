package share

import (
	"context"
	"errors"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

// Discard removes a file from the share; one that is gone already is no
// error. Refused with share_read_only when the share is. Links are removed,
// never followed; folders stay.
func (s *Share) Discard(ctx context.Context, p job.Path) error {
	_, err := errand(ctx, s, task{name: "discard " + p.String()}, func(*pulse) (struct{}, error) {
		if err := s.at("discard"); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, s.discard(string(p))
	}, nil)
	if errors.Is(err, unix.EROFS) {
		return &job.Error{Code: "share_read_only", Class: job.Unavailable,
			Message: s.opt.Outputs + " is mounted read-only, nothing can be removed there", Hint: "mount it for writing, or leave the file"}
	}
	if err != nil {
		return s.classify("discard", filepath.Join(s.opt.Outputs, string(p)), err)
	}
	return nil
}

func (s *Share) discard(p string) error {
	if _, err := s.prove(); err != nil {
		return err
	}
	d, name, err := s.sourceFolder(p)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.close()
	_, err = retry(func() (int, error) { return 0, unix.Unlinkat(d.fd, name, 0) })
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// sourceFolder opens the folder that a path on the share lies in, through no
// link. The name is one component.
func (s *Share) sourceFolder(p string) (*folder, string, error) {
	if path.Clean(p) != p || !filepath.IsLocal(p) {
		return nil, "", errHostile("not a plain path below the share")
	}
	dir, name := path.Split(p)
	d, err := openFolder(s.opt.Outputs, strings.Trim(dir, "/"))
	if notFolder(err) {
		return nil, "", errHostile("behind a symbolic link or a file in place of a folder")
	}
	return d, name, err
}
