package engine

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// attributed asks everything the loop knows whose a file is: the path, the
// embedded metadata, histories, exclusive time. ignore says that nothing is to
// be done about it: it was delivered already, or is a copy of what was.
func (l *loop) attributed(s job.Sighting) (a attribution, ignore bool) {
	if s.PromptID != "" {
		o, ok := l.byPrompt(s.PromptID)
		o.evidence = job.ByPrefix
		if ok {
			return attribution{owner: o, known: true}, false
		}
	}
	if l.settling[orphanID(s.Path)] {
		return attribution{wait: true}, false // an admin decides
	}
	if o, ok := l.reuser(s); ok {
		return attribution{owner: o, known: true}, false
	}
	if o, ok := l.earlier(s); ok {
		return attribution{owner: o, known: true}, false
	}
	if same, ready := l.deliveredBefore(s); same || !ready {
		return attribution{wait: !ready}, same
	}
	if same, ready := l.isCopy(s); same || !ready {
		return attribution{wait: !ready}, same
	}
	if s.PromptID != "" {
		return attribution{}, false
	}
	if s.Claim != nil {
		return l.byClaim(s)
	}
	o, shown := l.shown(s)
	if shown && o.SeenAt.Before(s.At) {
		s.At = o.SeenAt // nobody wrote it who was sent later
	}
	a = attribute(s, l.clock, append(l.writers(s.Path), l.closedCandidates(s, o)...), l.policy.Untagged)
	if shown && a.known && a.owner.evidence == job.BySingleJob && !l.besideNamed(a.owner, s.Path) {
		return attribution{candidates: o.Candidates}, false // what is known after a restart may be less
	}
	return a, false
}

// besideNamed reports that a history of the attempt names a file that differs
// from this one in the extension only.
func (l *loop) besideNamed(o owner, p job.Path) bool {
	j := l.jobs[o.job]
	if j == nil {
		return false
	}
	a, _ := j.Attempt(o.attempt)
	return slices.ContainsFunc(outside(a), func(named job.Path) bool { return stem(named) == stem(p) })
}

// shown is the open orphan that the file was shown as, as it stands there.
func (l *loop) shown(s job.Sighting) (job.Orphan, bool) {
	o, err := l.ledger.Orphan(orphanID(s.Path))
	if err != nil || o.State != job.OrphanOpen || o.Size != s.Size || !o.Modified.Equal(s.Modified) {
		return job.Orphan{}, false
	}
	return o, true
}

// unclaimed is a file that may belong to any of the candidates.
type unclaimed struct {
	job.Sighting
	candidates []job.ID
}

// closedCandidates are the candidates of an orphan whose jobs are closed: the
// file is left to the others no more than before.
func (l *loop) closedCandidates(s job.Sighting, o job.Orphan) []writer {
	var all []writer
	for _, id := range o.Candidates {
		j, err := l.ledger.Job(id)
		if err != nil || l.jobs[id] != nil {
			continue
		}
		for _, a := range j.Attempts {
			if a.PromptID == "" {
				continue
			}
			w := writer{ended: s.At, told: a.Heard()}
			w.owner, _ = ownerIn(j, a.PromptID)
			_, w.named = slices.BinarySearch(a.Files, s.Path)
			all = append(all, w)
		}
	}
	return all
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
	return owner{job: j.ID, user: j.User, attempt: a.N, promptID: promptID, assigned: a.When(job.Assigned)}, ok
}

// reopen takes a closed job back into the live state, for a file that came
// after its late window.
func (l *loop) reopen(id job.ID) bool {
	if l.jobs[id] != nil {
		return true
	}
	j, err := l.ledger.Job(id)
	if err != nil {
		return false
	}
	l.adopt(j)
	return true
}

// byClaim follows a file's metadata. What stands where its attempt writes is
// the attempt's; anything else may be a copy that somebody made of what was
// delivered.
func (l *loop) byClaim(s job.Sighting) (attribution, bool) {
	o, ok := l.byPrompt(s.Claim.PromptID)
	if !ok || o.job != s.Claim.Job {
		gone, _ := l.ledger.Pruned(s.Claim.PromptID)
		return attribution{}, gone
	}
	o.evidence = job.ByMetadata
	j, err := l.ledger.Job(o.job)
	if err != nil {
		return attribution{}, false
	}
	a, _ := j.Attempt(o.attempt)
	_, named := slices.BinarySearch(a.Files, s.Path)
	placed := writesTo(a.Places, s.Path)
	if named || !a.State.Terminal() && placed {
		return attribution{owner: o, known: true}, false
	}
	if others := l.writers(s.Path); !placed && slices.ContainsFunc(others, func(w writer) bool {
		return w.job != o.job && (w.named || w.placed) && w.mayHaveWritten(s, l.clock, others)
	}) { // their node may have copied the metadata of its input
		by := attribute(s, l.clock, others, l.policy.Untagged)
		if !by.known && !slices.Contains(by.candidates, o.job) {
			by.candidates = append(by.candidates, o.job)
		}
		return by, false
	}
	if j.Closed && !writesTo(a.Places, s.Path) {
		return attribution{candidates: []job.ID{j.ID}}, false
	}
	return attribution{owner: o, known: true}, false
}

// writesTo reports whether a path begins with one of an attempt's places.
func writesTo(places []string, p job.Path) bool {
	return job.Overlap([]string{strings.ToLower(string(p))}, places)
}

// writers are the attempts that may have written a file outside the attempts'
// own folders.
func (l *loop) writers(p job.Path) []writer {
	var all []writer
	var strayed []string
	lower := strings.ToLower(string(p))
	for promptID, id := range l.shared {
		j := l.jobs[id]
		a, _ := j.ByPrompt(promptID)
		w := writer{ended: endOf(a)}
		w.owner, _ = ownerIn(*j, promptID)
		_, w.named = slices.BinarySearch(a.Files, p)
		w.specific = slices.ContainsFunc(a.Places, func(place string) bool { return place != "" && strings.HasPrefix(lower, place) }) ||
			slices.ContainsFunc(outside(a), func(named job.Path) bool { return stem(named) == stem(p) })
		w.placed = writesTo(a.Places, p)
		w.silent = firstSign(a).IsZero() && !a.When(job.Assigned).IsZero() && time.Since(a.When(job.Assigned)) >= unknownAccepted
		w.givenUp = a.State == job.Lost && a.When(job.Finished, job.Broke).IsZero()
		if !w.named && (neverRan(a) || !w.specific && !slices.Contains(a.Places, "") && !j.Unsure) {
			continue
		}
		switch w.told = a.Heard(); {
		case w.told: // an end that was inferred before may have been too early
			w.ended = latest(w.ended, a.HeardAt())
		case !w.ended.IsZero():
			w.ended = w.ended.Add(openPause * l.policy.Settle) // nobody else was sent to its place: see writing
		}
		w.has = slices.ContainsFunc(j.OutputsOf(a.N), func(o job.Output) bool { return o.Source == p && o.State == job.OutputStored })
		all = append(all, w)
		if w.named && a.Places == nil {
			strayed = append(strayed, customClasses(*j)...)
		}
	}
	return append(all, l.likewise(strayed, all)...)
}

// likewise are the attempts with a custom node of these classes, beside those
// known already: one of another job wrote outside the folder it was given, and so
// may theirs.
func (l *loop) likewise(classes []string, known []writer) []writer {
	if len(classes) == 0 {
		return nil
	}
	var all []writer
	for _, j := range l.order {
		if !slices.ContainsFunc(customClasses(*j), func(c string) bool { return slices.Contains(classes, c) }) {
			continue
		}
		for _, a := range j.Attempts {
			if a.PromptID == "" || neverRan(a) || slices.ContainsFunc(known, func(w writer) bool { return w.promptID == a.PromptID }) {
				continue
			}
			w := writer{ended: endOf(a), told: a.Heard()}
			w.owner, _ = ownerIn(*j, a.PromptID)
			all = append(all, w)
		}
	}
	return all
}

// neverRan reports an attempt whose prompt the deployment refused. At most its
// start marker was run, the only output that passed.
func neverRan(a job.Attempt) bool {
	return !a.When(job.Refused).IsZero() && a.When(job.Seen, job.Whole).IsZero()
}

// stem is a path without its extension, which a picture shares with what its
// node writes beside it.
func stem(p job.Path) string { return strings.TrimSuffix(string(p), path.Ext(string(p))) }

// endOf is when an attempt's run ended, as far as anybody said; zero while it
// may be writing.
func endOf(a job.Attempt) time.Time {
	if a.State < job.Rendered {
		return time.Time{}
	}
	if t := a.When(job.Finished, job.Broke); !t.IsZero() {
		return t
	}
	return a.EndedAt()
}

// earlier keeps a file with the attempt that has it, also after a restart: what
// it was attributed by then may not be known any more. One that was changed
// after it was delivered is another file.
func (l *loop) earlier(s job.Sighting) (owner, bool) {
	at, ok := l.sources[s.Path]
	if !ok {
		return owner{}, false
	}
	j := l.jobs[at.job]
	o, _ := j.Output(at.output)
	same := o.Size == s.Size && o.Modified.Equal(s.Modified)
	if o.Modified.IsZero() { // its time was not recorded
		same = !s.Modified.After(o.DeliveredAt())
	}
	if o.State.Settled() && (!same || o.Modified.IsZero() && l.namedLater(s.Path, j.ID, o.DeliveredAt())) {
		return owner{}, false
	}
	a, _ := j.Attempt(o.Attempt)
	_, named := slices.BinarySearch(a.Files, s.Path)
	version := l.version(o)
	other := !version.Equal(s.Modified) && (o.State == job.OutputSeen && !named || o.State == job.OutputWhole && !version.IsZero())
	if !o.State.Settled() && other && l.contested(s, j.ID) {
		return owner{}, false
	}
	return owner{job: j.ID, user: j.User, attempt: a.N, promptID: a.PromptID, evidence: o.Evidence}, true
}

// version is the time of the file that was attributed as that output; zero when
// that is not known.
func (l *loop) version(o job.Output) time.Time {
	if v, ok := l.versions[o.ID]; ok || o.State.Settled() || o.Source.Tagged() {
		return v
	}
	return o.Modified
}

// contested reports a file that another job may have written as well.
func (l *loop) contested(s job.Sighting, than job.ID) bool {
	all := l.writers(s.Path)
	return slices.ContainsFunc(all, func(w writer) bool { return w.job != than && w.mayHaveWritten(s, l.clock, all) })
}

// reuser is an attempt with a cached node that reports a file as it was
// delivered to another before it was sent: the node would have written the same.
// Where files of several jobs stood one after the other, nobody knows which of
// them the node wrote.
func (l *loop) reuser(s job.Sighting) (owner, bool) {
	d, found, err := l.ledger.Delivered(s.Path)
	if err != nil || !found || d.Changed || d.Size != s.Size || !d.Modified.Equal(s.Modified) {
		return owner{}, false
	}
	for promptID, id := range l.shared {
		j := l.jobs[id]
		a, _ := j.ByPrompt(promptID)
		has := slices.ContainsFunc(j.OutputsOf(a.N), func(o job.Output) bool { return o.Source == s.Path })
		if _, reuses := slices.BinarySearch(a.Reused, s.Path); reuses && !has && d.At.Before(a.When(job.Assigned)) {
			o, _ := ownerIn(*j, promptID)
			o.evidence = job.ByHistory
			return o, true
		}
	}
	return owner{}, false
}

// source is the output that stands at a path outside the attempts' own folders.
type source struct {
	job    job.ID
	output job.OutputID
}

// deliveredBefore reports a file that was delivered as it is now, by whatever
// job. ready is false while its bytes are being read to tell.
func (l *loop) deliveredBefore(s job.Sighting) (same, ready bool) {
	d, found, err := l.ledger.Delivered(s.Path)
	if err != nil || !found || d.Size != s.Size {
		return false, true
	}
	if !d.Modified.IsZero() && d.Modified.Equal(s.Modified) {
		return true, true
	}
	if l.namedLater(s.Path, d.Job, d.At) {
		return false, true
	}
	for _, w := range l.writers(s.Path) { // equal bytes may well be another job's
		if w.specific && w.job != d.Job && w.assigned.After(d.At) {
			return false, true
		}
	}
	if s.Mark == job.MarkSeen { // half a file, and it may stay one
		return false, true
	}
	sum, ready := l.sum(s)
	return sum == d.Checksum, ready
}

// namedLater reports that a history of another job, sent after a delivery, names
// the file: then it is that job's, whatever its bytes.
func (l *loop) namedLater(p job.Path, than job.ID, delivered time.Time) bool {
	return slices.ContainsFunc(l.writers(p), func(w writer) bool {
		return w.named && w.job != than && w.assigned.After(delivered)
	})
}

// summing is a file on the share whose checksum is wanted, to tell a copy or an
// unchanged file from a new one.
type summing struct {
	size     int64
	modified time.Time
	sum      string
	done     bool
	next     time.Time // not before, after an error
}

// maxSums bounds how many files are read for their checksums at one time, and
// maxSummed how many results are remembered.
const maxSums, maxSummed = 2, 10_000

// sum is the checksum of the file as it was seen; false while it is not known.
// The sighting is considered again when it is.
func (l *loop) sum(s job.Sighting) (string, bool) {
	k := l.sums[s.Path]
	if k != nil && k.size == s.Size && k.modified.Equal(s.Modified) && (k.done || time.Now().Before(k.next)) {
		return k.sum, k.done
	}
	if l.summing >= maxSums || s.Mark != job.MarkWhole && s.Mark != job.MarkSettling {
		return "", false
	}
	if len(l.sums) >= maxSummed {
		clear(l.sums)
	}
	k = &summing{size: s.Size, modified: s.Modified, next: time.Now().Add(time.Hour)}
	l.sums[s.Path] = k
	l.summing++
	ctx := l.kill
	l.acts.Go(func() {
		size, sum, err := l.share.Sum(ctx, s.Path)
		l.report(message{do: func(l *loop) func() {
			l.summing--
			if k.done = err == nil; k.done && size == k.size {
				k.sum = sum
			}
			k.next = time.Now().Add(10 * time.Second)
			l.reconsider = true
			return func() {}
		}})
	})
	return "", false
}

// adoptOrphan takes a file off the list of orphans, since its owner is known
// now: half a file carries no metadata yet, and a history comes late.
func (l *loop) adoptOrphan(p job.Path, o owner) {
	orphan, err := l.ledger.Orphan(orphanID(p))
	if err != nil || orphan.State != job.OrphanOpen {
		return
	}
	orphan.State, orphan.User, orphan.Job, orphan.By = job.OrphanAssigned, o.user, o.job, string(o.evidence)
	l.logError("put orphan", l.putOrphan(orphan))
	l.logError("count orphans", l.countOrphans())
}

func orphanID(p job.Path) job.OutputID { return job.NewOutputID("", p) }

// decided reports an orphan that a person has assigned or discarded, as long as
// the same version of the file stands there, or none is known to be another.
func (l *loop) decided(s job.Sighting) (job.Orphan, bool) {
	o, err := l.ledger.Orphan(orphanID(s.Path))
	if err != nil || o.State == job.OrphanOpen || o.Job != "" {
		return job.Orphan{}, false
	}
	return o, o.Modified.IsZero() || o.Modified.Equal(s.Modified) || s.Modified.IsZero() && o.Size == s.Size
}

// orphan shows a file that belongs to nobody. Files older than the ledger are
// the share's past, not ours.
func (l *loop) orphan(s job.Sighting, candidates []job.ID) {
	if s.Mark == job.MarkHostile {
		l.log.Warn("a hostile file on the share was not touched", "file", s.Path.String(), "reason", s.Reason)
		return
	}
	if s.Mark == job.MarkGrew || s.Mark == job.MarkStarted || s.Mark == job.MarkBlocked || s.Mark == job.MarkVanished ||
		!s.Modified.IsZero() && s.Modified.Before(l.ledger.Born()) {
		return
	}
	if gone, _ := l.ledger.Pruned(s.PromptID); gone {
		return // of a job that ended so long ago that it was forgotten
	}
	id := orphanID(s.Path)
	o, err := l.ledger.Orphan(id)
	if err == nil && o.State == job.OrphanOpen && o.Size == s.Size && o.Modified.Equal(s.Modified) && slices.Equal(o.Candidates, candidates) {
		return
	}
	if err != nil || o.State != job.OrphanOpen {
		o = job.Orphan{ID: id, Path: s.Path, SeenAt: s.At, State: job.OrphanOpen, Suggest: l.suggest()}
		l.orphans++
		l.log.Warn("orphan", "file", s.Path.String(), "size", s.Size, "reason", orphanReason(s, candidates), "candidates", candidates)
	}
	if o.Size != s.Size || !o.Modified.Equal(s.Modified) {
		o.SeenAt = s.At
	}
	o.Size, o.Modified, o.Candidates, o.Reason = s.Size, s.Modified, candidates, orphanReason(s, candidates)
	if len(candidates) > 0 {
		l.disputed[s.Path] = l.dispute(o, time.Now().UTC())
	}
	o.Suggest = slices.Clone(o.Suggest)
	for _, c := range slices.Backward(candidates) {
		if j := l.jobs[c]; j != nil {
			o.Suggest = slices.Insert(slices.DeleteFunc(o.Suggest, func(user string) bool { return user == j.User }), 0, j.User)
		}
	}
	l.logError("put orphan", l.putOrphan(o))
}

// undecided are the files whose owner may still be decided by what is heard.
func (l *loop) undecided() map[job.Path][]job.ID {
	out := make(map[job.Path][]job.ID, len(l.unclaimed))
	for p, u := range l.unclaimed {
		out[p] = u.candidates
	}
	return out
}

func (l *loop) putOrphan(o job.Orphan) error { return l.ledger.PutOrphan(o) }

func orphanReason(s job.Sighting, candidates []job.ID) string {
	switch {
	case s.PromptID != "":
		return "its folder names a prompt that is not ours"
	case len(candidates) == 1:
		return "one job may have written it, and nothing says that it did"
	case len(candidates) > 1:
		return count(len(candidates), "job") + " may have written it, and nothing decides between them"
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
	disputed := map[job.Path]Dispute{}
	for _, o := range open {
		if len(o.Candidates) > 0 {
			d, known := l.disputed[o.Path]
			if !known {
				d = l.dispute(o, o.SeenAt)
			}
			disputed[o.Path] = d
		}
	}
	l.disputed = disputed
	return err
}

func (l *loop) dispute(o job.Orphan, since time.Time) Dispute {
	d := Dispute{Since: since}
	for _, id := range o.Candidates {
		if j := l.jobs[id]; j != nil {
			d.Classes = append(d.Classes, foreignClasses(*j)...)
		} else if closed, err := l.ledger.Job(id); err == nil {
			d.Classes = append(d.Classes, foreignClasses(closed)...)
		}
	}
	slices.Sort(d.Classes)
	d.Classes = slices.Compact(d.Classes)
	return d
}
