package ui

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// Cancelling is told to the manager at once; undo is a second deed, a retry.
// Holding the cancel back for five seconds would lose it when the panel or the
// line dies, and every other screen would show a job as alive that a person
// has cancelled. What waits has cost nothing and keeps its time of submission,
// so a retry puts it back into the line where it was; the ledger shows both
// deeds. A running job's work is lost either way, so there is nothing to undo.

// How long a cancel of waiting jobs can be taken back, and the assignment of an
// orphan.
const (
	undoFor       = 5 * time.Second
	undoAssignFor = 30 * time.Second
)

// progress is the action that the footer shows.
type progress struct {
	text  string // clean
	state string // started, done or failed
	at    time.Time
}

// undoable takes back what was done last; the zero value has nothing.
type undoable struct {
	do    func() tea.Cmd
	until time.Time
}

// Messages of actions.
type (
	actedMsg struct {
		verb   job.Verb
		report api.ActionReport
		queued []job.ID // of a cancel: those that only waited
		err    error
	}
	// doneMsg is the end of any other action; undo takes it back, nil when
	// nothing can.
	doneMsg struct {
		text string
		err  error
		undo func() tea.Cmd
	}
)

const actTimeout = 2 * time.Minute

// maxActionIDs is how many jobs one call may name.
const maxActionIDs = 10_000

// start says in the footer that an action has begun.
func (m *Model) start(text string) {
	m.progress = progress{text: m.w.text(text), state: "started", at: m.w.now}
	m.w.journal.add(entry{at: m.w.now, level: levelStep, text: "you: " + m.progress.text})
}

// finish says how it came out.
func (m *Model) finish(text string, err error) {
	p := progress{text: m.w.text(text), state: "done", at: m.w.now}
	lvl := levelEnd
	if err != nil {
		e := job.AsError(err)
		p.text, p.state, lvl = m.w.text(e.Code+": "+api.Sentence(e)), "failed", levelBad
	}
	m.progress = p
	m.w.journal.add(entry{at: m.w.now, level: lvl, text: "you: " + p.state + ": " + p.text})
}

// actOn does something to jobs by their ids.
func (m *Model) actOn(verb job.Verb, ids []job.ID, p *job.Priority, queued []job.ID) tea.Cmd {
	m.start(string(verb) + " " + count(len(ids), "job"))
	manager := m.w.manager
	return m.w.call(actTimeout, func(ctx context.Context) tea.Msg {
		out := actedMsg{verb: verb, queued: queued}
		for part := range slices.Chunk(ids, maxActionIDs) {
			rep, err := manager.Act(ctx, api.ActionRequest{Action: verb, IDs: part, Priority: p})
			out.report.Done += rep.Done
			out.report.Failed += rep.Failed
			out.report.Results = append(out.report.Results, rep.Results...)
			if err != nil {
				out.err = err
				break
			}
		}
		return out
	})
}

// acted tells how an action on jobs came out.
func (m *Model) acted(a actedMsg) {
	text := fmt.Sprintf("%s: %s done", a.verb, count(a.report.Done, "job"))
	err := a.err
	if a.report.Failed > 0 {
		text += fmt.Sprintf(", %d not", a.report.Failed)
		if first := firstFailure(a.report); first != nil {
			text += ": " + first.Message
			if a.report.Done == 0 && err == nil {
				err = first.Err()
			}
		}
	}
	m.finish(text, err)
	m.undo = undoable{}
	if ids := a.undoable(); a.verb == job.DoCancel && len(ids) > 0 {
		m.undo = undoable{do: func() tea.Cmd { return m.actOn(job.DoRetry, ids, nil, nil) }, until: m.w.now.Add(undoFor)}
	}
}

func firstFailure(r api.ActionReport) *api.Error {
	for _, x := range r.Results {
		if x.Error != nil {
			return x.Error
		}
	}
	return nil
}

// undoable are the jobs that waited, were never sent, and are cancelled now.
func (a actedMsg) undoable() []job.ID {
	var out []job.ID
	for _, x := range a.report.Results {
		if x.Error == nil && x.Job.PromptID == "" && slices.Contains(a.queued, x.ID) {
			out = append(out, x.ID)
		}
	}
	return out
}

// takeBack undoes what was done last.
func (m *Model) takeBack() tea.Cmd {
	do := m.undo.do
	late := m.w.now.After(m.undo.until)
	m.undo = undoable{}
	if do == nil || late {
		m.progress = progress{text: "there is nothing to take back", state: "failed", at: m.w.now}
		return nil
	}
	return do()
}

// simple runs an action whose end is one sentence.
func (m *Model) simple(text string, limit time.Duration, do func(context.Context) (string, error)) tea.Cmd {
	m.start(text)
	return m.w.call(limit, func(ctx context.Context) tea.Msg {
		said, err := do(ctx)
		return doneMsg{text: said, err: err}
	})
}

// askCancel asks before jobs are cancelled.
func (m *Model) askCancel(targets []*row, hidden int) {
	can := pick(targets, func(j *api.Job) bool {
		return !j.State.Terminal() && j.State != job.Rendered && j.Want != job.WantCancel
	})
	if len(can) == 0 {
		m.refuse("nothing to cancel: " + whyNot(targets, "they have ended, are being saved, or are being cancelled"))
		return
	}
	queued := idsOf(pick(can, func(j *api.Job) bool { return j.State == job.Queued }))
	running := pick(can, func(j *api.Job) bool { return j.State != job.Queued })
	lines := m.tell(can, len(targets)-len(can), hidden)
	lines = append(lines, "", m.losses(can, running))
	if len(queued) > 0 {
		lines = append(lines, m.w.st.Quiet.On("What waits can be taken back for 5 s with u."))
	}
	ids := idsOf(can)
	m.ask(dialog{title: "Cancel " + count(len(can), "job") + "?", lines: lines, yes: "Cancel " + count(len(can), "job"), no: "Keep",
		typed: quantity(len(can), len(running)), danger: true,
		act: func(string) tea.Cmd {
			m.queue.unmark(ids)
			return m.actOn(job.DoCancel, ids, nil, queued)
		}})
}

// losses says what a cancel costs.
func (m *Model) losses(can, running []*row) string {
	st := m.w.st
	if len(running) == 0 {
		return st.Strong.On("Nothing is lost: none of them has begun.")
	}
	var longest time.Duration
	files := 0
	for _, r := range running {
		if !r.job.Started.IsZero() {
			longest = max(longest, m.w.now.Sub(r.job.Started.Time))
		}
	}
	for _, r := range can {
		for _, o := range r.job.Outputs {
			if !givenUp(o) {
				files++
			}
		}
	}
	s := fmt.Sprintf("%d of them are on a GPU or on their way", len(running))
	switch {
	case len(can) == 1 && longest > 0:
		s = "It has been running for " + age(longest)
	case len(can) == 1:
		s = "It is on a GPU or on its way"
	case longest > 0:
		s += ", the longest for " + age(longest)
	}
	s += ": that work is lost."
	if files > 0 {
		s += " " + count(files, "file") + " already written stay."
	}
	return st.Warn.On(s)
}

// askRetry asks before jobs are rendered again.
func (m *Model) askRetry(targets []*row, hidden int) {
	can := pick(targets, func(j *api.Job) bool { return j.State.Terminal() })
	if len(can) == 0 {
		m.refuse("nothing to retry: " + whyNot(targets, "only ended jobs can be"))
		return
	}
	done := len(pick(can, func(j *api.Job) bool { return j.State == job.Done }))
	begins := "A new attempt begins, and takes GPU time."
	if len(can) > 1 {
		begins = "A new attempt begins for each, and takes GPU time."
	}
	lines := append(m.tell(can, len(targets)-len(can), hidden), "", begins)
	switch {
	case done == 1 && len(can) == 1:
		lines = append(lines, m.w.st.Warn.On("It came out well; its files stay."))
	case done > 0:
		lines = append(lines, m.w.st.Warn.On(count(done, "job")+" of these came out well; their files stay."))
	}
	if !m.w.jobs.horizon.IsZero() && !m.older.end && len(targets) > 1 && len(m.w.jobs.marks) == 0 {
		lines = append(lines, m.w.st.Quiet.On("Older jobs that the list does not show yet are left alone."))
	}
	ids := idsOf(can)
	m.ask(dialog{title: "Retry " + count(len(can), "job") + "?", lines: lines, yes: "Retry " + count(len(can), "job"),
		typed: quantity(len(can), 0), act: func(string) tea.Cmd {
			m.queue.unmark(ids)
			return m.actOn(job.DoRetry, ids, nil, nil)
		}})
}

// shift moves priorities; many need a yes.
func (m *Model) shift(targets []*row, by job.Priority) tea.Cmd {
	can := pick(targets, func(j *api.Job) bool { return j.State == job.Queued && (j.Priority+by).Check() == nil })
	if len(can) == 0 {
		m.refuse("no waiting job whose priority can go further that way")
		return nil
	}
	to := can[0].job.Priority + by
	can = pick(can, func(j *api.Job) bool { return j.Priority+by == to })
	ids := idsOf(can)
	run := func(string) tea.Cmd { return m.actOn(job.DoPriority, ids, &to, nil) }
	if len(can) <= manyJobs && to != job.Instructor {
		return run("")
	}
	lines := m.tell(can, 0, 0)
	if to == job.Instructor {
		lines = append(lines, "", m.w.st.Warn.On("Priority 0 goes before everybody's."))
	}
	m.ask(dialog{title: fmt.Sprintf("Priority %d for %s?", to, count(len(can), "job")), lines: lines, yes: "Change", typed: quantity(len(can), 0), act: run})
	return nil
}

// tell says how many jobs, whose, and since when.
func (m *Model) tell(can []*row, left, hidden int) []string {
	st := m.w.st
	if len(can) == 1 {
		r := can[0]
		lines := []string{st.Strong.On(r.label()) + " of " + st.Strong.On(r.user),
			r.job.State.String() + ", submitted " + since(m.w.now, r.job.Created.Time) + " ago"}
		if p := m.w.text(r.job.Phase); p != "" && p != r.job.State.String() {
			lines = append(lines, st.Quiet.On(p))
		}
		return lines
	}
	users := map[string]int{}
	states := map[job.State]int{}
	for _, r := range can {
		users[r.user]++
		states[r.job.State]++
	}
	lines := []string{st.Strong.On("Of "+count(len(users), "user")+": ") + tallies(users, 6)}
	var parts []string
	for _, s := range job.States() {
		if states[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", states[s], s))
		}
	}
	lines = append(lines, strings.Join(parts, ", "))
	if left > 0 {
		lines = append(lines, st.Quiet.On(count(left, "other")+" of the choice cannot be and will be left alone."))
	}
	if hidden > 0 {
		lines = append(lines, st.Warn.On(fmt.Sprintf("The filter hides %d of them.", hidden)))
	}
	return lines
}

// tallies is "ada 3, bob 2 and 4 more".
func tallies(m map[string]int, most int) string {
	names := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if m[a] != m[b] {
			return m[b] - m[a]
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, n := range names[:min(most, len(names))] {
		parts = append(parts, fmt.Sprintf("%s %d", n, m[n]))
	}
	s := strings.Join(parts, ", ")
	if more := len(names) - most; more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}

func whyNot(targets []*row, otherwise string) string {
	if len(targets) == 0 {
		return "no job is chosen"
	}
	if len(targets) == 1 {
		return "the job is " + targets[0].job.State.String()
	}
	return otherwise
}

func pick(all []*row, want func(*api.Job) bool) []*row {
	var out []*row
	for _, r := range all {
		if want(&r.job) {
			out = append(out, r)
		}
	}
	return out
}

func idsOf(all []*row) []job.ID {
	out := make([]job.ID, len(all))
	for i, r := range all {
		out[i] = r.job.ID
	}
	return out
}

// label names a job for people.
func (r *row) label() string {
	if r.name != "" {
		return r.name
	}
	return short(r.job.ID)
}
