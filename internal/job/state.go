package job

import (
	"fmt"
	"slices"
)

// State is how far an attempt, and with it its job, has come. The values are
// ranks with gaps: of two observations the higher is the true one, because
// witnesses (disk, wire, platform) disagree in time and never in direction.
// From Lost on they are terminal. The zero value is Queued.
type State int

// The states in the order of their ranks.
const (
	Queued     State = 0   // waits for a deployment
	Submitting State = 10  // the intent to POST is on disk; nobody has answered
	Accepted   State = 20  // a server said yes, nothing has begun that we know of
	Running    State = 30  // a worker has begun
	Rendered   State = 40  // the worker has ended; files may still be on their way to the user
	Lost       State = 90  // no evidence by the deadline; done when all files come after all
	Done       State = 100 // every file that will come stands in the user's folder
	Failed     State = 110 // somebody said that it broke
	Cancelled  State = 120 // a person did not want it any more
)

var stateNames = map[State]string{
	Queued: "queued", Submitting: "submitting", Accepted: "accepted", Running: "running",
	Rendered: "rendered", Done: "done", Failed: "failed", Cancelled: "cancelled", Lost: "lost",
}

// States lists all states in the order in which they are shown.
func States() []State {
	return []State{Queued, Submitting, Accepted, Running, Rendered, Done, Failed, Cancelled, Lost}
}

// Terminal reports whether the attempt has ended. Only a lost one moves again,
// when all its files come after all.
func (s State) Terminal() bool { return s >= Lost }

// InFlight reports whether the attempt may occupy a GPU.
func (s State) InFlight() bool { return s == Submitting || s == Accepted || s == Running }

func (s State) String() string {
	if n, ok := stateNames[s]; ok {
		return n
	}
	return fmt.Sprintf("state(%d)", int(s))
}

// MarshalText writes the state's name, as the HTTP contract has it.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state's name.
func (s *State) UnmarshalText(b []byte) error {
	v, err := ParseState(string(b))
	if err == nil {
		*s = v
	}
	return err
}

// ParseState reads a state's name; the error names the ones there are.
func ParseState(name string) (State, error) {
	for _, s := range States() {
		if s.String() == name {
			return s, nil
		}
	}
	return 0, &Error{Code: "unknown_state", Class: Invalid, Message: fmt.Sprintf("%q is not a state", name),
		Hint: "use queued, submitting, accepted, running, rendered, done, failed, cancelled or lost"}
}

// Status is the state in the words of the first site's API.
func (s State) Status() string {
	switch s {
	case Queued, Submitting, Accepted:
		return "pending"
	case Running, Rendered:
		return "running"
	case Done:
		return "completed"
	case Cancelled:
		return "cancelled"
	}
	return "failed"
}

// StatesOf lists the states that a status of the first site's API covers;
// none for a word that is not a status.
func StatesOf(status string) []State {
	return slices.DeleteFunc(States(), func(s State) bool { return s.Status() != status })
}

// Want is what people want of a job. It moves no state: states move on
// observations only.
type Want string

// The wants there are. The zero value counts as WantRun.
const (
	WantRun    Want = "run"
	WantCancel Want = "cancel"
)
