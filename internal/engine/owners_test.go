package engine_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/job"
)

// TestOwners runs save nodes of all kinds for several users against histories
// that are heard or not, late and out of order, and against restarts. No file
// may ever reach another user, and every file is delivered or shown as an
// orphan. QMTUI_MODEL says how many worlds, from seed 1 on; 10 by default. A seed
// repeats the random numbers, not the order in which goroutines draw them.
func TestOwners(t *testing.T) {
	worlds, err := strconv.Atoi(cmp.Or(os.Getenv("QMTUI_MODEL"), "10"))
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(worlds) {
		t.Run(fmt.Sprint("seed ", seed+1), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newOwners(t, seed+1).run() })
		})
	}
}

// The kinds of save nodes.
const (
	isolated = "isolated" // writes into the attempt's own folder
	flat     = "flat"     // writes below a shared folder that is known
	ownName  = "own name" // may write anywhere
	unknown  = "unknown"  // nobody knows that it writes
	learned  = "learned"  // saves only when its inputs are as the user wrote them
	takes    = "takes"    // no table has it; it takes the folder that it is given
	ignores  = "ignores"  // no table has it, and it writes elsewhere than into that folder
)

// saver is a save node of a prompt and what it does.
type saver struct {
	Node, Kind string
	Paths      []job.Path // of its files; for an isolated node below its own folder
	Claim      bool       // its files carry metadata
	Named      bool       // its history names its files
	Sidecar    bool       // writes a text file beside each, which no history names
	Again      time.Duration
	Late       time.Duration // after the end of the run, of its last file; zero for none
}

// savers is a prompt.
type savers struct {
	wanted
	Savers []saver
}

// version is one state of a file on the share.
type version struct {
	path         job.Path
	user         string // whose attempt wrote it
	job          job.ID
	prompt, node string
	places       []string
	sum          string
	size         int64
	textual      bool // nothing in its format tells its end
	claim        *job.Claim
	sent         time.Time // the attempt
	wrote, done  time.Time // zero: never complete
	shown        time.Time // looks see it from then on
	copyOf       *version  // of which a person made a copy
	placed       []string  // user/destination
	reusers      []string  // users whose cached nodes report it
	decided      bool      // an admin assigned it
	sidecar      bool      // that no history names, as those of an unknown node that stays silent
	after        bool      // written after an end that was inferred and that no history told
}

func (v *version) complete(now time.Time) bool { return !v.done.IsZero() && !now.Before(v.done) }

// modified is the file's time by the share's clock.
func (v *version) modified(now time.Time, offset time.Duration) time.Time {
	if v.complete(now) {
		return v.done.Add(offset).UTC().Round(0)
	}
	return v.wrote.Add(offset).UTC().Round(0)
}

// owners is the users, the workers, the share and the users' folders around an
// engine. mu guards all that moves by itself.
type owners struct {
	*testing.T
	*engine.Engine
	ledger   *mortal
	stop     func()
	capacity int
	scan     time.Duration // between two looks at the whole share
	offset   time.Duration // of the share's clock
	heard    int           // histories, of a hundred
	markers  bool          // workers write start markers

	mu       sync.Mutex
	dice     *rand.Rand
	calm     bool // no more faults
	versions map[job.Path][]*version
	all      []*version
	standing map[string]*version // user/destination
	replicas []chan struct{}
	killed   []time.Time // when each replica was killed last
	paths    map[job.Path]bool
	report   func(job.Fact)
	looked   time.Time
	jobs     []job.ID
	written  int
	faults   int
	story    []string
}

func newOwners(t *testing.T, seed uint64) *owners {
	dice := rand.New(rand.NewPCG(seed, 2))
	w := &owners{T: t, ledger: &mortal{Memory: ledgertest.NewMemory(), left: -1}, dice: dice, capacity: 1 + dice.IntN(4),
		scan:   []time.Duration{5 * time.Second, 10 * time.Second}[dice.IntN(2)],
		offset: []time.Duration{-40 * time.Second, 0, 40 * time.Second}[dice.IntN(3)],
		heard:  []int{0, 50, 100}[dice.IntN(3)], markers: dice.IntN(4) > 0,
		versions: map[job.Path][]*version{}, standing: map[string]*version{}, paths: map[job.Path]bool{}, killed: make([]time.Time, 2)}
	for range 2 {
		w.replicas = append(w.replicas, make(chan struct{}, 1))
	}
	return w
}

func (w *owners) run() {
	w.note("capacity %d, scan %v, clock offset %v, histories %d%%, markers %v", w.capacity, w.scan, w.offset, w.heard, w.markers)
	w.start()
	for range 30 {
		w.step()
		w.pass(w.upTo(15 * time.Second))
		if w.watch(); w.Failed() {
			break
		}
	}
	w.settle()
	w.check()
	w.stop()
}

// step is one thing that happens.
func (w *owners) step() {
	switch n := w.pick(100); {
	case n < 45:
		w.submit()
	case n < 55:
		w.assign()
	case n < 65:
		w.copyByHand()
	case n < 70:
		w.note("the manager is killed")
		w.ledger.doom(1+w.pick(6), w.pick(2) == 0)
		w.pass(w.upTo(10 * time.Second))
		w.restart()
	case n < 74:
		w.note("the manager is stopped")
		w.restart()
	case n < 78:
		w.killReplica()
	case n < 81:
		w.pass(w.upTo(3 * time.Minute))
	}
}

func (w *owners) restart() {
	w.stop()
	w.pass(w.upTo([]time.Duration{time.Second, time.Minute}[w.pick(2)]))
	w.start()
}

var ownersPolicy = engine.Policy{MaxQueued: 1000, MaxRunning: 3, AcceptTimeout: 10 * time.Minute, DoubtTimeout: 2 * time.Minute,
	EvidenceTimeout: 3 * time.Minute, RunTimeout: 3 * time.Minute, LateWindow: 3 * time.Minute, Retries: 1}

func (w *owners) start() {
	w.ledger.revive()
	w.mu.Lock()
	w.looked = time.Time{}
	w.mu.Unlock()
	w.Engine = engine.New(engine.Options{Ledger: w.ledger, Share: ownersShare{owners: w}, Fleet: ownersFleet{newFleet(w.capacity), w}, Policy: ownersPolicy,
		Log: slog.New(slog.NewTextHandler(w, nil))})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Engine.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, errKilled) {
			w.Errorf("Run ended with %v", err)
		}
	}
	select {
	case <-w.Ready():
	case err := <-done: // killed before it was ready
		done <- err
	}
	synctest.Wait()
}

func (w *owners) pass(d time.Duration) {
	time.Sleep(d) // fake time: see testing/synctest
	synctest.Wait()
}

func (w *owners) pick(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dice.IntN(n)
}

func (w *owners) upTo(d time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.dice.Int64N(int64(d)))
}

// chance is true so many times of a hundred, and never when all is calm.
func (w *owners) chance(percent int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.calm && w.dice.IntN(100) < percent
}

// note adds a line to the story.
func (w *owners) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tell(format, args...)
}

func (w *owners) tell(format string, args ...any) {
	w.story = append(w.story, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// Write takes a line of the engine's log into the story.
func (w *owners) Write(line []byte) (int, error) {
	_, text, _ := strings.Cut(string(line), " ")
	w.note("engine: %s", strings.TrimSpace(text))
	return len(line), nil
}

// fault reports what must not be, with the story of the path and of the jobs
// that wrote these versions. mu is held.
func (w *owners) fault(p job.Path, of []*version, format string, args ...any) {
	w.Errorf(format, args...)
	if w.faults++; w.faults > 1 {
		return
	}
	words := []string{string(p), "the manager"}
	for _, v := range of {
		words = append(words, string(v.job), v.prompt)
	}
	w.Log(w.story[0])
	for _, line := range w.story {
		if slices.ContainsFunc(words, func(word string) bool { return word != "" && strings.Contains(line, word) }) {
			w.Log(line)
		}
	}
}

// submit asks for a job of one or two save nodes.
func (w *owners) submit() {
	user := fmt.Sprint("user", w.pick(4))
	var p savers
	for n := range 1 + w.pick(2) {
		s := w.saver(fmt.Sprint(9 + n))
		if n > 0 && s.Kind != isolated && s.Kind != takes { // both may write one file
			s.Late, p.Savers[0].Late = 0, 0
		}
		p.add(s)
	}
	body, _ := json.Marshal(p)
	j, _, err := w.Submit(context.Background(), job.Request{User: user, Workflow: body, Priority: job.Normal, Caller: job.Caller{Name: user}})
	if err != nil {
		w.note("submit of %s: %v", user, err)
		return
	}
	w.note("submit of %s: %s %s", user, j.ID, body)
	w.jobs = append(w.jobs, j.ID)
}

func (w *owners) saver(node string) saver {
	w.mu.Lock()
	defer w.mu.Unlock()
	of := func(all ...string) string { return all[w.dice.IntN(len(all))] }
	s := saver{Node: node, Kind: of(isolated, isolated, flat, flat, ownName, unknown, unknown, learned, takes, ignores), Named: true, Sidecar: w.dice.IntN(4) == 0, Claim: w.dice.IntN(3) == 0}
	if s.Kind == ownName && w.heard == 0 && w.dice.IntN(2) == 0 {
		s.Kind = flat // what writes anywhere and is never heard of keeps everybody waiting
	}
	suffix := of(".jpg", ".txt")
	if s.Claim {
		suffix = ".png"
	}
	if s.Kind == unknown {
		s.Named = w.dice.IntN(4) > 0
	}
	for range 1 + w.dice.IntN(2) {
		p := job.Path(of("anna", "Bert") + suffix)
		switch s.Kind {
		case flat:
			p = job.Path(of("day1/", "day2/")) + p
		case ownName, learned, ignores:
			p = job.Path(of("", "day1/")) + p
		case unknown:
			if s.Named {
				p = job.Path(of("odd/anna", "odd/anna", "day1/anna") + strings.Replace(suffix, ".txt", ".jpg", 1))
			} else { // beside a history that names the file, nothing names it
				p = "mute/" + p
			}
		}
		if !slices.Contains(s.Paths, p) {
			s.Paths = append(s.Paths, p)
		}
	}
	if w.dice.IntN(4) == 0 {
		s.Again = 500*time.Millisecond + time.Duration(w.dice.Int64N(int64(4500*time.Millisecond)))
	}
	switch {
	case w.dice.IntN(4) > 0 || w.calm:
	case s.Kind == isolated, s.Kind == takes:
		s.Late = time.Duration(w.dice.Int64N(int64(2 * time.Minute)))
	case s.Named && w.heard == 100: // what comes with it nobody could know
		s.Sidecar, s.Again = false, 0
		s.Late = time.Duration(w.dice.Int64N(int64(20 * time.Second)))
	}
	return s
}

// add takes a node into the prompt, with what a check finds of it.
func (p *savers) add(s saver) {
	p.Savers = append(p.Savers, s)
	x := job.Expected{Node: s.Node, Class: s.Kind, Count: len(s.Paths)}
	if s.Again%2 == 0 {
		x.Count = 0
	}
	switch s.Kind {
	case isolated:
	case flat:
		x.Custom, x.Outside = true, true
		for _, path := range s.Paths {
			place := strings.ToLower(string(path[:strings.Index(string(path), "/")+1]))
			if s.Again == 0 { // as exact as the literals tell
				place, _, _ = strings.Cut(strings.ToLower(string(path)), ".")
			}
			p.Places = append(p.Places, place)
		}
	case ownName:
		x.Custom, x.Outside = true, true
		p.Places = append(p.Places, "")
	case unknown:
		p.Unsure = true
		if p.Strangers == nil {
			p.Strangers = map[string]string{}
		}
		p.Strangers[s.Node] = fmt.Sprint("Unknown, named: ", s.Named)
		return
	case learned:
		x.Custom, x.Count = true, 0
	case takes, ignores:
		x.Custom = true
		if p.Strangers == nil {
			p.Strangers = map[string]string{}
		}
		p.Strangers[s.Node] = s.Kind
	}
	p.Expect = append(p.Expect, x)
}

// assign lets an admin give an open orphan to the user whose file it is.
func (w *owners) assign() {
	orphans, err := w.Orphans(job.OrphanOpen)
	if err != nil || len(orphans) == 0 {
		return
	}
	o := orphans[w.pick(len(orphans))]
	w.mu.Lock()
	v := w.present(o.Path)
	known := v != nil && v.complete(time.Now()) && v.copyOf == nil && time.Since(v.shown) > 10*time.Second
	w.mu.Unlock()
	if !known {
		return
	}
	_, err = w.AssignOrphan(context.Background(), o.ID, v.user, job.Caller{Name: "admin"})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tell("admin assigns %s (%s) to %s: %v", o.Path, v.sum, v.user, err)
	v.decided = v.decided || err == nil
}

// copyByHand lets a person copy a delivered picture of an ended job to another
// place on the share.
func (w *owners) copyByHand() {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.all, func(v *version) bool {
		j, err := w.ledger.Job(v.job)
		return v.claim != nil && v.copyOf == nil && len(v.placed) > 0 && w.present(v.path) == v && err == nil && j.State().Terminal() && w.dice.IntN(3) == 0
	})
	if i < 0 {
		return
	}
	v, now := *w.all[i], time.Now()
	v.copyOf, v.placed, v.path = w.all[i], nil, job.Path(fmt.Sprintf("copies/%d.png", len(w.all)))
	v.wrote, v.done, v.shown = now, now, now
	w.put(&v)
}

func (w *owners) present(p job.Path) *version {
	if all := w.versions[p]; len(all) > 0 {
		return all[len(all)-1]
	}
	return nil
}

// put brings a version to its path. What stood there must not be lost by that.
func (w *owners) put(v *version) {
	old, now := w.present(v.path), time.Now()
	if j, err := w.ledger.ByPrompt(v.prompt); err == nil {
		a, _ := j.ByPrompt(v.prompt)
		v.after = a.State >= job.Rendered && !a.Heard()
	}
	w.tell("%s is %s of %s, prompt %s, complete at %s", v.path, v.sum, v.user, v.prompt, v.done.Format("15:04:05.000"))
	w.versions[v.path] = append(w.versions[v.path], v)
	w.all = append(w.all, v)
	if old == nil || !old.complete(now) || len(old.placed) > 0 || old.decided || old.job == v.job ||
		!below(old.places, v.path) || !below(v.places, v.path) {
		return
	}
	if o, err := w.ledger.Orphan(job.NewOutputID("", v.path)); err == nil && (o.State == job.OrphanOpen || o.Job != "") &&
		(v.sent.Sub(old.shown) >= w.held(o, v) || old.sidecar && len(o.Candidates) == 0) {
		return // an admin had the time to decide, or nothing tells that a job wrote it
	}
	if (old.sidecar || old.after) && v.sent.Before(old.shown.Add(w.scan+2*time.Second)) {
		return // nothing asked for it, and no scan had found it when the next was sent
	}
	w.fault(v.path, []*version{old, v}, "%s (%s of %s) was overwritten by %s before it was delivered", v.path, old.sum, old.user, v.user)
}

// held is for how long the orphan keeps a job waiting that writes this version: for
// a minute when it may write anywhere and has none of the nodes of the candidates.
func (w *owners) held(o job.Orphan, v *version) time.Duration {
	classes := func(id job.ID) []string {
		j, _ := w.ledger.Job(id)
		all := slices.Collect(maps.Values(j.Strangers))
		for _, x := range j.Expect {
			if x.Custom {
				all = append(all, x.Class)
			}
		}
		return all
	}
	mine := classes(v.job)
	alike := slices.ContainsFunc(o.Candidates, func(id job.ID) bool {
		return slices.ContainsFunc(classes(id), func(c string) bool { return slices.Contains(mine, c) })
	})
	exact := slices.DeleteFunc(slices.Clone(v.places), func(place string) bool { return place == "" })
	if alike || below(exact, v.path) {
		return ownersPolicy.LateWindow
	}
	return time.Minute
}

// below reports a path that begins with one of the places.
func below(places []string, p job.Path) bool {
	return job.Overlap([]string{strings.ToLower(string(p))}, places)
}

// killReplica ends what a replica runs and has queued.
func (w *owners) killReplica() {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.dice.IntN(len(w.killed))
	w.killed[n] = time.Now()
	w.tell("replica %d is killed", n)
}

// ownersFleet is the workers: two replicas behind a random balancer.
type ownersFleet struct {
	*fakeFleet
	*owners
}

func (f ownersFleet) Run(ctx context.Context, report func(job.Fact)) error {
	f.owners.mu.Lock()
	f.owners.report = report
	f.owners.mu.Unlock()
	<-ctx.Done()
	f.owners.mu.Lock()
	f.owners.report = nil
	f.owners.mu.Unlock()
	return nil
}

func (f ownersFleet) Submit(ctx context.Context, s job.Submission) job.Fact {
	lost := answer(s, job.Unanswered, &job.Error{Code: "no_answer", Transient: true, Message: "lost"})
	f.note("POST %s, attempt %d of %s, plain %q", s.PromptID, s.Attempt, s.Job, s.Plain)
	fate := f.pick(100)
	if f.owners.calm {
		fate = 0
	}
	if cut := !wait(ctx, f.upTo(2*time.Second)); cut && fate >= 80 {
		return lost
	} else if cut {
		go f.execute(s)
		return lost
	}
	switch {
	case fate < 75:
		go f.execute(s)
		return answer(s, job.Acknowledged, nil)
	case fate < 85: // it ran, and the answer is lost
		go f.execute(s)
		return lost
	case fate < 90: // neither
		return lost
	}
	return answer(s, job.Refused, &job.Error{Code: "try_later", Transient: true, Message: "503"})
}

// execute queues a prompt on a replica and runs it. A killed replica leaves what
// it has written.
func (f ownersFleet) execute(s job.Submission) {
	w := f.owners
	var p savers
	if err := json.Unmarshal(s.Workflow, &p); err != nil {
		w.Error(err)
		return
	}
	n, queued := w.pick(len(w.replicas)), time.Now()
	w.replicas[n] <- struct{}{}
	defer func() { <-w.replicas[n] }()
	alive := func(d time.Duration) bool {
		time.Sleep(d) // fake time
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.killed[n].Before(queued)
	}
	if !alive(w.upTo(2 * time.Second)) {
		return
	}
	j, err := w.ledger.Job(s.Job)
	if err != nil {
		w.Error(err)
		return
	}
	a, _ := j.Attempt(s.Attempt)
	writer := func(node string) version {
		return version{user: s.User, job: s.Job, prompt: s.PromptID, node: node, places: a.Places, sent: a.When(job.Assigned)}
	}
	if w.markers {
		w.mu.Lock()
		m := writer("_started")
		m.path = job.Path("qm/" + s.PromptID + "/_started")
		m.wrote, m.shown = time.Now(), time.Now()
		w.put(&m)
		w.mu.Unlock()
	}
	var named []job.Path
	var reused []job.Path
	var outside []string
	for _, node := range p.Savers {
		if node.Kind == learned && !slices.Contains(s.Plain, node.Kind) {
			continue
		}
		v := writer(node.Node)
		if node.Kind == unknown && node.Named || node.Kind == ignores {
			v.places = []string{""} // its class never shows that it writes nothing
		}
		v.sidecar = !node.Named
		if node.Claim {
			v.claim = &job.Claim{Job: s.Job, PromptID: s.PromptID, Attempt: s.Attempt, Node: node.Node}
		}
		if node.Kind == flat && w.reuse(s.User, node.Paths) {
			named, reused, outside = append(named, node.Paths...), append(reused, node.Paths...), append(outside, node.Node)
			continue
		}
		for i, path := range node.Paths {
			if v.path = path; node.Kind == isolated || node.Kind == takes {
				v.path = job.Path("qm/"+s.PromptID+"/"+node.Node+"/") + path
			} else if node.Named {
				named, outside = append(named, path), append(outside, node.Node)
			}
			if !alive(w.upTo(5 * time.Second)) {
				return
			}
			if i == len(node.Paths)-1 && node.Late > 0 {
				late := v
				go func() {
					time.Sleep(node.Late) // fake time
					w.save(late, node, nil)
				}()
				continue
			}
			if !w.save(v, node, alive) {
				return
			}
		}
	}
	w.note("run of %s has ended", s.PromptID)
	if w.pick(100) < w.heard {
		go func() {
			late := []time.Duration{time.Second, time.Second, 5 * time.Second, time.Minute}[w.pick(4)]
			for range 1 + w.pick(2) {
				time.Sleep(w.upTo(late)) // fake time
				w.mu.Lock()
				report := w.report
				w.tell("history of %s names %q", s.PromptID, named)
				w.mu.Unlock()
				if report != nil {
					report(job.Fact{Job: s.Job, Attempt: s.Attempt, PromptID: s.PromptID, Kind: job.Finished, At: time.Now(), Evidence: job.ByHistory, Files: named, Outside: outside, Reused: reused})
				}
			}
		}()
	}
}

// reuse lets a node now and then be cached, where delivered files stand at all
// its paths: it writes nothing, and its history names them.
func (w *owners) reuse(user string, paths []job.Path) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	absent := func(p job.Path) bool {
		v := w.present(p)
		return v == nil || !v.complete(time.Now()) || v.copyOf != nil || len(v.placed) == 0
	}
	if w.dice.IntN(6) > 0 || slices.ContainsFunc(paths, absent) {
		return false
	}
	for _, p := range paths {
		v := w.present(p)
		v.reusers = append(v.reusers, user)
		w.tell("%s (%s) is reported by a cached node of %s", p, v.sum, user)
	}
	return true
}

// save writes one file of a node, and what comes with it; false when the
// replica was killed meanwhile.
func (w *owners) save(v version, node saver, alive func(time.Duration) bool) bool {
	if alive == nil {
		alive = func(d time.Duration) bool { time.Sleep(d); return true } // fake time
	}
	write := func(v version) bool {
		takes := w.upTo(2 * time.Second)
		x := &v
		w.mu.Lock()
		w.written++
		x.sum, x.size, x.wrote = fmt.Sprint("xxh64:", w.written), 10+int64(w.written%2), time.Now()
		x.textual = strings.HasSuffix(string(v.path), ".txt")
		x.shown = x.wrote.Add(time.Duration(w.dice.Int64N(int64(2 * time.Second))))
		w.put(x)
		w.mu.Unlock()
		if !alive(takes) {
			return false
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.present(x.path) == x {
			x.done = time.Now()
		}
		return true
	}
	if !write(v) {
		return false
	}
	if node.Sidecar {
		side := v
		side.sidecar = true
		stem, _, _ := strings.Cut(string(v.path), ".")
		side.path, side.claim = job.Path(stem+".json"), nil
		if !write(side) {
			return false
		}
	}
	if node.Again > 0 {
		return alive(node.Again) && write(v)
	}
	return true
}

// ownersShare is the share and the users' folders.
type ownersShare struct {
	worldShare
	*owners
}

// Run looks once a second into the folders of attempts and at the paths that
// are asked for, and now and then at everything. It reports what is new, in any
// order; a new Run reports everything again.
func (s ownersShare) Run(ctx context.Context, report func(job.Sighting)) error {
	type saying struct {
		mark     job.Mark
		size     int64
		modified time.Time
	}
	told := map[job.Path]saying{}
	last := time.Now()
	for wait(ctx, time.Second) {
		everywhere := time.Since(last) >= s.scan
		if everywhere {
			last = time.Now()
		}
		seen := s.look(everywhere)
		if !wait(ctx, s.upTo(500*time.Millisecond)) {
			return nil
		}
		for _, x := range seen {
			now := saying{x.Mark, x.Size, x.Modified}
			if told[x.Path] == now && !s.chance(2) {
				continue
			}
			told[x.Path] = now
			report(x)
		}
	}
	return nil
}

// look lists what stands there and can be seen.
func (s ownersShare) look(everywhere bool) (out []job.Sighting) {
	w, now := s.owners, time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looked = now
	for p := range w.versions {
		v := w.present(p)
		if now.Before(v.shown) || !p.Tagged() && !w.paths[p] && !everywhere || !everywhere && w.dice.IntN(5) == 0 {
			continue
		}
		x := job.Sighting{Path: p, Size: v.size, Mark: job.MarkSeen, At: now, Modified: v.modified(now, w.offset)}
		if p.Tagged() {
			x.PromptID, x.Node = v.prompt, v.node
		}
		switch {
		case v.node == "_started":
			x.Mark = job.MarkStarted
		case !v.complete(now):
			x.Size = 5
		case !v.textual:
			x.Mark, x.Claim = job.MarkWhole, v.claim
		case now.Sub(v.done) > 2*time.Second:
			x.Mark = job.MarkSettling
		}
		out = append(out, x)
	}
	w.dice.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func (s ownersShare) Watch(folders []job.Folder) {
	s.owners.mu.Lock()
	defer s.owners.mu.Unlock()
	s.paths = map[job.Path]bool{}
	for _, f := range folders {
		for _, p := range f.Paths {
			s.paths[p] = true
		}
	}
}

func (s ownersShare) Status() job.ShareStatus {
	s.owners.mu.Lock()
	defer s.owners.mu.Unlock()
	return job.ShareStatus{Mounted: !s.owners.looked.IsZero(), LookedAt: s.owners.looked}
}

func (s ownersShare) Choose(_ context.Context, batch []job.Transfer, taken []string) ([]string, error) {
	s.owners.mu.Lock()
	defer s.owners.mu.Unlock()
	placed := map[string]job.Path{}
	for at, v := range s.standing {
		placed[at] = v.path
	}
	return freePlaces(placed, batch, taken), nil
}

func (s ownersShare) Sum(ctx context.Context, p job.Path) (int64, string, error) {
	if !wait(ctx, s.upTo(time.Second)) {
		return 0, "", ctx.Err()
	}
	s.owners.mu.Lock()
	defer s.owners.mu.Unlock()
	v := s.present(p)
	if v == nil || !v.complete(time.Now()) {
		return 0, "", &job.Error{Code: "not_whole", Transient: true}
	}
	return v.size, v.sum, nil
}

// Copy takes its time, and the bytes that stand at the path at its end.
func (s ownersShare) Copy(ctx context.Context, t job.Transfer) (job.Receipt, error) {
	if !wait(ctx, s.upTo(3*time.Second)) {
		return job.Receipt{}, ctx.Err()
	}
	if s.chance(5) {
		return job.Receipt{}, &job.Error{Code: "disk_full", Class: job.Unavailable, Transient: true, Message: "no room"}
	}
	r, err := s.place(t)
	if err == nil && s.chance(10) && !wait(ctx, s.upTo(time.Second)) {
		return job.Receipt{}, ctx.Err()
	}
	return r, err
}

func (s ownersShare) place(t job.Transfer) (job.Receipt, error) {
	w, now := s.owners, time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.present(t.Source)
	if v == nil || !v.complete(now) || v.textual && !t.Settled {
		return job.Receipt{}, &job.Error{Code: "not_whole", Class: job.Conflict, Transient: true, Message: "incomplete"}
	}
	if !t.Version.IsZero() && !v.modified(now, w.offset).Equal(t.Version) {
		return job.Receipt{}, &job.Error{Code: "source_vanished", Class: job.NotFound, Transient: true, Message: "written again"}
	}
	r := job.Receipt{Dest: t.Dest, Size: v.size, Checksum: v.sum, Modified: v.modified(now, w.offset)}
	if t.Replaces == v.sum {
		return r, nil
	}
	at := t.User + "/" + t.Dest
	switch old := w.standing[at]; {
	case old != nil && old.sum == v.sum:
		r.Repeated = true
		return r, nil
	case old != nil && old.sum != t.Replaces:
		return job.Receipt{}, &job.Error{Code: "dest_taken", Class: job.Conflict}
	}
	w.standing[at] = v
	v.placed = append(v.placed, at)
	w.tell("%s (%s) is delivered to %s", v.path, v.sum, at)
	switch {
	case t.User != v.user && !slices.Contains(v.reusers, t.User):
		j, _ := w.ledger.ByOutput(t.Output)
		w.fault(v.path, []*version{v, {job: j.ID}}, "%s was written by %s and is delivered to %s", v.path, v.user, t.User)
	case len(v.placed) > 1+len(v.reusers):
		w.fault(v.path, []*version{v}, "%s (%s) is delivered to %q", v.path, v.sum, v.placed)
	case v.copyOf != nil:
		w.fault(v.path, []*version{v}, "%s is a copy of %s and is delivered", v.path, v.copyOf.path)
	}
	return r, nil
}

// watch holds what holds at every moment beyond what every copy and every write
// shows.
func (w *owners) watch() {
	for _, v := range w.ledger.Rejects() {
		w.Errorf("the engine recorded what is impossible: %+v", v)
	}
}

// settle ends all faults and lets everything come to its end.
func (w *owners) settle() {
	w.mu.Lock()
	w.calm = true
	w.mu.Unlock()
	w.stop()
	w.start()
	for range 200 {
		w.pass(time.Minute)
		if open, err := w.ledger.Open(); err == nil && len(open) == 0 {
			break
		}
	}
	w.pass(20 * time.Minute)
}

// check holds what holds at the end: every job has ended, and the last version
// of every file is with its user or is shown to an admin.
func (w *owners) check() {
	for _, id := range w.jobs {
		if j, err := w.ledger.Job(id); err != nil || !j.State().Terminal() || !j.Closed {
			w.Errorf("job %s is %s, closed %v, at the end (%v): %s; outputs %+v", id, j.State(), j.Closed, err, w.Standing(j).Phase, j.Outputs)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for p := range w.versions {
		v := w.present(p)
		if v.node == "_started" || !v.complete(time.Now()) || v.copyOf != nil || v.decided || len(v.placed) > 0 {
			continue
		}
		if o, err := w.ledger.Orphan(job.NewOutputID("", p)); err != nil || o.State != job.OrphanOpen {
			w.fault(p, []*version{v}, "%s (%s of %s) is neither delivered nor shown as an orphan", p, v.sum, v.user)
		}
	}
}
