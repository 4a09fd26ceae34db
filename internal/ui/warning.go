package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// warning is something that needs a person: what, since when, and what to do.
type warning struct {
	key   string // the same trouble keeps its key
	code  string
	text  string // clean
	hint  string // clean
	since time.Time
	bad   bool
	job   job.ID
	acked bool
}

// gather makes the list of warnings anew: the manager's own, then what the
// share, the deployments and the jobs say. Bad ones first, then the newest.
func (w *world) gather() {
	var all []warning
	add := func(x warning) {
		x.text, x.hint = w.text(x.text), w.text(x.hint)
		x.key = x.code + "\x00" + x.key
		x.acked = w.acked[x.key]
		all = append(all, x)
	}
	for _, x := range w.status.Warnings {
		add(warning{key: x.Message, code: x.Code, text: x.Message, hint: x.Hint, since: x.At, bad: grave(x.Code)})
	}
	w.judgeShare(add)
	w.judgeWorkers(add)
	w.judgeJobs(add)
	for key := range w.acked {
		if !slices.ContainsFunc(all, func(x warning) bool { return x.key == key }) {
			delete(w.acked, key) // over; when it comes back it counts again
		}
	}
	slices.SortStableFunc(all, func(a, b warning) int {
		if a.bad != b.bad {
			return map[bool]int{true: -1, false: 1}[a.bad]
		}
		if c := b.since.Compare(a.since); c != 0 {
			return c
		}
		return strings.Compare(a.key, b.key)
	})
	w.warnings = all
}

// grave reports codes that keep results from people.
func grave(code string) bool {
	return strings.HasPrefix(code, "share_") || code == "disk_full" || code == "no_output_directory" || code == "other_volume" || code == "endpoint_or_key" || code == "no_nodes" || code == "not_delivered"
}

func (w *world) told(code string) bool { return w.toldWarning(code) != nil }

// toldWarning is the manager's own warning of that code; nil for none.
func (w *world) toldWarning(code string) *job.Warning {
	if i := slices.IndexFunc(w.status.Warnings, func(x job.Warning) bool { return x.Code == code }); i >= 0 {
		return &w.status.Warnings[i]
	}
	return nil
}

func (w *world) judgeShare(add func(warning)) {
	s := w.status.Share
	if w.statusAt.IsZero() {
		return
	}
	if e := s.Error; e != nil && !w.told(e.Code) {
		add(warning{code: e.Code, key: s.Path, text: e.Message, hint: e.Hint, since: s.LookedAt, bad: true})
	}
	if late := w.statusAt.Sub(s.LookedAt); !s.LookedAt.IsZero() && late > 30*time.Second && !w.told("share_stalled") {
		add(warning{code: "share_stale", key: s.Path, text: fmt.Sprintf("nobody has looked at %s for %s", s.Path, age(late)),
			hint: "look at the mount and its server", since: s.LookedAt, bad: true})
	}
	if n := w.status.Orphans; n > 0 && !w.told("orphans") {
		add(warning{code: "orphans", text: count(n, "file") + " on the share that nothing attributes to a job",
			hint: "assign or discard them in the outputs pane", since: oldestOrphan(w)})
	}
}

func oldestOrphan(w *world) (t time.Time) {
	for _, o := range w.orphans {
		if t.IsZero() || o.SeenAt.Before(t) {
			t = o.SeenAt
		}
	}
	return t
}

func (w *world) judgeWorkers(add func(warning)) {
	for _, d := range w.workers {
		if d.State == job.WarmthFailing && d.Stopped == nil { // else the manager tells it
			x := warning{code: "deployment_failing", key: d.Name, text: d.Name + " fails: " + d.Because, since: d.Since,
				hint: "look at the platform, or make another deployment active", bad: d.Active}
			if d.Error != nil {
				x.text, x.hint = d.Name+": "+d.Error.Message, d.Error.Hint
			}
			add(x)
		}
		if took := w.now.Sub(d.Since); d.State == job.Warming && d.Cold.P90 > 0 && took.Seconds() > 1.5*d.Cold.P90 && !d.Since.IsZero() {
			add(warning{code: "cold_start_long", key: d.Name, text: fmt.Sprintf("%s has been starting for %s; 9 of 10 took less than %s",
				d.Name, age(took), seconds(d.Cold.P90)), hint: "look whether the platform has GPUs to give", since: d.Since})
		}
	}
}

// maxJobWarnings bounds the warnings that single jobs add.
const maxJobWarnings = 200

// judgeJobs takes the warnings of jobs that have not ended, and of ended ones
// whose files are not all delivered.
func (w *world) judgeJobs(add func(warning)) {
	n := 0
	for _, r := range w.jobs.all {
		if len(r.job.Warnings) == 0 || r.job.Closed || r.job.State.Terminal() && !undelivered(r) {
			continue
		}
		for _, x := range r.job.Warnings {
			if n++; n > maxJobWarnings {
				return
			}
			add(warning{code: x.Code, key: string(r.job.ID), text: r.user + " " + short(r.job.ID) + ": " + x.Message, hint: x.Hint,
				since: x.At, bad: grave(x.Code), job: r.job.ID})
		}
	}
}

func undelivered(r *row) bool {
	return slices.ContainsFunc(r.job.Outputs, func(o outputView) bool { return o.State != job.OutputStored })
}

// unacknowledged counts what still needs a look, and whether any is bad.
func (w *world) unacknowledged() (n int, bad bool) {
	for _, x := range w.warnings {
		if !x.acked {
			n++
			bad = bad || x.bad
		}
	}
	return n, bad
}
