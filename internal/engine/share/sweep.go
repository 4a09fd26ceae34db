package share

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

const (
	sweepBatch = 64                     // folders that are asked for a change at once
	sweepPause = 250 * time.Millisecond // between two batches, so that old folders cost little
	sweepTrees = 512                    // folders that are being swept at once
	sweepTurns = 12                     // an old folder that shows no change is looked into at every so many sweeps
)

// sweep finds folders below qm/ that nobody asked for. It remembers them by
// name and time of change; since that time misses changes in sub-folders and on
// network shares, each is looked into now and then all the same.
type sweep struct {
	every time.Duration // zero for never
	next  time.Time     // of the next batch, or of the next sweep when the queue is empty
	queue []string
	known map[string]sweptFolder
	round int
	trees int // swept trees that are alive
}

// sweptFolder is what is remembered of a folder between sweeps.
type sweptFolder struct {
	modified time.Time
	settled  bool
	since    int // the round in which it was first seen like this
}

// foundFolder is one folder that a batch asked about.
type foundFolder struct {
	name     string
	modified time.Time
}

func newSweep(every time.Duration, now time.Time) *sweep {
	return &sweep{every: every, next: now, known: map[string]sweptFolder{}}
}

// worth decides whether a swept folder is looked into in this round.
func (s *sweep) worth(f foundFolder) bool {
	was, ok := s.known[f.name]
	return !ok || !was.settled || !was.modified.Equal(f.modified) || s.round-was.since < 2 ||
		(xxhash.Sum64String(f.name)+uint64(s.round))%sweepTurns == 0
}

func (r *runner) sweepDue(now time.Time) time.Time {
	if r.sweep.every <= 0 || r.flying["sweep"] != nil || r.sweep.trees >= sweepTrees {
		return now.Add(time.Minute)
	}
	return r.sweep.next
}

// dispatchSweep lists qm/, or asks about the next folders of the last list.
func (r *runner) dispatchSweep(now time.Time) {
	if r.sweepDue(now).After(now) || len(r.flying) >= r.s.opt.MaxFolders {
		return
	}
	if len(r.sweep.queue) == 0 {
		r.start("sweep", now, func(*pulse) func() {
			names, err := listRoot(r.s.opt.Outputs)
			return func() { r.takeList(names, err) }
		})
		return
	}
	n := min(sweepBatch, len(r.sweep.queue))
	batch := r.sweep.queue[:n]
	r.sweep.queue = r.sweep.queue[n:]
	r.start("sweep", now, func(*pulse) func() {
		found := askFolders(r.s.opt.Outputs, batch)
		return func() { r.takeBatch(found) }
	})
}

// listRoot lists qm/; a share without one has no folders.
func listRoot(outputs string) ([]string, error) {
	d, err := openFolder(outputs, comfy.Root)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.close()
	names, _, err := d.names(maxRest)
	return names, err
}

// askFolders asks for the time of change of folders in qm/; those that are
// gone are left out.
func askFolders(outputs string, names []string) []foundFolder {
	d, err := openFolder(outputs, comfy.Root)
	if err != nil {
		return nil
	}
	defer d.close()
	var found []foundFolder
	for _, name := range names {
		if st, err := d.stat(name); err == nil {
			found = append(found, foundFolder{name, modified(&st)})
		}
	}
	return found
}

// takeList begins a round with the folders that nobody watches.
func (r *runner) takeList(names []string, err error) {
	s, now := r.sweep, time.Now()
	s.next = now.Add(s.every)
	if err != nil {
		r.s.log.Warn("the sweep of the share failed", "error", cause(err))
		return
	}
	s.round++
	known := make(map[string]sweptFolder, len(names))
	for _, name := range names {
		if was, ok := s.known[name]; ok {
			known[name] = was
		}
		if r.trees[comfy.Folder(name)] == nil {
			s.queue = append(s.queue, name)
		}
	}
	s.known = known
	if len(s.queue) > 0 {
		s.next = now
	}
}

func (r *runner) takeBatch(found []foundFolder) {
	s, now := r.sweep, time.Now()
	for _, f := range found {
		base := comfy.Folder(f.name)
		if r.trees[base] != nil || !s.worth(f) {
			continue
		}
		since := s.round
		if was, ok := s.known[f.name]; ok && was.modified.Equal(f.modified) {
			since = was.since
		}
		s.known[f.name] = sweptFolder{modified: f.modified, since: since}
		r.trees[base] = newTree(swept, base, latePace(r.s.opt.Poll), now)
		s.trees++
	}
	s.next = now.Add(sweepPause)
	if len(s.queue) == 0 {
		s.next = now.Add(s.every)
	}
}

// takeSwept lets a swept folder go when its files are settled, or when it has
// been waited for long enough.
func (r *runner) takeSwept(t *tree, out outcome, now time.Time) {
	settled := out.err == nil && !out.more && t.unsettled() == 0
	waited := now.Sub(t.born) > cacheGuard(r.mount.kind, r.mount.options)+lateFactor*r.s.opt.Poll
	if !settled && !waited {
		return
	}
	delete(r.trees, t.base)
	r.sweep.trees--
	name := t.base[len(comfy.Root)+1:]
	was := r.sweep.known[name]
	was.settled = settled
	r.sweep.known[name] = was
}

// news reports whether a sighting was not reported before, and notes it. That
// a file is seen is no news when anything was reported of it as it is.
func (r *runner) news(s job.Sighting) bool {
	path, marked := xxhash.Sum64String(string(s.Path)), xxhash.Sum64String(string(s.Mark)+"\x00"+string(s.Path))
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], uint64(s.Size))
	binary.LittleEndian.PutUint64(b[8:], uint64(s.Modified.UnixNano()))
	value := xxhash.Sum64(b[:])
	old := r.told[marked] == value || s.Mark == job.MarkSeen && r.told[path] == value
	r.told[marked], r.told[path] = value, value
	return !old
}
