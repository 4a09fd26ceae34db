package engine

import (
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// blind reports that silence says nothing yet: the share is away, or was until
// so lately that a file may still hide behind its caches. The share keeps what
// it has, so one good look after a gap is enough, however long the gap was.
func (v View) blind() bool {
	return v.Sighted.IsZero() || v.Now.Sub(v.Sighted) < v.Policy.missingGrace()
}

// unseen reports that the share has answered no look in the time that a wait is
// over by now: a disk that hangs is known to only after a while, and what was
// written meanwhile is not seen.
func (v View) unseen(over time.Duration) bool { return v.Now.Sub(v.Looked) > over }

// age is how long ago t was, as far as the clock can be trusted. What was
// before a leap of the clock counts from the leap; what seems to come, as now.
func (v View) age(t time.Time) time.Duration {
	if t.After(v.Now) && v.Leapt.IsZero() {
		return 0
	}
	if t.After(v.Now) || t.Before(v.Leapt) {
		t = v.Leapt
	}
	return v.Now.Sub(t)
}

// sight follows whether the loop can see the share. Looks that are further
// apart than a file may hide are a gap as well, also one that nobody noticed:
// not every folder has been looked into right after it.
func (l *loop) sight(s job.ShareStatus, now time.Time) {
	gap := s.LookedAt.Sub(l.looked)
	l.looked = s.LookedAt
	switch {
	case !s.Mounted || s.Error != nil:
		l.sighted = time.Time{}
	case l.sighted.IsZero() || gap > l.policy.missingGrace():
		l.sighted = now
	}
}

// clockLeap bounds how far wall and monotonic clock may part between two turns.
const clockLeap = 5 * time.Second

// leap is how far the wall clock was set, forwards or backwards, while the
// monotonic one advanced; zero for what is only drift. A machine that was
// suspended leaps forwards.
func leap(wall, monotonic time.Duration) time.Duration {
	if d := wall - monotonic; d.Abs() >= clockLeap {
		return d
	}
	return 0
}

// watchClock notes a leap of the clock: no deadline may fall because of one.
func (l *loop) watchClock(now time.Time) {
	was := l.read
	l.read = now
	if was.IsZero() {
		return
	}
	if by := leap(now.Round(0).Sub(was.Round(0)), now.Sub(was)); by != 0 {
		l.leapt = now.Round(0).UTC()
		l.log.Warn("the clock of this machine leapt; deadlines count from now on", "by", by)
	}
}
