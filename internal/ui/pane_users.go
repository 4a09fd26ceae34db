package ui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/comfyume/qmtui/internal/api"
)

// usersPane shows who uses what.
type usersPane struct {
	listPane
	records[api.User]
}

var userColumns = []column{
	{id: "user", title: "USER", width: 12, flex: 1, most: 28},
	{id: "queued", title: "QUEUED", width: 9, right: true},
	{id: "running", title: "RUNNING", width: 8, right: true},
	{id: "done", title: "DONE", width: 7, right: true, rank: 4},
	{id: "failed", title: "FAILED", width: 6, right: true, rank: 3},
	{id: "gpu", title: "GPU TODAY", width: 9, right: true},
	{id: "share", title: "SHARE", width: 16, rank: 2},
	{id: "outputs", title: "FILES", width: 7, right: true, rank: 5},
	{id: "bytes", title: "SIZE", width: 9, right: true, rank: 6},
}

// userLimits is a further column while somebody is at a limit.
var userLimits = column{id: "limits", title: "AT LIMIT", width: 10, flex: 1, most: 30, rank: 1}

func newUsersPane(m *Model) *usersPane {
	p := &usersPane{listPane{m: m}, records[api.User]{func() []api.User { return m.w.users }, func(u *api.User) string { return u.User }}}
	p.table = table{columns: userColumns, rows: p}
	return p
}

func (p *usersPane) title() string  { return "Users" }
func (p *usersPane) scope() scope   { return inUsers }
func (p *usersPane) enter() tea.Cmd { return p.m.w.poll(true) }

func (p *usersPane) cell(i int, column string) cell {
	u, st := &p.m.w.users[i], p.m.w.st
	switch column {
	case "user":
		return cell{p.m.w.text(u.User), st.Row}
	case "queued":
		return capped(st, u.Queued, u.MaxQueued)
	case "running":
		return capped(st, u.Running, u.MaxRunning)
	case "done":
		return cell{number(u.Done), st.Good}
	case "failed":
		if u.Failed == 0 {
			return cell{"0", st.Quiet}
		}
		return cell{number(u.Failed), st.Bad}
	case "gpu":
		return cell{seconds(u.GPUSeconds), st.Row}
	case "share":
		return p.share(u.Charge)
	case "outputs":
		return cell{number(u.Outputs), st.Quiet}
	case "bytes":
		return cell{bytesText(u.Bytes), st.Quiet}
	case "limits":
		return cell{p.m.w.text(strings.Join(u.Limits, ", ")), st.Warn}
	}
	return cell{}
}

// capped is a number with its cap; at the cap it stands out.
func capped(st *Styles, n, limit int) cell {
	k := st.Row
	switch {
	case n == 0:
		k = st.Quiet
	case limit > 0 && n >= limit:
		k = st.Warn
	}
	if limit <= 0 {
		return cell{number(n), k}
	}
	return cell{fmt.Sprintf("%d/%d", n, limit), k}
}

// share is the user's part of what the fair queue counts against all.
func (p *usersPane) share(charge float64) cell {
	total := 0.0
	for _, u := range p.m.w.users {
		total += u.Charge
	}
	if total <= 0 {
		return cell{"-", p.m.w.st.Quiet}
	}
	part := charge / total
	st := p.m.w.st
	bar := ""
	for i := range 10 {
		if float64(i) < part*10-0.001 {
			bar += st.glyphs.bar
		} else {
			bar += st.glyphs.barEmpty
		}
	}
	return cell{fmt.Sprintf("%s %3.0f%%", bar, part*100), st.Accent}
}

func (p *usersPane) view(w, h int) []string {
	st := p.m.w.st
	if p.len() == 0 {
		return pad([]string{"", st.Quiet.On("  Nobody has submitted a job yet, or the manager has not told.")}, h)
	}
	p.table.columns = userColumns
	if slices.ContainsFunc(p.m.w.users, func(u api.User) bool { return len(u.Limits) > 0 }) {
		p.table.columns = append(slices.Clone(userColumns), userLimits)
	}
	return p.table.view(st, w, h)
}

func (p *usersPane) act(d deed) tea.Cmd {
	u := p.under(&p.table)
	if u == nil {
		return nil
	}
	user := u.User
	switch d {
	case open: // the user's jobs
		p.m.queue.setFilter("user:" + user)
		return p.m.show(paneOf[goQueue])
	case copyText:
		return p.m.copy(user)
	}
	return p.listPane.act(d)
}
