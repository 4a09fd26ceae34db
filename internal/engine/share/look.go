package share

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

const (
	maxDepth    = maxFolders + 1 // folders below a tree's own: a node's, and what can be delivered
	maxFiles    = 100_000        // names in one attempt's folder
	maxRest     = 500_000        // names outside qm/
	maxRuns     = 100            // start markers that are counted
	filesAtOnce = 200            // files that one look opens; the others wait for the next
	oddAtOnce   = 4000           // new names that one look finds to be no plain files, likewise
	oddTold     = 10             // of one tree and kind, one by one; how many more there are is told once
)

// outcome is what one look found.
type outcome struct {
	sightings []job.Sighting
	moved     bool  // look again soon
	more      bool  // files were left for the next look
	err       error // the look is incomplete: nothing follows from what it did not list
}

// look is one look into one tree. It runs on a goroutine of its own and owns
// the tree meanwhile.
type look struct {
	s      *Share
	t      *tree
	paths  []job.Path // outside qm/, to look at as well
	now    time.Time
	wait   patience
	watch  func(path string) // adds a hint before a folder is listed; may be nil
	pulse  *pulse
	out    outcome
	listed map[string]bool
	opened int
	odd    int
	count  int  // names listed
	cut    bool // some names were not listed
}

// run looks. A folder that is not there yet is an empty one.
func (l *look) run() outcome {
	l.listed = map[string]bool{}
	if err := l.s.at("look " + l.t.base); err != nil {
		return outcome{err: err}
	}
	d, err := openFolder(l.s.opt.Outputs, l.t.base)
	switch {
	case errors.Is(err, unix.ENOENT):
	case notFolder(err):
		l.hostile(l.t.base, "a link or a file in place of a folder")
	case err != nil:
		l.failed(l.t.base, err)
	default:
		l.folder(d, l.t.base, 0)
	}
	l.byPath()
	if l.out.err == nil && !l.cut {
		l.absent()
	}
	l.t.force = false
	l.tellCut()
	return l.out
}

// tell reports what nothing can be done about, as far as a person would read it.
func (l *look) tell(s job.Sighting) bool {
	l.t.odd[s.Mark]++
	if l.t.odd[s.Mark] > oddTold {
		return false
	}
	l.out.sightings = append(l.out.sightings, s)
	return true
}

// tellCut says once, when all of the tree was looked at, how much was not
// reported one by one.
func (l *look) tellCut() {
	for _, m := range []job.Mark{job.MarkHostile, job.MarkBlocked} {
		more := l.t.odd[m] - oddTold
		if more <= 0 || l.t.cut[m] || l.out.more {
			continue
		}
		l.t.cut[m] = true
		l.s.log.Warn("more names on the share are not looked at than are told one by one", "path", job.Path(l.t.base).String(), "mark", m, "more", more)
		if l.t.kind == watched {
			s := sighting(l.t.base+"/", observation{}, m, l.now)
			s.Path, s.More = job.Path(l.t.base), more
			l.out.sightings = append(l.out.sightings, s)
		}
	}
}

// byPath looks at the files outside qm/ that are asked for by path, whatever
// their names are, and forgets those that are not asked for any more.
func (l *look) byPath() {
	if l.t.kind != watched {
		return
	}
	maps.DeleteFunc(l.t.files, func(path string, _ *file) bool {
		_, asked := slices.BinarySearch(l.paths, job.Path(path))
		return l.outside(path) && !asked
	})
	for _, p := range l.paths {
		l.pulse.beat()
		path := string(p)
		if f := l.t.files[path]; f != nil && !l.t.force && l.now.Before(f.again) {
			f.missing, l.listed[path] = 0, true
			continue
		}
		d, name, err := l.s.sourceFolder(path)
		var hostile errHostile
		switch {
		case err == nil:
			if st, err := d.stat(name); err == nil && !isFolder(&st) {
				l.listed[path] = true
				l.file(d, name, path, l.t.files[path])
			}
			d.close()
		case errors.Is(err, unix.ENOENT):
		case errors.As(err, &hostile):
			l.hostile(path, string(hostile))
		case errors.Is(err, fs.ErrPermission):
			l.listed[path] = true
			l.blocked(path, fmt.Sprintf("may not be read by user id %d", os.Geteuid()))
		default:
			l.out.err = err
		}
	}
}

// outside reports a file that does not lie in the folder of the tree.
func (l *look) outside(path string) bool {
	return path != l.t.base && !strings.HasPrefix(path, l.t.base+"/")
}

func notFolder(err error) bool {
	return errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
}

// folder lists d, which it closes, and everything below it.
func (l *look) folder(d *folder, path string, depth int) {
	defer d.close()
	if l.watch != nil {
		l.watch(path) // first the watch, then the list: else what comes between is missed
	}
	limit := maxFiles
	if l.t.kind == rest {
		limit = maxRest
	}
	l.pulse.beat()
	names, more, err := d.names(limit - l.count)
	if err != nil {
		l.failed(path, err)
		return
	}
	l.count += len(names)
	if more {
		l.cut = true
		l.blocked(path, fmt.Sprintf("holds more than %d files: the others are not looked at", limit))
	}
	for _, name := range names {
		l.entry(d, name, join(path, name), depth)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}

// failed notes that a part of the tree could not be looked at.
func (l *look) failed(path string, err error) {
	l.out.err = err
	if errors.Is(err, fs.ErrPermission) {
		l.blocked(path, fmt.Sprintf("may not be read by user id %d", os.Geteuid()))
	}
}

// blocked says once what is not looked at, and why: files of value may be behind it.
func (l *look) blocked(path, why string) {
	if l.t.blocked[path] {
		return
	}
	l.t.blocked[path] = true
	s := sighting(path+"/", observation{hostile: why}, job.MarkBlocked, l.now)
	s.Path = job.Path(path)
	if l.tell(s) {
		l.s.log.Warn("a part of the share is not looked at", "path", s.Path.String(), "reason", why)
	}
}

// entry deals with one name. Known files that are settled cost nothing.
func (l *look) entry(d *folder, name, path string, depth int) {
	if l.skip(path) {
		return
	}
	if l.t.dirs[path] {
		l.listed[path] = true
		l.sub(d, name, path, depth)
		return
	}
	f, known := l.t.files[path]
	if !known && isLitter(junk, name) { // a folder of such a name is a user's own
		l.newFolder(d, name, path, depth)
		return
	}
	l.listed[path] = true
	if known && !l.t.force && l.now.Before(f.again) {
		f.missing = 0
		return
	}
	if !known && l.started(d, name, path) {
		return
	}
	if !known && l.newFolder(d, name, path, depth) {
		return
	}
	l.file(d, name, path, f)
}

// skip leaves out what is never an output: our own root when it is looked into
// otherwise, and the sentinel.
func (l *look) skip(path string) bool {
	return l.t.kind == rest && (path == comfy.Root || path == l.s.opt.Sentinel)
}

// started reports the start marker, a folder that ComfyUI makes when the
// marker's node is executed; its files are never delivered. One in an attempt's
// folder that was moved or copied elsewhere says nothing.
func (l *look) started(d *folder, name, path string) bool {
	own := path == l.t.base+"/"+name && l.t.kind != rest
	if name != comfy.StartedFolder || !own && (l.ownFolder() || !isPromptID(parent(path))) {
		return false
	}
	st, err := d.stat(name)
	if err != nil || !isFolder(&st) {
		return false
	}
	if own && !l.t.started {
		l.t.started = true
		l.report(path, finding{observation: observation{modified: modified(&st)}}, job.MarkStarted)
	}
	if own && !l.t.twice && !modified(&st).Equal(l.t.marked) {
		l.t.marked = modified(&st)
		l.secondStart(d, name, path)
	}
	return true
}

// secondStart reports that the folder of start markers holds more than one: each run
// of a prompt leaves its own, and a platform may hand one prompt to two replicas.
func (l *look) secondStart(d *folder, name, path string) {
	markers, err := d.folder(name)
	if err != nil {
		return
	}
	defer markers.close()
	names, _, err := markers.names(maxRuns)
	if err != nil || len(names) < 2 {
		return
	}
	slices.Sort(names)
	l.t.twice = true
	l.report(path+"/"+names[1], finding{observation: observation{modified: l.t.marked}}, job.MarkStarted)
}

// ownFolder reports a tree that is an attempt's folder; in any other, files tell by
// their metadata whose they are.
func (l *look) ownFolder() bool {
	return l.t.kind == watched || l.t.kind == swept && isPromptID(path.Base(l.t.base))
}

// isPromptID reports a name that an attempt's folder may have.
func isPromptID(name string) bool { return len(name) == 36 && uuid.Validate(name) == nil }

// parent is the name of the folder that holds what stands at path.
func parent(p string) string { return path.Base(path.Dir(p)) }

// newFolder descends into a name that turns out to be a folder.
func (l *look) newFolder(d *folder, name, path string, depth int) bool {
	st, err := d.stat(name)
	if err != nil || !isFolder(&st) {
		return false // what it is, the opening says
	}
	if isLitter(junkFolders, name) {
		return true
	}
	l.t.dirs[path] = true
	l.sub(d, name, path, depth)
	return true
}

func (l *look) sub(d *folder, name, path string, depth int) {
	if depth >= maxDepth {
		l.blocked(path, fmt.Sprintf("is nested more than %d folders deep: what is in it is not looked at", maxDepth))
		return
	}
	sub, err := d.folder(name)
	switch {
	case err == nil:
		l.folder(sub, path, depth+1)
	case notFolder(err): // it was a folder at the last look
		delete(l.t.dirs, path)
		l.file(d, name, path, l.t.files[path])
	case errors.Is(err, unix.ENOENT):
		delete(l.listed, path)
	default:
		l.failed(path, err)
	}
}

// file opens and judges one name; f is nil for a new one.
func (l *look) file(d *folder, name, path string, f *file) {
	if l.opened >= filesAtOnce {
		l.out.more = true
		return
	}
	if f == nil && l.odd >= oddAtOnce {
		l.out.more = true
		return
	}
	l.opened++
	if f == nil {
		f = &file{}
	}
	found, err := examine(d, name, f, l.now, !l.ownFolder() || l.outside(path), l.pulse)
	switch {
	case errors.Is(err, unix.ENOENT):
		delete(l.listed, path)
		return
	case err != nil:
		l.out.err = err
		return
	}
	if found.unreadable {
		l.blocked(path, fmt.Sprintf("may not be read by user id %d", os.Geteuid()))
	}
	if found.hostile != "" { // it was not read
		l.opened--
		l.odd++
	}
	l.t.files[path] = f
	found.claim, found.marker = cmp.Or(found.claim, f.claim), found.marker || f.marker
	marks := f.observe(found.observation, l.now, l.wait)
	f.claim, f.marker = found.claim, found.marker
	if !found.marker || l.t.kind == watched { // a history names what is looked at there
		for _, m := range marks {
			l.report(path, found, m)
		}
	}
	l.out.moved = l.out.moved || f.close()
}

func (l *look) report(path string, found finding, m job.Mark) {
	s := sighting(path, found.observation, m, l.now)
	s.Claim = found.claim
	if m == job.MarkHostile {
		l.tell(s)
		return
	}
	l.out.sightings = append(l.out.sightings, s)
	l.out.moved = true
}

// hostile reports what cannot even be opened as a part of the share.
func (l *look) hostile(path, what string) {
	f := l.t.files[path]
	if f == nil {
		f = &file{}
		l.t.files[path] = f
	}
	l.listed[path] = true
	o := observation{hostile: what}
	for _, m := range f.observe(o, l.now, l.wait) {
		l.report(path, finding{observation: o}, m)
	}
}

// absent judges what was remembered and not listed. An unmounted share looks
// like an empty folder, so that the mount is asked before anything is said.
func (l *look) absent() {
	var gone []string
	for path, f := range l.t.files {
		if l.listed[path] {
			continue
		}
		if f.missing++; f.missing >= 2 {
			gone = append(gone, path)
		} else {
			l.out.moved = true
		}
	}
	if len(gone) == 0 || !l.s.proveFor(gone[0]) {
		return
	}
	for _, path := range gone {
		f := l.t.files[path]
		delete(l.t.files, path)
		if f.told != job.MarkHostile {
			l.report(path, finding{observation: f.last}, job.MarkVanished)
		}
	}
}
