package engine

import (
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// owner is the attempt a file belongs to, and how we know.
type owner struct {
	job      job.ID
	user     string
	attempt  int
	promptID string
	evidence job.Evidence
	assigned time.Time // of an attempt in flight
}

// mayHaveWritten reports whether a file is from the time since the attempt was
// assigned. One of no known time can be anybody's, and one that a share with
// times of whole seconds makes older becomes an orphan rather than a guess.
func (o owner) mayHaveWritten(s job.Sighting) bool {
	return !s.Modified.IsZero() && !s.Modified.Before(o.assigned)
}

// testimony is what the house knows that may attribute a file.
type testimony struct {
	// prompt finds the attempt with a prompt id, open or long closed.
	prompt func(promptID string) (owner, bool)
	// history finds the attempt whose history named the path.
	history func(job.Path) (owner, bool)
	// earlier finds the attempt to which a file outside qm/ was attributed before.
	earlier func(job.Sighting) (owner, bool)
	// orphan reports a file that was already found to be nobody's.
	orphan func(job.Path) bool
	// flights are the attempts that may be writing now.
	flights []owner
	// untagged says that prompts are sent without a prefix of our own, so that
	// files of ours may stand anywhere.
	untagged bool
}

// Attribute finds out whose a file is, by the strongest evidence there is: the
// path, the embedded metadata, a history, the only job in flight. A file that
// none of these names has no owner; time attributes nothing.
func (t testimony) attribute(s job.Sighting) (owner, bool) {
	if s.PromptID != "" {
		o, ok := t.prompt(s.PromptID)
		o.evidence = job.ByPrefix
		return o, ok
	}
	if s.Claim != nil {
		o, ok := t.prompt(s.Claim.PromptID)
		o.evidence = job.ByMetadata
		return o, ok && o.job == s.Claim.Job
	}
	if o, ok := t.history(s.Path); ok {
		o.evidence = job.ByHistory
		return o, true
	}
	if o, ok := t.earlier(s); ok {
		return o, true
	}
	if t.untagged && len(t.flights) == 1 && t.flights[0].mayHaveWritten(s) && !t.orphan(s.Path) {
		o := t.flights[0]
		o.evidence = job.BySingleJob
		return o, true
	}
	return owner{}, false
}

// owner asks everything the loop knows.
func (l *loop) owner(s job.Sighting) (owner, bool) {
	o, ok := testimony{prompt: l.byPrompt, history: l.byHistory, earlier: l.earlier, orphan: l.knownOrphan, flights: l.flights(), untagged: l.policy.Untagged}.attribute(s)
	if !ok {
		return owner{}, false
	}
	if j := l.jobs[o.job]; j == nil && !l.reopen(o.job) {
		return owner{}, false
	}
	return o, true
}

func (l *loop) byPrompt(promptID string) (owner, bool) {
	if id, ok := l.prompt[promptID]; ok {
		return ownerIn(*l.jobs[id], promptID)
	}
	j, err := l.ledger.ByPrompt(promptID)
	if err != nil {
		return owner{}, false
	}
	return ownerIn(j, promptID)
}

func ownerIn(j job.Job, promptID string) (owner, bool) {
	a, ok := j.ByPrompt(promptID)
	return owner{job: j.ID, user: j.User, attempt: a.N, promptID: promptID}, ok
}

// reopen takes a closed job back into the live state, for a file that came
// after its late window.
func (l *loop) reopen(id job.ID) bool {
	j, err := l.ledger.Job(id)
	if err != nil {
		return false
	}
	l.adopt(j)
	return true
}

// flights lists the attempts that may be writing now.
func (l *loop) flights() []owner {
	var all []owner
	for _, j := range l.order {
		if a := j.Current(); a.State.InFlight() {
			all = append(all, owner{job: j.ID, user: j.User, attempt: a.N, promptID: a.PromptID, assigned: a.When(job.Assigned)})
		}
	}
	return all
}

// earlier keeps a file with the attempt that has it, also after a restart: what
// it was attributed by then may not be known any more. One that was changed
// after it was delivered is another file.
func (l *loop) earlier(s job.Sighting) (owner, bool) {
	for _, j := range l.order {
		for _, o := range j.Outputs {
			if o.Source == s.Path && (!o.State.Settled() || !s.Modified.After(o.StoredAt)) {
				a, _ := j.Attempt(o.Attempt)
				return owner{job: j.ID, user: j.User, attempt: a.N, promptID: a.PromptID, evidence: o.Evidence}, true
			}
		}
	}
	return owner{}, false
}

func (l *loop) knownOrphan(p job.Path) bool {
	_, err := l.ledger.Orphan(orphanID(p))
	return err == nil
}

// byHistory looks through the files that histories of open attempts have named.
func (l *loop) byHistory(p job.Path) (owner, bool) {
	for promptID, files := range l.named {
		if slices.Contains(files, p) {
			return l.byPrompt(promptID)
		}
	}
	return owner{}, false
}

// claimByHistory remembers the files a history names, and takes back those
// that had become orphans before it was heard.
func (l *loop) claimByHistory(f job.Fact) []job.Fact {
	j := l.jobs[f.Job]
	if j == nil {
		return nil
	}
	a, _ := j.Attempt(f.Attempt)
	if len(f.Files) > 0 {
		l.named[a.PromptID] = f.Files
	}
	var facts []job.Fact
	for _, p := range f.Files {
		orphan, ok := l.adoptOrphan(p, owner{user: j.User, evidence: job.ByHistory})
		if !ok {
			continue
		}
		facts = append(facts, job.Fact{Job: j.ID, Attempt: a.N, Kind: job.Whole, At: f.At, Evidence: job.ByHistory,
			Output: &job.Output{ID: job.NewOutputID(a.PromptID, p), Source: p, Size: orphan.Size, Evidence: job.ByHistory}})
	}
	return facts
}

// adoptOrphan takes a file off the list of orphans, since its owner is known
// now: half a file carries no metadata yet, and a history comes late.
func (l *loop) adoptOrphan(p job.Path, o owner) (job.Orphan, bool) {
	orphan, err := l.ledger.Orphan(orphanID(p))
	if err != nil || orphan.State != job.OrphanOpen {
		return job.Orphan{}, false
	}
	orphan.State, orphan.User, orphan.By = job.OrphanAssigned, o.user, string(o.evidence)
	l.logError("put orphan", l.putOrphan(orphan))
	l.logError("count orphans", l.countOrphans())
	return orphan, true
}

func orphanID(p job.Path) job.OutputID { return job.NewOutputID("", p) }

// orphan shows a file that belongs to nobody. Files older than the ledger are
// the share's past, not ours.
func (l *loop) orphan(s job.Sighting) {
	if s.Mark == job.MarkHostile {
		l.log.Warn("a hostile file on the share was not touched", "file", s.Path.String(), "reason", s.Reason)
		return
	}
	if s.Mark == job.MarkGrew || s.Mark == job.MarkStarted || s.Mark == job.MarkBlocked || !s.Modified.IsZero() && s.Modified.Before(l.ledger.Born()) {
		return
	}
	if gone, _ := l.ledger.Pruned(s.PromptID); gone {
		return // of a job that ended so long ago that it was forgotten
	}
	id := orphanID(s.Path)
	o, err := l.ledger.Orphan(id)
	if err == nil && (o.State != job.OrphanOpen || o.Size == s.Size) {
		return
	}
	if err != nil {
		o = job.Orphan{ID: id, Path: s.Path, SeenAt: s.At, State: job.OrphanOpen, Suggest: l.suggest(), Reason: orphanReason(s)}
		l.orphans++
		l.log.Warn("orphan", "file", s.Path.String(), "size", s.Size, "reason", o.Reason)
	}
	o.Size = s.Size
	l.logError("put orphan", l.putOrphan(o))
}

func (l *loop) putOrphan(o job.Orphan) error { return l.ledger.PutOrphan(o) }

func orphanReason(s job.Sighting) string {
	switch {
	case s.PromptID != "":
		return "its folder names a prompt that is not ours"
	case s.Claim != nil:
		return "its metadata names a job that is not ours"
	}
	return "neither its path, its metadata nor any history names a job"
}

// suggest lists the users whose jobs are in flight or ended lately.
func (l *loop) suggest() []string {
	var users []string
	for _, j := range l.order {
		recent := j.State().InFlight() || time.Since(j.Updated) < time.Minute && j.State() > job.Queued
		if recent && !slices.Contains(users, j.User) {
			users = append(users, j.User)
		}
	}
	return users
}

func (l *loop) countOrphans() error {
	open, err := l.ledger.Orphans(job.OrphanOpen)
	l.orphans = len(open)
	return err
}
