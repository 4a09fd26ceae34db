package engine

import (
	"fmt"
	"strconv"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// Standing says where the job stands now, in numbers and in a sentence for
// people. It never claims more than is known.
func (e *Engine) Standing(j job.Job) job.Standing {
	return standing(j, e.board.Load(), time.Now())
}

func standing(j job.Job, b *board, now time.Time) job.Standing {
	s := job.Standing{Position: -1, Wait: -1}
	if j.State() == job.Queued {
		if p, ok := b.position[j.ID]; ok {
			s.Position = p
		}
		if s.Position >= 0 && b.estimate > 0 && !b.capped && !b.stalled && b.stopped(j) == nil && b.status.Mode != job.ModePaused {
			s.Wait = waitFor(s.Position, b.status, b).Seconds()
		}
	}
	s.Phase = phase(j, s, b, now)
	return s
}

func phase(j job.Job, s job.Standing, b *board, now time.Time) string {
	a := j.Current()
	switch a.State {
	case job.Queued:
		return queuedPhase(j, a, s, b, now)
	case job.Submitting:
		if !a.When(job.Unanswered).IsZero() {
			return "sent, nobody answered: watching for signs of it, " + span(now.Sub(a.When(job.Unanswered))) + b.silent[j.ID].end()
		}
		return "waiting for a GPU, " + coldPhase(now.Sub(a.When(job.Assigned)), b.cold[j.ID])
	case job.Accepted:
		return "accepted, waiting for a worker to begin, " + span(now.Sub(a.When(job.Acknowledged))) + b.silent[j.ID].end()
	case job.Running:
		if s, ok := b.silent[j.ID]; ok {
			return "no sign for " + span(now.Sub(s.since)) + s.end()
		}
		return "rendering, " + ofAbout(now.Sub(j.StartedAt()), b.estimate)
	case job.Rendered:
		t := tally(j, a.N, Trace{})
		n := max(t.Expected, t.There+t.Half)
		if n == 0 {
			return "saving, no file seen yet"
		}
		return fmt.Sprintf("saving, %d of %d files", t.Stored, n)
	case job.Done:
		return "done, " + delivered(j)
	case job.Cancelled:
		return "cancelled"
	}
	return endedBadly(j, a)
}

// end is "; given up at 13:52" for an attempt that is silent for long; empty
// for any other.
func (s silence) end() string {
	if s.givenUp.IsZero() {
		return ""
	}
	return "; given up at " + s.givenUp.Local().Format("15:04")
}

// endedBadly says why, and what was delivered all the same.
func endedBadly(j job.Job, a job.Attempt) string {
	s := a.State.String()
	if a.Error != nil {
		s += ": " + a.Error.Message
	}
	if len(j.Delivered()) > 0 {
		s += "; " + delivered(j) + " delivered all the same"
	}
	return s
}

// delivered counts the files that the job has delivered: "7 files of 2 attempts".
func delivered(j job.Job) string {
	files, attempts := j.Delivered(), map[int]bool{}
	for _, o := range files {
		attempts[o.Attempt] = true
	}
	s := count(len(files), "file")
	if len(attempts) > 1 {
		s += " of " + count(len(attempts), "attempt")
	}
	return s
}

func queuedPhase(j job.Job, a job.Attempt, s job.Standing, b *board, now time.Time) string {
	switch {
	case b.status.Mode == job.ModePaused:
		return "waiting: the queue is paused"
	case j.Spec.Deployment == "" && b.status.Active == "":
		return "waiting: no deployment is active; an admin chooses one with \"qmtui workers use NAME\""
	case b.stopped(j) != nil:
		return "waiting: " + b.stopped(j).Message
	case j.Spec.Deployment != "" && j.Spec.Deployment != b.status.Active:
		return "waiting for " + j.Spec.Deployment + ", which is asked for"
	case b.capped:
		return "waiting: today's budget is spent"
	case a.NotBefore.After(now):
		return "waiting " + span(a.NotBefore.Sub(now)) + " before attempt " + strconv.Itoa(a.N)
	case b.waiting[j.ID] != nil:
		return "waiting for its inputs: " + b.waiting[j.ID].Message
	case b.behind[j.ID] != "":
		return b.behind[j.ID]
	case s.Position > 0:
		return "waiting in line, " + strconv.Itoa(s.Position) + " ahead"
	}
	return "next in line"
}

// coldPhase is "1m40s of about 5m (3m to 7m)".
func coldPhase(d time.Duration, usual job.Range) string {
	low, mid, high := seconds(usual.Low), seconds(usual.Mid), seconds(usual.High)
	switch {
	case low == high:
		return ofAbout(d, mid)
	case d > high:
		return span(d) + ", longer than the usual " + span(low) + " to " + span(high)
	}
	return ofAbout(d, mid) + " (" + span(low) + " to " + span(high) + ")"
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// ofAbout is "1m40s of about 5m"; without an estimate, just the time so far.
func ofAbout(d, about time.Duration) string {
	if about < time.Second {
		return span(d)
	}
	return span(d) + " of about " + span(about)
}

// span is a duration as people say it: seconds below an hour, then minutes.
func span(d time.Duration) string {
	d = max(0, d)
	if d >= time.Hour {
		d = d.Round(time.Minute)
	} else {
		d = d.Round(time.Second)
	}
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if n := len(s) - len(zero); n > 0 && s[n:] == zero {
			s = s[:n+1]
		}
	}
	return s
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}
