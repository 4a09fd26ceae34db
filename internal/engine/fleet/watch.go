package fleet

import (
	"context"
	"math/rand/v2"
	"path"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// watch asks about one attempt at a time, in turn, as long as there are any,
// and nothing when there are none. The requests also keep the deployment from
// scaling down in mid-render (field.md: the platform counts HTTP messages).
func (s *site) watch(ctx context.Context, report func(job.Fact)) {
	var next time.Time // when it is the turn of the next attempt; zero: not set yet
	for ctx.Err() == nil {
		if !s.inFlight() || s.spec.KeepAlive <= 0 {
			s.readNodesOnce(ctx)
			s.rest(ctx)
			next = time.Time{}
			continue
		}
		if next.IsZero() {
			next = s.opts.Now().Add(s.opts.spread(s.spec.KeepAlive))
		}
		f, due := s.upcoming(next)
		if wait := due.Sub(s.opts.Now()); wait > 0 {
			s.restFor(ctx, wait)
			continue
		}
		s.look(ctx, f, report)
		next = time.Time{}
	}
}

// leastGap is the least time between two questions about attempts that are young
// or due, so that many of them do not flood a balancer.
const leastGap = 500 * time.Millisecond

// upcoming is when to look next, and at which attempt, if not simply the one
// whose turn it is: an attempt that may just have ended is asked about sooner, and
// so is a young one and one whose usual time is over, as long as the deployment
// has answered lately: such a question wakes nothing. Where one server may answer,
// so is any while that server may have restarted.
func (s *site) upcoming(next time.Time) (f job.Flight, due time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x, at, ok := s.tracks.written(s.opts.Now()); ok && at.Before(next) {
		f, next = x, at
	}
	now := s.opts.Now()
	if x, at, ok := s.tracks.soon(now); ok && now.Sub(s.health.answered) < s.rules.idle/2 {
		if gap := s.lookedAt.Add(leastGap); at.Before(gap) {
			at = gap
		}
		if at.Before(next) {
			f, next = x, at
		}
	}
	if !s.mayBeSingle() {
		return f, next
	}
	if every := s.solo.suspects(); every > 0 && s.lookedAt.Add(every).Before(next) {
		f, next = job.Flight{}, s.lookedAt.Add(every)
	}
	return f, next
}

// mayBeSingle reports a deployment of which one server may answer. The caller holds mu.
func (s *site) mayBeSingle() bool {
	return s.spec.Driver == "comfyui" && !s.spec.ScaleToZero && s.solo.open()
}

// rest waits until something may have changed.
func (s *site) rest(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.wake:
	}
}

// restFor is rest for at most d.
func (s *site) restFor(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-s.wake:
	case <-t.C:
	}
}

// pause waits for d; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// jitter is d give or take a tenth, so that deployments are not asked in step.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + time.Duration(rand.Int64N(int64(d/5)+1))
}

func (s *site) inFlight() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tracks.any()
}

// look asks about an attempt, the one whose turn it is when none is given, and,
// when the deployment has just shown that it is awake, now and then about the worker.
func (s *site) look(ctx context.Context, f job.Flight, report func(job.Fact)) {
	s.mu.Lock()
	ok := f.PromptID != ""
	if !ok {
		f, ok = s.tracks.turn(s.opts.Now())
	}
	s.tracks.asks(f.PromptID, s.opts.Now())
	s.lookedAt = s.opts.Now()
	s.mu.Unlock()
	if !ok {
		return
	}
	if s.admission(ctx, f, report) {
		return
	}
	state, entry, err := s.evidence(ctx, f.PromptID)
	if err != nil {
		s.opts.Logger.Debug("ask for evidence", "job", f.Job, "deployment", s.spec.Name, "prompt", f.PromptID, "error", err)
		s.unreached(err)
		return
	}
	if s.weigh(f, state) {
		report(restarted(f, s.opts.Now()))
		return
	}
	switch state {
	case comfy.JobRunning:
		report(job.Fact{Job: f.Job, Attempt: f.Attempt, PromptID: f.PromptID,
			Kind: job.Started, At: s.opts.Now(), Evidence: job.ByPlatform})
	case comfy.JobEnded:
		s.tell(ctx, f, entry, report)
	}
	s.examine(ctx, report)
}

// evidence asks what a replica knows of a prompt. The history of an old server
// does not tell a prompt that waits or runs from one that it never had; where
// one server may answer, its queue does.
func (s *site) evidence(ctx context.Context, promptID string) (state comfy.JobState, entry *comfy.HistoryEntry, err error) {
	ask := func() error {
		var err error
		state, entry, err = s.driver.Evidence(ctx, promptID)
		return err
	}
	if err = s.ask(s.driver.Asks(), ask); err != nil || state != comfy.JobUnsaid {
		return state, entry, err
	}
	s.mu.Lock()
	single := s.mayBeSingle()
	s.mu.Unlock()
	if !single {
		return state, nil, nil
	}
	running, pending, err := s.askQueue(ctx)
	switch {
	case err != nil:
		return state, nil, err
	case slices.Contains(running, promptID):
		return comfy.JobRunning, nil, nil
	case slices.Contains(pending, promptID):
		return comfy.JobQueued, nil, nil
	}
	if err = s.ask(s.driver.Asks(), ask); err == nil && state == comfy.JobUnsaid {
		state = comfy.JobUnknown // neither waiting nor running before, nor ended afterwards
	}
	return state, entry, err
}

// unreached takes in that a question found nobody.
func (s *site) unreached(err error) {
	if !mayWake(err) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.solo = s.solo.unreachable(s.opts.Now())
}

// weigh takes in what was said of an attempt; true when its server has
// restarted and lost it. Behind a balancer, an answer that knows nothing means nothing.
func (s *site) weigh(f job.Flight, state comfy.JobState) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ended := s.tracks.ended[f.PromptID]; ended || s.tracks.stopped[f.PromptID] || !s.mayBeSingle() || state == comfy.JobUnsaid {
		return false
	}
	now := s.opts.Now()
	accepted, ours := s.tracks.told[f.PromptID]
	switch {
	case state != comfy.JobUnknown && !ours:
		// The first answer that knows it is no evidence: nobody asked where it stands.
		s.tracks.told[f.PromptID] = acceptance{at: now, asked: len(early)}
	case state != comfy.JobUnknown:
		s.solo = s.solo.knows(accepted.at, now)
	case ours || f.State == job.Accepted || f.State == job.Running:
		next, lost := s.solo.misses(accepted.at, now)
		s.solo = next
		if lost {
			s.tracks.ended[f.PromptID] = now
		}
		return lost
	}
	return false
}

// restarted is the fact of an attempt that its server has forgotten.
func restarted(f job.Flight, now time.Time) job.Fact {
	return job.Fact{Job: f.Job, Attempt: f.Attempt, PromptID: f.PromptID, Kind: job.Broke, At: now, Evidence: job.ByPlatform,
		Error: &job.Error{Code: "worker_restarted", Class: job.Unavailable, Transient: true,
			Message: "the server has restarted and no longer knows the prompt", Hint: "retry the job; see the log of the server for why it restarted"}}
}

// tell reports what an entry says, with the files that the server itself
// counts to the prompt where it keeps track of them.
func (s *site) tell(ctx context.Context, f job.Flight, entry *comfy.HistoryEntry, report func(job.Fact)) {
	now := s.opts.Now()
	files := s.assets(ctx, f.PromptID)
	unseen := false // of files on the share; Wrote is one as well when some may stand anywhere
	for _, fact := range observed(f, entry, s.workers().OutputDir, now) {
		if fact.Kind != job.Started {
			for _, p := range files {
				if !slices.Contains(fact.Files, p) {
					fact.Files = append(fact.Files, p)
				}
			}
		}
		unseen = unseen || fact.Kind == job.Finished && len(fact.Files) > 0 && f.Wrote <= 1
		report(fact)
	}
	s.mu.Lock()
	s.tracks.ended[f.PromptID] = now
	s.mu.Unlock()
	if unseen {
		s.compareReplicas(ctx)
	}
}

// assets are the files that a server with --enable-assets counts to a prompt.
func (s *site) assets(ctx context.Context, promptID string) []job.Path {
	s.mu.Lock()
	keeps := s.system != nil && hasFlag(s.system.Argv, "--enable-assets")
	s.mu.Unlock()
	if !keeps {
		return nil
	}
	files, err := s.driver.Assets(ctx, promptID)
	if err != nil {
		s.opts.Logger.Debug("ask for assets", "deployment", s.spec.Name, "prompt", promptID, "error", err)
	}
	var out []comfy.HistoryFile
	for _, name := range files {
		out = append(out, comfy.HistoryFile{Subfolder: path.Dir(name), Filename: path.Base(name), Type: "output"})
	}
	named, _, _ := reported(promptID, "", out, nil)
	return named
}
