package doctor

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// stage gathers for some checks and judges.
type stage struct {
	name    string // for the progress
	subject string // of its results, when it stalls; may be empty
	checks  []*Check
	// limit bounds run; zero means patience.
	limit time.Duration
	run   func(ctx context.Context) []Result
}

// patience is how long a stage may take when it does not say.
const patience = 8 * time.Second

// Progress hears how many stages are done and which ended last. It is called
// by one goroutine at a time.
type Progress func(done, total int, name string)

// run runs the stages at the same time and gives their results in the order
// of the stages. A stage that does not end in time is left behind: its checks
// fail, and whatever it hangs in ends with the process.
func runStages(ctx context.Context, stages []stage, tell Progress) []Result {
	results := make([][]Result, len(stages))
	var wait sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for i, s := range stages {
		wait.Go(func() {
			results[i] = s.bounded(ctx)
			mu.Lock()
			defer mu.Unlock()
			if done++; tell != nil {
				tell(done, len(stages), s.name)
			}
		})
	}
	wait.Wait()
	var all []Result
	for _, r := range results {
		all = append(all, r...)
	}
	return all
}

// bounded waits for a stage as long as its limit allows.
func (s stage) bounded(ctx context.Context) []Result {
	limit := s.limit
	if limit == 0 {
		limit = patience
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	came := make(chan []Result, 1)
	go func() {
		// A little less, so that what keeps its deadline can still say how it ended.
		inner, cancel := context.WithTimeout(ctx, limit-limit/20)
		defer cancel()
		came <- s.guarded(inner)
	}()
	select {
	case r := <-came:
		return r
	case <-ctx.Done():
	}
	select { // both may be ready
	case r := <-came:
		return r
	default:
		leave(came)
		return s.gaveUp(ctx.Err(), limit)
	}
}

// guarded turns a panic into a failed check: one mistake in here must not hide
// what all the others have found.
func (s stage) guarded(ctx context.Context) (out []Result) {
	defer func() {
		if p := recover(); p != nil {
			out = []Result{{Name: s.checks[0].Name, Verdict: Fail, Code: "panic", Reason: fmt.Sprintf("the check itself broke: %v", p),
				Next: "report this as a bug, with the stack: " + firstLines(debug.Stack())}}
		}
	}()
	return s.run(ctx)
}

// firstLines is the beginning of a stack on one line.
func firstLines(stack []byte) string { return fmt.Sprintf("%.400q", stack) }

// gaveUp is what is said when a stage did not end.
func (s stage) gaveUp(why error, limit time.Duration) []Result {
	if errors.Is(why, context.Canceled) {
		return []Result{{Name: s.checks[0].Name, Verdict: Skip, Code: "interrupted", Reason: "doctor was stopped before this was looked at"}}
	}
	first := Result{Name: s.checks[0].Name, Verdict: Fail, Code: "stalled",
		Reason: fmt.Sprintf("there was no answer within %s: %s", limit, s.name), Next: "see whether the disk or server behind it answers; a hung NFS mount is named in /proc/self/mountinfo and in the kernel's log"}
	out := []Result{first.about(s.subject)}
	for _, c := range s.checks[1:] {
		out = append(out, Result{Name: c.Name, Subject: s.subject, Verdict: Skip, Code: "stalled", Reason: "not looked at, because " + first.Name + " stalled"})
	}
	return out
}

// within calls f and waits at most d for it; false when it did not end. f is
// then left behind, as a look at a hung mount has to be.
func within[T any](d time.Duration, f func() T) (T, bool) {
	came := make(chan T, 1)
	go func() { came <- f() }()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case v := <-came:
		return v, true
	case <-t.C:
		leave(came)
		var none T
		return none, false
	}
}

// left counts the looks of this process that were left behind and still hang.
var left atomic.Int64

// leave counts a look as left behind until it ends.
func leave[T any](came <-chan T) {
	left.Add(1)
	go func() {
		<-came
		left.Add(-1)
	}()
}
