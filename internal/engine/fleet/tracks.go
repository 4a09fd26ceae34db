package fleet

import (
	"fmt"
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
	stuck   map[string]int       // prompt ids seen waiting where nothing runs: in how many looks in a row
}

// load is what a prompt whose POST waits will make a machine load.
type load struct {
	promptID string
	models   []string
}

func newTracks() tracks {
	return tracks{waiting: map[string]bool{}, ended: map[string]time.Time{}, stuck: map[string]int{}}
}

// follow replaces the flights and forgets what was known of others.
func (t *tracks) follow(flights []job.Flight) {
	t.flights = slices.Clone(flights)
	gone := func(id string) bool {
		return !slices.ContainsFunc(flights, func(f job.Flight) bool { return f.PromptID == id })
	}
	for id := range t.ended {
		if gone(id) {
			delete(t.ended, id)
		}
	}
	for id := range t.stuck {
		if gone(id) {
			delete(t.stuck, id)
		}
	}
}

// open reports a flight that may be asked about: not while its own POST waits,
// and not soon after its end was reported.
func (t *tracks) open(f job.Flight, now time.Time) bool {
	_, waits := t.waiting[f.PromptID]
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
	s.tracks.follow(flights)
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
func (s *site) arrives(promptID string) bool {
	s.mu.Lock()
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
	if _, waits := s.tracks.waiting[promptID]; !waits {
		return false
	}
	s.tracks.waiting[promptID] = true
	return true
}
