package ui

import (
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// folderRows are the folders: orphans first, then the users.
type folderRows struct{ p *outputsPane }

func (f folderRows) orphans() int {
	if f.p.m.w.status.Orphans > 0 || len(f.p.m.w.orphans) > 0 {
		return 1
	}
	return 0
}

// folders are the users that match what is typed.
type folders struct {
	rev    int // of the users
	search string
	users  []*api.User
}

// users are those that match, the one with the newest file first.
func (f folderRows) users() []*api.User {
	g, w := &f.p.folders, f.p.m.w
	if g.users != nil && g.rev == w.usersRev && g.search == f.p.search {
		return g.users
	}
	*g = folders{rev: w.usersRev, search: f.p.search, users: []*api.User{}}
	want := strings.ToLower(g.search)
	for i := range w.users {
		if u := &w.users[i]; strings.Contains(strings.ToLower(u.User), want) {
			g.users = append(g.users, u)
		}
	}
	slices.SortStableFunc(g.users, func(a, b *api.User) int { return b.Newest.Compare(a.Newest) })
	return g.users
}

func (f folderRows) len() int { return f.orphans() + len(f.users()) }

func (f folderRows) key(i int) string {
	if i < f.orphans() {
		return orphanFolder
	}
	return f.users()[i-f.orphans()].User
}

func (f folderRows) find(key string) int {
	for i := range f.len() {
		if f.key(i) == key {
			return i
		}
	}
	return -1
}

func (f folderRows) marked(int) bool { return false }

func (f folderRows) cell(i int, column string) cell {
	w, st := f.p.m.w, f.p.m.w.st
	if i < f.orphans() {
		return f.orphanCell(column)
	}
	u := f.users()[i-f.orphans()]
	switch column {
	case "folder":
		return cell{w.text(u.User), st.Row}
	case "files":
		return cell{number(u.Outputs), st.Row}
	case "bytes":
		return cell{bytesText(u.Bytes), st.Quiet}
	case "newest":
		return cell{since(w.now, u.Newest), st.Quiet}
	case "open":
		return cell{number(u.Running), st.Quiet}
	}
	return cell{}
}

func (f folderRows) orphanCell(column string) cell {
	w, st := f.p.m.w, f.p.m.w.st
	size, newest := int64(0), time.Time{}
	for _, o := range w.orphans {
		size += o.Size
		if o.SeenAt.After(newest) {
			newest = o.SeenAt
		}
	}
	switch column {
	case "folder":
		return cell{st.glyphs.warn + " orphans", st.Warn}
	case "files":
		return cell{number(max(w.status.Orphans, len(w.orphans))), st.Warn}
	case "bytes":
		return cell{bytesText(size), st.Quiet}
	case "newest":
		return cell{since(w.now, newest), st.Quiet}
	}
	return cell{}
}

// fileRows are the files of a user's folder.
type fileRows struct {
	p *outputsPane
	records[api.UserOutput]
}

func newFileRows(p *outputsPane) fileRows {
	return fileRows{p, records[api.UserOutput]{func() []api.UserOutput { return p.shown }, func(o *api.UserOutput) string { return string(o.ID) }}}
}

func (f fileRows) cell(i int, column string) cell {
	w, st := f.p.m.w, f.p.m.w.st
	o := &f.list()[i]
	switch column {
	case "age":
		return cell{since(w.now, outputAt(o)), st.Quiet}
	case "file":
		name := w.text(o.Filename)
		if o.Aside {
			name += " (aside)"
		}
		return cell{name, st.Row}
	case "size":
		return cell{bytesText(o.Size), st.Quiet}
	case "state":
		if o.State == job.OutputStored {
			return cell{"stored", st.Good}
		}
		return cell{o.State.String(), st.Warn}
	case "job":
		if o.JobName == "" {
			return cell{short(o.Job), st.Quiet}
		}
		return cell{w.text(o.JobName), st.Row}
	case "evidence":
		return cell{string(o.Evidence), st.Quiet}
	}
	return cell{}
}

// orphanRows are the files that nothing attributes to a job.
type orphanRows struct {
	p *outputsPane
	records[api.Orphan]
}

func newOrphanRows(p *outputsPane) orphanRows {
	return orphanRows{p, records[api.Orphan]{func() []api.Orphan { return p.m.w.orphans }, func(o *api.Orphan) string { return string(o.ID) }}}
}

func (f orphanRows) cell(i int, column string) cell {
	w, st := f.p.m.w, f.p.m.w.st
	o := &f.list()[i]
	switch column {
	case "age":
		return cell{since(w.now, o.SeenAt), st.Quiet}
	case "file":
		return cell{w.text(o.Path.String()), st.Row}
	case "size":
		return cell{bytesText(o.Size), st.Quiet}
	case "suggest":
		return cell{w.text(strings.Join(o.Suggest, ", ")), st.Quiet}
	}
	return cell{}
}
