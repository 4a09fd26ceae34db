package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// The rhythm of an event stream.
const (
	coalesce       = 100 * time.Millisecond // changes of one job in this time are told once
	standingsEvery = 2 * time.Second
	heartbeatEvery = 10 * time.Second
	slowReader     = 10 * time.Second // a reader who takes nothing for this long is cut off
	snapshotPart   = 200              // jobs in one event
	defaultWatch   = 2000             // jobs of a snapshot
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
	if err := s.enterStream(); err != nil {
		return err
	}
	defer s.streams.leave()
	watch, err := s.svc.Watch(limit)
	if err != nil {
		return err
	}
	defer watch.Stop()
	streamHeaders(w.Header())
	st := &stream{s: s, w: w, rc: http.NewResponseController(w), watch: watch, own: r.who.scope(), readOnly: r.who.readOnly, rev: watch.Rev,
		pending: map[job.ID]job.Change{}, open: map[job.ID]job.Job{}, told: map[job.ID]api.Standing{}}
	if err := st.run(r); err != nil {
		s.log.Debug("event stream ended", "peer", r.RemoteAddr, "error", err)
	}
	bound(w) // for the end of the answer
	return nil
}

// enterStream takes a place among the event streams.
func (s *Server) enterStream() error {
	if s.streams.try() {
		return nil
	}
	return &job.Error{Code: "too_many_streams", Class: job.Unavailable, Message: fmt.Sprintf("%d event streams are open already", cap(s.streams)),
		Hint: "close some, or wait"}
}

func streamHeaders(h http.Header) {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx: hand on at once
}

// stream is one reader of events. The handler's goroutine owns it.
type stream struct {
	s     *Server
	w     http.ResponseWriter
	rc    *http.ResponseController
	watch job.Watch
	own   string // the user whose jobs are told; empty for all
	rev   uint64 // the last revision that was told

	readOnly bool // told in hello

	pending map[job.ID]job.Change // what changed and is not told yet
	open    map[job.ID]job.Job    // jobs that have not ended, as told last
	told    map[job.ID]api.Standing
	buf     bytes.Buffer
}

// run tells everything until the reader goes away, falls behind, or we stop.
func (st *stream) run(r *request) error {
	if err := st.begin(); err != nil {
		return err
	}
	heartbeat, standings := time.NewTicker(heartbeatEvery), time.NewTicker(standingsEvery)
	defer heartbeat.Stop()
	defer standings.Stop()
	var due <-chan time.Time // nil while nothing is pending
	for {
		var err error
		select {
		case <-r.Context().Done():
			return r.Context().Err()
		case <-st.s.stopping:
			return nil
		case c, ok := <-st.watch.Changes:
			if !ok {
				return fmt.Errorf("the reader fell behind at revision %d", st.rev)
			}
			if st.note(c) && due == nil {
				due = time.After(coalesce)
			}
		case <-due:
			due, err = nil, st.tellChanges()
		case <-standings.C:
			err = st.tellStandings()
		case <-heartbeat.C:
			err = st.tell(api.EventHeartbeat, 0, api.Heartbeat{Rev: st.rev, At: api.Time{Time: st.s.opts.Now()}})
		}
		if err == nil {
			err = st.flush()
		}
		if err != nil {
			return err
		}
	}
}

// begin tells hello and the snapshot, in parts that each get their time.
func (st *stream) begin() error {
	if err := st.tell(api.EventHello, 0, api.Hello{Version: st.s.opts.Version, Protocol: api.Protocol, Rev: st.watch.Rev, ReadOnly: st.readOnly}); err != nil {
		return err
	}
	jobs := st.watch.Jobs
	if st.own != "" {
		jobs = slices.DeleteFunc(slices.Clone(jobs), func(j job.Job) bool { return j.User != st.own })
	}
	st.watch.Jobs = nil
	for {
		n := min(len(jobs), snapshotPart)
		part := api.Snapshot{Rev: st.watch.Rev, Jobs: make([]api.Job, 0, n), Last: n == len(jobs)}
		for _, j := range jobs[:n] {
			part.Jobs = append(part.Jobs, st.show(j))
		}
		if err := st.tell(api.EventSnapshot, part.Rev, part); err != nil {
			return err
		}
		if err := st.flush(); err != nil || part.Last {
			return err
		}
		jobs = jobs[n:]
	}
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

// note keeps a change until it is due; false when it is not for this reader.
func (st *stream) note(c job.Change) bool {
	if st.own != "" && c.Job.User != st.own {
		st.rev = max(st.rev, c.Rev)
		return false
	}
	st.pending[c.Job.ID] = c
	return true
}

// tellChanges tells what is pending in the order of the ledger.
func (st *stream) tellChanges() error {
	changes := slices.SortedFunc(maps.Values(st.pending), func(a, b job.Change) int {
		if a.Rev < b.Rev {
			return -1
		}
		return 1
	})
	clear(st.pending)
	for _, c := range changes {
		if err := st.tell(api.EventChange, c.Rev, api.Change{Rev: c.Rev, Job: st.show(c.Job)}); err != nil {
			return err
		}
		st.rev = max(st.rev, c.Rev)
	}
	return nil
}

// tellStandings tells where time alone changed how a job stands.
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
	return st.tell(api.EventStandings, 0, out)
}

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

// tell adds an event to what flush writes; id 0 is none.
func (st *stream) tell(kind api.EventKind, id uint64, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	fmt.Fprintf(&st.buf, "event: %s\n", kind)
	if id > 0 {
		fmt.Fprintf(&st.buf, "id: %d\n", id)
	}
	fmt.Fprintf(&st.buf, "data: %s\n\n", data)
	return nil
}

// flush writes what was told. A reader who does not take it in time is cut off.
func (st *stream) flush() error {
	if st.buf.Len() == 0 {
		return nil
	}
	_ = st.rc.SetWriteDeadline(time.Now().Add(slowReader)) // a recorder has none
	_, err := st.w.Write(st.buf.Bytes())
	st.buf.Reset()
	if err != nil {
		return err
	}
	return st.rc.Flush()
}
