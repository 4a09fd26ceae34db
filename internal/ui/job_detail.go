package ui

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
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
	looked   job.OutputID // the picture that is shown; the first when it is none of the job's
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
	case nextPicture:
		return d.nextPicture()
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
		if _, _, all := d.picture(); w >= detailSide && all > 0 {
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
	o, _, _ := d.picture()
	return beside(left, panel(st, d.pictureTitle(), d.m.w.previews.draw(st, o.ID, side-4, h-2), side, h), w-side)
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
		section("Inputs", d.inputs(&r.job, w))
		section("Outputs", d.outputs(&r.job, w))
		section("Picture "+d.pictureTitle(), d.pictureBelow(w))
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
