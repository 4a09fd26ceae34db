package ui

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// outputsPane shows files: first a folder for each user, orphans on top in a
// group of their own; then the files of one folder with a picture.
type outputsPane struct {
	listPane
	inside  string // the user, orphanFolder, or empty for the folders
	files   table
	outs    []api.UserOutput // newest first
	shown   []api.UserOutput // of these, those that match what is typed
	total   int
	err     error
	loaded  string // the folder that outs are of
	search  string
	folders folders
	about   map[job.ID]generation
}

// orphanFolder is the name of the group of orphans: no user can have it.
const orphanFolder = "(orphans)"

// outputsMsg brings the files of a user.
type outputsMsg struct {
	user string
	page api.Page[api.UserOutput]
	job  job.ID // set when it brings a workflow
	gen  generation
	err  error
}

var folderColumns = []column{
	{id: "folder", title: "FOLDER", width: 16, flex: 1, most: 32},
	{id: "newest", title: "NEWEST", width: 6, right: true, rank: 2},
	{id: "files", title: "FILES", width: 8, right: true},
	{id: "bytes", title: "SIZE", width: 10, right: true},
	{id: "open", title: "IN FLIGHT", width: 9, right: true, rank: 1},
}

var fileColumns = []column{
	{id: "age", title: "AGE", width: 5, right: true},
	{id: "file", title: "FILE", width: 20, flex: 2, middle: true},
	{id: "size", title: "SIZE", width: 9, right: true},
	{id: "state", title: "STATE", width: 9},
	{id: "job", title: "JOB", width: 14, flex: 1, rank: 2},
	{id: "evidence", title: "EVIDENCE", width: 10, rank: 3},
}

var orphanColumns = []column{
	{id: "age", title: "SEEN", width: 5, right: true},
	{id: "file", title: "PATH ON THE SHARE", width: 20, flex: 2, middle: true},
	{id: "size", title: "SIZE", width: 9, right: true},
	{id: "suggest", title: "PERHAPS OF", width: 14, flex: 1, rank: 1},
}

func newOutputsPane(m *Model) *outputsPane {
	p := &outputsPane{listPane: listPane{m: m, lead: 1}, about: map[job.ID]generation{}}
	p.table = table{columns: folderColumns, rows: folderRows{p}}
	p.files = table{columns: fileColumns, rows: newFileRows(p)}
	return p
}

func (m *Model) outputs() *outputsPane { return m.panes[paneOf[goOutputs]].(*outputsPane) }

func (p *outputsPane) title() string      { return "Outputs" }
func (p *outputsPane) scope() scope       { return inOutputs }
func (p *outputsPane) filterText() string { return p.search }
func (p *outputsPane) setFilter(t string) { p.search = t; p.choose() }

// front is the table that is shown.
func (p *outputsPane) front() *table {
	if p.inside == "" {
		return &p.table
	}
	return &p.files
}

func (p *outputsPane) enter() tea.Cmd {
	return tea.Batch(p.m.w.poll(true), p.load(), p.look())
}

// load asks for the newest files of the folder.
func (p *outputsPane) load() tea.Cmd {
	user, manager := p.inside, p.m.w.manager
	if user == "" || user == orphanFolder {
		return nil
	}
	return p.m.w.call(pollTimeout, func(ctx context.Context) tea.Msg {
		page, err := manager.UserOutputs(ctx, user, api.OutputQuery{Limit: 500})
		return outputsMsg{user: user, page: page, err: err}
	})
}

func (p *outputsPane) learn(msg outputsMsg) tea.Cmd {
	if msg.job != "" {
		p.about[msg.job] = msg.gen
		return nil
	}
	if msg.user != p.inside {
		return nil
	}
	if p.err = msg.err; msg.err == nil {
		p.outs, p.total, p.loaded = msg.page.Items, msg.page.Total, msg.user
		slices.SortStableFunc(p.outs, func(a, b api.UserOutput) int { return outputAt(&b).Compare(outputAt(&a)) })
		p.choose()
	}
	return p.look()
}

// choose lists the files that match what is typed.
func (p *outputsPane) choose() {
	want := strings.ToLower(p.search)
	p.shown = nil
	for _, o := range p.outs {
		if strings.Contains(strings.ToLower(o.Filename+"\n"+o.Subfolder+"\n"+o.JobName+"\n"+string(o.Job)), want) {
			p.shown = append(p.shown, o)
		}
	}
}

// selected is the file under the cursor; nil outside of a user's folder.
func (p *outputsPane) selected() *api.UserOutput {
	if p.inside == "" || p.inside == orphanFolder {
		return nil
	}
	return newFileRows(p).under(&p.files)
}

func (p *outputsPane) selectedOrphan() *api.Orphan {
	if p.inside != orphanFolder {
		return nil
	}
	return newOrphanRows(p).under(&p.files)
}

// look fetches what belongs to the file under the cursor.
func (p *outputsPane) look() tea.Cmd {
	if o := p.selectedOrphan(); o != nil && isPicture(string(o.Path)) {
		return p.m.w.wantOrphan(o.ID)
	}
	o := p.selected()
	if o == nil {
		return nil
	}
	var cmds []tea.Cmd
	if o.State == job.OutputStored && isPicture(o.Filename) {
		cmds = append(cmds, p.m.w.want(o.ID))
	}
	if _, ok := p.about[o.Job]; !ok {
		p.about[o.Job] = generation{}
		id, manager := o.Job, p.m.w.manager
		cmds = append(cmds, p.m.w.call(pollTimeout, func(ctx context.Context) tea.Msg {
			s, err := manager.Workflow(ctx, id)
			return outputsMsg{job: id, gen: readGeneration(s.Workflow), err: err}
		}))
	}
	return tea.Batch(cmds...)
}

func (p *outputsPane) act(d deed) tea.Cmd {
	t := p.front()
	if t.act(d) {
		return p.look()
	}
	switch d {
	case open:
		return p.open()
	case assign:
		p.askAssign()
	case discard:
		p.askDiscard()
	case copyText:
		if o := p.selected(); o != nil {
			return p.m.copy(cmp.Or(o.Path, o.Source.String()))
		}
		if o := p.selectedOrphan(); o != nil {
			return p.m.copy(o.Path.String())
		}
	}
	return nil
}

func (p *outputsPane) open() tea.Cmd {
	if p.inside != "" {
		if o := p.selected(); o != nil {
			return p.m.openJob(o.Job)
		}
		return nil
	}
	if p.table.settle(); p.table.selected == "" {
		return nil
	}
	return p.into(p.table.selected)
}

func (p *outputsPane) into(folder string) tea.Cmd {
	p.inside, p.outs, p.shown, p.loaded, p.err, p.search = folder, nil, nil, "", nil, ""
	p.files = table{columns: fileColumns, rows: newFileRows(p)}
	if folder == orphanFolder {
		p.files = table{columns: orphanColumns, rows: newOrphanRows(p)}
	}
	return tea.Batch(p.load(), p.look())
}

// back leaves a folder; false when none is open.
func (p *outputsPane) back() bool {
	if p.inside == "" {
		return false
	}
	p.inside, p.search = "", ""
	return true
}

func (p *outputsPane) askAssign() {
	o := p.selectedOrphan()
	if o == nil {
		p.m.refuse("open the group of orphans and choose one")
		return
	}
	id, m := o.ID, p.m
	lines := []string{m.w.st.Strong.On(keepEnd(m.w.text(o.Path.String()), 66)), bytesText(o.Size) + ", seen " + since(m.w.now, o.SeenAt) + " ago"}
	if o.Reason != "" {
		lines = append(lines, m.w.st.Quiet.On(m.w.text(o.Reason)))
	}
	var suggest []string
	for _, s := range o.Suggest[:min(5, len(o.Suggest))] {
		suggest = append(suggest, m.w.text(s))
	}
	who := "The names below"
	if names := o.MayBeOf(short); names != "" {
		lines, who = append(lines, m.w.st.Warn.On(m.w.text(names))), "Other names below"
	}
	if slices.ContainsFunc(o.Suggest, func(user string) bool {
		return !slices.ContainsFunc(o.Candidates, func(c api.Candidate) bool { return c.User == user })
	}) {
		lines = append(lines, m.w.st.Warn.On(who+" had jobs running at that time. This is no evidence."))
	}
	m.ask(dialog{title: "Whose file is this?", lines: lines, entry: true, label: "User:", yes: "Assign", no: "Leave it", names: m.w.userNames(), suggest: suggest,
		check: func(s string) string {
			if err := job.CheckUser(s); err != nil {
				return api.Sentence(job.AsError(err))
			}
			return ""
		},
		picture: func(w, h int) []string { return m.w.previews.draw(m.w.st, id, w, h) },
		act: func(user string) tea.Cmd {
			m.start("assign an orphan to " + user)
			return m.w.call(actTimeout, func(ctx context.Context) tea.Msg {
				o, err := m.w.manager.AssignOrphan(ctx, id, user)
				return doneMsg{text: "the file goes to " + user + " " + o.Dest, err: err, undo: func() tea.Cmd { return p.unassign(id, user) }}
			})
		}})
}

// unassign takes a file back from a user; the manager does so only while it is
// what was delivered.
func (p *outputsPane) unassign(id job.OutputID, user string) tea.Cmd {
	manager := p.m.w.manager
	return p.m.simple("take the file back from "+user, actTimeout, func(ctx context.Context) (string, error) {
		_, err := manager.UnassignOrphan(ctx, id)
		return "the file is taken back from " + user + " and is an orphan again", err
	})
}

func (p *outputsPane) askDiscard() {
	o := p.selectedOrphan()
	if o == nil {
		p.m.refuse("open the group of orphans and choose one")
		return
	}
	id, m := o.ID, p.m
	m.ask(dialog{title: "Discard this orphan?", yes: "Discard", no: "Keep", danger: true, lines: []string{
		m.w.st.Strong.On(keepEnd(m.w.text(o.Path.String()), 66)), bytesText(o.Size) + ", seen " + since(m.w.now, o.SeenAt) + " ago",
		"Nobody gets it. The file is removed from the share, where that can be written; this cannot be undone."},
		act: func(string) tea.Cmd {
			return m.simple("discard an orphan", actTimeout, func(ctx context.Context) (string, error) {
				_, err := m.w.manager.DiscardOrphan(ctx, id, "discarded in the panel")
				return "the orphan is discarded", err
			})
		}})
}

func (p *outputsPane) view(w, h int) []string {
	st := p.m.w.st
	switch {
	case p.inside == "" && folderRows{p}.len() == 0:
		return pad([]string{"", st.Quiet.On("  No files yet.")}, h)
	case p.inside == "":
		return append([]string{st.Quiet.On(" Folders; Enter opens one")}, p.table.view(st, w, h-1)...)
	}
	head := st.Quiet.On(" Folders "+st.glyphs.arrow+" ") + st.Strong.On(p.m.w.text(p.inside)) + st.Quiet.On("  Esc goes back")
	if p.err != nil {
		head += "  " + st.Bad.On(p.m.w.text(job.AsError(p.err).Message))
	}
	head = fitStyled(head, w)
	if p.files.rows.len() == 0 {
		return pad([]string{head, "", st.Quiet.On("  " + p.emptyWord())}, h)
	}
	title, id, facts := "", job.OutputID(""), (func(w int) []string)(nil)
	if o := p.selected(); o != nil {
		title, id, facts = p.m.w.text(o.Filename), o.ID, func(w int) []string { return p.facts(o, w) }
	} else if o := p.selectedOrphan(); o != nil {
		title, id, facts = "the orphan", o.ID, func(w int) []string { return p.orphanFacts(o, w) }
	}
	switch {
	case facts != nil && w >= 100:
		side := min(80, w*2/5)
		return append([]string{head}, beside(p.files.view(st, w-side-1, h-1), panel(st, title, p.side(id, facts, side-4, h-3), side, h-1), w-side)...)
	case facts != nil && h >= 15:
		low := 9
		return append([]string{head}, append(p.files.view(st, w, h-1-low), panel(st, title, p.side(id, facts, w-4, low-2), w, low)...)...)
	}
	return append([]string{head}, p.files.view(st, w, h-1)...)
}

// orphanFacts is what is known of an orphan.
func (p *outputsPane) orphanFacts(o *api.Orphan, w int) []string {
	m, s := p.m, &sheet{st: p.m.w.st}
	s.tell("path", m.w.text(o.Path.String()), s.st.Strong, w)
	s.tell("because", m.w.text(cmp.Or(o.Reason, "nothing attributes it to a job")), s.st.Row, w)
	if names := o.MayBeOf(short); names != "" {
		s.tell("candidates", m.w.text(names), s.st.Warn, w)
	}
	s.tell("perhaps of", m.w.text(cmp.Or(strings.Join(o.Suggest, ", "), "nobody had a job running then")), s.st.Warn, w)
	s.tell("", "who had jobs running at that time, which is no evidence", s.st.Quiet, w)
	return s.lines
}

func (p *outputsPane) emptyWord() string {
	switch {
	case p.inside == orphanFolder:
		return "No orphans: every file on the share belongs to a job."
	case p.search != "":
		return "No file matches; Esc shows all."
	case p.loaded != p.inside:
		return "Asking the manager."
	}
	return "No files yet."
}

// side is the picture of a file with its facts: below one another in a high
// panel, beside one another in a low one.
func (p *outputsPane) side(id job.OutputID, facts func(w int) []string, w, h int) []string {
	if d := p.m.dialog; d != nil && d.picture != nil {
		return facts(w) // a picture is drawn in one place
	}
	if h < 16 {
		pic := p.m.w.previews.draw(p.m.w.st, id, w/3, h)
		if len(pic) == 0 {
			return facts(w)
		}
		pw := 0
		for _, l := range pic {
			pw = max(pw, fitWidth(l))
		}
		return beside(pic, facts(w-pw-2), pw+2)
	}
	text := facts(w)
	pic := p.m.w.previews.draw(p.m.w.st, id, w, max(4, h-len(text)-1))
	if len(pic) == 0 {
		return text
	}
	return append(append(slices.Clone(pic), ""), text...)
}

// facts are what is known of a file and of how it was made.
func (p *outputsPane) facts(o *api.UserOutput, w int) []string {
	m, st := p.m, p.m.w.st
	say := func(label, text string) string { return st.Quiet.On(fit(label, 9)) + st.Row.On(fit(text, max(4, w-9))) }
	lines := []string{say("path", keepEnd(m.w.text(cmp.Or(o.Path, "not delivered yet")), w-9)),
		say("size", bytesText(o.Size)+", "+o.State.String()+", seen "+since(m.w.now, o.SeenAt.Time)+" ago")}
	g := p.about[o.Job]
	for _, x := range []struct{ label, text string }{{"prompt", g.prompt}, {"seed", g.seed}, {"model", g.model}} {
		if x.text != "" {
			lines = append(lines, say(x.label, m.w.text(x.text)))
		}
	}
	return append(lines, say("from", keepEnd(m.w.text(o.Source.String()), w-9)), say("node", m.w.text(o.Node)+", attempt "+fmt.Sprint(o.Attempt)+", by "+string(o.Evidence)),
		say("checksum", m.w.text(cmp.Or(o.Checksum, "-"))))
}

func (p *outputsPane) click(y int) tea.Cmd {
	t := p.front()
	if y -= 2; y >= 0 && y < t.height && t.offset+y < t.rows.len() {
		t.move(t.offset + y)
	}
	return p.look()
}

func (p *outputsPane) wheel(n int) {
	t := p.front()
	t.settle()
	t.move(t.at + n)
}

// outputAt is when anything was last seen of a file.
func outputAt(o *api.UserOutput) time.Time {
	if !o.StoredAt.IsZero() {
		return o.StoredAt.Time
	}
	return o.SeenAt.Time
}
