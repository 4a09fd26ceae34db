package server

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"sync"
	"time"
)

// inputFolders know how much users keep in their folders of inputs. A folder
// is counted when its user uploads for the first time, and again when it is
// over the limit or the count is old: pages and people write there as well.
// The zero value is ready.
type inputFolders struct {
	mu  sync.Mutex
	all map[string]*inputFolder // by user
}

// inputFolder is what one folder keeps, as counted and with what was stored since.
type inputFolder struct {
	mu      sync.Mutex
	files   int
	bytes   int64
	counted time.Time
}

const (
	countFresh = 10 * time.Minute // that long a count is believed
	countAgain = 10 * time.Second // between two counts of a folder that is over the limit
)

// admit says whether the upload, whose room on the disk is claimed, fits into the
// folder of the path's user. While less than twice the reserve is free on the
// disk, a folder may not be larger than the room that it leaves for the others:
// so one user never takes all of it. The caller calls kept at the end, and says whether the file stands there now; no
// other upload of this user is looked at until then.
func (f *inputFolders) admit(r *request, root *os.Root, u upload) (kept func(bool), err error) {
	l := r.srv.opts.Limits
	if r.charged().Operator || l.InputFiles < 0 && l.InputBytes < 0 {
		return func(bool) {}, nil
	}
	now := r.srv.opts.Now()
	one := f.of(r.PathValue("user"), now)
	one.mu.Lock()
	files, size := 1, u.size()
	if old, err := root.Lstat(path.Join(u.place(), u.name)); u.overwrite && err == nil {
		files, size = 0, size-old.Size()
	}
	room, reserve, bounded := r.srv.opts.Disks.Room(DiskInputs)
	crowded := func() bool { return bounded && room < reserve && one.bytes+size > room }
	over := func() bool {
		return crowded() || l.InputFiles > 0 && one.files+files > l.InputFiles || l.InputBytes > 0 && one.bytes+size > l.InputBytes
	}
	if age := now.Sub(one.counted); age >= countFresh || age < 0 || age >= countAgain && over() {
		one.count(root, l.InputFiles)
		one.counted = now
	}
	if over() {
		defer one.mu.Unlock()
		if crowded() {
			return nil, inputsCrowd(one.bytes, room)
		}
		return nil, inputsFull(one.files, one.bytes, l)
	}
	return func(stored bool) {
		defer one.mu.Unlock()
		if stored {
			one.files, one.bytes = one.files+files, one.bytes+size
		}
	}, nil
}

// of is the folder of a user. Those whose count is old are forgotten.
func (f *inputFolders) of(user string, now time.Time) *inputFolder {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.all[user]
	if one != nil {
		return one
	}
	for user, old := range f.all {
		if old.mu.TryLock() {
			if now.Sub(old.counted) >= countFresh {
				delete(f.all, user)
			}
			old.mu.Unlock()
		}
	}
	if f.all == nil {
		f.all = map[string]*inputFolder{}
	}
	one = &inputFolder{}
	f.all[user] = one
	return one
}

var errEnough = errors.New("enough")

// count counts the folder, no further than to twice the most files.
func (f *inputFolder) count(root *os.Root, most int) {
	f.files, f.bytes = 0, 0
	seen := 0
	// What cannot be read is not counted.
	_ = fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		switch seen++; {
		case most > 0 && seen > 2*most:
			return errEnough
		case err != nil:
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		f.files++
		if info, err := d.Info(); err == nil {
			f.bytes += info.Size()
		}
		return nil
	})
}
