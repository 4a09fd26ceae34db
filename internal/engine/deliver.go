package engine

import (
	"context"
	"errors"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// delivery is what the loop remembers of getting one output to its user.
type delivery struct {
	user  string
	busy  bool
	tries int
	next  time.Time // not before
	err   *job.Error
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

// deliver starts copies of whole files, as many as may run at once.
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
		for _, o := range j.Outputs {
			if total >= l.policy.Copies {
				return
			}
			if o.State != job.OutputWhole || busy[j.User] >= l.policy.CopiesPerUser {
				continue
			}
			d := l.delivery(j, o)
			if d.busy || now.Before(d.next) {
				continue
			}
			d.busy = true
			busy[j.User]++
			total++
			l.startCopy(*j, o)
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

// startCopy brings one output to its user: choose a place, record it, copy,
// record that. Killed anywhere in between, the next start goes on from the
// recorded place.
func (l *loop) startCopy(j job.Job, o job.Output) {
	a, _ := j.Attempt(o.Attempt)
	t := job.Transfer{Output: o.ID, PromptID: a.PromptID, Source: o.Source, User: j.User,
		Aside: a.State == job.Cancelled || o.Aside, Dest: o.Dest, Settled: a.State >= job.Rendered}
	ctx := l.kill
	l.acts.Go(func() {
		r, err := l.transfer(ctx, j, o, t)
		l.report(message{do: func(l *loop) func() {
			o.Aside = t.Aside
			err := l.copied(j, o, r, err)
			return func() { l.logError("record a copy", err) }
		}})
	})
}

// maxPlaces bounds how often a taken place leads to another choice.
const maxPlaces = 20

var errDestTaken = &job.Error{Code: "dest_taken"}

var errNoFreeName = &job.Error{Code: "no_free_name", Class: job.Conflict, Transient: true,
	Message: "every place chosen in the user's folder was taken meanwhile", Hint: "it is tried again; look who else writes there"}

func (l *loop) transfer(ctx context.Context, j job.Job, o job.Output, t job.Transfer) (job.Receipt, error) {
	for range maxPlaces {
		if t.Dest == "" {
			if err := l.name(ctx, j, o, &t); err != nil {
				return job.Receipt{}, err
			}
		}
		r, err := l.share.Copy(ctx, t)
		if !errors.Is(err, errDestTaken) {
			return r, err
		}
		l.places.release(t.User, t.Dest)
		t.Dest = ""
	}
	return job.Receipt{}, errNoFreeName
}

// name chooses a place and has it recorded before the copy begins.
func (l *loop) name(ctx context.Context, j job.Job, o job.Output, t *job.Transfer) error {
	dest, err := l.places.choose(t.User, t.Output, func(taken func(string) bool) (string, error) { return l.share.Choose(ctx, *t, taken) })
	if err != nil {
		return err
	}
	t.Dest = dest
	f := job.Fact{Job: j.ID, Attempt: o.Attempt, Kind: job.Named, At: stamp(time.Time{}), Evidence: job.ByManager,
		Output: &job.Output{ID: o.ID, Node: o.Node, Source: o.Source, Size: o.Size, Evidence: o.Evidence, Dest: dest, Aside: t.Aside}}
	return l.ask(ctx, func(l *loop) error { return l.recordNow(f) })
}

// copied takes the end of a copy into the loop.
func (l *loop) copied(j job.Job, o job.Output, r job.Receipt, err error) error {
	d := l.deliveries[o.ID]
	d.busy = false
	if err == nil {
		delete(l.deliveries, o.ID)
		l.places.release(j.User, r.Dest)
		return l.record([]job.Fact{l.storedFact(j, o, r)})
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, errStopped) {
		return nil
	}
	d.err = job.AsError(err)
	d.tries++
	d.next = time.Now().Add(min(time.Second<<min(d.tries-1, 5), 30*time.Second))
	return l.record(l.troubled(j, o, d))
}

func (l *loop) storedFact(j job.Job, o job.Output, r job.Receipt) job.Fact {
	return job.Fact{Job: j.ID, Attempt: o.Attempt, Kind: job.Stored, At: stamp(time.Time{}), Evidence: o.Evidence,
		Output: &job.Output{ID: o.ID, Node: o.Node, Source: o.Source, Size: r.Size, Checksum: r.Checksum, Dest: r.Dest, Evidence: o.Evidence, Aside: o.Aside}}
}

// troubled says on the job what keeps a file from its user. A file that will
// never come is given up, and said so; everything else is tried until it heals.
func (l *loop) troubled(j job.Job, o job.Output, d *delivery) []job.Fact {
	at := stamp(time.Time{})
	note := job.Fact{Job: j.ID, Kind: job.Noted, At: at, Evidence: job.ByManager,
		Warning: &job.Warning{Code: d.err.Code, At: at, Message: "delivery of " + o.Source.String() + " waits: " + d.err.Message, Hint: d.err.Hint}}
	gone := d.err.Code == "source_vanished" && d.tries >= vanishTries
	if d.err.Code == "not_whole" && d.tries < vanishTries {
		return nil // the next look decides
	}
	if !gone && d.err.Code != "hostile_source" {
		return []job.Fact{note}
	}
	delete(l.deliveries, o.ID)
	note.Warning.Message = o.Source.String() + " could not be delivered: " + d.err.Message
	return []job.Fact{note, {Job: j.ID, Attempt: o.Attempt, Kind: job.Abandoned, At: at, Evidence: job.ByManager,
		Output: &job.Output{ID: o.ID, Node: o.Node, Source: o.Source, Size: o.Size, State: job.OutputVanished}}}
}
