package share

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// hints turns events of the file system into early looks. It decides nothing:
// an event that is lost, doubled or a lie costs time and no file.
type hints struct {
	s    *Share
	w    *fsnotify.Watcher
	done chan struct{} // closed when the reader has ended

	mu    sync.Mutex
	added map[string]map[string]bool // guarded by mu: folders by their tree
	spent bool                       // guarded by mu: the system has no watches left
}

// beginHints asks for events when the file system is one that raises them.
func (r *runner) beginHints() {
	if r.hints != nil {
		if r.hints.exhausted() {
			r.s.setStatus(func(st *job.ShareStatus) { st.Watch = "poll" })
		}
		return
	}
	if r.noHints || !hinting(r.s.opt.Watch, r.mount.kind) {
		return
	}
	w, err := fsnotify.NewBufferedWatcher(1024)
	if err != nil {
		r.noHints = true
		r.s.log.Warn("no file events; looking is enough, only a little later", "error", err)
		return
	}
	r.hints = newHints(r.s, w)
	r.s.setStatus(func(st *job.ShareStatus) { st.Watch = "notify" })
	r.start("hints", time.Now(), func(*pulse) func() {
		r.hints.add("")
		r.hints.add(comfy.Root)
		return r.s.nudgeAll // for what came before the watch
	})
}

func newHints(s *Share, w *fsnotify.Watcher) *hints {
	h := &hints{s: s, w: w, done: make(chan struct{}), added: map[string]map[string]bool{}}
	go h.read(w.Events, w.Errors)
	return h
}

// add watches a folder, given relative to the share. Any goroutine may call it.
func (h *hints) add(path string) {
	base := treeOf(path)
	h.mu.Lock()
	skip := h.spent || h.added[base][path]
	h.mu.Unlock()
	if skip {
		return
	}
	if err := h.w.Add(filepath.Join(h.s.opt.Outputs, path)); err != nil {
		h.refuse(path, err)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.added[base] == nil {
		h.added[base] = map[string]bool{}
	}
	h.added[base][path] = true
}

// refuse notes a watch that could not be had. A folder that is not there yet
// is tried again when it is; when the system has no more, none is tried.
func (h *hints) refuse(path string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if outOfWatches(err) && !h.spent {
		h.spent = true
		h.s.log.Warn("out of file watches, from now on looking alone; raise fs.inotify.max_user_watches",
			"folder", job.Path(path).String(), "error", cause(err))
	}
}

// outOfWatches knows the words of inotify: ENOSPC for watches, EMFILE for
// instances.
func outOfWatches(err error) bool {
	text := err.Error()
	return strings.Contains(text, "no space left on device") || strings.Contains(text, "too many open files")
}

func (h *hints) exhausted() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.spent
}

// treeOf is the attempt's folder that a path lies in; "" for others.
func treeOf(path string) string {
	if id := promptOf(path); id != "" {
		return comfy.Folder(id)
	}
	return ""
}

func promptOf(path string) string {
	rest, ok := strings.CutPrefix(path, comfy.Root+"/")
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(rest, "/")
	return id
}

// forget drops the watches of a tree.
func (h *hints) forget(base string) {
	h.mu.Lock()
	paths := h.added[base]
	delete(h.added, base)
	h.mu.Unlock()
	for path := range paths {
		_ = h.w.Remove(filepath.Join(h.s.opt.Outputs, path)) // gone with its folder, perhaps
	}
}

// read turns events into nudges until the watcher is closed.
func (h *hints) read(events <-chan fsnotify.Event, errs <-chan error) {
	defer close(h.done)
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return
			}
			h.event(e)
		case err, ok := <-errs:
			if !ok {
				return
			}
			h.trouble(err)
		}
	}
}

func (h *hints) event(e fsnotify.Event) {
	path, err := filepath.Rel(h.s.opt.Outputs, e.Name)
	if err != nil {
		return
	}
	if e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) {
		h.removed(path)
	}
	switch id := promptOf(path); {
	case id != "":
		h.s.Nudge(id)
	case path == comfy.Root && e.Has(fsnotify.Create):
		h.add(comfy.Root)
		h.s.nudgeAll()
	}
}

// removed lets a folder be watched again when one comes back under its name.
func (h *hints) removed(path string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.added[treeOf(path)], path)
}

// trouble asks for a look everywhere when events were lost.
func (h *hints) trouble(err error) {
	if !errors.Is(err, fsnotify.ErrEventOverflow) {
		h.s.log.Warn("file events are in trouble; looking goes on", "error", err)
	}
	h.s.nudgeAll()
}

// close waits for the reader, though not for ever: it may hang on a disk.
func (h *hints) close() {
	_ = h.w.Close() // its events are only hints
	grace := time.NewTimer(time.Second)
	defer grace.Stop()
	select {
	case <-h.done:
	case <-grace.C:
	}
}
