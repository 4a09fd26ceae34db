package ui

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// manyQueued is a site with n jobs, a tenth of them open.
func manyQueued(n int) *fakeManager {
	f := fixture()
	f.jobs = f.jobs[:0]
	states := []job.State{job.Queued, job.Done, job.Done, job.Done, job.Failed, job.Done, job.Cancelled, job.Done, job.Done, job.Done}
	for i := range n {
		f.jobs = append(f.jobs, makeJob(i+1, fmt.Sprintf("user%03d", i%97), fmt.Sprintf("picture %d", i), states[i%10], time.Duration(i%7200+1)*time.Second))
	}
	return f
}

// fastest is the best of a few tries: what the machine does besides is not
// the panel's doing.
func fastest(tries int, do func()) time.Duration {
	best := time.Hour
	for range tries {
		from := time.Now()
		do()
		best = min(best, time.Since(from))
	}
	return best
}

func TestViewTakesAtMost5ms(t *testing.T) {
	x := attached(t, manyQueued(10_000), 200, 50, Options{Limit: 20_000}, colorprofile.TrueColor)
	for _, d := range []deed{goQueue, goOutputs, goWorkers, goWarnings, goUsers, goLog, goCharts} {
		x.run(x.m.do(d))
		took := fastest(20, func() { _ = x.m.View() })
		t.Logf("%s: %s", d, took)
		if took > 5*time.Millisecond && !raceDetector {
			t.Errorf("%s: a View takes %s", d, took)
		}
	}
}

// From a key to a screen: moving, marking, filtering and sorting among a
// hundred thousand jobs.
func TestKeyToScreenWith100000Jobs(t *testing.T) {
	x := attached(t, manyQueued(100_000), 200, 50, Options{Limit: 200_000}, colorprofile.TrueColor)
	for name, keys := range map[string][]string{
		"down": {"down"}, "end": {"end"}, "home": {"home"}, "page": {"pgdown"}, "mark": {"space"},
		"a letter of a filter": {"/", "p", "esc"}, "sort": {"s"}, "help": {"?", "?"},
	} {
		took := fastest(25, func() { // the machine may be busy with other tests
			for _, k := range keys {
				x.press(k)
				_ = x.m.View()
			}
		}) / time.Duration(len(keys))
		t.Logf("%s: %s", name, took)
		if took > 50*time.Millisecond && !raceDetector {
			t.Errorf("%s takes %s", name, took)
		}
	}
}

// A thousand changes a second for a minute: memory stays, each tenth of a
// second is dealt with in a fraction of that time.
func TestThousandChangesASecond(t *testing.T) {
	x := attached(t, manyQueued(5000), 120, 32, Options{Limit: 5000}, colorprofile.TrueColor)
	heap := func() uint64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	next := 5001
	tenth := func() {
		n := news{changes: map[job.ID]api.Job{}}
		for i := range 100 {
			j := makeJob(next, "user001", "new", []job.State{job.Queued, job.Running, job.Done, job.Failed}[i%4], time.Minute)
			j.Updated = api.Time{Time: x.clock.now}
			n.changes[j.ID] = j
			if i%4 > 1 {
				next++ // jobs end and new ones come
			}
		}
		x.clock.now = x.clock.now.Add(100 * time.Millisecond)
		x.send(newsMsg{n})
		_ = x.m.View()
	}
	for range 300 {
		tenth()
	}
	before := heap()
	var worst time.Duration
	for range 300 {
		from := time.Now()
		tenth()
		worst = max(worst, time.Since(from))
	}
	after := heap()
	t.Logf("heap %d KiB, then %d KiB; the slowest tenth took %s; %d jobs held", before>>10, after>>10, worst, len(x.m.w.jobs.all))
	if after > before+before/4+4<<20 {
		t.Errorf("the heap grew from %d to %d", before, after)
	}
	if n := len(x.m.w.jobs.all); n > 16_000 {
		t.Errorf("%d jobs are held", n)
	}
}

// meter counts what a program writes to its terminal.
type byteMeter struct {
	mu sync.Mutex
	b  bytes.Buffer
	n  chan struct{}
}

func (m *byteMeter) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.b.Write(p)
	select {
	case m.n <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (m *byteMeter) take() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := bytes.Clone(m.b.Bytes())
	m.b.Reset()
	return out
}

// quietFeed is a manager whose stream says nothing.
type quietFeed struct{ *fakeManager }

func (q quietFeed) Watch(ctx context.Context, _ int) (Stream, error) { return &quietStream{ctx}, nil }

type quietStream struct{ ctx context.Context }

func (s *quietStream) Next() (api.Event, error) {
	<-s.ctx.Done()
	return api.Event{}, io.ErrUnexpectedEOF
}
func (s *quietStream) Close() error { return nil }

// stillClock never lets time pass.
type stillClock struct{}

func (stillClock) Now() time.Time                       { return epoch }
func (stillClock) After(time.Duration, tea.Msg) tea.Cmd { return nil }

// One job moves one place on, and with it one cell: at most 64 bytes go out,
// with the renderer that people use.
func TestOneCellCosts64Bytes(t *testing.T) {
	f := fixture()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	m := New(ctx, Options{Manager: quietFeed{f}, Clock: stillClock{}, Host: "render-01", Theme: ThemeDark})
	out := &byteMeter{n: make(chan struct{}, 1)}
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(nil), tea.WithOutput(out), tea.WithWindowSize(200, 50), tea.WithFPS(fps),
		tea.WithColorProfile(colorprofile.TrueColor), tea.WithEnvironment([]string{"TERM=xterm-256color"}), tea.WithoutSignals())
	done := make(chan error, 1)
	go func() { _, err := p.Run(); done <- err }()
	p.Send(tea.WindowSizeMsg{Width: 200, Height: 50})
	p.Send(newsMsg{news{snapshot: &api.Snapshot{Jobs: f.jobs}}})
	settle(out)
	j := f.jobs[3]
	j.Phase = "waiting in line, 9 ahead"
	p.Send(newsMsg{news{changes: map[job.ID]api.Job{j.ID: j}}})
	b := settle(out)
	t.Logf("%d bytes: %q", len(b), b)
	if len(b) == 0 || len(b) > 64 {
		t.Errorf("one cell cost %d bytes: %q", len(b), b)
	}
	p.Quit()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// settle collects what is written until a quarter of a second is quiet.
func settle(m *byteMeter) []byte {
	var all []byte
	for {
		select {
		case <-m.n:
		case <-time.After(250 * time.Millisecond):
			return append(all, m.take()...)
		}
		all = append(all, m.take()...)
	}
}

func BenchmarkView10000(b *testing.B) {
	x := attached(b, manyQueued(10_000), 200, 50, Options{Limit: 20_000}, colorprofile.TrueColor)
	for b.Loop() {
		_ = x.m.View()
	}
}
