package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// chartsPane is for people who would rather look than read.
type chartsPane struct {
	m *Model
}

func newChartsPane(m *Model) *chartsPane { return &chartsPane{m} }

func (p *chartsPane) title() string      { return "Charts" }
func (p *chartsPane) scope() scope       { return inCharts }
func (p *chartsPane) act(deed) tea.Cmd   { return nil }
func (p *chartsPane) enter() tea.Cmd     { return p.m.w.poll(true) }
func (p *chartsPane) click(int) tea.Cmd  { return nil }
func (p *chartsPane) wheel(int)          {}
func (p *chartsPane) filterText() string { return "" }
func (p *chartsPane) setFilter(string)   {}

func (p *chartsPane) view(w, h int) []string {
	st := p.m.w.st
	cw, top := w/2, h/2
	span := p.span()
	word := strings.TrimSuffix(span.String(), "0s")
	word = strings.TrimSuffix(word, "0m")
	left, right := cw-4-chartScale, w-cw-4-chartScale // a part of the span for each cell
	done, _ := p.sums(span, left)
	_, wait := p.sums(span, right)
	total := 0
	for _, v := range done {
		total += int(v)
	}
	charts := [][]string{
		panel(st, fmt.Sprintf("%s done in %s", number(total), word), columnsChart(st, st.Good, done, wholeNumber, word, cw-4, top-2), cw, top),
		panel(st, "mean wait in "+word, columnsChart(st, st.Wait, wait, seconds, word, w-cw-4, top-2), w-cw, top),
		panel(st, "queue depth in "+word, columnsChart(st, st.Accent, p.depth(span, left), wholeNumber, word, cw-4, h-top-2), cw, h-top),
		panel(st, "GPU time today by user", p.byUser(w-cw-4, h-top-2), w-cw, h-top),
	}
	return append(beside(charts[0], charts[1], cw), beside(charts[2], charts[3], cw)...)
}

// span is what the charts show: an hour, or less while there is less to show.
func (p *chartsPane) span() time.Duration {
	var oldest time.Duration
	for _, r := range p.m.w.jobs.all {
		oldest = max(oldest, p.m.w.now.Sub(r.job.Created.Time))
	}
	for _, s := range []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute} {
		if oldest < s {
			return s
		}
	}
	return time.Hour
}

// sums counts what ended in each of n parts of the span, and how long what began
// then had waited, on the mean.
func (p *chartsPane) sums(span time.Duration, n int) (done, wait []float64) {
	done, wait = make([]float64, n), make([]float64, n)
	began := make([]float64, n)
	now := p.m.w.now
	for _, r := range p.m.w.jobs.all {
		if i, ok := part(now, r.job.Completed.Time, span, n); ok && r.job.State == job.Done {
			done[i]++
		}
		if i, ok := part(now, r.job.Started.Time, span, n); ok {
			began[i]++
			wait[i] += waited(&r.job, now).Seconds()
		}
	}
	for i := range wait {
		if began[i] > 0 {
			wait[i] /= began[i]
		}
	}
	return done, wait
}

// depth is how many jobs had not ended, at the end of each of n parts of the
// span. It follows from the jobs themselves, so it goes back before the panel.
func (p *chartsPane) depth(span time.Duration, n int) []float64 {
	out := make([]float64, n)
	now := p.m.w.now
	step := func(t time.Time, by float64) {
		i, ok := part(now, t, span, n)
		if !ok && t.Before(now) {
			i = 0 // before the span
		}
		out[i] += by
	}
	for _, r := range p.m.w.jobs.all {
		step(r.job.Created.Time, 1)
		if !r.job.Completed.IsZero() {
			step(r.job.Completed.Time, -1)
		}
	}
	for i := 1; i < n; i++ {
		out[i] += out[i-1]
	}
	return out
}

// part is which of n parts of the span that ends now holds t.
func part(now, t time.Time, span time.Duration, n int) (int, bool) {
	ago := now.Sub(t)
	if t.IsZero() || ago < 0 || ago >= span {
		return max(0, n-1), false
	}
	return n - 1 - int(int64(ago)*int64(n)/int64(span)), true
}

func (p *chartsPane) byUser(w, h int) []string {
	st := p.m.w.st
	users := slices.Clone(p.m.w.users)
	slices.SortStableFunc(users, func(a, b api.User) int {
		switch {
		case a.GPUSeconds > b.GPUSeconds:
			return -1
		case a.GPUSeconds < b.GPUSeconds:
			return 1
		}
		return 0
	})
	if len(users) == 0 {
		return []string{st.Quiet.On("nobody yet")}
	}
	var lines []string
	for _, u := range users[:min(len(users), h)] {
		lines = append(lines, barLine(st, st.Busy, p.m.w.text(u.User), u.GPUSeconds, users[0].GPUSeconds, seconds(u.GPUSeconds), w))
	}
	return lines
}
