package server

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/comfyume/qmtui/internal/face"
	"github.com/comfyume/qmtui/internal/job"
)

const (
	faceWatch = 500 // jobs of a snapshot, beside all open ones
	// notifyEvery bounds how often a client is told why a prompt still waits.
	notifyEvery = 10 * time.Second
	// doubt is how long an end that may be followed by another attempt is not told.
	doubt     = 2 * time.Second
	faceTick  = time.Second
	maxUpload = 100 << 20 // bytes, as ComfyUI
	maxClient = 150       // bytes of a clientId
)

// faceSocket answers GET ws: the frames of ComfyUI for one client of one user.
func (s *Server) faceSocket(w http.ResponseWriter, r *request) error {
	user, client := r.PathValue("user"), r.URL.Query().Get("clientId")
	if len(client) > maxClient {
		return badField("clientId", "is too long", "use a UUID")
	}
	if client == "" {
		client = strings.ReplaceAll(uuid.NewString(), "-", "")
	}
	return s.converse(w, r, func(ctx context.Context, k *socket) error {
		follower, err := s.follow(faceWatch, user, faceTick)
		if err != nil {
			return err
		}
		follower.heard = k.heard
		f := &faceFeed{s: s, k: k, client: client, memory: s.clients.resume(user, client, s.opts.Now()),
			open: map[job.ID]job.Job{}, doubted: map[job.ID]job.Change{}, notified: map[job.ID]notice{}}
		f.arrived = f.memory.clone(f.memory.at)
		defer func() { s.clients.keep(user, client, f.arrived) }()
		return follower.run(ctx, f)
	})
}

// faceFeed tells one client.
type faceFeed struct {
	s      *Server
	k      *socket
	client string
	memory clientMemory
	// arrived is what has surely been told: a ping that was sent after it was
	// answered. The rest is told again to a client that comes back.
	arrived, underway clientMemory
	underwayPing      int64

	remaining int // as told last
	open      map[job.ID]job.Job
	doubted   map[job.ID]job.Change // ends that are held back
	notified  map[job.ID]notice
}

type notice struct {
	phase string
	at    time.Time
}

// begin tells how many prompts remain, and what the client missed.
func (f *faceFeed) begin(ctx context.Context, own []job.Job) error {
	own = slices.SortedFunc(slices.Values(own), func(a, b job.Job) int { return cmp.Compare(a.Rev, b.Rev) })
	told := make(map[job.ID]face.Told, len(own))
	for _, j := range own {
		f.file(j)
		told[j.ID] = f.memory.told[j.ID]
	}
	f.memory.told = told
	f.remaining = len(f.open)
	if err := f.k.send(ctx, face.Remaining(f.remaining, f.client)); err != nil {
		return err
	}
	for _, j := range own {
		if err := f.catchUp(ctx, j); err != nil {
			return err
		}
	}
	return nil
}

// catchUp tells what the client has missed of a job. What ended before it was
// last here, too long ago to matter or for another client, counts as told.
func (f *faceFeed) catchUp(ctx context.Context, j job.Job) error {
	if j.State().Terminal() && (!f.mine(j) || j.EndedAt().Before(f.memory.at)) {
		_, f.memory.told[j.ID] = face.Follow(f.s.view, j, f.memory.told[j.ID])
		return nil
	}
	return f.tell(ctx, j)
}

// file keeps the job among the open ones, or takes it out.
func (f *faceFeed) file(j job.Job) {
	if j.State().Terminal() {
		delete(f.open, j.ID)
		delete(f.notified, j.ID)
	} else {
		f.open[j.ID] = j
	}
}

// change tells of a job at once; an end that another attempt may follow waits
// until tick tells it, unless something follows.
func (f *faceFeed) change(ctx context.Context, c job.Change) error {
	if f.inDoubt(c.Job) {
		f.doubted[c.Job.ID] = c
		return nil
	}
	delete(f.doubted, c.Job.ID)
	return f.tellJob(ctx, c.Job)
}

func (f *faceFeed) inDoubt(j job.Job) bool {
	return face.MayReturn(j) && f.s.opts.Now().Sub(j.EndedAt()) < doubt
}

// tellJob tells how many remain, if that is news, and the job.
func (f *faceFeed) tellJob(ctx context.Context, j job.Job) error {
	before := len(f.open)
	f.file(j)
	if len(f.open) > before {
		if err := f.tellRemaining(ctx); err != nil {
			return err
		}
	}
	if err := f.tell(ctx, j); err != nil {
		return err
	}
	return f.tellRemaining(ctx)
}

// tell tells what this client has not been told of the job.
func (f *faceFeed) tell(ctx context.Context, j job.Job) error {
	frames, told := face.Follow(f.s.view, j, f.memory.told[j.ID])
	f.memory.told[j.ID] = told
	if j.Closed {
		delete(f.memory.told, j.ID)
	}
	for _, frame := range frames {
		switch {
		case !frame.All && !f.mine(j):
			continue
		case frame.Type == face.TypeStatus:
			if err := f.tellRemaining(ctx); err != nil {
				return err
			}
			continue
		}
		if err := f.k.send(ctx, frame); err != nil {
			return err
		}
	}
	return nil
}

// mine reports a job that this very client submitted.
func (f *faceFeed) mine(j job.Job) bool { return face.NoteOf(j).Client == f.client }

func (f *faceFeed) tellRemaining(ctx context.Context) error {
	if f.remaining == len(f.open) {
		return nil
	}
	f.remaining = len(f.open)
	return f.k.send(ctx, face.Remaining(f.remaining, ""))
}

// tick tells ends that are beyond doubt.
func (f *faceFeed) tick(ctx context.Context) error {
	f.confirm()
	for _, c := range inOrder(f.doubted) {
		if f.inDoubt(c.Job) {
			continue
		}
		delete(f.doubted, c.Job.ID)
		if err := f.tellJob(ctx, c.Job); err != nil {
			return err
		}
	}
	return nil
}

// confirm moves what has arrived on: what had been told when a ping was seen
// to be under way has arrived when a later one was answered.
func (f *faceFeed) confirm() {
	pings := f.k.pings.Load()
	if f.underwayPing > 0 && f.k.pongs.Load() > f.underwayPing {
		f.arrived, f.underwayPing = f.underway, 0
	}
	if f.underwayPing == 0 && pings > 0 {
		f.underway, f.underwayPing = f.memory.clone(f.s.opts.Now()), pings
	}
}

// rest tells why prompts wait, in the words of the queue.
func (f *faceFeed) rest(ctx context.Context) error {
	now := f.s.opts.Now()
	for id, j := range f.open {
		last := f.notified[id]
		if !face.Waiting(j) || now.Sub(last.at) < notifyEvery {
			continue
		}
		standing := f.s.svc.Standing(j)
		if standing.Phase == last.phase {
			continue
		}
		f.notified[id] = notice{standing.Phase, now}
		if err := f.k.send(ctx, face.Notification(j, standing)); err != nil {
			return err
		}
	}
	return nil
}

// hear answers what a client says of itself; everything else it says means
// nothing here, as with ComfyUI.
func (f *faceFeed) hear(ctx context.Context, text []byte) error {
	var said struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(text, &said) != nil || said.Type != "feature_flags" {
		return nil
	}
	return f.k.send(ctx, face.FeatureFlags(maxUpload))
}
