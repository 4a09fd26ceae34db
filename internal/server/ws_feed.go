package server

import (
	"context"
	"net/http"
	"strconv"

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
	return s.converse(w, r, func(ctx context.Context, k *socket) error {
		f, err := s.follow(defaultWatch, own, standingsEvery)
		if err != nil {
			return err
		}
		f.heard = k.heard
		return f.run(ctx, &feed{s: s, k: k, follower: f, since: since, known: map[job.ID]known{}})
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

// feed tells one reader of /ws.
type feed struct {
	s        *Server
	k        *socket
	follower *follower
	since    *uint64 // the revision up to which the reader knows; nil for nothing

	known map[job.ID]known // jobs of which more may come, as told last
}

type known struct {
	job  job.Job
	told api.Job
}

// begin tells hello, then what the reader missed, or a snapshot.
func (f *feed) begin(ctx context.Context, jobs []job.Job) error {
	rev := f.follower.rev
	catchUp := f.since != nil && *f.since <= rev
	err := f.tell(ctx, wsHello, feedHello{Version: f.s.opts.Version, Protocol: api.Protocol, Rev: rev, User: f.follower.own, CaughtUp: catchUp})
	if err != nil {
		return err
	}
	if catchUp {
		f.catchUp(jobs)
		return nil
	}
	return snapshots(rev, jobs, f.show, func(part api.Snapshot) error { return f.tell(ctx, wsSnapshot, part) })
}

// catchUp lets what the reader missed be told as changes.
func (f *feed) catchUp(jobs []job.Job) {
	for _, j := range jobs {
		if j.Rev > *f.since {
			f.follower.note(job.Change{Rev: j.Rev, Job: j})
		} else {
			f.show(j)
		}
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

func (f *feed) change(ctx context.Context, c job.Change) error {
	before, was := f.known[c.Job.ID]
	return f.tellJob(ctx, before.told, f.show(c.Job), was)
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

// tick tells where time alone changed how a job stands.
func (f *feed) tick(ctx context.Context) error {
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

func (f *feed) hear(context.Context, []byte) error { return nil } // nothing is asked for by message

func (f *feed) rest(context.Context) error { return nil }

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
