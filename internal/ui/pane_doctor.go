package ui

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// doctorPane lists what the manager's own doctor found, the gravest first.
type doctorPane struct {
	listPane
	standing api.DoctorStanding
	found    []api.Finding // of the report, the gravest first
	heard    bool          // the manager has answered
	err      error         // why nothing newer is known; nil when it is
	waits    bool          // for the time to ask again
}

var doctorColumns = []column{
	{id: "sign", title: " ", width: 1},
	{id: "verdict", title: "IS", width: 4},
	{id: "check", title: "CHECK", width: 16, flex: 1},
	{id: "reason", title: "WHAT WAS FOUND", width: 26, flex: 3},
	{id: "next", title: "NEXT STEP", width: 40, flex: 2, rank: 3},
}

func newDoctorPane(m *Model) *doctorPane {
	p := &doctorPane{listPane: listPane{m: m, lead: 1}}
	p.table = table{columns: doctorColumns, rows: p}
	return p
}

func (p *doctorPane) title() string    { return "Doctor" }
func (p *doctorPane) scope() scope     { return inDoctor }
func (p *doctorPane) len() int         { return len(p.found) }
func (p *doctorPane) key(i int) string { return p.found[i].Title() + " " + p.found[i].Code }
func (p *doctorPane) marked(int) bool  { return false }

func (p *doctorPane) find(key string) int {
	for i := range p.found {
		if p.key(i) == key {
			return i
		}
	}
	return -1
}

func (p *doctorPane) cell(i int, column string) cell {
	f, w := &p.found[i], p.m.w
	k := w.st.verdictInk(f.Verdict)
	switch column {
	case "sign":
		return cell{w.st.verdictSign(f.Verdict), k}
	case "verdict":
		return cell{w.text(string(f.Verdict)), k}
	case "check":
		return cell{w.text(f.Title()), w.st.Row}
	case "reason":
		return cell{w.text(f.Reason), k}
	case "next":
		if f.Verdict == api.VerdictOK {
			return cell{}
		}
		return cell{w.text(f.Next), w.st.Quiet}
	}
	return cell{}
}

// verdictInk is the colour of a verdict; the word stands beside it.
func (s *Styles) verdictInk(v api.Verdict) Ink {
	switch v {
	case api.VerdictFail:
		return s.Bad
	case api.VerdictWarn:
		return s.Warn
	case api.VerdictOK:
		return s.Good
	}
	return s.Quiet
}

func (s *Styles) verdictSign(v api.Verdict) string {
	switch v {
	case api.VerdictFail:
		return s.glyphs.state[job.Failed]
	case api.VerdictWarn:
		return s.glyphs.warn
	case api.VerdictOK:
		return s.glyphs.state[job.Done]
	}
	return s.glyphs.dot
}

func (p *doctorPane) view(w, h int) []string {
	lines := []string{fitStyled(" "+p.state(), w)}
	if len(p.found) == 0 {
		return pad(lines, h)
	}
	p.table.settle()
	foot := min(7, max(5, h/3))
	lines = append(lines, p.table.view(p.m.w.st, w, h-1-foot)...)
	f := &p.found[max(0, p.table.at)]
	return append(lines, panel(p.m.w.st, p.m.w.text(f.Title()+": "+string(f.Verdict)+", "+f.Code), p.more(f, w), w, foot)...)
}

// more is the whole of a finding.
func (p *doctorPane) more(f *api.Finding, w int) []string {
	st := p.m.w.st
	var text []string
	for _, l := range wrap(p.m.w.text(f.Reason), w-6) {
		text = append(text, st.Strong.On(l))
	}
	if f.Next != "" && f.Verdict != api.VerdictOK {
		for i, l := range wrap(p.m.w.text(f.Next), w-8) {
			lead := st.Accent.On(st.glyphs.arrow) + " "
			if i > 0 {
				lead = "  "
			}
			text = append(text, lead+l)
		}
	}
	return text
}

// state says how old the report is, what it counts, and what is going on.
func (p *doctorPane) state() string {
	st, run, report := p.m.w.st, p.standing.Running, p.standing.Report
	out := ""
	switch {
	case run != nil:
		out = st.Busy.On(fmt.Sprintf("looking for %s, %d of %d", since(p.m.w.now, run.Since.Time), run.Done, run.Total))
		if run.Doing != "" {
			out += st.Quiet.On(" (" + p.m.w.text(run.Doing) + ")")
		}
	case p.err != nil:
		e := job.AsError(p.err)
		out = st.Bad.On(p.m.w.text(e.Code + ": " + api.Sentence(e)))
	case !p.heard:
		out = st.Quiet.On("asking the manager")
	case report == nil:
		out = st.Quiet.On("The manager has not looked since it started; r lets it look.")
	}
	if report == nil {
		return out
	}
	n := report.Counts
	counts := st.Quiet.On("looked "+since(p.m.w.now, report.At.Time)+" ago: ") + st.Good.On(fmt.Sprintf("%d ok", n[api.VerdictOK]))
	for _, v := range []api.Verdict{api.VerdictWarn, api.VerdictFail} {
		k := st.Quiet
		if n[v] > 0 {
			k = st.verdictInk(v)
		}
		counts += st.Quiet.On(", ") + k.On(fmt.Sprintf("%d %s", n[v], v))
	}
	counts += st.Quiet.On(fmt.Sprintf(", %d not looked at", n[api.VerdictSkip]))
	if out == "" {
		return counts
	}
	return out + st.Quiet.On("  "+st.glyphs.vline+"  ") + counts
}

func (p *doctorPane) act(d deed) tea.Cmd {
	switch d {
	case lookNow:
		return p.m.runDoctor(api.DoctorRequest{})
	case flyCanary:
		return p.m.askCanary()
	case copyText:
		if p.table.settle(); p.table.at >= 0 && p.table.at < len(p.found) {
			f := p.found[p.table.at]
			return p.m.copy(f.Title() + ": " + f.Reason + "; " + f.Next)
		}
		return nil
	}
	return p.listPane.act(d)
}

// enter asks what is known; a manager that has never looked is let to.
func (p *doctorPane) enter() tea.Cmd { return p.m.askDoctor() }

// take takes an answer of the manager's doctor.
func (p *doctorPane) take(d doctorMsg) tea.Cmd {
	p.err = d.err
	if d.err != nil {
		return nil
	}
	first, flew := !p.heard, p.standing.Running != nil && p.standing.Running.Canary && d.standing.Running == nil
	p.heard, p.standing = true, d.standing
	if d.standing.Report != nil {
		p.found = d.standing.Report.Gravest()
	}
	if flew {
		p.landed()
	}
	switch {
	case d.standing.Running != nil && !p.waits:
		p.waits = true
		return p.m.w.clock.After(doctorEvery, doctorAgainMsg{})
	case d.standing.Running == nil && d.standing.Report == nil && first && p.m.w.link.once && !p.m.w.hello.ReadOnly:
		return p.m.runDoctor(api.DoctorRequest{})
	}
	return nil
}

// landed tells how a canary came out: its gravest finding, or that it arrived.
func (p *doctorPane) landed() {
	at := -1
	for i, f := range p.found {
		if strings.HasPrefix(f.Name, "canary-") && (at < 0 || f.Verdict == p.found[at].Verdict) {
			at = i
		}
	}
	if at < 0 {
		return
	}
	p.table.move(at)
	f := p.found[at]
	var err error
	if f.Verdict != api.VerdictOK {
		err = &job.Error{Code: f.Code, Message: f.Reason, Hint: f.Next}
	}
	p.m.finish("canary: "+f.Reason, err)
}

// doctorEvery is how often a look that is under way is asked for.
const doctorEvery = time.Second
