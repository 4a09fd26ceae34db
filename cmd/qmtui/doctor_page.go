package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/comfyume/qmtui/internal/api"
)

// page is how findings are laid out. Where nobody but a program reads, a
// finding is one line, however long.
type page struct {
	terminal, colour bool
	width            int // cells
}

var verdictColours = map[api.Verdict]ansi.BasicColor{api.VerdictFail: ansi.Red, api.VerdictWarn: ansi.Yellow, api.VerdictOK: ansi.Green, api.VerdictSkip: ansi.BrightBlack}

func (p page) report(r api.DoctorReport, all bool) string {
	var shown []api.Finding
	rest := map[api.Verdict][]api.Finding{}
	for _, f := range r.Gravest() {
		if all || f.Verdict == api.VerdictFail || f.Verdict == api.VerdictWarn {
			shown = append(shown, f)
		} else {
			rest[f.Verdict] = append(rest[f.Verdict], f)
		}
	}
	var b strings.Builder
	column := 0
	for _, f := range shown {
		column = max(column, ansi.StringWidth(printable(f.Title())))
	}
	for _, f := range shown {
		b.WriteString(p.finding(f, column))
	}
	b.WriteString(p.names(api.VerdictOK, "good: ", rest[api.VerdictOK]))
	b.WriteString(p.names(api.VerdictSkip, "not looked at: ", rest[api.VerdictSkip]))
	b.WriteString(tally(r))
	if len(rest) > 0 {
		b.WriteString("; --all tells what each found")
	}
	return b.String() + "\n"
}

// tally counts the verdicts.
func tally(r api.DoctorReport) string {
	n := r.Counts
	return fmt.Sprintf("%d ok, %d warn, %d fail, %d skipped", n[api.VerdictOK], n[api.VerdictWarn], n[api.VerdictFail], n[api.VerdictSkip])
}

// finding is a line with what was found and one with the next step.
func (p page) finding(f api.Finding, column int) string {
	title := printable(f.Title())
	indent := 6 + column + 2
	out := p.paint(f.Verdict, fmt.Sprintf("%-4s", f.Verdict)) + "  " + title + strings.Repeat(" ", column-ansi.StringWidth(title)) + "  " + p.hang(printable(f.Reason), indent) + "\n"
	if f.Next != "" && f.Verdict != api.VerdictOK {
		out += strings.Repeat(" ", indent) + p.hang("next: "+printable(f.Next), indent) + "\n"
	}
	return out
}

// names lists the names of what needs nobody; none for nothing.
func (p page) names(v api.Verdict, head string, all []api.Finding) string {
	if len(all) == 0 {
		return ""
	}
	const indent = 6
	out := p.paint(v, fmt.Sprintf("%-4s", v)) + "  " + head
	at := indent + len(head)
	words := together(all)
	for i, w := range words {
		if i < len(words)-1 {
			w += ","
		}
		n := ansi.StringWidth(w)
		switch {
		case i == 0:
		case at+1+n > p.width:
			out, at = out+"\n"+strings.Repeat(" ", indent), indent
		default:
			out, at = out+" ", at+1
		}
		out, at = out+w, at+n
	}
	return out + "\n"
}

// together are the names of checks, each once, with what they were about.
func together(all []api.Finding) []string {
	var names []string
	about := map[string][]string{}
	for _, f := range all {
		if !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
		if f.Subject != "" {
			about[f.Name] = append(about[f.Name], printable(f.Subject))
		}
	}
	for i, n := range names {
		if subjects := about[n]; len(subjects) > 0 {
			names[i] = printable(n) + " (" + strings.Join(subjects, ", ") + ")"
		}
	}
	return names
}

// hang breaks a sentence that begins after indent cells; what is broken goes
// on below its beginning.
func (p page) hang(s string, indent int) string {
	if !p.terminal {
		return s
	}
	return wrapHanging(s, p.width, indent)
}

func wrapHanging(s string, width, indent int) string {
	wrapped := ansi.Wrap(s, max(20, width-indent), "/,")
	return strings.ReplaceAll(wrapped, "\n", "\n"+strings.Repeat(" ", indent))
}

func (p page) paint(v api.Verdict, s string) string {
	if !p.colour {
		return s
	}
	return ansi.Style{}.Bold().ForegroundColor(verdictColours[v]).Styled(s)
}
