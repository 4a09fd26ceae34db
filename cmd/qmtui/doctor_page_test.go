package main

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"github.com/comfyume/qmtui/internal/api"
)

// TestDoctorOnATerminal: the gravest first, nothing beyond the edge, and
// colours only where they are wanted.
func TestDoctorOnATerminal(t *testing.T) {
	long := strings.Repeat("word ", 40)
	r := api.NewDoctorReport([]api.Finding{
		{Name: "config", Verdict: api.VerdictOK, Reason: "it is good"},
		{Name: "models", Subject: "h200-spot", Verdict: api.VerdictSkip, Reason: "nobody asked"},
		{Name: "models", Subject: "b300-spot", Verdict: api.VerdictSkip, Reason: "nobody asked"},
		{Name: "socket", Verdict: api.VerdictWarn, Reason: long, Next: long},
		{Name: "output-directory", Subject: "h200-spot", Verdict: api.VerdictFail, Reason: "evil \x1b]0;title\x07 worker\nok    forged  line", Next: "set it"},
	})
	for _, p := range []page{{terminal: true, colour: true, width: 80}, {terminal: true, width: 66}, {width: 80}} {
		for _, all := range []bool{false, true} {
			out := p.report(r, all)
			lines := strings.Split(strings.TrimSpace(out), "\n")
			for _, l := range lines {
				if n := ansi.StringWidth(l); p.terminal && n > p.width {
					t.Errorf("%d cells: %s", n, l)
				}
			}
			if got := ansi.Strip(lines[0]); !strings.HasPrefix(got, "fail  output-directory h200-spot  evil") {
				t.Errorf("the first line is %s", got)
			}
			if strings.Contains(out, "\x1b[") != p.colour || strings.Contains(out, "\x1b]") || strings.Contains(out, "\nok    forged") {
				t.Errorf("as %+v: %q", p, out)
			}
			if strings.Contains(out, "good: config\n") == all || !all && !strings.Contains(out, "not looked at: models (h200-spot, b300-spot)\n") {
				t.Errorf("all %v: %s", all, out)
			}
		}
	}
}
