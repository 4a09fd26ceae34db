package share

import (
	"context"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// Watch replaces the set of folders to look into, and of the paths outside qm/
// to look at. Folders outside the set are found by the slow sweep. A path that
// several folders have is looked at for the first of them; one that leads out of
// the share, or into qm/, is ignored. It may be called before Run.
func (s *Share) Watch(folders []job.Folder) {
	want, named := make(map[string]job.Folder, len(folders)), map[string]bool{}
	for _, f := range folders {
		if component(f.PromptID) != nil {
			continue
		}
		paths := f.Paths
		f.Paths = nil
		for _, p := range paths {
			if s.lookable(string(p)) && !named[string(p)] && len(f.Paths) < maxFiles {
				named[string(p)] = true
				f.Paths = append(f.Paths, p)
			}
		}
		slices.Sort(f.Paths)
		want[f.PromptID] = f
	}
	s.mu.Lock()
	s.want, s.named = want, named
	s.mu.Unlock()
	s.rouse()
}

// lookable reports a path that a look may be asked for by name.
func (s *Share) lookable(p string) bool {
	if path.Clean(p) != p || p == "." || !filepath.IsLocal(p) || strings.ContainsRune(p, 0) || p == comfy.Root || strings.HasPrefix(p, comfy.Root+"/") || p == s.opt.Sentinel {
		return false
	}
	for part := range strings.SplitSeq(p, "/") {
		if len(part) > maxName {
			return false
		}
	}
	return true
}

// Nudge asks for a look soon, for example when an answer came. A folder
// outside the set is not looked into.
func (s *Share) Nudge(promptID string) {
	s.mu.Lock()
	if _, ok := s.want[promptID]; ok {
		s.nudged[promptID] = true
	}
	s.mu.Unlock()
	s.rouse()
}

func (s *Share) nudgeAll() {
	s.mu.Lock()
	for id := range s.want {
		s.nudged[id] = true
	}
	s.mu.Unlock()
	s.rouse()
}

func (s *Share) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run looks until ctx ends and then returns nil. It calls report from its own
// goroutine, in the order in which things were seen; report may block for a
// short while. Looks that hang are left behind.
func (s *Share) Run(ctx context.Context, report func(job.Sighting)) error {
	r := newRunner(s, report)
	defer r.stop()
	for ctx.Err() == nil {
		now := time.Now()
		r.adopt(now)
		r.dispatch(now)
		r.wait(ctx, now)
	}
	return nil
}

// runner is the state of Run; only Run's goroutine touches it, except a tree
// that is being looked into, which its look owns.
type runner struct {
	s      *Share
	report func(job.Sighting)
	mount  survey // the last one that proved the share

	hints   *hints // nil while there are none
	noHints bool   // they cannot be had

	trees   map[string]*tree
	named   map[string]bool    // paths outside qm/ that are looked at for an attempt
	flying  map[string]*flight // looks under way by name
	results chan func()        // what is to be done on Run's goroutine after a look
	ended   bool               // Run is over: what comes back is dropped

	proof  time.Time // when the mount is to be proved next
	proved bool      // the last proof held
	stuck  bool      // a look hangs, so that none is started
	sweep  *sweep
	told   map[uint64]uint64 // what was reported, by path, with and without its mark
}

func newRunner(s *Share, report func(job.Sighting)) *runner {
	now := time.Now()
	r := &runner{s: s, report: report, trees: map[string]*tree{}, flying: map[string]*flight{},
		results: make(chan func(), s.opt.MaxFolders+3),
		proof:   now, told: map[uint64]uint64{}, sweep: newSweep(s.opt.Sweep, now)}
	if s.opt.MetadataRoot {
		r.trees[""] = newTree(rest, "", livePace(s.opt.Poll), now)
	} else if s.opt.Sweep > 0 {
		r.trees[""] = newTree(rest, "", pace{min(s.opt.Poll, s.opt.Sweep), s.opt.Sweep}, now)
	}
	return r
}

// flight is one look under way.
type flight struct {
	pulse pulse
	beats int64     // of the pulse, when it was last felt
	at    time.Time // when it last got on
}

// hangs feels the pulse of a look that has been silent for long.
func (f *flight) hangs(now time.Time, stall time.Duration) bool {
	if beats := f.pulse.beats.Load(); beats != f.beats {
		f.beats, f.at = beats, now
	}
	return now.Sub(f.at) >= stall
}

// stop lets looks end that can, for a moment.
func (r *runner) stop() {
	r.ended = true
	if r.hints != nil {
		r.hints.close()
	}
	grace := time.NewTimer(time.Second)
	defer grace.Stop()
	for len(r.flying) > 0 {
		select {
		case after := <-r.results:
			after()
		case <-grace.C:
			return
		}
	}
}

// start runs a look on a goroutine of its own. What look returns is done on
// Run's goroutine.
func (r *runner) start(name string, now time.Time, look func(*pulse) func()) {
	f := &flight{at: now}
	r.flying[name] = f
	go func() {
		after := look(&f.pulse)
		r.results <- func() {
			delete(r.flying, name)
			if !r.ended {
				after()
			}
		}
	}()
}

// adopt takes over what Watch and Nudge asked for.
func (r *runner) adopt(now time.Time) {
	r.s.mu.Lock()
	want, nudged := r.s.want, r.s.nudged
	r.named = r.s.named
	r.s.nudged = map[string]bool{}
	r.s.mu.Unlock()
	for id, f := range want {
		r.adoptFolder(id, f, now)
	}
	for base, t := range r.trees {
		if t.kind == watched && want[base[len(comfy.Root)+1:]].PromptID == "" {
			r.drop(t)
		}
	}
	for id := range nudged {
		if t := r.trees[comfy.Folder(id)]; t != nil {
			r.hasten(t, now)
		}
	}
}

func (r *runner) adoptFolder(id string, f job.Folder, now time.Time) {
	base, p := comfy.Folder(id), latePace(r.s.opt.Poll)
	if f.Live {
		p = livePace(r.s.opt.Poll)
	}
	t := r.trees[base]
	if t == nil && r.flying["look "+base] != nil {
		return // the one that was dropped is still being looked into
	}
	if t == nil {
		t = newTree(watched, base, p, now)
		r.trees[base] = t
	}
	if (t.pace != p || t.kind != watched) && !t.flying {
		if t.kind == swept {
			r.sweep.trees--
		}
		t.kind, t.pace, t.interval, t.due = watched, p, 0, now
	}
	if !slices.Equal(t.paths, f.Paths) {
		t.paths = f.Paths
		if t.flying {
			t.hinted = true
		} else {
			t.interval, t.due = 0, now
		}
	}
}

// drop forgets a folder that nobody asks for any more.
func (r *runner) drop(t *tree) {
	delete(r.trees, t.base)
	if r.hints != nil {
		r.hints.forget(t.base)
	}
}

// hasten brings the next look forward, though not right behind the last.
func (r *runner) hasten(t *tree, now time.Time) {
	if t.flying {
		t.hinted = true
		return
	}
	t.force, t.interval = true, 0
	soon := now.Add(quickest)
	if gap := t.last.Add(t.pace.fast); gap.After(soon) {
		soon = gap
	}
	t.due = earlier(t.due, soon)
}

// dispatch starts the looks that are due, as far as there are slots. While
// one hangs no other is started: they would hang as well.
func (r *runner) dispatch(now time.Time) {
	if r.stuck = r.stalled(now); r.stuck {
		return
	}
	if r.flying["mount"] == nil && !now.Before(r.proof) {
		r.prove(now)
	}
	if !r.proved {
		return
	}
	r.dispatchSweep(now)
	for _, t := range r.trees {
		if len(r.flying) >= r.s.opt.MaxFolders {
			return
		}
		if !t.flying && !now.Before(t.due) {
			r.look(t, now)
		}
	}
}

// stalled reports, and notes in the status, that a look has been hanging.
func (r *runner) stalled(now time.Time) bool {
	stalled := false
	for _, f := range r.flying {
		stalled = f.hangs(now, r.s.opt.Stall) || stalled
	}
	r.s.setStatus(func(st *job.ShareStatus) {
		if st.Stalled != stalled {
			r.tellStall(stalled)
		}
		if st.Stalled = stalled; stalled {
			st.Error = errStalled("a look at "+st.Path, r.s.opt.Stall)
		} else if st.Error != nil && st.Error.Code == "share_stalled" {
			st.Error = nil
		}
	})
	return stalled
}

func (r *runner) tellStall(stalled bool) {
	if stalled {
		r.s.log.Warn("the share does not answer", "path", r.s.opt.Outputs, "for", r.s.opt.Stall)
	} else {
		r.s.log.Info("the share answers again", "path", r.s.opt.Outputs)
	}
}

func (r *runner) prove(now time.Time) {
	r.start("mount", now, func(*pulse) func() {
		v, err := r.s.prove()
		return func() { r.takeProof(v, err) }
	})
}

func (r *runner) takeProof(v survey, err *job.Error) {
	if proved := err == nil; proved != r.proved {
		r.proved = proved
		if proved {
			r.s.log.Info("the share is there", "path", r.s.opt.Outputs, "fs", v.kind)
		} else {
			r.s.log.Warn("the share is not there", "error", err)
		}
	}
	r.proof = time.Now().Add(r.s.opt.Poll)
	if err != nil {
		return
	}
	r.mount = v
	r.beginHints()
}

// look starts a look into t, which owns t until it is taken.
func (r *runner) look(t *tree, now time.Time) {
	l := &look{s: r.s, t: t, paths: t.paths, now: r.s.opt.Now(), wait: patience{r.s.opt.Poll, cacheGuard(r.mount.kind, r.mount.options)}}
	if r.hints != nil && t.kind == watched {
		l.watch = r.hints.add
	}
	t.flying, t.last = true, now
	r.start("look "+t.base, now, func(p *pulse) func() {
		l.pulse = p
		out := l.run()
		return func() { r.take(t, out) }
	})
}

// take reports what a look found and sets the time of the next.
func (r *runner) take(t *tree, out outcome) {
	t.flying = false
	r.lookEnded(t, out.err)
	for _, s := range out.sightings {
		if t.kind == rest && r.named[string(s.Path)] {
			continue // the look by path reports it
		}
		if r.news(s) || t.kind == watched {
			r.report(s)
		}
	}
	now := time.Now()
	t.interval = t.pace.next(t.interval, out.moved || out.more)
	t.due = now.Add(t.interval)
	if t.hinted {
		t.hinted = false
		r.hasten(t, now)
	}
	if t.kind == swept {
		r.takeSwept(t, out, now)
	}
}

// lookEnded notes how a look ended. One that failed may mean that the mount is
// gone, so that a proof is asked for.
func (r *runner) lookEnded(t *tree, err error) {
	if err == nil {
		t.failing = false
		began := r.s.opt.Now().Add(-time.Since(t.last))
		r.s.setStatus(func(st *job.ShareStatus) { st.LookedAt = latest(st.LookedAt, began) })
		return
	}
	r.proof = time.Time{}
	if !t.failing {
		t.failing = true
		r.s.log.Warn("a look at the share failed", "folder", job.Path(t.base).String(), "error", cause(err))
	}
}

// wait sleeps until something is to be done.
func (r *runner) wait(ctx context.Context, now time.Time) {
	timer := time.NewTimer(r.until(now))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-r.s.wake:
	case after := <-r.results:
		after()
		r.drain()
	case <-timer.C:
	}
}

func (r *runner) drain() {
	for {
		select {
		case after := <-r.results:
			after()
		default:
			return
		}
	}
}

// until is the time to the next thing that is due by itself.
func (r *runner) until(now time.Time) time.Duration {
	next := now.Add(time.Minute)
	if r.stuck {
		return r.s.opt.Stall
	}
	for f := range maps.Values(r.flying) {
		next = earlier(next, f.at.Add(r.s.opt.Stall))
	}
	if r.flying["mount"] == nil {
		next = earlier(next, r.proof)
	}
	if r.proved && len(r.flying) < r.s.opt.MaxFolders {
		next = earlier(next, r.sweepDue(now))
		for _, t := range r.trees {
			if !t.flying {
				next = earlier(next, t.due)
			}
		}
	}
	return max(0, next.Sub(now))
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
