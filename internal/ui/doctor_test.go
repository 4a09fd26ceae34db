package ui

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/colorprofile"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// fixtureDoctor answers with a report, and then with a look that is under way.
func fixtureDoctor() []api.DoctorStanding {
	r := api.NewDoctorReport([]api.Finding{
		{Name: "config", Verdict: api.VerdictOK, Code: "good", Reason: "every value of the configuration is good"},
		{Name: "socket", Verdict: api.VerdictOK, Code: "answers", Reason: "qmtui v1.0.0 answers on /run/qmtui/qmtui.sock"},
		{Name: "share-alive", Verdict: api.VerdictFail, Code: "stalled", Reason: "/mnt/sfs/outputs has not answered for 5s",
			Next: "see whether its server answers; a hung mount goes with umount -f -l, and containers that bind it must then be restarted"},
		{Name: "login-file", Verdict: api.VerdictWarn, Code: "public", Reason: "everybody can read /etc/qmtui/htpasswd, mode 0644", Next: "chmod 0640 it"},
		{Name: "models", Subject: "h200-spot", Verdict: api.VerdictSkip, Code: "not_known", Reason: "nobody asked h200-spot for its nodes (it may be asleep, and asking costs money)"},
		{Name: "output-directory", Subject: "b300-spot\x1b[2J", Verdict: api.VerdictFail, Code: "missing", Reason: "b300-spot\x1b[2J runs without --output-directory, heard 3h0m0s ago",
			Next: "add --output-directory with the mounted share to the deployment's command line"},
	})
	r.At, r.Took = api.Time{Time: epoch.Add(-12 * time.Minute)}, 0.8
	return []api.DoctorStanding{{Report: &r}, {Report: &r, Running: &api.DoctorRun{Since: api.Time{Time: epoch}, Done: 3, Total: 12, Doing: "share"}}}
}

// TestDoctorLooksByItselfOnce: a manager that has never looked is let to when
// somebody opens the pane; nothing is sent, and an old report stays until r.
func TestDoctorLooksByItselfOnce(t *testing.T) {
	f := fixture()
	never, all := api.DoctorStanding{}, fixtureDoctor()
	f.doctor = []api.DoctorStanding{never, all[1], all[1], all[0]}
	x := attached(t, f, 120, 32, Options{}, colorprofile.ASCII)
	x.press("8")
	if len(f.asked) != 1 || f.asked[0].Canary || !strings.Contains(x.text(), "looking for") {
		t.Fatalf("asked %v:\n%s", f.asked, x.text())
	}
	x.later(3 * time.Second)
	if !strings.Contains(x.text(), "looked 12m") || strings.Contains(x.text(), "looking for") || len(f.asked) != 1 {
		t.Errorf("asked %v:\n%s", f.asked, x.text())
	}
	x.press("8", "8")
	if len(f.asked) != 1 {
		t.Error("opening it again looked again")
	}
	x.press("r")
	if len(f.asked) != 2 || f.asked[1].Canary {
		t.Errorf("r asked %v", f.asked)
	}
}

// TestCanaryAsksFirst: only a yes sends one.
func TestCanaryAsksFirst(t *testing.T) {
	f := fixture()
	f.doctor = fixtureDoctor()[:1]
	x := attached(t, f, 120, 32, Options{}, colorprofile.ASCII)
	x.press("8", "c")
	x.later(grace)
	if !strings.Contains(x.text(), "0.97 per hour") || len(f.asked) != 0 {
		t.Errorf("asked %v:\n%s", f.asked, x.text())
	}
	x.press("n", "c")
	x.later(grace)
	x.press("y")
	if len(f.asked) != 1 || !f.asked[0].Canary {
		t.Errorf("asked %v", f.asked)
	}
	f.status.Mode = job.ModePaused
	x.send(pollMsg{})
	x.press("c")
	if x.later(grace); len(f.asked) != 1 || !strings.Contains(x.text(), "the queue is paused") {
		t.Errorf("asked %v:\n%s", f.asked, x.text())
	}
}

// TestDoctorIsLeft: the keys of panes lead away from it.
func TestDoctorIsLeft(t *testing.T) {
	f := fixture()
	f.doctor = fixtureDoctor()[:1]
	x := attached(t, f, 120, 32, Options{}, colorprofile.ASCII)
	for _, way := range []string{"1", "tab", "shift+tab"} {
		x.press("8")
		if x.m.here() != inDoctor {
			t.Fatalf("8 shows %s", x.m.here())
		}
		if x.press(way); x.m.here() == inDoctor {
			t.Errorf("%s does not lead away", way)
		}
	}
	x.press("1", "8", ":")
	x.typeText("send a can")
	x.press("enter")
	if x.later(grace); x.m.dialog == nil {
		t.Error("the palette sends no canary")
	}
	x.press("esc")
	x.f.refuse = errRefused
	x.press("r")
	if !strings.Contains(x.text(), "read_only: ") {
		t.Errorf("a refusal is not told:\n%s", x.text())
	}
}

// TestCanaryLands: how it came out is told and shown, the gravest first.
func TestCanaryLands(t *testing.T) {
	for want, verdicts := range map[string][3]api.Verdict{
		"done: canary: it arrived":                    {api.VerdictOK, api.VerdictOK, api.VerdictOK},
		"failed: never: no file came; look at the mo": {api.VerdictOK, api.VerdictFail, api.VerdictSkip},
	} {
		f := fixture()
		all := fixtureDoctor()
		r := api.NewDoctorReport(append(slices.Clone(all[0].Report.Checks),
			api.Finding{Name: "canary-accepted", Verdict: verdicts[0], Code: "accepted", Reason: "h200-spot took it"},
			api.Finding{Name: "canary-share", Verdict: verdicts[1], Code: "never", Reason: "no file came", Next: "look at the mount"},
			api.Finding{Name: "canary-delivered", Verdict: verdicts[2], Code: "delivered", Reason: "it arrived"}))
		flying := all[1]
		flying.Running.Canary = true
		f.doctor = []api.DoctorStanding{flying, flying, {Report: &r}}
		x := attached(t, f, 120, 32, Options{}, colorprofile.ASCII)
		x.press("8")
		x.later(5 * time.Second)
		if !strings.Contains(x.text(), want) || !strings.Contains(x.text(), " canary-") {
			t.Errorf("it does not tell %q:\n%s", want, x.text())
		}
	}
}
