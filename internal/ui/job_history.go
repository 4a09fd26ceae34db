package ui

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

func (d *jobDetail) attempts(j *api.Job, w int) []string {
	st := d.m.w.st
	where := 1
	for _, a := range j.Attempts {
		where = max(where, min(24, width(d.m.w.text(a.Deployment))))
	}
	var lines []string
	for _, a := range j.Attempts {
		s := st.stateInk(a.State).On(fmt.Sprintf("%d  %s %-10s ", a.N, st.glyphs.state[a.State], a.State)) +
			st.Row.On(fit(d.m.w.text(cmp.Or(a.Deployment, "-")), where)) + st.Quiet.On("  "+course(a))
		lines = append(lines, fitStyled(s, w))
		if a.Error != nil && a.State != j.State {
			lines = append(lines, "   "+st.Bad.On(fit(d.m.w.text(a.Error.Message), w-3)))
		}
		if len(a.Plain) > 0 {
			lines = append(lines, "   "+st.Row.On(fit("sent with the inputs of "+d.m.w.text(strings.Join(a.Plain, ", "))+" as they were written", w-3)))
		}
		if outside := a.Outside(); outside != "" {
			lines = append(lines, "   "+st.Row.On(fit("may write outside its own folder: "+d.m.w.text(outside), w-3)))
		}
		if len(a.Dropped) > 0 {
			lines = append(lines, "   "+st.Warn.On(fit("will never write: nodes "+d.m.w.text(strings.Join(a.Dropped, ", ")), w-3)))
		}
	}
	return lines
}

// course is when an attempt was assigned, how long after that it began, and how
// long after that it ended.
func course(a api.Attempt) string {
	if a.Assigned.IsZero() {
		return "not assigned yet"
	}
	parts, from := []string{"at " + clock(a.Assigned.Time)}, a.Assigned.Time
	if !a.Started.IsZero() {
		parts, from = append(parts, "began +"+age(a.Started.Sub(from))), a.Started.Time
	}
	if !a.Ended.IsZero() {
		parts = append(parts, "ended +"+age(a.Ended.Sub(from)))
	}
	if a.Evidence != "" {
		parts = append(parts, "by "+string(a.Evidence))
	}
	if a.Automatic {
		parts = append(parts, "automatic")
	}
	return strings.Join(parts, ", ")
}

// inputs are the user's files that the prompt loads, by their own names.
func (d *jobDetail) inputs(j *api.Job, w int) []string {
	st := d.m.w.st
	by, room := make([]string, len(j.Inputs)), 0
	for i, in := range j.Inputs {
		by[i] = d.m.w.text(in.Class + " " + in.Input)
		room = max(room, min(24, width(by[i])))
	}
	var lines []string
	for i, in := range j.Inputs {
		left := fit("node "+d.m.w.text(in.Node), 9) + " " + fitRight(bytesText(in.Size), 9) + " " + fit(by[i], room)
		lines = append(lines, st.Quiet.On(left)+" "+st.Row.On(keepEnd(d.m.w.text(in.Name), max(8, w-room-21))))
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
		node := "-" // it stands outside the folders of the nodes
		if o.Node != "" {
			node = "node " + d.m.w.text(o.Node)
		}
		left := k.On(fit(o.State.String(), 10)) + st.Quiet.On(fit(node, 9)+" "+fitRight(bytesText(o.Size), 9)+" "+fit(string(o.Evidence), 10))
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
		sign, below := st.glyphs.tee, st.glyphs.vline
		if i == len(d.facts)-1 {
			sign, below = st.glyphs.corner, " "
		}
		head := clock(f.At.Time) + " " + fitRight(gap, 6) + " " + sign + " " + fit(string(f.Evidence), 10)
		for _, l := range wrap(text, max(8, w-29)) {
			lines = append(lines, st.Quiet.On(head)+" "+k.On(l))
			head = blank(16) + below + blank(11)
		}
	}
	return lines
}
