package ui

import (
	"fmt"
	"slices"
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
	done, wait := p.lastHour()
	cw, top := w/2, h/2
	total := 0
	for _, v := range done {
		total += int(v)
	}
	charts := [][]string{
		panel(st, fmt.Sprintf("jobs done per minute: %s in 1h", number(total)), columnsChart(st, st.Good, done, wholeNumber, cw-4, top-2), cw, top),
		panel(st, "mean wait, last hour", columnsChart(st, st.Wait, wait, seconds, w-cw-4, top-2), w-cw, top),
		panel(st, "queue depth since the start", columnsChart(st, st.Accent, p.m.w.trend.depth, wholeNumber, cw-4, h-top-2), cw, h-top),
		panel(st, "GPU-seconds today by user", p.byUser(w-cw-4, h-top-2), w-cw, h-top),
	}
	return append(beside(charts[0], charts[1], cw), beside(charts[2], charts[3], cw)...)
}

// lastHour sums up what ended and what began to run, a value a minute.
func (p *chartsPane) lastHour() (done, wait []float64) {
	done, wait = make([]float64, trendLength), make([]float64, trendLength)
	began := make([]float64, trendLength)
	now := p.m.w.now
	at := func(t time.Time) (int, bool) {
		i := trendLength - 1 - int(now.Sub(t)/time.Minute)
		return i, !t.IsZero() && i >= 0 && i < trendLength
	}
	for _, r := range p.m.w.jobs.all {
		if i, ok := at(r.job.Completed.Time); ok && r.job.State == job.Done {
			done[i]++
		}
		if i, ok := at(r.job.Started.Time); ok {
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
