package ui

import (
	"strings"

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

func (f folderRows) users() []int {
	want := strings.ToLower(f.p.search)
	var out []int
	for i, u := range f.p.m.w.users {
		if strings.Contains(strings.ToLower(u.User), want) {
			out = append(out, i)
		}
	}
	return out
}

func (f folderRows) len() int { return f.orphans() + len(f.users()) }

func (f folderRows) key(i int) string {
	if i < f.orphans() {
		return orphanFolder
	}
	return f.p.m.w.users[f.users()[i-f.orphans()]].User
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
	u := &w.users[f.users()[i-f.orphans()]]
	switch column {
	case "folder":
		return cell{w.text(u.User), st.Row}
	case "files":
		return cell{number(u.Outputs), st.Row}
	case "bytes":
		return cell{bytesText(u.Bytes), st.Quiet}
	case "open":
		return cell{number(u.Running), st.Quiet}
	}
	return cell{}
}

func (f folderRows) orphanCell(column string) cell {
	w, st := f.p.m.w, f.p.m.w.st
	size := int64(0)
	for _, o := range w.orphans {
		size += o.Size
	}
	switch column {
	case "folder":
		return cell{st.glyphs.warn + " orphans", st.Warn}
	case "files":
		return cell{number(max(w.status.Orphans, len(w.orphans))), st.Warn}
	case "bytes":
		return cell{bytesText(size), st.Quiet}
	}
	return cell{}
}

// fileRows are the files of a user's folder.
type fileRows struct{ p *outputsPane }

func (f fileRows) len() int         { return len(f.p.shownOutputs()) }
func (f fileRows) key(i int) string { return string(f.p.shownOutputs()[i].ID) }
func (f fileRows) marked(int) bool  { return false }

func (f fileRows) find(key string) int {
	for i, o := range f.p.shownOutputs() {
		if string(o.ID) == key {
			return i
		}
	}
	return -1
}

func (f fileRows) cell(i int, column string) cell {
	w, st := f.p.m.w, f.p.m.w.st
	o := &f.p.shownOutputs()[i]
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
type orphanRows struct{ p *outputsPane }

func (f orphanRows) len() int         { return len(f.p.m.w.orphans) }
func (f orphanRows) key(i int) string { return string(f.p.m.w.orphans[i].ID) }
func (f orphanRows) marked(int) bool  { return false }

func (f orphanRows) find(key string) int {
	for i, o := range f.p.m.w.orphans {
		if string(o.ID) == key {
			return i
		}
	}
	return -1
}

func (f orphanRows) cell(i int, column string) cell {
	w, st := f.p.m.w, f.p.m.w.st
	o := &w.orphans[i]
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
