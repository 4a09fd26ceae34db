package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/job"
)

// mortal is a ledger whose process is killed at a commit: before it, or right
// after it, when what follows from it never happens.
type mortal struct {
	*ledgertest.Memory
	mu    sync.Mutex
	left  int // commits until the kill; negative for never
	after bool
	dead  bool
}

var errKilled = errors.New("the process was killed")

func (m *mortal) Record(facts ...job.Fact) ([]job.Verdict, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left--; m.left == 0 {
		m.dead = true
		if m.after {
			_, _ = m.Memory.Record(facts...)
		}
	}
	if m.dead {
		return nil, errKilled
	}
	return m.Memory.Record(facts...)
}

func (m *mortal) PutOrphan(o job.Orphan) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return errKilled
	}
	return m.Memory.PutOrphan(o)
}

// doom lets the process die with the n-th commit from now; revive ends that.
func (m *mortal) doom(n int, after bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left, m.after = n, after
}

func (m *mortal) revive() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left, m.dead = -1, false
}

// A worldFile is what a worker wrote on the share.
type worldFile struct {
	prompt, name string
	whole        bool
	version      int       // how often it was written again
	modified     time.Time // of that version
	shown        int       // the last version that was reported before the job was closed
}

func (f worldFile) checksum() string { return fmt.Sprint("xxh64:", 1+f.version) }

func (f worldFile) path() job.Path { return job.Path("qm/" + f.prompt + "/9/" + f.name) }

// A worldRun is one execution of a prompt on a worker.
type worldRun struct{ stopped bool }

// world is the platform, the share and the users' folders around an engine
// that is killed and started again. mu guards all that moves by itself.
type world struct {
	*testing.T
	*engine.Engine
	ledger *mortal
	stop   func()

	mu     sync.Mutex
	dice   *rand.Rand
	calm   bool // no more faults
	posts  map[string]job.Submission
	runs   map[string]*worldRun
	files  []*worldFile
	placed map[string]job.Path // user/dest -> source; empty for a file of the user's own
	copied map[string]string   // user/dest -> checksum of what was delivered
	edited map[job.Path]bool   // sources whose delivered file its user has changed
	away   bool                // the share
	hangs  bool                // it, and nobody knows
	looked time.Time           // since the start
	report func(job.Fact)
	story  []string
}

func newWorld(t *testing.T, seed uint64) *world {
	return &world{T: t, ledger: &mortal{Memory: ledgertest.NewMemory(), left: -1}, dice: rand.New(rand.NewPCG(seed, 1)),
		posts: map[string]job.Submission{}, runs: map[string]*worldRun{}, placed: map[string]job.Path{}, copied: map[string]string{}, edited: map[job.Path]bool{}}
}

// chance is true so many times of a hundred, and never when all is calm.
func (w *world) chance(percent int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.calm && w.dice.IntN(100) < percent
}

func (w *world) upTo(d time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.dice.Int64N(int64(d)))
}

func (w *world) pick(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dice.IntN(n)
}

func (w *world) tell(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.story = append(w.story, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

var worldPolicy = engine.Policy{MaxQueued: 1000, MaxRunning: 3, AcceptTimeout: 10 * time.Minute, DoubtTimeout: 2 * time.Minute,
	EvidenceTimeout: 5 * time.Minute, RunTimeout: 5 * time.Minute, LateWindow: 5 * time.Minute, Retries: 2}

const worldCapacity = 4

func (w *world) start() {
	w.ledger.revive()
	w.mu.Lock()
	w.looked = time.Time{}
	for _, f := range w.files {
		f.shown = -1 // what was reported may not have been recorded
	}
	w.mu.Unlock()
	w.Engine = engine.New(engine.Options{Ledger: w.ledger, Share: worldShare{w}, Fleet: worldFleet{newFleet(worldCapacity), w}, Policy: worldPolicy})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Engine.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, errKilled) {
			w.Errorf("Run ended with %v", err)
		}
		w.stop = nil
	}
	select {
	case <-w.Ready():
	case err := <-done: // killed before it was ready
		done <- err
	}
	synctest.Wait()
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	time.Sleep(d) // fake time: see testing/synctest
	synctest.Wait()
}

// worldShare is the share and the users' folders.
type worldShare struct{ *world }

// Run reports what stands in the folders that are watched, once a second, and
// every half minute what stands anywhere; a new Run reports all of it again.
func (s worldShare) Run(ctx context.Context, report func(job.Sighting)) error {
	told := map[job.Path]string{}
	for turn := 0; ; turn++ {
		if turn > 0 && !wait(ctx, time.Second) {
			return nil
		}
		for _, f := range s.visible(turn%30 == 29) {
			mark := job.MarkSeen
			switch {
			case f.name == "_started":
				mark = job.MarkStarted
			case f.whole:
				mark = job.MarkWhole
			}
			saying := fmt.Sprint(mark, f.version)
			if told[f.path()] == saying && !s.chance(2) {
				continue
			}
			told[f.path()] = saying
			s.show(f)
			report(job.Sighting{PromptID: f.prompt, Node: "9", Path: f.path(), Size: 10, Mark: mark, At: time.Now(), Modified: f.modified})
		}
	}
}

// show notes that a version is reported while its job is open: it must be delivered.
func (w *world) show(f worldFile) {
	j, err := w.ledger.ByPrompt(f.prompt)
	if err != nil || j.Closed {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.files {
		if x.path() == f.path() {
			x.shown = f.version
		}
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// visible lists the files that a look finds, as they are then, in any order;
// none while the share is away.
func (s worldShare) visible(everywhere bool) []worldFile {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away || s.hangs {
		return nil
	}
	s.looked = time.Now()
	var out []worldFile
	for _, f := range s.files {
		if everywhere || s.dice.IntN(4) > 0 {
			out = append(out, *f)
		}
	}
	s.dice.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func (worldShare) Watch([]job.Folder)                      {}
func (worldShare) Nudge(string)                            {}
func (worldShare) Accept(context.Context) error            { return nil }
func (worldShare) Discard(context.Context, job.Path) error { return nil }
func (worldShare) TakeBack(context.Context, job.Transfer, string) error {
	return nil
}
func (worldShare) OpenSource(job.Path) (engine.File, error) { return nil, job.ErrNoJob }
func (worldShare) Open(string, string) (engine.File, error) {
	return nil, job.ErrNoJob
}

func (s worldShare) Status() job.ShareStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return job.ShareStatus{Error: &job.Error{Code: "share_not_mounted", Class: job.Unavailable, Transient: true, Message: "away"}}
	}
	return job.ShareStatus{Mounted: !s.looked.IsZero(), LookedAt: s.looked}
}

func (s worldShare) Choose(_ context.Context, batch []job.Transfer, taken []string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return freePlaces(s.placed, batch, taken), nil
}

func (worldShare) Sum(context.Context, job.Path) (int64, string, error) { return 10, "xxh64:1", nil }

// Copy takes its time, fails in ways that heal, and may be cut short before
// the file stands in its place or just after.
func (s worldShare) Copy(ctx context.Context, t job.Transfer) (job.Receipt, error) {
	if !wait(ctx, s.upTo(3*time.Second)) {
		return job.Receipt{}, ctx.Err()
	}
	switch {
	case s.chance(8):
		return job.Receipt{}, &job.Error{Code: "disk_full", Class: job.Unavailable, Transient: true, Message: "no room"}
	case s.chance(4):
		return job.Receipt{}, &job.Error{Code: "not_whole", Class: job.Conflict, Transient: true, Message: "half"}
	case s.chance(4): // somebody else writes there
		s.put(t.User + "/" + t.Dest)
	}
	r, err := s.place(t)
	if err == nil && s.chance(20) && !wait(ctx, s.upTo(time.Second)) {
		return job.Receipt{}, ctx.Err()
	}
	return r, err
}

// place puts the present version of a source where nothing stands, where an
// earlier try put it, or in the place of the version that it replaces.
func (s worldShare) place(t job.Transfer) (job.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.files, func(f *worldFile) bool { return f.path() == t.Source })
	sum, at := s.files[i].checksum(), t.User+"/"+t.Dest
	old, there := s.placed[at]
	ours := there && old == t.Source
	if t.Replaces != sum && there && !(ours && (s.copied[at] == sum || s.copied[at] == t.Replaces)) {
		if ours && t.Replaces == "" {
			s.placed[at] = "" // an older version that no process lived to record: nothing tells that it is ours
		}
		return job.Receipt{}, &job.Error{Code: "dest_taken", Class: job.Conflict}
	}
	if t.Replaces != sum {
		s.placed[at], s.copied[at] = t.Source, sum
	}
	return job.Receipt{Dest: t.Dest, Size: 10, Checksum: sum, Modified: s.files[i].modified.UTC()}, nil
}

// put is somebody else who writes where nothing stands.
func (s worldShare) put(at string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.placed[at]; !there {
		s.placed[at] = ""
	}
}

// edit lets a user change one of the delivered files.
func (w *world) edit() {
	w.mu.Lock()
	defer w.mu.Unlock()
	places := slices.Sorted(maps.Keys(w.copied))
	if len(places) == 0 {
		return
	}
	at := places[w.dice.IntN(len(places))]
	if source := w.placed[at]; source != "" {
		w.placed[at], w.edited[source] = "", true
	}
}

// worldFleet is the platform: it loses answers and prompts, runs some twice,
// and its histories are seldom heard.
type worldFleet struct {
	*fakeFleet
	*world
}

func (f worldFleet) Run(ctx context.Context, report func(job.Fact)) error {
	f.world.mu.Lock()
	f.world.report = report
	f.world.mu.Unlock()
	<-ctx.Done()
	f.world.mu.Lock()
	f.world.report = nil
	f.world.mu.Unlock()
	return nil
}

func (f worldFleet) Submit(ctx context.Context, s job.Submission) job.Fact {
	f.bookPost(s)
	lost := &job.Error{Code: "no_answer", Transient: true, Message: "lost"}
	fate := f.pick(100)
	if f.isCalm() {
		fate = 0
	}
	cut := !wait(ctx, f.upTo(90*time.Second))
	runs := fate < 75
	if cut && !runs {
		return answer(s, job.Unanswered, lost)
	}
	switch {
	case fate < 55: // taken, and run
		go f.execute(s, fate%5 == 4, false)
	case fate < 63: // run, and the answer is lost
		go f.execute(s, false, false)
		return answer(s, job.Unanswered, lost)
	case fate < 75: // taken, and it breaks on the way
		go f.execute(s, false, true)
	case fate < 82: // taken, and forgotten
	case fate < 87: // neither taken nor answered
		return answer(s, job.Unanswered, lost)
	case fate < 97:
		return answer(s, job.Refused, &job.Error{Code: "try_later", Transient: true, Message: "503"})
	default:
		return answer(s, job.Refused, &job.Error{Code: "worker_refused", Message: "no such model"})
	}
	if cut {
		return answer(s, job.Unanswered, lost)
	}
	return answer(s, job.Acknowledged, nil)
}

func (w *world) isCalm() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calm
}

// Interrupt reaches the right replica every other time.
func (f worldFleet) Interrupt(_ context.Context, x job.Flight) error {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	if r := f.runs[x.PromptID]; r != nil && f.dice.IntN(2) == 0 {
		r.stopped = true
	}
	return nil
}

// execute runs a prompt, perhaps on two replicas, and writes its files.
func (f worldFleet) execute(s job.Submission, twice, breaks bool) {
	r := &worldRun{}
	f.world.mu.Lock()
	f.runs[s.PromptID] = r
	f.world.mu.Unlock()
	time.Sleep(f.upTo(2 * time.Minute)) // fake time
	f.write(s.PromptID, "_started", true)
	var asked []job.Expected
	if err := json.Unmarshal(s.Workflow, &asked); err != nil {
		f.Error(err)
		return
	}
	for range 1 + btoi(twice) {
		for range asked[0].Count {
			time.Sleep(f.upTo(40 * time.Second))
			if f.isStopped(r) {
				return
			}
			if breaks && f.pick(2) == 0 {
				if f.pick(2) == 0 { // a killed replica leaves half a file
					f.write(s.PromptID, fmt.Sprintf("half_%05d_.png", f.pick(10_000)), false)
				}
				f.hear(s, job.Broke, &job.Error{Code: "execution_error", Message: "out of memory", Node: "9"})
				return
			}
			file := f.write(s.PromptID, f.nextName(s.PromptID), false)
			time.Sleep(f.upTo(5 * time.Second))
			f.finish(file)
			if f.pick(4) == 0 {
				time.Sleep(f.upTo(20 * time.Second))
				f.rewrite(file)
			}
		}
	}
	if f.pick(3) == 0 { // the balancer brought the question to the right replica
		time.Sleep(f.upTo(10 * time.Second))
		f.hear(s, job.Finished, nil)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (w *world) isStopped(r *worldRun) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return r.stopped
}

func (w *world) nextName(prompt string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 1
	for _, f := range w.files {
		if f.prompt == prompt && strings.HasPrefix(f.name, "out_") {
			n++
		}
	}
	return fmt.Sprintf("out_%05d_.png", n)
}

func (w *world) write(prompt, name string, whole bool) *worldFile {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := &worldFile{prompt: prompt, name: name, whole: whole, modified: time.Now()}
	w.files = append(w.files, f)
	return f
}

func (w *world) finish(f *worldFile) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f.whole = true
}

// rewrite is a node that writes its file once more: metadata, a watermark.
func (w *world) rewrite(f *worldFile) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f.version, f.modified = f.version+1, time.Now()
}

// hear tells the engine that runs now, if any does, once or twice.
func (w *world) hear(s job.Submission, k job.Kind, e *job.Error) {
	w.mu.Lock()
	report, n := w.report, 1+w.dice.IntN(2)
	w.mu.Unlock()
	for range n {
		if report != nil {
			report(job.Fact{Job: s.Job, Attempt: s.Attempt, PromptID: s.PromptID, Kind: k, At: time.Now(), Evidence: job.ByHistory, Error: e})
		}
	}
}

// stale lists the sources of which an older version was delivered.
func (w *world) stale() (paths []job.Path) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for at, source := range w.placed {
		i := slices.IndexFunc(w.files, func(f *worldFile) bool { return f.path() == source })
		if i >= 0 && w.files[i].shown == w.files[i].version && w.copied[at] != w.files[i].checksum() {
			paths = append(paths, source)
		}
	}
	return paths
}

// wholeFiles lists what must be delivered, and to whom.
func (w *world) wholeFiles() map[job.Path]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[job.Path]string{}
	for _, f := range w.files {
		if f.whole && f.name != "_started" {
			out[f.path()] = w.posts[f.prompt].User
		}
	}
	return out
}

// deliveries lists where each source stands.
func (w *world) deliveries() map[job.Path][]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[job.Path][]string{}
	for at, source := range w.placed {
		if source != "" {
			out[source] = append(out[source], at)
		}
	}
	for _, list := range out {
		slices.Sort(list)
	}
	return out
}
