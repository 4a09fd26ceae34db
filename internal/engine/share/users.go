package share

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/job"
)

// File is a delivered file, open for reading.
type File = interface {
	io.ReadSeekCloser
	io.ReaderAt
}

// Calls that may be under way at once; more mean that the disk hangs.
const (
	listings = 16 // of one user's folder
	readers  = 256
)

// userRoot opens a user's folder, beyond which nothing below it can lead. The
// folder itself must be a real one: through a link of that name a user could
// take what is another's.
func (s *Share) userRoot(user string) (*os.Root, error) { return openUser(s.opt.Users, user) }

// openUser opens a user's folder below dir.
func openUser(dir, user string) (*os.Root, error) {
	if err := job.CheckUser(user); err != nil {
		return nil, err
	}
	users, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer users.Close()
	root, err := users.OpenRoot(user)
	if err != nil {
		return nil, blocked(users, user, err)
	}
	if err := sameFolder(users, user, root); err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

func sameFolder(users *os.Root, user string, root *os.Root) error {
	link, err := users.Lstat(user)
	if err != nil {
		return err
	}
	opened, err := root.Stat(".")
	if err != nil {
		return err
	}
	if !os.SameFile(link, opened) {
		return &job.Error{Code: "not_writable", Class: job.Unavailable, Transient: true,
			Message: fmt.Sprintf("the folder of user %s is a symbolic link", user), Hint: "put a real folder in its place"}
	}
	return nil
}

// Choose picks free places below the user's folder for files of one user, named
// as ComfyUI would have named them there; the answer is in the order of batch.
// Files of one node that share a stem and a number on the share share a number
// there too, and the numbers rise with node and number. A file whose Dest is set
// keeps it and tells where its siblings belong. Places in taken are not free
// although nothing stands there yet. The error is a *job.Error.
func (s *Share) Choose(ctx context.Context, batch []job.Transfer, taken []string) ([]string, error) {
	wishes, standing := make([]wish, len(batch)), map[string][]string{}
	for i, t := range batch {
		aside := ""
		if t.Aside {
			aside = s.opt.Aside
		}
		wishes[i] = newWish(t, aside)
		if t.Dest == "" {
			standing[wishes[i].folder] = nil
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(standing)) {
		user := batch[0].User
		work := task{name: "list the folder of " + user, limit: listings}
		names, err := errand(ctx, s, work, func(*pulse) ([]string, error) {
			if err := s.at("choose"); err != nil {
				return nil, err
			}
			return s.userNames(user, folder)
		}, nil)
		if err != nil {
			return nil, s.classify("choose a name in", path.Join(s.opt.Users, user, folder), err)
		}
		standing[folder] = names
	}
	for _, dest := range taken {
		folder, name := splitPlace(dest)
		standing[folder] = append(standing[folder], name)
	}
	return assign(wishes, standing), nil
}

// userNames lists a folder of the user; one that is not there yet is empty.
func (s *Share) userNames(user, folder string) ([]string, error) {
	root, err := s.userRoot(user)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s.usersThere()
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	d, err := openSub(root, orDot(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// usersThere reports the folder of all users missing: it is never made, since
// that is what an unmounted disk looks like.
func (s *Share) usersThere() error {
	if _, err := os.Stat(s.opt.Users); errors.Is(err, fs.ErrNotExist) {
		return &job.Error{Code: "not_writable", Class: job.Unavailable, Transient: true,
			Message: s.opt.Users + " does not exist", Hint: "make it, or mount what belongs there"}
	}
	return nil
}

func orDot(folder string) string {
	if folder == "" {
		return "."
	}
	return folder
}

// Open reads a delivered file; the caller closes it. The error is a
// *job.Error with class NotFound for what is not there or no regular file.
func (s *Share) Open(user, dest string) (File, error) {
	work := task{name: "open a delivered file", limit: readers}
	f, err := errand(context.Background(), s, work, func(*pulse) (*os.File, error) {
		if err := s.at("open"); err != nil {
			return nil, err
		}
		return s.openDelivered(user, dest)
	}, func(f *os.File) { f.Close() })
	if err != nil {
		return nil, s.classify("open", path.Join(s.opt.Users, user, dest), err)
	}
	return f, nil
}

func (s *Share) openDelivered(user, dest string) (*os.File, error) {
	if err := checkDest(dest); err != nil {
		return nil, err
	}
	root, err := s.userRoot(user)
	if err != nil {
		return nil, missing(user, dest, err)
	}
	defer root.Close()
	f, err := root.OpenFile(dest, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil && (escapes(err) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ENXIO)) {
		return nil, &job.Error{Code: "file_not_found", Class: job.NotFound, Message: fmt.Sprintf("%s is no plain file in the folder of %s, or a link leads out of it", job.Path(dest), user),
			Hint: "put the file itself there"}
	}
	if err != nil {
		return nil, missing(user, dest, err)
	}
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		f.Close()
		return nil, errNoFile(user, dest)
	}
	return f, nil
}

func missing(user, dest string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errNoFile(user, dest)
	}
	return err
}

func errNoFile(user, dest string) *job.Error {
	return &job.Error{Code: "file_not_found", Class: job.NotFound,
		Message: fmt.Sprintf("%s is not in the folder of %s any more", job.Path(dest), user), Hint: "somebody moved or removed it"}
}
