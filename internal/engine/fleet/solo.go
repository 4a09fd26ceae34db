package fleet

import "time"

const (
	// soloAsks is how many questions about accepted prompts must all be answered
	// by a server that knows them, from the first on, before one server is taken
	// to answer for a deployment. Behind a balancer that chooses one of two
	// replicas at random all of them meet the right one in 1 of 4096 cases.
	soloAsks = 12
	// maxRestarts bounds how often that count may begin anew because the server
	// was out of reach: every beginning is one more chance to be wrong.
	maxRestarts = 2
	// lostAsks answers over lostAfter must not know a prompt before its server
	// counts as restarted, when it was in reach all the time; fewer when it was
	// not. They are that many because a second replica may have been started
	// meanwhile: of three replicas all of them meet the other two in 1 of 16,000 cases.
	lostAsks   = 24
	lostAfter  = 5 * time.Second
	lostAtOnce = 12
	// streakKept is for how long an answer that did not know a prompt may be
	// followed by others before it is dropped.
	streakKept = time.Minute
)

// solo decides whether one server answers for a deployment, and when that
// server has forgotten what it had accepted. It is a value: the same answers
// in the same order give the same result. The zero value has heard nothing.
//
// One server knows every prompt that it has accepted until it restarts, and
// then none of them ever again. An answer that fits neither says that there
// are several servers, or that somebody empties its queue; then nothing is
// concluded any more.
type solo struct {
	knew     int       // answers that knew their prompt
	several  bool      // an answer contradicted
	restarts int       // times that knew began anew
	down     time.Time // when it was last out of reach; zero once a prompt of before is known
	missed   int       // answers that did not know a prompt of before the first of them
	since    time.Time // the first of them
	forgot   time.Time // prompts accepted before that are lost; zero for none
}

// is reports that one server answers.
func (s solo) is() bool { return !s.several && s.knew >= soloAsks }

// open reports that one server may answer.
func (s solo) open() bool { return !s.several }

// suspects is the time between two questions while the one server may have
// restarted; zero when nothing says so.
func (s solo) suspects() time.Duration {
	switch {
	case !s.is():
		return 0
	case s.missed > 0:
		return 500 * time.Millisecond
	case !s.down.IsZero():
		return 2 * time.Second
	}
	return 0
}

// unreachable takes in that nobody answered.
func (s solo) unreachable(now time.Time) solo {
	s.down = now
	return s
}

// knows takes in an answer that knew a prompt accepted at that time.
func (s solo) knows(accepted, now time.Time) solo {
	s.knew++
	switch {
	case s.missed > 0 && accepted.Before(s.since) || accepted.Before(s.forgot):
		s.several = true
	case accepted.Before(s.down):
		s.down = time.Time{}
	case s.missed > 0 && now.Sub(s.since) > streakKept:
		s.missed = 0
	}
	return s
}

// misses takes in an answer that did not know a prompt accepted at that time;
// zero: by an earlier process, so that its server may have restarted meanwhile.
// lost says that the server has restarted and the prompt is gone.
func (s solo) misses(accepted, now time.Time) (next solo, lost bool) {
	restarted := accepted.Before(s.down)
	switch {
	case s.several:
		return s, false
	case accepted.Before(s.forgot):
		return s, s.is()
	case s.is() && s.missed > 0 && !accepted.Before(s.since):
		s.several = true
		return s, false
	case s.is():
		return s.streak(restarted, now)
	case accepted.IsZero():
		return s, false
	case restarted && s.restarts < maxRestarts:
		s.forgot, s.down, s.knew = s.down, time.Time{}, 0
		s.restarts++
		return s, false
	}
	s.several = true
	return s, false
}

// streak counts one more answer that did not know a prompt; restarted says that
// the server was out of reach since that prompt was accepted.
func (s solo) streak(restarted bool, now time.Time) (next solo, lost bool) {
	if s.missed == 0 {
		s.since = now
	}
	s.missed++
	if enough := s.missed >= lostAsks && now.Sub(s.since) >= lostAfter; !enough && !(restarted && s.missed >= lostAtOnce) {
		return s, false
	}
	s.forgot, s.missed, s.down = s.since, 0, time.Time{}
	return s, true
}
