package fleet

import (
	"net/url"
	"sync"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// site is one deployment and what is known of it.
type site struct {
	spec   Spec
	opts   Options
	rules  rules
	driver driver
	wake   chan struct{} // of capacity one: there may be something to ask about
	stir   chan struct{} // the same, for the look through the control API

	confirming sync.Mutex // one check at a time asks what the replicas really have

	mu         sync.Mutex // guards what follows; never held during a request
	health     health
	cold       []float64 // measured seconds, oldest first
	warm       []float64
	starts     []job.Sample // the cold starts once more, with their times
	coldAt     time.Time    // when the last measured cold start ended
	system     *job.System
	systemAt   time.Time
	writesTo   map[string]time.Time // output folders that replicas named, by when they last did
	agreed     int                  // answers in a row that named the same output folder
	lookedAt   time.Time            // when an attempt was last asked about
	examinedAt time.Time            // when a worker was last asked about itself, whatever it answered
	comparedAt time.Time            // when several were, one after the other
	list       nodeList
	noMarker   bool // it does not know the marker's nodes, and would not list what it knows
	tracks     tracks
	solo       solo
	over       overseen
}

func newSite(spec Spec, o Options) (*site, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	d, err := newDriver(spec, o)
	if err != nil {
		return nil, err
	}
	s := &site{spec: spec, opts: o, rules: rulesFor(spec), driver: d,
		wake: make(chan struct{}, 1), stir: make(chan struct{}, 1), tracks: newTracks()}
	s.recallLeases()
	s.recallHold()
	s.recallNodes()
	return s, nil
}

// nudge wakes the watchers; it never blocks.
func (s *site) nudge() {
	for _, c := range []chan struct{}{s.wake, s.stir} {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func (s *site) signal(x signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health = s.health.after(x, s.rules)
}

// ask sends one request and keeps what its fate says of the deployment.
func (s *site) ask(what string, send func() error) error {
	began := s.opts.Now()
	s.signal(signal{kind: asked, at: began, what: what})
	err := send()
	s.signal(outcome(what, began, s.opts.Now(), err))
	return err
}

func (s *site) reading() reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read()
}

// read is what wire and platform together say. The caller holds mu.
func (s *site) read() reading {
	now, stage := s.opts.Now(), Stage("")
	if d, ok := s.driver.(admitter); ok {
		stage = d.Stage()
	}
	return agree(s.health.read(now, s.rules), s.over.look, stage, now, s.freshFor())
}

// wouldWake reports that asking about a flight may start a machine for nothing.
func (s *site) wouldWake(x job.Flight) bool {
	state := s.reading().state
	return state == job.WarmthCold || state == job.WarmthUnknown && s.spec.ScaleToZero && x.State == job.Lost
}

// freshFor is how long a look is news: until two that should have followed it
// did not come.
func (s *site) freshFor() time.Duration { return 9 * s.opts.Control.Every }

func (s *site) snapshot() job.Deployment {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.read()
	now := s.opts.Now()
	usual := Learn(s.starts, s.tracks.awaited(), now)
	r = patience(r, usual, now)
	d := job.Deployment{
		Name: s.spec.Name, Driver: s.spec.Driver, URL: redacted(s.spec.URL), Capacity: s.spec.Capacity,
		PricePerHour: s.spec.PricePerHour, ScaleToZero: s.spec.ScaleToZero,
		State: r.state, Because: r.because, Evidence: r.evidence, Since: r.since, At: r.at, Error: r.err,
		Cold: timing(s.cold), Usual: usual, Warm: timing(s.warm), System: cloneSystem(s.system), SystemAt: s.systemAt,
		Nodes: s.list.union.Len(), NodesAt: s.list.readAt,
	}
	d.Single, d.Answered, d.NoNodes = s.solo.is(), s.health.answered, !s.list.emptyAt.IsZero()
	if d.Error == nil {
		d.Error = replicasDiffer(s.writesTo, now)
	}
	if d.Error == nil {
		d.Error = outputTrouble(s.spec, s.system)
	}
	if d.Error == nil && s.opts.Inputs {
		d.Error = inputTrouble(s.spec, s.system)
	}
	if r.state == job.Warming {
		d.WaitingSince = s.health.unanswered
	}
	if a, ok := s.driver.(admitter); ok {
		d.Way, d.WayWhy = a.Way()
	}
	d.Today = s.today(now)
	d = s.over.add(d, now)
	if e := s.tracks.dead(); e != nil {
		d = withDeadWorker(d, e)
	}
	return d
}

// withDeadWorker adds a worker that takes prompts and runs none. Where there
// is one worker only, the deployment fails with it.
func withDeadWorker(d job.Deployment, e *job.Error) job.Deployment {
	d.Error = e
	if d.Capacity == 1 {
		d.State, d.Because, d.Evidence = job.WarmthFailing, e.Message, job.ByPlatform
	}
	return d
}

// redacted takes a password out of an address.
func redacted(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Redacted()
}
