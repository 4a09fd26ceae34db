package fleet

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// askAgain is after how long an attempt is asked about once more although its
// end was reported, should the engine still think that it runs.
const askAgain = time.Minute

// tracks is what is known of the attempts on one deployment. It is guarded by
// its site's lock.
type tracks struct {
	flights []job.Flight
	next    int                  // whose turn it is
	waiting map[string]bool      // prompt ids whose POST waits for its answer; true: stop it then
	loads   []load               // the same prompts with what they load, in the order in which they were sent
	ended   map[string]time.Time // prompt ids whose end was reported
	stopped map[string]bool      // prompt ids that we stopped ourselves
	told    map[string]acceptance
	stuck   map[string]int // prompt ids seen waiting where nothing runs: in how many looks in a row
	wrote   map[string]writing
	late    map[string]int // prompt ids: how often each was asked about since it was due
}

// writing is how much an attempt had written when the share last left open
// whether it has ended, since when, and how often it was asked about since.
type writing struct {
	files int
	at    time.Time
	asked int
}

// wroteAsks are the times after a file, in milliseconds, at which its attempt is
// asked about. A random replica may answer, so that one answer that knows
// nothing says nothing.
var wroteAsks = []int{0, 20, 40, 60, 100, 150, 200, 300, 400, 800, 1600}

// acceptance is when a prompt was accepted, or first known to be there, and how
// often it was asked about since.
type acceptance struct {
	at    time.Time
	asked int
}

// early are the seconds after acceptance at which a prompt is asked about before
// it comes to its turn like all others: short runs and many faults end by then.
// late are those after its usual time is over. A random replica may answer, so
// that one answer that knows nothing says nothing.
var (
	early = []int{1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20}
	late  = []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 20, 25, 30}
)

// load is what a prompt whose POST waits will make a machine load.
type load struct {
	promptID string
	models   []string
}

func newTracks() tracks {
	return tracks{waiting: map[string]bool{}, ended: map[string]time.Time{}, stopped: map[string]bool{},
		told: map[string]acceptance{}, stuck: map[string]int{}, wrote: map[string]writing{}, late: map[string]int{}}
}

// follow replaces the flights and forgets what was known of others.
func (t *tracks) follow(flights []job.Flight, now time.Time) {
	t.flights = slices.Clone(flights)
	for _, f := range flights {
		if f.Wrote != t.wrote[f.PromptID].files {
			t.wrote[f.PromptID] = writing{files: f.Wrote, at: now}
		}
	}
	gone := func(id string) bool {
		return !slices.ContainsFunc(flights, func(f job.Flight) bool { return f.PromptID == id })
	}
	left := func(id string) bool { return gone(id) && !t.awaits(id) }
	maps.DeleteFunc(t.ended, func(id string, _ time.Time) bool { return gone(id) })
	maps.DeleteFunc(t.stopped, func(id string, _ bool) bool { return left(id) })
	maps.DeleteFunc(t.told, func(id string, _ acceptance) bool { return left(id) })
	maps.DeleteFunc(t.stuck, func(id string, _ int) bool { return gone(id) })
	maps.DeleteFunc(t.late, func(id string, _ int) bool { return gone(id) })
	maps.DeleteFunc(t.wrote, func(id string, _ writing) bool { return gone(id) })
}

// awaits reports a prompt whose POST waits for its answer.
func (t *tracks) awaits(id string) bool {
	_, waits := t.waiting[id]
	return waits
}

// soon is the flight that is to be asked about next before its turn, and when;
// false for none.
func (t *tracks) soon(now time.Time) (f job.Flight, due time.Time, ok bool) {
	for _, x := range t.flights {
		if !t.open(x, now) {
			continue
		}
		next := func(from time.Time, after []int, asked int) {
			if from.IsZero() || asked >= len(after) {
				return
			}
			if at := from.Add(time.Duration(after[asked]) * time.Second); !ok || at.Before(due) {
				f, due, ok = x, at, true
			}
		}
		a := t.told[x.PromptID]
		next(a.at, early, a.asked)
		next(x.Due, late, t.late[x.PromptID])
	}
	return f, due, ok
}

// written is the flight that is to be asked about next because of what it
// wrote, and when; false for none.
func (t *tracks) written(now time.Time) (f job.Flight, due time.Time, ok bool) {
	for _, x := range t.flights {
		w := t.wrote[x.PromptID]
		if w.files == 0 || w.asked >= len(wroteAsks) || !t.open(x, now) {
			continue
		}
		if at := w.at.Add(time.Duration(wroteAsks[w.asked]) * time.Millisecond); !ok || at.Before(due) {
			f, due, ok = x, at, true
		}
	}
	return f, due, ok
}

// asks counts a question about a prompt.
func (t *tracks) asks(id string, now time.Time) {
	if f, ok := t.of(id); ok && !f.Due.IsZero() && !now.Before(f.Due) {
		t.late[id]++
	}
	if w, ok := t.wrote[id]; ok {
		w.asked++
		t.wrote[id] = w
	}
	if a, ok := t.told[id]; ok {
		a.asked++
		t.told[id] = a
	}
}

// open reports a flight that may be asked about: not while its own POST waits,
// and not soon after its end was reported.
func (t *tracks) open(f job.Flight, now time.Time) bool {
	waits := t.awaits(f.PromptID)
	end, ended := t.ended[f.PromptID]
	return !waits && (!ended || now.Sub(end) >= askAgain)
}

// turn picks the next flight to ask about, in turn; false when there is none.
func (t *tracks) turn(now time.Time) (job.Flight, bool) {
	for i := range t.flights {
		at := (t.next + i) % len(t.flights)
		if t.open(t.flights[at], now) {
			t.next = at + 1
			return t.flights[at], true
		}
	}
	return job.Flight{}, false
}

func (t *tracks) any() bool { return len(t.flights) > 0 }

// of finds the flight of a prompt.
func (t *tracks) of(promptID string) (job.Flight, bool) {
	i := slices.IndexFunc(t.flights, func(f job.Flight) bool { return f.PromptID == promptID })
	if i < 0 {
		return job.Flight{}, false
	}
	return t.flights[i], true
}

// queued takes in one look at a replica's queue. An attempt of ours that waits
// where nothing runs, in two looks in a row, waits for a worker that is dead
// (comfyui.md: queue_remaining above zero with nothing running).
func (t *tracks) queued(running, pending []string) {
	for _, id := range running {
		delete(t.stuck, id)
	}
	for _, id := range pending {
		if _, ours := t.of(id); !ours {
			continue
		}
		if len(running) == 0 {
			t.stuck[id]++
		} else {
			delete(t.stuck, id)
		}
	}
}

// dead is the trouble of a worker that takes prompts and runs none; nil for none.
func (t *tracks) dead() *job.Error {
	for _, f := range t.flights {
		if t.stuck[f.PromptID] >= 2 {
			return &job.Error{Code: "dead_worker", Class: job.Unavailable, Transient: true,
				Message: fmt.Sprintf("prompt %s waits in a queue in which nothing runs: the worker's execution has stopped", f.PromptID),
				Hint:    "restart the worker, then retry the job"}
		}
	}
	return nil
}

func (s *site) follow(flights []job.Flight) {
	s.mu.Lock()
	busy := s.tracks.any()
	s.tracks.follow(flights, s.opts.Now())
	if busy && !s.tracks.any() {
		s.list.wanted = true
	}
	s.host(flights)
	s.mu.Unlock()
	s.nudge()
}

// awaited are the models of the prompt that has waited longest; nil for none.
func (t *tracks) awaited() []string {
	if len(t.loads) == 0 {
		return nil
	}
	return t.loads[0].models
}

// departs says that the prompt's POST goes out; until arrives, nothing is asked about it.
func (s *site) departs(promptID string, models []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tracks.waiting[promptID] = false
	s.tracks.loads = append(s.tracks.loads, load{promptID, models})
}

// arrives says that the POST is over; true when somebody wanted it stopped meanwhile.
func (s *site) arrives(promptID string, accepted bool) bool {
	s.mu.Lock()
	if accepted {
		s.tracks.told[promptID] = acceptance{at: s.opts.Now()}
	}
	stop := s.tracks.waiting[promptID]
	delete(s.tracks.waiting, promptID)
	s.tracks.loads = slices.DeleteFunc(s.tracks.loads, func(l load) bool { return l.promptID == promptID })
	s.mu.Unlock()
	s.nudge()
	return stop
}

// postpone keeps a wish to stop until the prompt's POST is over; false when none waits.
func (s *site) postpone(promptID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.tracks.awaits(promptID) {
		return false
	}
	s.tracks.waiting[promptID] = true
	return true
}
