package server

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

const (
	standingsEvery = 2 * time.Second
	snapshotPart   = 200  // jobs in one event
	defaultWatch   = 2000 // jobs of a snapshot
	maxWatch       = 20_000
)

// events answers GET /api/events. A Last-Event-ID is tolerated: every stream
// begins with a fresh snapshot, so nothing can be missed.
func (s *Server) events(w http.ResponseWriter, r *request) error {
	limit, err := readLimit(r.URL.Query().Get("limit"), defaultWatch, maxWatch)
	if err != nil {
		return err
	}
	if r.Method == http.MethodHead {
		return writeNothing(w)
	}
	leave, err := r.enterStream()
	if err != nil {
		return err
	}
	defer leave()
	f, err := s.follow(limit, r.who.scope(), standingsEvery)
	if err != nil {
		return err
	}
	st := &stream{s: s, out: newEventWriter(w), follower: f, readOnly: r.who.readOnly, open: map[job.ID]job.Job{}, told: map[job.ID]api.Standing{}}
	if err := f.run(r.Context(), st); err != nil {
		s.log.Debug("event stream ended", "peer", r.RemoteAddr, "error", err)
	}
	bound(w) // for the end of the answer
	return nil
}

// stream tells one reader of events.
type stream struct {
	s        *Server
	out      *eventWriter
	follower *follower
	readOnly bool // told in hello

	open map[job.ID]job.Job // jobs that have not ended, as told last
	told map[job.ID]api.Standing

	ticks int // since the last heartbeat
}

// begin tells hello and the snapshot, in parts that each get their time.
func (st *stream) begin(_ context.Context, jobs []job.Job) error {
	rev := st.follower.rev
	if err := st.out.tell(api.EventHello, 0, api.Hello{Version: st.s.opts.Version, Protocol: api.Protocol, Rev: rev, ReadOnly: st.readOnly}); err != nil {
		return err
	}
	return snapshots(rev, jobs, st.show, func(part api.Snapshot) error {
		if err := st.out.tell(api.EventSnapshot, rev, part); err != nil {
			return err
		}
		return st.out.flush()
	})
}

// show is a job as it stands now, and remembers that it was told.
func (st *stream) show(j job.Job) api.Job {
	out := st.s.show(j)
	if j.State().Terminal() {
		delete(st.open, j.ID)
		delete(st.told, j.ID)
		return out
	}
	st.open[j.ID], st.told[j.ID] = j, standing(out)
	return out
}

func standing(j api.Job) api.Standing {
	return api.Standing{ID: j.ID, Phase: j.Phase, Position: j.Position, Wait: j.Wait}
}

func (st *stream) change(_ context.Context, c job.Change) error {
	return st.out.tell(api.EventChange, c.Rev, api.Change{Rev: c.Rev, Job: st.show(c.Job)})
}

// tick tells where time alone changed how a job stands, and now and then that
// we are still there.
func (st *stream) tick(context.Context) error {
	if err := st.tellStandings(); err != nil {
		return err
	}
	if st.ticks++; time.Duration(st.ticks)*standingsEvery < heartbeatEvery {
		return nil
	}
	st.ticks = 0
	return st.out.tell(api.EventHeartbeat, 0, api.Heartbeat{Rev: st.follower.rev, At: api.Time{Time: st.s.opts.Now()}})
}

func (st *stream) tellStandings() error {
	out := api.Standings{}
	for id, j := range st.open {
		if now := standing(st.s.show(j)); !alike(now, st.told[id]) {
			st.told[id] = now
			out.Jobs = append(out.Jobs, now)
		}
	}
	if len(out.Jobs) == 0 {
		return nil
	}
	slices.SortFunc(out.Jobs, func(a, b api.Standing) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) })
	return st.out.tell(api.EventStandings, 0, out)
}

func (st *stream) hear(context.Context, []byte) error { return nil }

func (st *stream) rest(context.Context) error { return st.out.flush() }

// alike reports whether people would see a difference; waits count in steps
// of ten seconds.
func alike(a, b api.Standing) bool {
	return a.Phase == b.Phase && same(a.Position, b.Position, 1) && same(a.Wait, b.Wait, 10)
}

func same[N int | float64](a, b *N, step N) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a-*b < step && *b-*a < step
}
