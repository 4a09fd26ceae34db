package ui

import (
	"bytes"

	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// jobDetail is everything about one job: facts as a time line, attempts,
// outputs, errors, the workflow.
type jobDetail struct {
	m        *Model
	id       job.ID
	older    *row // as the manager told it, where the list does not hold it
	facts    []api.Fact
	workflow json.RawMessage
	err      error
	folded   bool
	search   string
	offset   int
	height   int
	lines    []string
}

// jobMsg brings what the event stream does not tell of a job.
type jobMsg struct {
	id       job.ID
	job      *api.Job // only where the list does not hold it
	facts    []api.Fact
	workflow json.RawMessage
	err      error
}

// openJob shows a job.
func (m *Model) openJob(id job.ID) tea.Cmd {
	m.detail = &jobDetail{m: m, id: id, folded: true}
	return m.detail.sized()
}

// ask fetches the facts, and the workflow once.
func (d *jobDetail) ask() tea.Cmd {
	id, manager, have, held := d.id, d.m.w.manager, d.workflow != nil, d.m.w.jobs.all[d.id] != nil
	return d.m.w.call(pollTimeout, func(ctx context.Context) tea.Msg {
		out := jobMsg{id: id}
		if !held {
			if out.job, out.err = findJob(ctx, manager, id); out.err != nil {
				return out
			}
		}
		if out.facts, out.err = manager.Facts(ctx, id); out.err != nil || have {
			return out
		}
		s, err := manager.Workflow(ctx, id)
		out.workflow, out.err = s.Workflow, err
		return out
	})
}

// findJob asks for one job.
func findJob(ctx context.Context, m Manager, id job.ID) (*api.Job, error) {
	p, err := m.Jobs(ctx, api.Query{Filter: api.Filter{IDs: []job.ID{id}}})
	if err != nil || len(p.Items) == 0 {
		return nil, cmp.Or(err, error(job.ErrNoJob))
	}
	return &p.Items[0], nil
}

// row is the job; nil while it is not known.
func (d *jobDetail) row() *row {
	if r := d.m.w.jobs.all[d.id]; r != nil {
		return r
	}
	return d.older
}

func (d *jobDetail) learn(msg jobMsg) tea.Cmd {
	if msg.id != d.id {
		return nil
	}
	d.err = msg.err
	if msg.job != nil {
		d.older = d.m.w.jobs.compute(msg.job)
	}
	if msg.facts != nil {
		d.facts = msg.facts
	}
	if msg.workflow != nil {
		d.workflow = msg.workflow
	}
	return d.wantPicture()
}

// refresh notes that the job changed.
func (d *jobDetail) refresh(n news) tea.Cmd {
	if _, ok := n.changes[d.id]; ok || n.snapshot != nil {
		return d.ask()
	}
	return nil
}

func (d *jobDetail) sized() tea.Cmd {
	return tea.Batch(d.ask(), d.wantPicture())
}

// picture is the first delivered picture; empty for none.
func (d *jobDetail) picture() job.OutputID {
	if r := d.row(); r != nil {
		return firstPicture(&r.job)
	}
	return ""
}

// firstPicture is a job's first delivered picture; empty for none.
func firstPicture(j *api.Job) job.OutputID {
	for _, o := range j.Outputs {
		if o.State == job.OutputStored && isPicture(o.Filename) {
			return o.ID
		}
	}
	return ""
}

// isPicture goes by the name, so that nothing is asked for that cannot be
// shown; the manager looks into the file itself.
func isPicture(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".png", ".jpg", ".jpeg", ".webp", ".gif":
		return true
	}
	return false
}

// glance is the summary of a job with its picture below, where it has one.
func (m *Model) glance(r *row, w, h int) []string {
	lines := m.summary(r, w)
	pic := m.w.previews.draw(m.w.st, firstPicture(&r.job), w, h-len(lines)-1)
	if len(pic) == 0 {
		return lines
	}
	return append(append(lines, ""), pic...)
}

func (d *jobDetail) wantPicture() tea.Cmd {
	if d.m.width < detailSide {
		return nil
	}
	return d.m.w.want(d.picture())
}

// detailSide is from which width on a picture stands beside the facts.
const detailSide = 120

func (d *jobDetail) setSearch(text string) {
	d.search = text
	d.jump(0)
}

// jump scrolls to the first line from which on that matches.
func (d *jobDetail) jump(from int) {
	want := strings.ToLower(d.search)
	if want == "" {
		return
	}
	for i := range d.lines {
		at := (from + i) % len(d.lines)
		if strings.Contains(strings.ToLower(ansi.Strip(d.lines[at])), want) {
			d.offset = at
			return
		}
	}
}

func (d *jobDetail) scroll(n int) { d.offset += n }

func (d *jobDetail) act(do deed) tea.Cmd {
	page := max(1, d.height-2)
	switch do {
	case up:
		d.scroll(-1)
	case down:
		d.scroll(1)
	case pageUp:
		d.scroll(-page)
	case pageDown:
		d.scroll(page)
	case top:
		d.offset = 0
	case bottom:
		d.offset = len(d.lines)
	case fold:
		d.folded = !d.folded
	case nextMatch:
		d.jump(d.offset + 1)
	case copyText:
		return d.m.copy(string(d.id))
	case cancel, retry:
		r := d.row()
		if r == nil {
			d.m.refuse("the manager has not told that job yet")
		} else if do == cancel {
			d.m.askCancel([]*row{r}, 0)
		} else {
			d.m.askRetry([]*row{r}, 0)
		}
	}
	return nil
}

func (d *jobDetail) view(w, h int) []string {
	st := d.m.w.st
	r := d.row()
	title := short(d.id)
	side := 0
	if r != nil {
		title = r.label() + " of " + r.user
		if pic := d.picture(); w >= detailSide && pic != "" && d.m.w.opts.Images != "off" {
			side = w / 3
		}
	}
	d.height = h - 2
	d.lines = d.text(r, w-side-4)
	d.offset = max(0, min(d.offset, len(d.lines)-d.height))
	shown := slices.Clone(d.lines[d.offset:min(len(d.lines), d.offset+d.height)])
	for i, l := range shown {
		shown[i] = d.highlight(l)
	}
	if n := len(d.lines); n > d.height {
		title += fmt.Sprintf(" %s %d-%d of %d", st.glyphs.dot, d.offset+1, min(n, d.offset+d.height), n)
	}
	left := panel(st, title, shown, w-side, h)
	if side == 0 {
		return left
	}
	return beside(left, panel(st, "first picture", d.m.w.previews.draw(st, d.picture(), side-4, h-2), side, h), w-side)
}

func (d *jobDetail) highlight(l string) string {
	if d.search == "" || !strings.Contains(strings.ToLower(ansi.Strip(l)), strings.ToLower(d.search)) {
		return l
	}
	return d.m.w.st.Match.On(ansi.Strip(l))
}

// text is all lines of the job.
func (d *jobDetail) text(r *row, w int) []string {
	st := d.m.w.st
	var lines []string
	section := func(name string, part []string) {
		if len(part) > 0 {
			lines = append(append(lines, "", st.Accent.On(name)), part...)
		}
	}
	if r != nil {
		lines = d.m.summary(r, w)
		section("Attempts", d.attempts(&r.job, w))
		section("Outputs", d.outputs(&r.job, w))
	} else if d.err == nil {
		lines = []string{st.Quiet.On("Asking the manager for this job.")}
	}
	section("Time line", d.timeLine(w))
	section("Workflow"+d.foldWord(), d.graph(w))
	if d.err != nil {
		section("Trouble", []string{st.Bad.On(fit(d.m.w.text(job.AsError(d.err).Message), w))})
	}
	return lines
}

func (d *jobDetail) foldWord() string {
	if d.folded {
		return " (z unfolds)"
	}
	return " (z folds)"
}

// summary is a job at a glance: for the detail and for the side of wide screens.
func (m *Model) summary(r *row, w int) []string {
	st, j := m.w.st, &r.job
	say := func(label, text string, k Ink) string {
		return st.Quiet.On(fit(label, 11)) + k.On(fit(text, max(4, w-11)))
	}
	lines := []string{say("state", stateText(st, j), st.stateInk(j.State)), say("now", m.w.text(j.Phase), st.Row), say("id", string(j.ID), st.Quiet),
		say("user", r.user+by(m, j), st.Row), say("priority", []string{"0 instructor", "1 high", "2 normal", "3 low"}[max(0, min(3, int(j.Priority)))], st.Row),
		say("submitted", clock(j.Created.Time)+", "+since(m.w.now, j.Created.Time)+" ago", st.Row),
		say("waited", age(waited(j, m.w.now)), st.Row)}
	if !j.Started.IsZero() {
		until := m.w.now
		if !j.Completed.IsZero() {
			until = j.Completed.Time
		}
		lines = append(lines, say("ran", age(until.Sub(j.Started.Time)), st.Row))
	}
	if j.Deployment != "" {
		lines = append(lines, say("deployment", m.w.text(j.Deployment), st.Row))
	}
	if j.Evidence != "" {
		lines = append(lines, say("evidence", string(j.Evidence)+", "+since(m.w.now, j.EvidenceAt.Time)+" old", st.Row))
	}
	if j.Want == job.WantCancel {
		lines = append(lines, say("wanted", "cancelled", st.Warn))
	}
	for _, x := range j.Expected {
		lines = append(lines, say("expects", m.w.text(fmt.Sprintf("node %s %s %s", x.Node, x.Class, x.Prefix)), st.Quiet))
	}
	lines = append(lines, m.failure(j, w)...)
	for _, x := range j.Warnings {
		for _, l := range wrap(m.w.text(x.Message+"; "+x.Hint), w-2) {
			lines = append(lines, st.Warn.On(st.glyphs.warn+" "+l))
		}
	}
	return append(lines, m.fileLines(j, w)...)
}

func by(m *Model, j *api.Job) string {
	if j.By == "" {
		return ""
	}
	return ", submitted by " + m.w.text(j.By)
}

// fileLines is one line about the files of a job.
func (m *Model) fileLines(j *api.Job, w int) []string {
	if len(j.Outputs) == 0 {
		return nil
	}
	stored := 0
	for _, o := range j.Outputs {
		if o.State == job.OutputStored {
			stored++
		}
	}
	return []string{m.w.st.Quiet.On(fit("files", 11)) + m.w.st.Row.On(fmt.Sprintf("%d of %d delivered", stored, len(j.Outputs)))}
}

// failure is the error with its node and traceback.
func (m *Model) failure(j *api.Job, w int) []string {
	st, e := m.w.st, j.ErrorDetail
	if e == nil {
		return nil
	}
	lines := []string{"", st.Bad.On("Error " + m.w.text(e.Code))}
	if e.Node != "" {
		lines = append(lines, st.Bad.On(fit("node "+m.w.text(e.Node+" "+e.NodeType), w)))
	}
	for _, l := range wrap(m.w.text(e.Message), w) {
		lines = append(lines, st.Strong.On(l))
	}
	for _, l := range wrap(m.w.text(e.Hint), w-2) {
		lines = append(lines, st.Accent.On(st.glyphs.arrow)+" "+l)
	}
	for _, t := range e.Traceback {
		for _, l := range CleanLines(t) {
			lines = append(lines, st.Quiet.On(fit(m.w.text(l), w)))
		}
	}
	if len(e.NodeErrors) > 0 {
		lines = append(lines, m.pretty(e.NodeErrors, w)...)
	}
	return lines
}

// pretty is JSON over several lines.
func (m *Model) pretty(raw []byte, w int) []string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return []string{m.w.text(string(raw))}
	}
	var lines []string
	for _, l := range CleanLines(b.String()) {
		lines = append(lines, m.w.st.Row.On(fit(m.w.text(l), w)))
	}
	return lines
}

func (d *jobDetail) attempts(j *api.Job, w int) []string {
	st := d.m.w.st
	var lines []string
	for _, a := range j.Attempts {
		s := fmt.Sprintf("%d  %s %-10s ", a.N, st.glyphs.state[a.State], a.State)
		s = st.stateInk(a.State).On(s) + st.Row.On(fit(d.m.w.text(cmp.Or(a.Deployment, "-")), 16)) +
			st.Quiet.On(fmt.Sprintf(" assigned %s started %s ended %s  %s", clock(a.Assigned.Time), clock(a.Started.Time), clock(a.Ended.Time), a.Evidence))
		if a.Automatic {
			s += st.Quiet.On(" automatic")
		}
		lines = append(lines, fitStyled(s, w))
		if a.Error != nil && a.State != j.State {
			lines = append(lines, "   "+st.Bad.On(fit(d.m.w.text(a.Error.Message), w-3)))
		}
		if len(a.Dropped) > 0 {
			lines = append(lines, "   "+st.Warn.On(fit("will never write: nodes "+d.m.w.text(strings.Join(a.Dropped, ", ")), w-3)))
		}
	}
	return lines
}

func (d *jobDetail) outputs(j *api.Job, w int) []string {
	st := d.m.w.st
	var lines []string
	for _, o := range j.Outputs {
		k, path := st.Good, o.Path
		if o.State != job.OutputStored {
			k, path = st.Warn, o.Source.String()
		}
		left := k.On(fit(o.State.String(), 10)) + st.Quiet.On(fit("node "+d.m.w.text(o.Node), 9)+" "+fitRight(bytesText(o.Size), 9)+" "+fit(string(o.Evidence), 10))
		lines = append(lines, left+" "+st.Row.On(keepEnd(d.m.w.text(path), max(8, w-41))))
	}
	return lines
}

// timeLine is every fact, with the time since the one before and its evidence.
func (d *jobDetail) timeLine(w int) []string {
	st := d.m.w.st
	var lines []string
	for i, f := range d.facts {
		gap := ""
		if i > 0 {
			if g := f.At.Sub(d.facts[i-1].At.Time); g >= 1e9 {
				gap = "+" + age(g)
			}
		}
		k := st.Row
		if f.Error != nil {
			k = st.Bad
		} else if f.Warning != nil {
			k = st.Warn
		}
		text := d.m.w.text(f.Text)
		if f.Actor != "" {
			text += " (" + d.m.w.text(f.Actor) + ")"
		}
		sign := st.glyphs.tee
		if i == len(d.facts)-1 {
			sign = st.glyphs.corner
		}
		lines = append(lines, st.Quiet.On(clock(f.At.Time)+" "+fitRight(gap, 6)+" "+sign+" "+fit(string(f.Evidence), 10))+" "+k.On(fit(text, max(8, w-29))))
	}
	return lines
}

// graph is the workflow: a line a node when folded, all of it otherwise.
func (d *jobDetail) graph(w int) []string {
	st := d.m.w.st
	if d.workflow == nil {
		return nil
	}
	nodes := readNodes(d.workflow)
	if !d.folded || len(nodes) == 0 {
		return d.m.pretty(d.workflow, w)
	}
	var lines []string
	for _, n := range nodes {
		s := st.Quiet.On(st.glyphs.fold+" "+fit(d.m.w.text(n.id), 5)) + st.Strong.On(fit(d.m.w.text(n.Class), 26)) + " " + st.Row.On(d.m.w.text(inputsLine(n)))
		lines = append(lines, fitStyled(s, w))
	}
	return lines
}

// inputsLine is a node's values in one line, links left out.
func inputsLine(n node) string {
	var parts []string
	names := make([]string, 0, len(n.Inputs))
	for name := range n.Inputs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if v := scalar(n.Inputs[name]); v != "" {
			parts = append(parts, name+"="+v)
		}
	}
	return strings.Join(parts, "  ")
}
