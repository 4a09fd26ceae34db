package engine_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/engine/upkeep"
	"github.com/comfyume/qmtui/internal/job"
)

// fakeShare is a share whose looks are told by the test, and whose copies
// succeed unless the test says otherwise.
type fakeShare struct {
	mu      sync.Mutex
	report  func(job.Sighting)
	folders []job.Folder
	fail    map[job.Path][]error // errors of the next copies of a source
	placed  map[string]job.Path  // user/dest -> source
	copies  int
	status  job.ShareStatus
	sums    map[job.Path]string
	content string                 // of delivered files; empty for some
	gate    chan struct{}          // when not nil, copies wait for it
	written map[job.Path]time.Time // of the files told last
}

func newShare() *fakeShare {
	return &fakeShare{fail: map[job.Path][]error{}, sums: map[job.Path]string{}, placed: map[string]job.Path{}, written: map[job.Path]time.Time{}, status: job.ShareStatus{Mounted: true, Free: 1 << 40}}
}

// set changes the fake while the engine may be using it.
func (s *fakeShare) set(change func(*fakeShare)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// tell changes what the share says of itself.
func (s *fakeShare) tell(change func(*job.ShareStatus)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
}

func (s *fakeShare) Run(ctx context.Context, report func(job.Sighting)) error {
	s.mu.Lock()
	s.report = func(x job.Sighting) {
		s.set(func(s *fakeShare) { s.written[x.Path] = x.Modified })
		report(x)
	}
	s.mu.Unlock()
	<-ctx.Done()
	return nil
}

func (s *fakeShare) Watch(folders []job.Folder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.folders = folders
}

func (s *fakeShare) Nudge(string) {}

func (s *fakeShare) Choose(_ context.Context, batch []job.Transfer, taken []string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return freePlaces(s.placed, batch, taken), nil
}

// freePlaces numbers the files without a place in the order of the batch.
func freePlaces(placed map[string]job.Path, batch []job.Transfer, taken []string) []string {
	var dests []string
	n := 1
	for _, t := range batch {
		folder, dest := "", t.Dest
		if t.Aside {
			folder = "cancelled/"
		}
		for dest == "" {
			try := fmt.Sprintf("%sout_%05d_.png", folder, n)
			if _, there := placed[t.User+"/"+try]; !there && !slices.Contains(taken, try) && !slices.Contains(dests, try) {
				dest = try
			}
			n++
		}
		dests = append(dests, dest)
	}
	return dests
}

func (s *fakeShare) Copy(ctx context.Context, t job.Transfer) (job.Receipt, error) {
	s.mu.Lock()
	gate := s.gate
	s.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return job.Receipt{}, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.copies++
	if errs := s.fail[t.Source]; len(errs) > 0 {
		s.fail[t.Source] = errs[1:]
		return job.Receipt{}, errs[0]
	}
	key := t.User + "/" + t.Dest
	if old, there := s.placed[key]; there {
		if old != t.Source {
			return job.Receipt{}, &job.Error{Code: "dest_taken"}
		}
		return job.Receipt{Dest: t.Dest, Size: 10, Checksum: "xxh64:1", Modified: s.written[t.Source], Repeated: true}, nil
	}
	s.placed[key] = t.Source
	return job.Receipt{Dest: t.Dest, Size: 10, Checksum: "xxh64:1", Modified: s.written[t.Source]}, nil
}

func (s *fakeShare) Accept(context.Context) error {
	s.tell(func(st *job.ShareStatus) { st.Mounted, st.Error = true, nil })
	return nil
}

func (s *fakeShare) Discard(context.Context, job.Path) error { return nil }

func (s *fakeShare) TakeBack(_ context.Context, t job.Transfer, checksum string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if errs := s.fail[t.Source]; len(errs) > 0 {
		s.fail[t.Source] = errs[1:]
		return errs[0]
	}
	if key := t.User + "/" + t.Dest; s.placed[key] == t.Source && checksum == "xxh64:1" {
		delete(s.placed, key)
	}
	return nil
}

func (s *fakeShare) OpenSource(p job.Path) (engine.File, error) {
	return memFile{bytes.NewReader([]byte(p))}, nil
}

// Sum is the checksum of all that Copy brings, unless the test says that the
// file was written again.
func (s *fakeShare) Sum(_ context.Context, p job.Path) (int64, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sum := s.sums[p]; sum != "" {
		return 10, sum, nil
	}
	return 10, "xxh64:1", nil
}

type memFile struct{ *bytes.Reader }

func (memFile) Close() error { return nil }

func (s *fakeShare) Open(string, string) (engine.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return memFile{bytes.NewReader([]byte(cmp.Or(s.content, "picture")))}, nil
}

func (s *fakeShare) Status() job.ShareStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	if st.LookedAt.IsZero() && st.Mounted && st.Error == nil {
		st.LookedAt = time.Now()
	}
	return st
}

func (s *fakeShare) delivered(user string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for k := range s.placed {
		if path.Dir(k) == user || path.Dir(path.Dir(k)) == user {
			all = append(all, k[len(user)+1:])
		}
	}
	slices.Sort(all)
	return all
}

// fakeFleet answers POSTs as the test scripts it; without a script it accepts.
type fakeFleet struct {
	mu          sync.Mutex
	report      func(job.Fact)
	posts       []job.Submission
	script      []func(context.Context, job.Submission) job.Fact
	interrupted []string
	flights     []job.Flight
	deployments []job.Deployment
	ran         []time.Duration
	cold        job.Range
	holds       [][]string             // what was asked to be held, each time
	spent       map[string][]job.Spent // by deployment
	woken       []string
	wakeErr     error
	refreshed   []string
	always      func(context.Context, job.Submission) job.Fact // to what nothing is scripted for; nil accepts
	refresh     func(*job.Deployment)                          // what a question shows
}

func newFleet(capacity int) *fakeFleet {
	return &fakeFleet{deployments: []job.Deployment{{Name: "h200-spot", Driver: "comfyui", Capacity: capacity, State: job.WarmthWarm}}}
}

// set changes the fake while the engine may be using it.
func (f *fakeFleet) set(change func(*fakeFleet)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// answers scripts the next POST that nothing is scripted for.
func (f *fakeFleet) answers(with func(context.Context, job.Submission) job.Fact) {
	f.set(func(f *fakeFleet) { f.script = append(f.script, with) })
}

func (f *fakeFleet) Check(_ string, workflow, extra []byte) (job.Checked, error) {
	if p := (wanted{}); json.Unmarshal(workflow, &p) == nil {
		return job.Checked{Workflow: workflow, Extra: extra, Expect: p.Expect, Places: p.Places, Unsure: p.Unsure, Strangers: p.Strangers}, nil
	}
	var expect []job.Expected
	if err := json.Unmarshal(workflow, &expect); err != nil {
		return job.Checked{}, &job.Error{Code: "not_json", Class: job.Invalid, Message: "the workflow is not JSON"}
	}
	return job.Checked{Workflow: workflow, Extra: extra, Expect: expect}, nil
}

// wanted is a workflow that says what its check finds.
type wanted struct {
	Expect    []job.Expected
	Places    []string
	Unsure    bool
	Strangers map[string]string
}

// ask submits such a workflow.
func (h *house) ask(user string, w wanted) job.Job {
	h.Helper()
	body, _ := json.Marshal(w)
	j, _, err := h.Submit(context.Background(), job.Request{User: user, Workflow: body, Priority: job.Normal, Caller: job.Caller{Name: user}})
	if err != nil {
		h.Fatalf("submit: %v", err)
	}
	synctest.Wait()
	return j
}

func answer(s job.Submission, k job.Kind, e *job.Error) job.Fact {
	return job.Fact{Job: s.Job, Attempt: s.Attempt, PromptID: s.PromptID, Kind: k, At: time.Now(), Evidence: job.ByPlatform, Error: e}
}

func (f *fakeFleet) Submit(ctx context.Context, s job.Submission) job.Fact {
	f.mu.Lock()
	f.posts = append(f.posts, s)
	next := func(_ context.Context, s job.Submission) job.Fact { return answer(s, job.Acknowledged, nil) }
	if f.always != nil {
		next = f.always
	}
	if len(f.script) > 0 {
		next, f.script = f.script[0], f.script[1:]
	}
	f.mu.Unlock()
	return next(ctx, s)
}

func (f *fakeFleet) Follow(flights []job.Flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flights = flights
}

func (f *fakeFleet) Run(ctx context.Context, report func(job.Fact)) error {
	f.mu.Lock()
	f.report = report
	f.mu.Unlock()
	<-ctx.Done()
	return nil
}

func (f *fakeFleet) Interrupt(_ context.Context, x job.Flight) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.interrupted, x.PromptID) {
		f.interrupted = append(f.interrupted, x.PromptID)
	}
	return nil
}

func (f *fakeFleet) Ran(_ string, d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ran = append(f.ran, d)
}

func (f *fakeFleet) ColdStart(_ string, models []string, _ time.Time) job.Range {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cold
}

func (f *fakeFleet) Hold(names []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.holds = append(f.holds, names)
}

func (f *fakeFleet) Spending(name string) []job.Spent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.spent[name]
}

func (f *fakeFleet) Nodes(deployment string) job.NodeList {
	return job.NodeList{Deployment: deployment, JSON: []byte(`{"SaveImage":{}}`)}
}

func (f *fakeFleet) Deployments() []job.Deployment {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.deployments)
}

func (f *fakeFleet) Warm(_ context.Context, name string) (job.Deployment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.woken = append(f.woken, name)
	return job.Deployment{Name: name, State: job.WarmthWarm}, f.wakeErr
}

func (f *fakeFleet) Refresh(_ context.Context, name string) (job.Deployment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refreshed = append(f.refreshed, name)
	for i := range f.deployments {
		if f.refresh != nil && f.deployments[i].Name == name {
			f.deployments = slices.Clone(f.deployments)
			f.refresh(&f.deployments[i])
		}
	}
	return job.Deployment{}, nil
}

func (f *fakeFleet) posted() []job.Submission {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.posts)
}

// house is an engine among fakes, inside a synctest bubble.
type house struct {
	*testing.T
	*engine.Engine
	ledger *ledgertest.Memory
	share  *fakeShare
	fleet  *fakeFleet
	policy engine.Policy
	log    *slog.Logger // nil discards
	rules  upkeep.Rules
	deeds  []job.AuditEntry
	inputs *fakeInputs // nil: none are carried
	loads  bool        // workflows name what they load
	idle   bool        // no deployment is active without being chosen
	real   engine.Ledger
	heavy  []byte // what every prompt is taken for; nil for itself
	stop   func()
}

// open runs fn beside a running engine, with fake time.
func open(t *testing.T, capacity int, p engine.Policy, fn func(h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &house{T: t, ledger: ledgertest.NewMemory(), share: newShare(), fleet: newFleet(capacity), policy: p}
		h.start()
		defer func() { h.stop() }()
		fn(h)
	})
}

func (h *house) start() {
	h.Helper()
	o := engine.Options{Ledger: h.ledger, Share: h.share, Fleet: h.fleet, Policy: h.policy, Rules: h.rules, Log: h.log, Idle: h.idle,
		Audit: func(e job.AuditEntry) error { h.deeds = append(h.deeds, e); return nil }}
	if h.inputs != nil {
		o.Inputs = h.inputs
	}
	if h.real != nil {
		o.Ledger = h.real
	}
	if h.heavy != nil {
		o.Fleet = heavyFleet{h.fleet, h.heavy}
	}
	if h.loads {
		o.Fleet = loadingFleet{h.fleet}
	}
	h.Engine = engine.New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Engine.Run(ctx) }()
	h.stop = func() {
		cancel()
		if err := <-done; err != nil {
			h.Errorf("Run ended with %v", err)
		}
	}
	<-h.Ready()
	synctest.Wait()
}

// submit asks for a job whose node 9 writes count files.
func (h *house) submit(user string, count int) job.Job {
	h.Helper()
	j, err := h.try(user, count, job.Normal)
	if err != nil {
		h.Fatalf("submit: %v", err)
	}
	return j
}

func (h *house) try(user string, count int, p job.Priority) (job.Job, error) {
	body, _ := json.Marshal([]job.Expected{{Node: "9", Class: "SaveImage", Prefix: "out", Count: count}})
	j, _, err := h.Submit(context.Background(), job.Request{User: user, Workflow: body, Priority: p, Caller: job.Caller{Name: user}})
	synctest.Wait()
	return j, err
}

// pass lets time go by.
func (h *house) pass(d time.Duration) {
	time.Sleep(d) // fake time: see testing/synctest
	synctest.Wait()
}

func (h *house) see(prompt string, m job.Mark, names ...string) {
	for _, n := range names {
		h.share.report(job.Sighting{PromptID: prompt, Node: "9", Path: job.Path("qm/" + prompt + "/9/" + n), Size: 10, Mark: m, At: time.Now()})
	}
	synctest.Wait()
}

func (h *house) hear(j job.Job, k job.Kind, e *job.Error) {
	a := h.now(j).Current()
	h.fleet.report(job.Fact{Job: j.ID, Attempt: a.N, PromptID: a.PromptID, Kind: k, At: time.Now(), Evidence: job.ByHistory, Error: e})
	synctest.Wait()
}

func (h *house) now(j job.Job) job.Job {
	h.Helper()
	j, err := h.Job(j.ID)
	if err != nil {
		h.Fatal(err)
	}
	return j
}

func (h *house) prompt(j job.Job) string { return h.now(j).Current().PromptID }

func (h *house) want(j job.Job, s job.State) job.Job {
	h.Helper()
	j = h.now(j)
	if j.State() != s {
		h.Fatalf("the job is %s (error %v), want %s", j.State(), j.Current().Error, s)
	}
	return j
}

func (h *house) act(j job.Job, v job.Verb) *job.Error {
	h.Helper()
	r, err := h.Act(context.Background(), job.Action{Verb: v, Filter: job.Filter{IDs: []job.ID{j.ID}}, Caller: job.Caller{Name: "admin", Admin: true}})
	if err != nil {
		h.Fatal(err)
	}
	synctest.Wait()
	return r[0].Error
}

// heavyFleet reads every prompt as one of such a size.
type heavyFleet struct {
	engine.Fleet
	body []byte
}

func (f heavyFleet) Check(_ string, _, _ []byte) (job.Checked, error) {
	return job.Checked{Workflow: f.body}, nil
}
