package engine

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/comfyume/qmtui/internal/job"
)

// warnings are what an admin should know of the whole, each with the time
// since which it has been so.
func (l *loop) warnings(share job.ShareStatus, workers []job.Deployment, silent *job.Error) []job.Warning {
	found := []*job.Error{l.ledgerTrouble(), share.Error, lowDisk(share, l.policy.LowDisk), l.orphanWarning(), skewWarning(l.skew), l.neverAppeared(), l.noneActive(workers), silent}
	for _, d := range workers {
		if d.Stopped == nil { // else it is told for each deployment
			found = append(found, d.Error)
		}
	}
	for _, d := range l.deliveries {
		found = append(found, d.err)
	}
	for _, s := range l.stagings {
		found = append(found, s.err)
	}
	var ws []job.Warning
	since := map[string]time.Time{}
	for _, e := range found {
		if e == nil || !since[e.Code].IsZero() {
			continue
		}
		since[e.Code] = l.since(e.Code)
		ws = append(ws, job.Warning{Code: e.Code, Message: e.Message, Hint: e.Hint, At: since[e.Code]})
	}
	ws = append(ws, l.upkeepWarnings(time.Now().UTC(), workers, since)...)
	l.warned = since
	return ws
}

// since is when a warning began to stand: now, unless it stood already.
func (l *loop) since(key string) time.Time {
	if at := l.warned[key]; !at.IsZero() {
		return at
	}
	return time.Now().UTC()
}

// lowDisk warns before workers cannot write any more.
func lowDisk(s job.ShareStatus, least int64) *job.Error {
	if s.Error != nil || s.LookedAt.IsZero() || s.Free >= least {
		return nil
	}
	return &job.Error{Code: "disk_low", Message: fmt.Sprintf("%s has %s free", s.Path, humanize.IBytes(uint64(max(0, s.Free)))),
		Hint: "make room on the share: renders of a full share are lost"}
}

func (l *loop) orphanWarning() *job.Error {
	if l.orphans == 0 {
		return nil
	}
	return &job.Error{Code: "orphans", Message: count(l.orphans, "file") + " on the share that nothing attributes to a job", Hint: `look at them with "qmtui outputs orphans"`}
}

// neverAppeared warns while prompts that were sent and left no trace are among
// the open jobs: within their late window.
func (l *loop) neverAppeared() *job.Error {
	n := 0
	for _, j := range l.order {
		for _, a := range j.Attempts {
			if a.State == job.Lost && a.Error != nil && a.Error.Code == "never_appeared" {
				n++
			}
		}
	}
	if n == 0 {
		return nil
	}
	return &job.Error{Code: "never_appeared", Message: count(n, "prompt") + " lately sent never appeared on the share",
		Hint: `compare the share of the workers with this one: "qmtui doctor --canary"`}
}

// noneActive warns that jobs wait because no deployment takes them.
func (l *loop) noneActive(workers []job.Deployment) *job.Error {
	if l.active != "" || len(workers) == 0 {
		return nil
	}
	return &job.Error{Code: "no_active_worker", Message: "no deployment is active, so nothing is rendered", Hint: `run "qmtui workers use NAME"`}
}

// skewBound is how far the clocks of share and manager may differ unnoticed.
const skewBound = 5 * time.Second

// clockSkew is how far a file's time is outside of what is possible: written
// before its attempt was sent, or after it was seen. Zero when it is possible,
// so slow looks and caches are never taken for skew.
func clockSkew(modified, assigned, seen time.Time) time.Duration {
	switch {
	case modified.IsZero() || assigned.IsZero():
		return 0
	case modified.Before(assigned):
		return modified.Sub(assigned)
	case modified.After(seen):
		return modified.Sub(seen)
	}
	return 0
}

func skewWarning(skew time.Duration) *job.Error {
	if skew.Abs() < skewBound {
		return nil
	}
	way := "ahead of"
	if skew < 0 {
		way = "behind"
	}
	return &job.Error{Code: "clock_skew", Message: fmt.Sprintf("the clock of the share is at least %s %s this machine's", span(skew.Abs()), way),
		Hint: "synchronise the clocks (NTP); attribution does not depend on them, times on screens do"}
}
