package share

import "time"

// pace is how often a folder is looked into: every fast while something
// moves, then ever more slowly until every slow.
type pace struct{ fast, slow time.Duration }

const (
	quickest   = 20 * time.Millisecond  // no pace is faster than this
	slowest    = 250 * time.Millisecond // nor slower, while something moves
	lateFactor = 10                     // late folders are looked into that much less often than live ones
)

// livePace is for attempts in flight, latePace for those that have ended.
func livePace(poll time.Duration) pace {
	return pace{min(poll, max(quickest, min(poll/8, slowest))), poll}
}

func latePace(poll time.Duration) pace { return pace{livePace(poll).fast, lateFactor * poll} }

// next is the interval to the next look, given the one to the last.
func (p pace) next(last time.Duration, moved bool) time.Duration {
	if moved || last <= 0 {
		return p.fast
	}
	return min(max(last*3/2, p.fast), p.slow)
}

const (
	restless = 2 * time.Second  // a file that moved within this is judged at every look
	recheck  = 10 * time.Second // how often a settled file is checked for a change, once it has been one for long
)

// judgeAgain is how long an unsettled file that has been quiet for so long is
// only asked whether it changed, and not read. A half file that a killed worker left is thus not read for ever
// at full speed, while one with stale pages is soon seen right.
func judgeAgain(quiet time.Duration) time.Duration {
	if quiet < restless {
		return 0
	}
	return min(quiet/4, recheck)
}
