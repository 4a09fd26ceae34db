package upkeep

import (
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// The reasons for which nothing is sent to a deployment although no job is at
// fault. An attempt that ends with one of them is no failure of its job: the job
// goes back to the queue.
const (
	EndpointRefuses   = "endpoint_or_key"     // it refuses whoever asks: 401, 403, the platform's 404
	NoNodes           = "no_nodes"            // its list of nodes is empty, so it refuses every prompt
	NoOutputDirectory = "no_output_directory" // it writes to a disk of its own, and no file comes
	OtherVolume       = "other_volume"        // it reports files, and none comes to the share
)

// Stops reports the code of such a reason.
func Stops(code string) bool {
	return code == EndpointRefuses || code == NoNodes || Loses(code)
}

// Loses reports a reason for which prompts are run, paid for and lost.
func Loses(code string) bool { return code == NoOutputDirectory || code == OtherVolume }

// Stop is that nothing is sent to a deployment. It survives a restart.
type Stop struct {
	Code    string    `json:"code"`
	Message string    `json:"message"`
	Since   time.Time `json:"since"` // of the first evidence
	At      time.Time `json:"at"`    // of the newest
	// Tried counts the jobs that were sent to try it since, and ended the same way.
	Tried int `json:"tried,omitempty"`
	// Misled counts those of them that something seemed to call for.
	Misled int `json:"misled,omitempty"`
	// Argv is the command line of the worker when the newest evidence came; empty
	// when it is not known.
	Argv string `json:"argv,omitempty"`
}

// Sign is an attempt that ended because of one of the reasons.
type Sign struct {
	Code, Message string
	Sent, At      time.Time // when the attempt was assigned, and when it ended
}

// Seen is what is known of a deployment that speaks for or against sending there.
type Seen struct {
	Now   time.Time
	Signs []Sign
	// Accepted is when ComfyUI last took or refused a prompt itself.
	Accepted time.Time
	// Came is when a file from there was last seen on the share; zero when none was
	// lately.
	Came time.Time
	// Answered is when ComfyUI last answered anything.
	Answered time.Time
	Argv     string // of the worker that was asked last; empty when it is not known
	NoNodes  bool   // its last list of nodes was empty
	Sleeps   bool   // it scales to zero, so that trying it may cost money
}

// news is for how long a sign may stop sending: what spoke against it later may
// be forgotten sooner than the sign.
const news = time.Minute

// After is whether nothing is sent to the deployment from now on; nil when jobs
// are sent. One refused prompt is enough, since that proves that nothing ran and
// a retry costs nothing. So is one run without its files where no file came
// lately; otherwise it takes two, as one replica of several may be at fault.
func (was *Stop) After(x Seen) *Stop {
	if was != nil && x.good(was.Code).After(was.At) {
		was = nil
	}
	signs := slices.DeleteFunc(slices.Clone(x.Signs), func(s Sign) bool {
		return Loses(s.Code) && !s.Sent.After(x.Came) || !Loses(s.Code) && !s.At.After(x.Accepted) || was != nil && !s.At.After(was.At)
	})
	slices.SortStableFunc(signs, func(a, b Sign) int { return a.At.Compare(b.At) })
	if len(signs) == 0 {
		return was
	}
	last := signs[len(signs)-1]
	alike := slices.DeleteFunc(signs, func(s Sign) bool { return Loses(s.Code) != Loses(last.Code) })
	next := &Stop{Code: last.Code, Message: last.Message, Since: alike[0].At, At: last.At, Argv: x.Argv}
	switch {
	case was == nil && x.Now.Sub(last.At) > news:
		return nil
	case was == nil && Loses(last.Code) && !x.Came.IsZero() && len(alike) < 2:
		return nil
	case was != nil && was.Code == last.Code:
		next.Since, next.Tried, next.Misled = was.Since, was.Tried, was.Misled
		if last.Sent.After(was.At) {
			next.Tried++
			if was.changed(x) {
				next.Misled++
			}
		}
	}
	return next
}

// good is when the opposite of a reason was last seen.
func (x Seen) good(code string) time.Time {
	if Loses(code) {
		return x.Came
	}
	return x.Accepted
}

// TryAt is when one job may be sent to try the deployment: soon when something
// shows that it has changed, otherwise at a pace that grows. Where every try is
// a run that is paid for and may be lost, the pace is slow.
func (s Stop) TryAt(x Seen) time.Time {
	first, most, tried := time.Minute, 10*time.Minute, s.Tried
	switch {
	case s.changed(x) && s.Misled == 0:
		return s.At
	case s.changed(x):
		first, most, tried = 30*time.Second, 5*time.Minute, s.Misled-1
	case Loses(s.Code) && x.Sleeps:
		first, most = 10*time.Minute, time.Hour
	}
	return s.At.Add(min(first<<min(tried, 10), most))
}

// changed reports that something speaks for trying it: since the newest evidence
// it answered, or its worker has another command line.
func (s Stop) changed(x Seen) bool {
	if Loses(s.Code) {
		return x.Argv != "" && x.Argv != s.Argv
	}
	return x.Answered.After(s.At) && !(s.Code == NoNodes && x.NoNodes)
}

// AskAt is when to ask the deployment once more how it is, after so many
// questions since the newest evidence; false when it is not to be asked. Where
// that may wake a machine it is asked only when jobs wait and an answer helps them.
func (s Stop) AskAt(asked int, x Seen, waiting int) (time.Time, bool) {
	if x.Sleeps && (Loses(s.Code) || waiting == 0) {
		return time.Time{}, false
	}
	at := s.At
	for i := range asked + 1 {
		at = at.Add(min(5*time.Second<<min(i, 3), 30*time.Second))
	}
	return at, true
}

// Hint is what heals it.
func (s Stop) Hint(deployment string) string {
	now := `; sending goes on by itself then; to try it now: "qmtui doctor --canary --deployment ` + deployment + `"`
	switch s.Code {
	case EndpointRefuses:
		return "check the deployment's key, then its url; a changed key_file is read at once, other changes need a restart of the manager" + now
	case NoNodes:
		return "see in the worker's log why ComfyUI has no nodes, and restart it" + now
	case NoOutputDirectory:
		return "start ComfyUI with --output-directory and the mounted share" + now
	}
	return "let the workers mount the volume that share.outputs is, and compare the folder of their --output-directory" + now
}

// Told is the stop for people.
func (s Stop) Told(deployment string, x Seen, waiting int, trying bool) *job.Stopped {
	message := "nothing is sent to " + deployment + ": " + s.Message
	if trying {
		message = "one job tries " + deployment + ", to which nothing else is sent: " + s.Message + ", when this was last tried"
	}
	return &job.Stopped{Code: s.Code, Message: message, Hint: s.Hint(deployment), Since: s.Since, At: s.At, Next: s.TryAt(x), Trying: trying, Waiting: waiting}
}
