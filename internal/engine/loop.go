package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

const (
	// tick is how often time alone is given a chance to change the plan.
	tick = 200 * time.Millisecond
	// maxBatch bounds the messages folded into one commit.
	maxBatch = 512
	// maxRounds bounds how often a plan may follow from a plan in one turn.
	maxRounds = 8
)

// loop owns everything live. All its fields belong to the goroutine of run,
// but for acts, which counts the goroutines started by it.
type loop struct {
	*Engine
	jobs   map[job.ID]*job.Job
	order  []*job.Job // the same jobs, oldest first
	prompt map[string]job.ID
	mode   job.Mode
	active string
	traces map[string]Trace
	// posting holds the POSTs under way with what cancels them.
	posting    map[string]context.CancelFunc
	deliveries map[job.OutputID]*delivery
	stagings   map[job.ID]*staging // of waiting jobs
	charges    charges
	usage      usage
	account    account
	keeper     keeper
	closing    bool // takes no more work
	orphans    int
	clock      clockOffset          // of the share's clock, as start markers show it
	skew       time.Duration        // of the share's clock, as the last new file showed it
	warned     map[string]time.Time // since when each warning has stood
	// shared are the open attempts that may write outside their own folders, or
	// whose histories name files there, by prompt id.
	shared map[string]job.ID
	// sources are the outputs of open jobs outside the attempts' own folders.
	sources map[job.Path]source
	// versions are the times of the files, by outputs outside the attempts' own
	// folders, that were attributed: another version may be another's.
	versions map[job.OutputID]time.Time
	// unclaimed are files whose owner was not decided when they were seen last;
	// reconsider says that news may decide, asked when they were considered last.
	unclaimed  map[job.Path]unclaimed
	reconsider bool
	asked      time.Time
	sums       map[job.Path]*summing
	summing    int
	disputed   map[job.Path]Dispute  // as in View
	settling   map[job.OutputID]bool // orphans that somebody assigns or discards
	delays     delays
	learned    map[string]map[string]job.Learned // by deployment and class
	copies     int                               // files ignored as copies of delivered ones, since the start
	// unrecorded facts wait for room on the disk of the ledger; fault says why.
	unrecorded []job.Fact
	fault      *job.Error
	refused    refusal
	watched    []job.Folder
	followed   []job.Flight
	acts       sync.WaitGroup
	kill       context.Context // acts end with it
	standing   time.Time       // when the board was last made
	// unpublished says that something happened since the board was made.
	unpublished bool
	sighted     time.Time // since when the share can be seen; zero while it cannot
	looked      time.Time // when the last look began that it answered
	read        time.Time // the clock at the last turn
	leapt       time.Time // when the clock was last set
}

func newLoop(e *Engine) (*loop, error) {
	l := &loop{Engine: e, jobs: map[job.ID]*job.Job{}, prompt: map[string]job.ID{}, mode: job.ModeRunning,
		traces: map[string]Trace{}, posting: map[string]context.CancelFunc{}, deliveries: map[job.OutputID]*delivery{}, stagings: map[job.ID]*staging{},
		shared: map[string]job.ID{}, sources: map[job.Path]source{}, versions: map[job.OutputID]time.Time{}, unclaimed: map[job.Path]unclaimed{}, sums: map[job.Path]*summing{}, settling: map[job.OutputID]bool{}, disputed: map[job.Path]Dispute{},
		keeper: keeper{vigils: map[string]*vigil{}, asked: map[string]*questions{}}}
	open, err := e.ledger.Open()
	if err != nil {
		return nil, err
	}
	for _, j := range open {
		l.adopt(j)
	}
	return l, errors.Join(l.loadSettings(), l.countOrphans())
}

// adopt takes an open job into the live state.
func (l *loop) adopt(j job.Job) *job.Job {
	p := &j
	if old, ok := l.jobs[j.ID]; ok {
		*old = j
		p = old
	} else {
		l.jobs[j.ID] = p
		i, _ := slices.BinarySearchFunc(l.order, p, byAge)
		l.order = slices.Insert(l.order, i, p)
	}
	for _, a := range j.Attempts {
		if a.PromptID == "" {
			continue
		}
		l.prompt[a.PromptID] = j.ID
		if a.Places != nil || j.Unsure || len(outside(a)) > 0 {
			l.shared[a.PromptID] = j.ID
		}
	}
	for _, o := range j.Outputs {
		if !o.Source.Tagged() && o.Source != "" {
			l.sources[o.Source] = l.newest(l.sources[o.Source], source{j.ID, o.ID})
		}
	}
	l.places.follow(j)
	return p
}

// outside are the files that a history of the attempt names outside the
// attempts' own folders.
func outside(a job.Attempt) []job.Path {
	return slices.DeleteFunc(slices.Clone(a.Files), job.Path.Tagged)
}

// newest is the one of two outputs at a path whose attempt was assigned later.
func (l *loop) newest(a, b source) source {
	at := func(s source) time.Time {
		j := l.jobs[s.job]
		if j == nil {
			return time.Time{}
		}
		o, _ := j.Output(s.output)
		attempt, _ := j.Attempt(o.Attempt)
		return attempt.When(job.Assigned)
	}
	if at(a).After(at(b)) {
		return a
	}
	return b
}

func byAge(a, b *job.Job) int {
	if c := a.Submitted.Compare(b.Submitted); c != 0 {
		return c
	}
	if a.ID < b.ID {
		return -1
	} else if a.ID > b.ID {
		return 1
	}
	return 0
}

// forget drops a closed job from the live state.
func (l *loop) forget(j *job.Job) {
	for _, a := range j.Attempts {
		delete(l.prompt, a.PromptID)
		delete(l.traces, a.PromptID)
		delete(l.shared, a.PromptID)
	}
	for _, o := range j.Outputs {
		if l.sources[o.Source].job == j.ID {
			delete(l.sources, o.Source)
		}
	}
	l.places.forget(*j)
	for _, o := range j.Outputs {
		delete(l.deliveries, o.ID)
		delete(l.versions, o.ID)
	}
	delete(l.jobs, j.ID)
	delete(l.stagings, j.ID)
	if i, ok := slices.BinarySearchFunc(l.order, j, byAge); ok {
		l.order = slices.Delete(l.order, i, i+1)
	}
}

// run turns until ctx ends; then it takes no more work and turns on until its
// copies are done or ten seconds have passed. kill is the parent of all acts.
func (l *loop) run(ctx, kill context.Context) error {
	actctx, stopActs := context.WithCancel(kill)
	defer stopActs()
	l.kill = actctx
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	if err := l.turn(nil); err != nil {
		return err
	}
	close(l.running)
	var deadline <-chan time.Time
	for {
		var batch []message
		select {
		case m := <-l.inbox:
			batch = l.drain(m)
		case <-ticker.C:
		case <-deadline:
			return nil
		case <-kill.Done():
			return context.Cause(kill)
		case <-ctx.Done():
			ctx, deadline = context.Background(), time.After(10*time.Second)
			l.stopWork()
		}
		if err := l.turn(batch); err != nil {
			return err
		}
		if l.closing && len(l.posting) == 0 && !l.copying() {
			return nil
		}
	}
}

// drain takes what has arrived: that is the group commit.
func (l *loop) drain(first message) []message {
	batch := []message{first}
	for len(batch) < maxBatch {
		select {
		case m := <-l.inbox:
			batch = append(batch, m)
		default:
			return batch
		}
	}
	return batch
}

// stopWork begins the end: POSTs nobody has answered are cut short (their
// folders are watched at the next start), nothing new begins.
func (l *loop) stopWork() {
	l.closing = true
	for _, cancel := range l.posting {
		cancel()
	}
}

// turn takes a batch in, records it and what follows, and starts the acts.
func (l *loop) turn(batch []message) error {
	now := time.Now()
	l.watchClock(now)
	l.sight(l.share.Status(), now.UTC())
	var facts []job.Fact
	var replies []func()
	for _, m := range batch {
		switch {
		case m.fact != nil:
			facts = append(facts, l.heard(*m.fact)...)
		case m.sighting != nil:
			facts = append(facts, l.saw(*m.sighting)...)
		case m.do != nil:
			// What was asked may depend on what arrived before it.
			if err := l.record(facts); err != nil {
				return err
			}
			facts = nil
			replies = append(replies, m.do(l))
		}
	}
	if err := l.record(facts); err != nil {
		return err
	}
	if err := l.record(l.reconsidered(now)); err != nil {
		return err
	}
	l.tend(now.UTC())
	if err := l.plan(); err != nil {
		return err
	}
	l.act()
	l.probe(now)
	l.publishBoard(len(batch) > 0)
	for _, reply := range replies {
		reply()
	}
	return nil
}

// plan asks for decisions until there are none.
func (l *loop) plan() error {
	for range maxRounds {
		if l.closing || l.fault != nil {
			return nil
		}
		l.judgeStops()
		facts := Plan(l.view())
		if len(facts) == 0 {
			return nil
		}
		if err := l.record(facts); err != nil {
			return err
		}
	}
	return nil
}

// take updates the live state by what was recorded.
func (l *loop) take(verdicts []job.Verdict) {
	for _, v := range verdicts {
		switch {
		case v.Err == nil:
			l.took(v)
		case errors.Is(v.Err, job.ErrStale):
			l.release(v.Fact.Job)
		case errors.Is(v.Err, job.ErrImpossible):
			l.log.Warn("an impossible fact was kept aside", "job", v.Fact.Job, "kind", v.Fact.Kind, "why", v.Err)
		}
	}
}

// took updates the live state by one recorded fact.
func (l *loop) took(v job.Verdict) {
	old := l.jobs[v.Job.ID]
	wasInFlight := old != nil && attemptState(old, v.Fact.Attempt).InFlight()
	if old == nil && v.Job.Closed && v.Fact.Kind != job.Renewed && len(v.Job.Unsettled()) == 0 {
		return
	}
	before := job.Job{}
	if old != nil {
		before = *old
	}
	j := l.adopt(v.Job)
	l.logFact(v)
	if wasInFlight && !attemptState(j, v.Fact.Attempt).InFlight() {
		l.landed(j, v.Fact)
	}
	if old := attemptOf(before, v.Fact.Attempt); wasInFlight && firstSign(old).IsZero() {
		if a := attemptOf(v.Job, v.Fact.Attempt); !firstSign(a).IsZero() {
			l.measureSign(a, firstSign(a))
		}
	}
	l.learn(j, v.Fact.Attempt)
	if v.Fact.Kind == job.Assigned {
		delete(l.stagings, j.ID)
		l.submit(j, v.Fact)
	}
	if j.Closed && len(j.Unsettled()) == 0 {
		l.forget(j)
	}
}

// release lets go of a closed job that was taken back for nothing new.
func (l *loop) release(id job.ID) {
	if j := l.jobs[id]; j != nil && j.Closed && len(j.Unsettled()) == 0 {
		l.forget(j)
	}
}

func attemptOf(j job.Job, n int) job.Attempt {
	a, _ := j.Attempt(n)
	return a
}

func attemptState(j *job.Job, n int) job.State {
	a, _ := j.Attempt(n)
	return a.State
}

// logFact writes the line an operator looks for: every step of every job.
func (l *loop) logFact(v job.Verdict) {
	f, a := v.Fact, v.Job.Current()
	attrs := []any{"job", f.Job, "user", v.Job.User, "attempt", f.Attempt, "state", v.Job.State().String(), "evidence", string(f.Evidence)}
	if a.PromptID != "" {
		attrs = append(attrs, "prompt", a.PromptID, "deployment", a.Deployment)
	}
	if f.Output != nil {
		attrs = append(attrs, "file", f.Output.Source.String())
	}
	if f.Error != nil {
		l.log.Warn(string(f.Kind), append(attrs, "code", f.Error.Code, "error", f.Error.Message)...)
		return
	}
	if f.Warning != nil {
		l.log.Warn(string(f.Kind), append(attrs, "code", f.Warning.Code, "warning", f.Warning.Message)...)
		return
	}
	l.log.Info(string(f.Kind), attrs...)
}

// view gathers what Plan may know.
func (l *loop) view() View {
	now := time.Now().UTC()
	v := View{
		Now: now, Policy: l.policy, Sighted: l.sighted, Looked: l.looked, Leapt: l.leapt, Mode: l.mode, Jobs: l.order, Hold: l.hold(), Differ: l.differ(),
		Charges: l.charges.now(now), Estimate: l.estimate(), Traces: l.traces, Unstaged: l.unstaged(), Posting: l.postings(),
		Deployments: l.deploymentViews(now), Usual: l.usual(), Learned: l.learned,
		Undecided: l.undecided(), Copying: l.underWay(), Disputed: l.disputed, Fates: l.fates(),
	}
	v.Slots = l.slots(v)
	return v
}

func (l *loop) postings() map[string]bool {
	p := make(map[string]bool, len(l.posting))
	for id := range maps.Keys(l.posting) {
		p[id] = true
	}
	return p
}

// hold says why nothing may be sent: what a worker would write could not be
// fetched, and the GPU time would be wasted.
func (l *loop) hold() *job.Error {
	if l.fault != nil {
		return l.fault
	}
	switch s := l.share.Status(); {
	case s.Error != nil:
		return s.Error
	case !s.Mounted:
		return errNotLooked
	}
	return nil
}

// errNotLooked holds the queue from the start until the share was seen once.
var errNotLooked = &job.Error{Code: "share_not_looked_at", Class: job.Unavailable, Transient: true,
	Message: "the share has not been looked at yet", Hint: "wait a moment"}

// slots is the room on the active deployment, none when a budget pauses it. A failing one gets a single
// probe at a time instead of all its capacity.
func (l *loop) slots(v View) []Slot {
	var all []Slot
	for _, d := range l.fleet.Deployments() {
		if l.keeper.verdicts[d.Name].Pause {
			continue
		}
		if s := l.keeper.kept.Stopped[d.Name]; s != nil {
			all = append(all, l.trySlot(d.Name, s, v.Now))
			continue
		}
		occupied := v.occupancy(v.Deployments[d.Name])
		if d.State == job.WarmthFailing {
			d.Capacity = min(d.Capacity, 1)
		}
		s := Slot{Deployment: d.Name, Free: d.Capacity - occupied, ByName: d.Name != l.active}
		if d.System.OwnOutput() && l.keeper.seen[d.Name].Came.IsZero() { // its first file shows whether the others come
			if s.Free = min(s.Free, 1); l.tries(d.Name, time.Time{}) {
				s.Free = 0
			}
		}
		all = append(all, s)
	}
	return all
}

// elsewhere reports a job that names another deployment than the active one.
func (l *loop) elsewhere(j *job.Job) bool {
	return j.Spec.Deployment != "" && j.Spec.Deployment != l.active
}

func (l *loop) inFlight(deployment string) int {
	n := 0
	for _, j := range l.order {
		if a := j.Current(); a.Deployment == deployment && a.State.InFlight() {
			n++
		}
	}
	return n
}

// estimate is the median warm run of the active deployment; zero when unknown.
func (l *loop) estimate() time.Duration {
	for _, d := range l.fleet.Deployments() {
		if d.Name == l.active {
			return time.Duration(d.Warm.P50 * float64(time.Second))
		}
	}
	return 0
}
