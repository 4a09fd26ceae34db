package fleet

import (
	"fmt"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// signal is one thing that happened on the wire to a deployment.
type signal struct {
	kind signalKind
	at   time.Time
	what string        // the request, for people: "POST /prompt"
	took time.Duration // from the request to this signal; zero for asked
	err  *job.Error    // failed and denied
}

type signalKind int

const (
	asked    signalKind = iota // a request went out
	answered                   // ComfyUI answered; a refused prompt is an answer too
	failed                     // an error that is not ComfyUI's answer
	denied                     // the address or the key is wrong: no need to see it thrice
	silent                     // nobody answered in time
	dropped                    // we gave up for a reason of our own; it says nothing
)

// rules are the bounds that warmth is judged by.
type rules struct {
	scaleToZero bool
	idle        time.Duration // without any request for so long it scales down
	waiting     time.Duration // an answer that takes longer is waiting for a machine
	failures    int           // errors in a row that count as failing
	silence     time.Duration // shorter silences of a deployment that may sleep are no errors
}

func rulesFor(s Spec) rules {
	r := rules{scaleToZero: s.ScaleToZero, idle: s.ScaleDown, waiting: 5 * time.Second, failures: 3, silence: time.Minute}
	if !s.ScaleToZero {
		r.silence = 0
	}
	return r
}

// health is what the signals of a deployment amount to. It is a value: the
// same signals in the same order give the same health.
type health struct {
	open       int       // requests under way
	unanswered time.Time // the first request since the last answer of any sort; zero for none
	last       time.Time // the last request or answer
	answered   time.Time // the last answer of ComfyUI; zero for never
	answer     string    // to which request
	warmSince  time.Time // since when answers came without a break
	errors     int       // in a row
	errorSince time.Time // the first of them
	errorAt    time.Time // the last of them
	err        *job.Error
}

// after folds one signal into the health.
func (h health) after(s signal, r rules) health {
	if s.kind == asked {
		return h.asked(s)
	}
	h.open = max(0, h.open-1)
	if s.kind == dropped {
		return h.given()
	}
	h.last = s.at
	switch {
	case s.kind == answered:
		return h.replied(s, r)
	case s.kind == silent && s.took < r.silence:
		return h
	case s.kind == denied:
		h.errors = max(h.errors, r.failures-1)
	}
	return h.erred(s)
}

func (h health) asked(s signal) health {
	h.open++
	h.last = s.at
	if h.unanswered.IsZero() {
		h.unanswered = s.at
	}
	return h
}

// given takes a request back that we ended ourselves.
func (h health) given() health {
	if h.open == 0 {
		h.unanswered = time.Time{}
	}
	return h
}

func (h health) replied(s signal, r rules) health {
	if h.answered.IsZero() || h.errors >= r.failures || s.at.Sub(h.answered) >= r.idle {
		h.warmSince = s.at
	}
	h.answered, h.answer = s.at, s.what
	h.unanswered = time.Time{}
	h.errors, h.err = 0, nil
	return h
}

func (h health) erred(s signal) health {
	if h.errors == 0 || h.err == nil {
		h.errorSince = s.at
	}
	h.errors++
	h.errorAt, h.err = s.at, s.err
	if s.kind != silent {
		h.unanswered = time.Time{}
	}
	return h
}

// reading is the health as people see it. Because holds no ages: those follow
// from Since and At.
type reading struct {
	state    job.Warmth
	because  string
	evidence job.Evidence
	since    time.Time
	at       time.Time
	err      *job.Error
}

// read judges the health at a time: warmth decays without any request.
func (h health) read(now time.Time, r rules) reading {
	switch {
	case h.errors >= r.failures:
		return h.failing(now, r)
	case h.waits(now, r):
		return reading{state: job.Warming, because: "a request waits for its answer: a machine is starting", evidence: job.ByTime,
			since: h.unanswered, at: h.last}
	case h.answered.IsZero():
		return reading{state: job.WarmthUnknown, because: h.neverAnswered(), since: h.last, at: h.last}
	case now.Sub(h.answered) < r.idle:
		return reading{state: job.WarmthWarm, because: "it answered " + h.answer, evidence: job.ByPlatform, since: h.warmSince, at: h.answered}
	}
	return h.idle(r)
}

// waits reports a request that has been out for long, or was lately and will
// be sent again.
func (h health) waits(now time.Time, r rules) bool {
	return !h.unanswered.IsZero() && now.Sub(h.unanswered) >= r.waiting && (h.open > 0 || now.Sub(h.last) < time.Minute)
}

func (h health) failing(now time.Time, r rules) reading {
	out := reading{state: job.WarmthFailing, because: "the last request failed: " + h.err.Message, evidence: job.ByPlatform,
		since: h.errorSince, at: h.errorAt, err: h.err}
	if now.Sub(h.last) >= r.idle {
		out.state, out.because, out.since = job.WarmthUnknown, "it failed when it was last asked: "+h.err.Message, h.last.Add(r.idle)
	}
	return out
}

// idle is the reading of a deployment that answered once and then was left alone.
func (h health) idle(r rules) reading {
	out := reading{state: job.WarmthUnknown, because: "nobody asked for " + span(r.idle), evidence: job.ByTime,
		since: h.answered.Add(r.idle), at: h.answered}
	if r.scaleToZero {
		out.state, out.because = job.WarmthCold, "no request for "+span(r.idle)+", so it has probably scaled to zero"
	}
	return out
}

func (h health) neverAnswered() string {
	if h.last.IsZero() {
		return "never asked"
	}
	return "it has not answered yet"
}

// span writes a duration for people: 5m, 90s, 1h30m.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	switch h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60; {
	case h > 0 && m > 0:
		return fmt.Sprintf("%dh%dm", h, m)
	case h > 0:
		return fmt.Sprintf("%dh", h)
	case m > 0 && s == 0:
		return fmt.Sprintf("%dm", m)
	}
	return fmt.Sprintf("%ds", int(d.Seconds()))
}
