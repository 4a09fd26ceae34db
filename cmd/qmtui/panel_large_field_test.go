package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/store"
	"github.com/comfyume/qmtui/internal/ui"
)

// largeLedger writes the ledger of a site that has seen n jobs: eight of ten
// were withdrawn, one came out well, one failed.
func largeLedger(t *testing.T, path string, n int) {
	t.Helper()
	ledger, err := store.Open(store.Options{Path: path})
	check(t, err)
	const together = 5000
	for from := 0; from < n; from += together {
		var facts []job.Fact
		for i := from; i < min(n, from+together); i++ {
			life := ledgertest.Story{N: i, User: fmt.Sprintf("user%03d", i%97)}
			switch i % 10 {
			case 7:
				facts = append(append(facts, life.Whole()...), life.Closed())
			case 8:
				facts = append(append(facts, life.Failed()...), life.Closed())
			default:
				facts = append(facts, life.Created(), life.Fact(job.Withdrawn, 1, 3, job.ByAdmin), life.Closed())
			}
		}
		ledgertest.Record(t, ledger, facts...)
	}
	check(t, ledger.Close())
}

// virtualPanel is a panel on a virtual terminal, attached to the site like
// anybody's.
type virtualPanel struct {
	*site
	terminal *vt.SafeEmulator
	keys     *io.PipeWriter
	drawn    chan struct{} // holds a token when something was written since
	ended    chan error
}

func (s *site) openPanel(w, h int) *virtualPanel {
	s.Helper()
	in, keys := io.Pipe()
	p := &virtualPanel{site: s, terminal: vt.NewSafeEmulator(w, h), keys: keys, drawn: make(chan struct{}, 1), ended: make(chan error, 1)}
	ctx, stop := context.WithCancel(s.Context())
	o := ui.Options{Manager: ui.Attach(s.client), Host: "render-01", Theme: ui.ThemeDark,
		Remote: &ui.Remote{Environ: []string{"TERM=xterm-256color", "COLORTERM=truecolor"}, Width: w, Height: h}}
	go func() { p.ended <- ui.Run(ctx, o, in, p) }()
	answers := make(chan struct{})
	go func() { // what the terminal says to the panel's questions
		defer close(answers)
		_, _ = io.Copy(keys, p.terminal)
	}()
	s.Cleanup(func() {
		stop()
		_ = keys.Close()
		<-p.ended
		_ = p.terminal.Close()
		<-answers
	})
	return p
}

// Write draws; nothing of a terminal turns line feeds into new lines here.
func (p *virtualPanel) Write(b []byte) (int, error) {
	_, err := p.terminal.Write(bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")))
	select {
	case p.drawn <- struct{}{}:
	default:
	}
	return len(b), err
}

func (p *virtualPanel) text() string { return ansi.Strip(p.terminal.Render()) }

// foot is the line above the keys.
func (p *virtualPanel) foot() string {
	var b strings.Builder
	for x := range p.terminal.Width() {
		if c := p.terminal.CellAt(x, p.terminal.Height()-2); c != nil {
			b.WriteString(c.Content)
		}
	}
	return b.String()
}

func (p *virtualPanel) press(keys string) {
	p.Helper()
	_, err := p.keys.Write([]byte(keys))
	check(p.T, err)
}

// until waits until ok; it looks after each time that something was drawn.
func (p *virtualPanel) until(what string, ok func() bool) {
	p.Helper()
	deadline := time.After(2 * patience)
	for !ok() {
		select {
		case <-p.drawn:
		case <-deadline:
			p.Fatalf("the panel never showed %s:\n%s", what, p.text())
		}
	}
}

func (p *virtualPanel) sees(words ...string) {
	p.Helper()
	for _, w := range words {
		p.until(w, func() bool { return strings.Contains(p.text(), w) })
	}
}

// spent is the CPU time of this process so far: unlike the wall's, it says
// little of what else the machine does.
func spent() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// The panel on a real manager that keeps a hundred thousand jobs: from a key to
// the screen in less than 50 ms, manager and terminal included; memory that the
// ledger's size does not set; and the very first job within reach.
func TestPanelOn100000(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("writes a hundred thousand jobs")
	}
	const jobs, waiting = 100_000, 30
	s := openSite(t, func(p *plan) {
		p.config.Retention.Jobs = 0
		p.before = func(p plan) { largeLedger(t, filepath.Join(p.scene.State(), databaseFile), jobs) }
	})
	_, err := s.client.SetMode(s.Context(), job.ModePaused)
	check(t, err)
	for range waiting {
		s.submit("user001", saving("shot"))
	}
	alone := heap()
	p := s.openPanel(200, 50)
	p.sees("● live", "PAUSED", "1/5,000 of 100,030")

	costs := map[string][]time.Duration{}
	for range 7 {
		for _, k := range []struct{ name, keys, foot string }{
			{"down", "j", " 2/5,000"}, {"page down", "\x06", " 45/5,000"}, {"up", "k", " 44/5,000"}, {"top", "g", " 1/5,000"},
			{"mark", " ", "1 marked"}, {"unmark", "k ", "!marked"}, {"sort", "s", "by age"}, {"by user", "s", "by user"}, {"sort back", "ssss", "!by"}, {"top again", "g", " 1/5,000"},
			{"filter", "/", " / _"}, {"a letter", "u", " / u_"}, {"a number", "ser001", " / user001_"}, {"no filter", "\x1b", "! / "},
		} {
			from := spent()
			p.press(k.keys)
			want, gone := strings.CutPrefix(k.foot, "!")
			p.until(k.name+" as "+k.foot, func() bool { return strings.Contains(p.foot(), want) != gone })
			costs[k.name] = append(costs[k.name], spent()-from)
		}
	}
	for name, all := range costs {
		slices.Sort(all)
		t.Logf("%-10s %s (%s to %s)", name, all[len(all)/2], all[0], all[len(all)-1])
		if all[len(all)/2] > slack(50*time.Millisecond) {
			t.Errorf("%s: from the key to the screen takes %s of CPU", name, all[len(all)/2])
		}
	}
	held := heap()
	t.Logf("heap: %d KiB for the manager alone, %d KiB with the panel", alone>>10, held>>10)
	if held > alone+64<<20 {
		t.Errorf("the panel takes %d KiB", (held-alone)>>10)
	}

	p.press("G") // the last that is held; then older ones come
	p.until("older jobs", func() bool {
		return !strings.Contains(p.foot(), "/5,000 ") && strings.Contains(p.foot(), " of 100,030")
	})
	first := ledgertest.Story{N: 7}
	p.press("/" + string(first.ID()) + "\r")
	p.sees("job 7 ", "1/1 of 100,030")
	p.press("\r")
	p.sees("job 7 of user007", "✓ done", "1 of 1 delivered", "└ time")
	facts, err := s.client.Facts(s.Context(), first.ID())
	check(t, err)
	if n := len(facts); n != len(first.Whole())+1 {
		t.Errorf("%d facts", n)
	}
	if j, err := s.client.Jobs(s.Context(), api.Query{Filter: api.Filter{IDs: []job.ID{first.ID()}}}); err != nil || len(j.Items) != 1 {
		t.Errorf("%v %v", j, err)
	}
}

// slack is a limit of CPU time that any machine keeps; with QMTUI_BUDGETS=1 the
// limit itself counts (make budgets).
func slack(limit time.Duration) time.Duration {
	if os.Getenv("QMTUI_BUDGETS") != "" {
		return limit
	}
	return 10 * limit
}
