package server

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// feedHello opens /ws.
type feedHello struct {
	Version  string `json:"version"`
	Protocol int    `json:"protocol"`
	Rev      uint64 `json:"rev"`
	User     string `json:"user_id"` // whose jobs are told; empty for everybody's
	// CaughtUp says that what follows is what changed since the revision that
	// was asked for; otherwise a snapshot follows.
	CaughtUp bool `json:"caught_up"`
}

// websocket answers GET /ws: what GET /api/events tells, in the first site's frames.
func (s *Server) websocket(w http.ResponseWriter, r *request) error {
	own, since, err := s.readFeed(r)
	if err != nil {
		return err
	}
	return s.converse(w, r, own, func(ctx context.Context, k *socket) error {
		watch, err := s.svc.Watch(defaultWatch)
		if err != nil {
			return err
		}
		defer watch.Stop()
		f := &feed{s: s, k: k, watch: watch, own: own, rev: watch.Rev, pending: map[job.ID]job.Change{}, known: map[job.ID]known{}}
		return f.run(ctx, since)
	})
}

// readFeed reads whose jobs are asked for, and from which revision on; since
// is nil for none.
func (s *Server) readFeed(r *request) (own string, since *uint64, err error) {
	v := r.URL.Query()
	own = r.who.scope()
	if user := v.Get("user_id"); user != "" {
		if err := job.CheckUser(user); err != nil {
			return "", nil, err
		}
		if !r.who.may(user) {
			return "", nil, forbidUser(user)
		}
		own = user
	}
	if text := v.Get("since"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return "", nil, badField("since", "is not a revision", "use the rev of the last frame, or leave it out")
		}
		since = &n
	}
	return own, since, nil
}

// feed is one reader of /ws. The goroutine of the call owns it.
type feed struct {
	s     *Server
	k     *socket
	watch job.Watch
	own   string // the user whose jobs are told; empty for all
	rev   uint64

	pending map[job.ID]job.Change // what changed and is not told yet
	known   map[job.ID]known      // jobs of which more may come, as told last
}

type known struct {
	job  job.Job
	told api.Job
}

func (f *feed) run(ctx context.Context, since *uint64) error {
	if err := f.begin(ctx, since); err != nil {
		return err
	}
	standings := time.NewTicker(standingsEvery)
	defer standings.Stop()
	var due <-chan time.Time // nil while nothing is pending
	for {
		var err error
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-f.s.stopping:
			return errStopping
		case c, ok := <-f.watch.Changes:
			if !ok {
				return errFellBehind
			}
			if f.note(c) && due == nil {
				due = time.After(coalesce)
			}
		case <-due:
			due, err = nil, f.tellChanges(ctx)
		case <-standings.C:
			err = f.tellStandings(ctx)
		case <-f.k.heard: // nothing is asked for by message
		}
		if err != nil {
			return err
		}
	}
}

// begin tells hello, then what the reader missed, or a snapshot.
func (f *feed) begin(ctx context.Context, since *uint64) error {
	catchUp := since != nil && *since <= f.watch.Rev
	err := f.tell(ctx, wsHello, feedHello{Version: f.s.opts.Version, Protocol: api.Protocol, Rev: f.watch.Rev, User: f.own, CaughtUp: catchUp})
	if err != nil {
		return err
	}
	jobs := slices.DeleteFunc(slices.Clone(f.watch.Jobs), func(j job.Job) bool { return f.own != "" && j.User != f.own })
	f.watch.Jobs = nil
	if catchUp {
		return f.catchUp(ctx, jobs, *since)
	}
	return f.snapshot(ctx, jobs)
}

func (f *feed) catchUp(ctx context.Context, jobs []job.Job, since uint64) error {
	for _, j := range jobs {
		if j.Rev > since {
			f.pending[j.ID] = job.Change{Rev: j.Rev, Job: j}
		} else {
			f.show(j)
		}
	}
	return f.tellChanges(ctx)
}

func (f *feed) snapshot(ctx context.Context, jobs []job.Job) error {
	for {
		n := min(len(jobs), snapshotPart)
		part := api.Snapshot{Rev: f.watch.Rev, Jobs: make([]api.Job, 0, n), Last: n == len(jobs)}
		for _, j := range jobs[:n] {
			part.Jobs = append(part.Jobs, f.show(j))
		}
		if err := f.tell(ctx, wsSnapshot, part); err != nil || part.Last {
			return err
		}
		jobs = jobs[n:]
	}
}

// show is a job as it stands now, and remembers that it was told.
func (f *feed) show(j job.Job) api.Job {
	out := f.s.show(j)
	if j.Closed {
		delete(f.known, j.ID)
	} else {
		f.known[j.ID] = known{j, out}
	}
	return out
}

// note keeps a change until it is due; false when it is not for this reader.
func (f *feed) note(c job.Change) bool {
	if f.own != "" && c.Job.User != f.own {
		f.rev = max(f.rev, c.Rev)
		return false
	}
	f.pending[c.Job.ID] = c
	return true
}

// tellChanges tells what is pending in the order of the ledger.
func (f *feed) tellChanges(ctx context.Context) error {
	changes := slices.SortedFunc(maps.Values(f.pending), func(a, b job.Change) int { return cmp.Compare(a.Rev, b.Rev) })
	clear(f.pending)
	for _, c := range changes {
		before, was := f.known[c.Job.ID]
		if err := f.tellJob(ctx, before.told, f.show(c.Job), was); err != nil {
			return err
		}
		f.rev = max(f.rev, c.Rev)
	}
	return nil
}

// tellJob tells a job as a whole, then what is new of it.
func (f *feed) tellJob(ctx context.Context, before, now api.Job, was bool) error {
	kind := wsUpdated
	if !was && now.State == job.Queued && len(now.Attempts) == 1 {
		kind = wsCreated
	}
	if err := f.tell(ctx, kind, now); err != nil {
		return err
	}
	if err := f.tellAspects(ctx, before, now); err != nil {
		return err
	}
	if now.State == job.Cancelled && before.State != job.Cancelled {
		return f.tell(ctx, wsDeleted, now)
	}
	return nil
}

func (f *feed) tellAspects(ctx context.Context, before, now api.Job) error {
	for _, frame := range wsAspects(before, now, f.s.usualCold(now.Deployment)) {
		if err := f.tell(ctx, frame.Type, frame.Data); err != nil {
			return err
		}
	}
	return nil
}

// tellStandings tells where time alone changed how a job stands.
func (f *feed) tellStandings(ctx context.Context) error {
	for id, k := range f.known {
		if k.job.State().Terminal() {
			continue
		}
		now := f.s.show(k.job)
		f.known[id] = known{k.job, now}
		if err := f.tellAspects(ctx, k.told, now); err != nil {
			return err
		}
	}
	return nil
}

func (f *feed) tell(ctx context.Context, kind string, data any) error {
	return f.k.send(ctx, wsFrame{Type: kind, Data: data, At: api.Time{Time: f.s.opts.Now()}})
}

// usualCold is the median of a deployment's cold starts in seconds; nil when
// none was measured.
func (s *Server) usualCold(deployment string) *float64 {
	for _, d := range s.svc.Workers() {
		if d.Name == deployment && d.Cold.Count > 0 {
			return &d.Cold.P50
		}
	}
	return nil
}
