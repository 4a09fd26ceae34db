package ui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// queuePane is the live table of jobs.
type queuePane struct {
	listPane
}

// queueColumns in the order on the screen.
var queueColumns = []column{
	{id: "state", title: "STATE", width: 12},
	{id: "user", title: "USER", width: 8, flex: 1, most: 16},
	{id: "name", title: "NAME", width: 14, flex: 2, most: 40},
	{id: "age", title: "AGE", width: 5, right: true, rank: 2},
	{id: "wait", title: "WAIT", width: 5, right: true, rank: 4},
	{id: "pri", title: "PRI", width: 3, right: true, rank: 8},
	{id: "try", title: "TRY", width: 3, right: true, rank: 6},
	{id: "deployment", title: "DEPLOYMENT", width: 11, rank: 7},
	{id: "evidence", title: "EVIDENCE", width: 14, rank: 5},
	{id: "progress", title: "PROGRESS", width: 10, rank: 3},
	{id: "phase", title: "WHAT NOW", width: 24, flex: 4, rank: 1},
}

var orderColumn = map[order]string{byAge: "age", byUser: "user", byState: "state", byWait: "wait", byName: "name"}

func newQueuePane(m *Model) *queuePane {
	p := &queuePane{listPane{m: m}}
	p.table = table{columns: queueColumns, rows: p}
	return p
}

func (p *queuePane) title() string      { return "Queue" }
func (p *queuePane) scope() scope       { return inQueue }
func (p *queuePane) jobs() *jobs        { return p.m.w.jobs }
func (p *queuePane) filterText() string { return p.jobs().filter.text }
func (p *queuePane) setFilter(text string) {
	if text != p.filterText() {
		p.m.older.begin()
		p.jobs().drop()
	}
	p.jobs().setFilter(text)
}

func (p *queuePane) len() int            { return len(p.jobs().shown) }
func (p *queuePane) key(i int) string    { return string(p.jobs().shown[i].job.ID) }
func (p *queuePane) find(key string) int { return p.jobs().index(job.ID(key)) }
func (p *queuePane) marked(i int) bool   { return p.jobs().marks[p.jobs().shown[i].job.ID] }

// selected is the job under the cursor; nil when nothing is shown.
func (p *queuePane) selected() *row {
	if p.table.settle(); p.table.at < 0 || p.table.at >= p.len() {
		return nil
	}
	return p.jobs().shown[p.table.at]
}

func (p *queuePane) cell(i int, column string) cell {
	r, st, now := p.jobs().shown[i], p.m.w.st, p.m.w.now
	j := &r.job
	switch column {
	case "state":
		return cell{stateText(st, j), st.stateInk(j.State)}
	case "user":
		return cell{r.user, st.Row}
	case "name":
		if r.name == "" {
			return cell{short(j.ID), st.Quiet}
		}
		return cell{r.name, st.Row}
	case "age":
		return cell{since(now, j.Created.Time), st.Quiet}
	case "wait":
		return cell{age(waited(j, now)), st.Quiet}
	case "pri":
		if j.Priority == job.Normal {
			return cell{strconv.Itoa(int(j.Priority)), st.Quiet}
		}
		return cell{strconv.Itoa(int(j.Priority)), st.Accent}
	case "try":
		if len(j.Attempts) < 2 {
			return cell{"1", st.Quiet}
		}
		return cell{strconv.Itoa(len(j.Attempts)), st.Warn}
	case "deployment":
		return cell{p.m.w.text(j.Deployment), st.Row}
	case "evidence":
		return cell{p.evidence(j), st.Quiet}
	case "progress":
		return estimateOf(j, p.m.w.worker(j.Deployment), now).cell(st)
	case "phase":
		return p.phase(j)
	}
	return cell{}
}

// evidence says what the state rests on and how old that is.
func (p *queuePane) evidence(j *api.Job) string {
	if j.Evidence == "" {
		return ""
	}
	if j.State.Terminal() {
		return string(j.Evidence)
	}
	return string(j.Evidence) + " " + since(p.m.w.now, j.EvidenceAt.Time)
}

// phase says what happens now, or why it ended.
func (p *queuePane) phase(j *api.Job) cell {
	st := p.m.w.st
	text := p.m.w.text(j.Phase)
	switch {
	case j.State == job.Failed || j.State == job.Lost:
		if j.Error != nil {
			text = p.m.w.text(*j.Error)
		}
		return cell{text, st.Bad}
	case j.Want == job.WantCancel && !j.State.Terminal():
		return cell{"being cancelled", st.Warn}
	case len(j.Warnings) > 0 && !j.State.Terminal():
		return cell{st.glyphs.warn + " " + text, st.Warn}
	case j.State == job.Queued:
		return cell{waitingFor(text), st.Quiet}
	case j.State.Terminal():
		return cell{text, st.Quiet}
	}
	return cell{text, st.Row}
}

// waitingFor is what a job waits for: that it does, its state says already.
func waitingFor(phase string) string {
	if rest, ok := strings.CutPrefix(phase, "waiting: "); ok {
		return rest
	}
	if strings.HasPrefix(phase, "waiting in line") {
		return strings.TrimPrefix(phase, "waiting ")
	}
	return phase
}

// stateText is the glyph and the word of a state.
func stateText(st *Styles, j *api.Job) string {
	return st.glyphs.state[j.State] + " " + stateWords[j.State]
}

func (p *queuePane) view(w, h int) []string {
	p.table.sorted, p.table.turned = orderColumn[p.jobs().by], p.jobs().turned
	if p.len() == 0 {
		return p.nothing(h)
	}
	side := sideWidth(w)
	if side == 0 || h < 12 {
		return p.table.view(p.m.w.st, w, h)
	}
	left := p.table.view(p.m.w.st, w-side-1, h)
	r := p.selected()
	return beside(left, panel(p.m.w.st, r.label(), p.m.glance(r, side-4, h-2), side, h), w-side)
}

// sideWidth is how wide the selected job's panel is; zero for none.
func sideWidth(w int) int {
	if w < 160 {
		return 0
	}
	return min(64, w/3)
}

func (p *queuePane) nothing(h int) []string {
	st, l := p.m.w.st, p.jobs()
	lines := []string{"", st.Quiet.On("  No jobs. Submit one with "), st.Strong.On("    qmtui submit FILE --user NAME")}
	if !p.m.w.link.once {
		lines = []string{"", st.Quiet.On("  Connecting to " + p.m.w.text(p.m.w.manager.Target()))}
	} else if len(l.all) > 0 {
		lines = []string{"", st.Quiet.On(fmt.Sprintf("  None of the %s matches the filter. Esc shows all.", count(len(l.all), "job")))}
		if user, some := l.filter.wholeUser(); l.filter.problem != "" {
			lines = append(lines, st.Bad.On(fit("  "+p.m.w.text(l.filter.problem), p.m.width)))
		} else if some && !slices.Contains(p.m.w.userNames(), user) {
			lines = append(lines, st.Quiet.On(fit(p.m.w.text("  user: takes a whole name; user:~"+user+" finds a part of one."), p.m.width)))
		}
	}
	return pad(lines, h)
}

// targets are the marked jobs, or the one under the cursor; hidden counts the
// marked ones that the filter does not show.
func (p *queuePane) targets() (rows []*row, hidden int) {
	if rows = p.jobs().marked(); len(rows) > 0 {
		for _, r := range rows {
			if !r.shown {
				hidden++
			}
		}
		return rows, hidden
	}
	if r := p.selected(); r != nil {
		return []*row{r}, 0
	}
	return nil, 0
}

func (p *queuePane) act(d deed) tea.Cmd {
	l := p.jobs()
	switch d {
	case cancel:
		p.m.askCancel(p.targets())
	case cancelAll:
		p.m.askCancel(slices.Clone(l.shown), 0)
	case retry:
		p.m.askRetry(p.targets())
	case retryAll:
		p.m.askRetry(slices.Clone(l.shown), 0)
	case sooner:
		rows, _ := p.targets()
		return p.m.shift(rows, -1)
	case later:
		rows, _ := p.targets()
		return p.m.shift(rows, 1)
	case mark:
		p.toggle()
	case markAll:
		p.toggleAll()
	case sortNext:
		i := slices.Index(orders, l.by)
		l.sort(orders[(i+1)%len(orders)], false)
	case sortTurn:
		l.sort(l.by, !l.turned)
	case open:
		if r := p.selected(); r != nil {
			return p.m.openJob(r.job.ID)
		}
	case copyText:
		if r := p.selected(); r != nil {
			return p.m.copy(string(r.job.ID))
		}
	default:
		p.table.act(d)
		return tea.Batch(p.look(), p.further(d))
	}
	return nil
}

// look fetches the picture of the job under the cursor where it is shown.
func (p *queuePane) look() tea.Cmd {
	if r := p.selected(); r != nil && sideWidth(p.m.width) > 0 {
		return p.m.w.want(firstPicture(&r.job))
	}
	return nil
}

// further asks for older jobs at the end of the list.
func (p *queuePane) further(d deed) tea.Cmd {
	switch d {
	case down, pageDown, bottom:
		if p.table.at >= p.len()-1 {
			return p.m.askOlder()
		}
	}
	return nil
}

func (p *queuePane) enter() tea.Cmd { return tea.Batch(p.look(), p.m.askMissing()) }

func (p *queuePane) toggle() {
	r := p.selected()
	if r == nil {
		return
	}
	if p.jobs().marks[r.job.ID] {
		delete(p.jobs().marks, r.job.ID)
	} else {
		p.jobs().marks[r.job.ID] = true
	}
	p.table.move(p.table.at + 1)
}

// toggleAll marks what the filter shows; when all of it is marked, unmarks it.
func (p *queuePane) toggleAll() {
	l := p.jobs()
	all := !slices.ContainsFunc(l.shown, func(r *row) bool { return !l.marks[r.job.ID] })
	for _, r := range l.shown {
		if all {
			delete(l.marks, r.job.ID)
		} else {
			l.marks[r.job.ID] = true
		}
	}
}

func (p *queuePane) unmark(ids []job.ID) {
	for _, id := range ids {
		delete(p.jobs().marks, id)
	}
}

// note is what stands at the right of the footer.
func (p *queuePane) note() string {
	l := p.jobs()
	s := fmt.Sprintf("%s/%s", number(min(p.table.at+1, len(l.shown))), number(len(l.shown)))
	if all := max(p.m.w.known(), len(l.all)); len(l.shown) != all {
		s += " of " + number(all)
	}
	switch {
	case l.horizon.IsZero() || p.m.older.end:
	case p.m.older.asking:
		s += ", asking for older ones"
	case p.table.at >= len(l.shown)-1:
		s += ", Down for older ones"
	}
	if n := len(l.marks); n > 0 {
		s = fmt.Sprintf("%s marked  ", number(n)) + s
	}
	if l.by != byLine {
		s = "by " + string(l.by) + "  " + s
	}
	return s
}
