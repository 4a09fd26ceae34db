package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// summary is a job at a glance: for the detail and for the side of wide screens.
func (m *Model) summary(r *row, w int) []string {
	st, j := m.w.st, &r.job
	say := func(label, text string, k Ink) string {
		return st.Quiet.On(fit(label, 11)) + k.On(fit(text, max(4, w-11)))
	}
	lines := []string{say("state", stateText(st, j), st.stateInk(j.State))}
	label := "now"
	for _, l := range wrap(m.w.text(j.Phase), max(4, w-11)) {
		lines = append(lines, say(label, l, st.Row))
		label = ""
	}
	lines = append(lines, say("id", string(j.ID), st.Quiet),
		say("user", r.user+by(m, j), st.Row), say("priority", []string{"0 instructor", "1 high", "2 normal", "3 low"}[max(0, min(3, int(j.Priority)))], st.Row),
		say("submitted", clock(j.Created.Time)+", "+since(m.w.now, j.Created.Time)+" ago", st.Row),
		say("waited", age(waited(j, m.w.now)), st.Row))
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
	lines = append(lines, m.orphanLines(j, w)...)
	return append(lines, m.fileLines(j, w)...)
}

// orphanLines name the orphans that may be files of a job: the first of them,
// and how many more there are.
func (m *Model) orphanLines(j *api.Job, w int) []string {
	const most = 3
	var texts []string
	n := 0
	for _, o := range m.w.orphans {
		if !slices.ContainsFunc(o.Candidates, func(c api.Candidate) bool { return c.Job == j.ID }) {
			continue
		}
		if n++; n <= most {
			texts = append(texts, "orphan "+o.Path.String()+": "+o.MayBeOf(short))
		}
	}
	if n > most {
		texts = append(texts, count(n-most, "more orphan")+" may be of this job")
	}
	var lines []string
	for _, text := range texts {
		for _, l := range wrap(m.w.text(text), w-2) {
			lines = append(lines, m.w.st.Warn.On(m.w.st.glyphs.warn+" "+l))
		}
	}
	return lines
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
