package engine

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// delivery is what the loop remembers of getting one output to its user.
type delivery struct {
	user    string
	busy    bool // a copy is under way
	naming  bool // a place is being chosen
	rename  bool // something else stands at the recorded place: another is to be chosen
	again   bool // the source was complete once more since its bytes were read
	tries   int
	missed  int       // of these, how often that version of the source was gone
	renamed int       // times that a chosen place was taken
	next    time.Time // not before
	err     *job.Error
}

// vanishTries is how often a source must be missing before it is given up.
const vanishTries = 5

// copying reports whether any copy is under way.
func (l *loop) copying() bool {
	for _, d := range l.deliveries {
		if d.busy {
			return true
		}
	}
	return false
}

// underWay are the outputs that are being copied or are to be copied again.
func (l *loop) underWay() map[job.OutputID]bool {
	out := map[job.OutputID]bool{}
	for id, d := range l.deliveries {
		if d.busy || d.again {
			out[id] = true
		}
	}
	return out
}

// deliver has places chosen for complete files, all of an attempt together, and
// starts copies of files whose place is recorded, as many as may run at once.
func (l *loop) deliver() {
	if l.closing {
		return
	}
	busy, now := l.busyCopies(), time.Now()
	total := 0
	for _, n := range busy {
		total += n
	}
	for _, j := range l.order {
		var unnamed []int // attempts
		for _, o := range j.Outputs {
			d := l.deliveries[o.ID]
			switch {
			case o.State == job.OutputWhole:
				d = l.delivery(j, o)
			case !o.State.Settled() || d == nil || !d.again:
				continue
			}
			switch {
			case d.busy || d.naming || now.Before(d.next):
			case o.Dest == "" || d.rename:
				if !slices.Contains(unnamed, o.Attempt) {
					unnamed = append(unnamed, o.Attempt)
				}
			case total < l.policy.Copies && busy[j.User] < l.policy.CopiesPerUser:
				d.busy, d.again = true, false
				busy[j.User]++
				total++
				l.startCopy(*j, o)
			}
		}
		for _, n := range unnamed {
			l.startNaming(*j, n, now)
		}
	}
}

func (l *loop) delivery(j *job.Job, o job.Output) *delivery {
	d := l.deliveries[o.ID]
	if d == nil {
		d = &delivery{user: j.User}
		l.deliveries[o.ID] = d
	}
	return d
}

func (l *loop) busyCopies() map[string]int {
	busy := map[string]int{}
	for _, d := range l.deliveries {
		if d.busy {
			busy[d.user]++
		}
	}
	return busy
}

// transfer is the copy of an output to the place that is recorded for it. A
// newer version replaces the delivered one, or goes beside it once a place for
// that is recorded.
func transfer(j job.Job, o job.Output) job.Transfer {
	a, _ := j.Attempt(o.Attempt)
	aside := o.Aside || o.Dest == "" && a.State == job.Cancelled
	t := job.Transfer{Output: o.ID, PromptID: a.PromptID, Source: o.Source, User: j.User, Aside: aside, Dest: o.Dest, Settled: a.State >= job.Rendered}
	switch {
	case o.Beside != "":
		t.Dest = o.Beside
	case o.State == job.OutputStored:
		t.Replaces = o.Checksum
	}
	return t
}

// writtenAgain takes note of a complete file that was copied before, is being
// copied right now, or had vanished. Whether its bytes are others, the copy finds
// out. After the late window a delivered file stays as it is.
func (l *loop) writtenAgain(j *job.Job, id job.OutputID, s job.Sighting) {
	o, known := j.Output(id)
	d := l.deliveries[id]
	switch {
	case d != nil && d.busy:
		d.again = true
	case known && o.State == job.OutputVanished && !j.Closed:
		l.delivery(j, o).again = true
	case known && o.State == job.OutputStored && !j.Closed && (o.Size != s.Size || !o.Modified.Equal(s.Modified)):
		l.delivery(j, o).again = true
	}
}

// startNaming chooses places for the complete files of an attempt, so that what
// belongs together is numbered together. Those that are not complete yet take
// part, so that a number is kept free for them; those that have a place tell
// where the others belong.
func (l *loop) startNaming(j job.Job, attempt int, now time.Time) {
	var batch []job.Transfer
	outputs := slices.DeleteFunc(j.OutputsOf(attempt), func(o job.Output) bool {
		d := l.deliveries[o.ID]
		return o.State.Settled() && o.State != job.OutputStored && (d == nil || !d.again)
	})
	for _, o := range outputs {
		d := l.deliveries[o.ID]
		if d != nil && d.naming {
			return // when that is done, the others follow
		}
		t := transfer(j, o)
		if d != nil && d.rename {
			t.Dest = ""
		}
		batch = append(batch, t)
	}
	for i, o := range outputs {
		if d := l.deliveries[o.ID]; d != nil && (o.State == job.OutputWhole || d.again) && batch[i].Dest == "" && !d.busy && !now.Before(d.next) {
			d.naming = true
		}
	}
	ctx := l.kill
	l.acts.Go(func() {
		dests, err := l.places.choose(batch, func(taken []string) ([]string, error) { return l.share.Choose(ctx, batch, taken) })
		l.report(message{do: func(l *loop) func() {
			err := l.chosen(j, outputs, batch, dests, err)
			return func() { l.logError("record places", err) }
		}})
	})
}

// chosen has places recorded, all in one step, before any copy begins. Killed
// anywhere after that, the next start goes on from the recorded place.
func (l *loop) chosen(j job.Job, outputs []job.Output, batch []job.Transfer, dests []string, err error) error {
	var facts []job.Fact
	var waiting []*delivery
	var first job.Path // of what waits
	var ids []job.OutputID
	at := stamp(time.Time{})
	for i, o := range outputs {
		if batch[i].Dest == "" {
			ids = append(ids, o.ID)
		}
		d := l.deliveries[o.ID]
		if d == nil || !d.naming {
			continue
		}
		d.naming = false
		waiting, first = append(waiting, d), cmp.Or(first, o.Source)
		if err == nil {
			facts = append(facts, job.Fact{Job: j.ID, Attempt: o.Attempt, Kind: job.Named, At: at, Evidence: job.ByManager,
				Output: &job.Output{ID: o.ID, Node: o.Node, Source: o.Source, Size: o.Size, Evidence: o.Evidence, Dest: dests[i], Aside: batch[i].Aside}})
		}
	}
	if err == nil {
		err = l.recordNow(facts...)
	}
	if err == nil {
		for _, d := range waiting {
			d.rename = false
		}
		return nil
	}
	l.places.release(j.User, ids...)
	if errors.Is(err, context.Canceled) || errors.Is(err, errStopped) {
		return nil
	}
	for _, d := range waiting {
		d.failed(err)
	}
	if len(waiting) == 0 {
		return nil
	}
	return l.record([]job.Fact{waits(j, first, waiting[0].err)})
}

// failed notes a try that failed, and when the next one may begin.
func (d *delivery) failed(err error) {
	d.err = job.AsError(err)
	d.tries++
	if d.err.Code == "source_vanished" {
		d.missed++
	}
	d.next = time.Now().Add(min(time.Second<<min(d.tries-1, 5), 30*time.Second))
}

// startCopy brings one output to the place that is recorded for it, and records
// that it stands there.
func (l *loop) startCopy(j job.Job, o job.Output) {
	t := transfer(j, o)
	t.Version = l.version(o)
	ctx := l.kill
	l.acts.Go(func() {
		r, err := l.share.Copy(ctx, t)
		if err == nil && j.ClassOf(o.Node) == "SaveText" {
			r.Text = l.shownText(j.User, r.Dest)
		}
		l.report(message{do: func(l *loop) func() {
			err := l.copied(j, o, r, err)
			return func() { l.logError("record a copy", err) }
		}})
	})
}

// maxText bounds the text of a node that shows it in the page (bytes): the job keeps it.
const maxText = 8 << 10

// shownText is what such a node wrote; empty when it cannot be read now, for the file is
// delivered all the same.
func (l *loop) shownText(user, dest string) string {
	f, err := l.share.Open(user, dest)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxText+1))
	if err != nil {
		return ""
	}
	if len(b) > maxText {
		return strings.ToValidUTF8(string(b[:maxText]), "") + " [...]"
	}
	return strings.ToValidUTF8(string(b), "\ufffd")
}

// maxPlaces bounds how often in a row a taken place leads to another choice.
const maxPlaces = 20

var errDestTaken = &job.Error{Code: "dest_taken"}

var errNoFreeName = &job.Error{Code: "no_free_name", Class: job.Conflict, Transient: true,
	Message: "every place chosen in the user's folder was taken meanwhile", Hint: "it is tried again; look who else writes there"}

// copied takes the end of a copy into the loop.
func (l *loop) copied(j job.Job, o job.Output, r job.Receipt, err error) error {
	d := l.delivery(&j, o)
	d.busy = false
	if err == nil {
		delete(l.deliveries, o.ID)
		if d.again { // whatever was seen meanwhile, the next copy compares
			l.deliveries[o.ID] = &delivery{user: j.User, again: true}
		}
		return l.record(l.deliveredFacts(j, o, r))
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, errStopped) {
		return nil
	}
	if l.jobs[j.ID] == nil { // closed meanwhile: the delivered version stays
		delete(l.deliveries, o.ID)
		return nil
	}
	d.again = d.again || o.State.Settled()
	if errors.Is(err, errDestTaken) {
		d.rename = true
		if d.renamed++; d.renamed%maxPlaces != 0 {
			return nil
		}
		err = errNoFreeName
	}
	d.failed(err)
	return l.record(l.troubled(j, o, d))
}

// deliveredFacts says that a file, or a newer version of it, is durable; nothing
// when the source had the bytes of before.
func (l *loop) deliveredFacts(j job.Job, o job.Output, r job.Receipt) []job.Fact {
	f := job.Fact{Job: j.ID, Attempt: o.Attempt, Kind: job.Stored, At: stamp(time.Time{}), Evidence: o.Evidence,
		Output: &job.Output{ID: o.ID, Node: o.Node, Source: o.Source, Size: r.Size, Checksum: r.Checksum, Text: r.Text, Modified: r.Modified, Dest: r.Dest, Evidence: o.Evidence, Aside: o.Aside}}
	if o.State != job.OutputStored {
		return []job.Fact{f}
	}
	if r.Checksum == o.Checksum && r.Dest == o.Dest {
		return nil
	}
	f.Kind = job.Rewritten
	if r.Dest == o.Dest {
		return []job.Fact{f}
	}
	return []job.Fact{f, {Job: j.ID, Kind: job.Noted, At: f.At, Evidence: job.ByManager, Warning: &job.Warning{Code: "rewritten_beside", At: f.At,
		Message: o.Source.String() + " was written again after it was delivered, and " + job.Path(o.Dest).String() + " was changed since: the newer version stands at " + job.Path(r.Dest).String(),
		Hint:    "compare the two and keep the one you want"}}}
}

// troubled says on the job what keeps a file from its user. A file that will
// never come is given up, and said so; everything else is tried until it heals.
func (l *loop) troubled(j job.Job, o job.Output, d *delivery) []job.Fact {
	note := waits(j, o.Source, d.err)
	gone := d.err.Code == "source_vanished" && d.missed >= vanishTries
	if d.err.Code == "not_whole" {
		if d.tries < vanishTries {
			return nil // the next look decides
		}
		gone = l.quiet(attemptOf(j, o.Attempt)) >= l.policy.missingGrace() // its writer began once more, and was killed
	}
	if !gone && d.err.Code != "hostile_source" {
		return []job.Fact{note}
	}
	delete(l.deliveries, o.ID)
	if o.State == job.OutputStored {
		return nil // the delivered version stays
	}
	note.Warning.Message = o.Source.String() + " could not be delivered: " + d.err.Message
	return []job.Fact{note, {Job: j.ID, Attempt: o.Attempt, Kind: job.Abandoned, At: note.At, Evidence: job.ByManager,
		Output: &job.Output{ID: o.ID, Node: o.Node, Source: o.Source, Size: o.Size, State: job.OutputVanished}}}
}

// quiet is for how long an attempt's run has ended and its files have kept still;
// zero while it runs.
func (l *loop) quiet(a job.Attempt) time.Duration {
	ended := endOf(a)
	if ended.IsZero() {
		return 0
	}
	return time.Since(latest(ended, l.traces[a.PromptID].Moved))
}

// waits says on a job what keeps a file from its user.
func waits(j job.Job, source job.Path, err *job.Error) job.Fact {
	at := stamp(time.Time{})
	return job.Fact{Job: j.ID, Kind: job.Noted, At: at, Evidence: job.ByManager,
		Warning: &job.Warning{Code: err.Code, At: at, Message: "delivery of " + source.String() + " waits: " + err.Message, Hint: err.Hint}}
}
