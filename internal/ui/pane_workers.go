package ui

import (
	"context"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// workersPane shows the deployments: what is known of each, from what, and
// how old that is.
type workersPane struct {
	listPane
	records[api.Worker]
	offset int // of the facts that are shown
}

var workerColumns = []column{
	{id: "name", title: "DEPLOYMENT", width: 16, flex: 1},
	{id: "state", title: "STATE", width: 24, flex: 1},
	{id: "evidence", title: "EVIDENCE", width: 14, rank: 3},
	{id: "load", title: "IN FLIGHT", width: 9, right: true, rank: 1},
	{id: "price", title: "PRICE/H", width: 7, right: true, rank: 2},
	{id: "cold", title: "COLD P50 P90", width: 13, right: true, rank: 4},
	{id: "warm", title: "WARM P50 P90", width: 13, right: true, rank: 5},
}

func newWorkersPane(m *Model) *workersPane {
	p := &workersPane{listPane: listPane{m: m}, records: records[api.Worker]{func() []api.Worker { return m.w.workers }, func(d *api.Worker) string { return d.Name }}}
	p.table = table{columns: workerColumns, rows: p}
	return p
}

func (p *workersPane) title() string     { return "Workers" }
func (p *workersPane) scope() scope      { return inWorkers }
func (p *workersPane) enter() tea.Cmd    { return p.m.w.poll(true) }
func (p *workersPane) marked(i int) bool { return p.m.w.workers[i].Active }

func (p *workersPane) cell(i int, column string) cell {
	d, st := &p.m.w.workers[i], p.m.w.st
	switch column {
	case "name":
		return cell{p.m.w.text(d.Name), st.Row}
	case "state":
		return cell{p.m.warmth(d), st.workerInk(d)}
	case "evidence":
		return cell{strings.TrimSpace(p.m.w.text(string(d.Evidence)) + " " + since(p.m.w.now, d.At)), st.Quiet}
	case "load":
		return cell{fmt.Sprintf("%d/%d", d.InFlight-d.NoSlot, d.Capacity), st.Row}
	case "price":
		return cell{price(d.PricePerHour), st.Row}
	case "cold":
		return cell{timing(d.Cold), st.Quiet}
	case "warm":
		return cell{timing(d.Warm), st.Quiet}
	}
	return cell{}
}

func price(p float64) string {
	if p == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", p)
}

func timing(t job.Timing) string {
	if t.Count == 0 {
		return "not measured"
	}
	return seconds(t.P50) + " " + seconds(t.P90)
}

// warmth is a deployment's state in words: "warming 1m40s of about 5m".
func (m *Model) warmth(d *api.Worker) string {
	s := string(d.State)
	if s == "" {
		s = string(job.WarmthUnknown)
	}
	if d.State == job.Warming && !d.Since.IsZero() {
		s += " " + since(m.w.now, d.Since)
		if d.Usual.Count > 0 {
			s += " of about " + seconds(d.Usual.Mid)
		}
	}
	if d.Stopped != nil {
		s += ", nothing is sent"
	}
	return s
}

// workerInk is that of the state, or of a deployment to which nothing is sent.
func (s *Styles) workerInk(d *api.Worker) Ink {
	if d.Stopped != nil {
		return s.Bad
	}
	return s.warmthInk(d.State)
}

func (s *Styles) warmthInk(w job.Warmth) Ink {
	switch w {
	case job.WarmthWarm:
		return s.Good
	case job.Warming:
		return s.Busy
	case job.WarmthFailing:
		return s.Bad
	case job.WarmthCold:
		return s.Quiet
	}
	return s.Warn
}

func (p *workersPane) view(w, h int) []string {
	st := p.m.w.st
	if p.len() == 0 {
		return pad([]string{"", st.Quiet.On("  No deployment is configured, or the manager has not told yet.")}, h)
	}
	rows := min(p.len()+1, max(3, h/3))
	lines := p.table.view(st, w, rows)
	d := p.under(&p.table)
	facts, title := p.facts(d, w-4), p.m.w.text(d.Name)
	if room := h - rows - 2; len(facts) > room && room > 0 {
		p.offset = max(0, min(p.offset, len(facts)-room))
		title += fmt.Sprintf(" %s %d-%d of %d, PgDn PgUp", st.glyphs.dot, p.offset+1, p.offset+room, len(facts))
		facts = facts[p.offset : p.offset+room]
	}
	return append(lines, panel(st, title, facts, w, h-rows)...)
}

// sheet is what is known of something, a label before each fact.
type sheet struct {
	st    *Styles
	lines []string
}

// labelCells is how wide a label of a sheet is.
const labelCells = 12

func (s *sheet) say(label, styled string) {
	s.lines = append(s.lines, s.st.Quiet.On(fit(label, labelCells))+styled)
}

// tell says clean text over as many lines of w cells as it takes; nothing when
// there is none.
func (s *sheet) tell(label, text string, k Ink, w int) {
	if text == "" {
		return
	}
	for _, l := range wrap(text, w-labelCells) {
		s.say(label, k.On(l))
		label = ""
	}
}

// facts is everything that is known of a deployment.
func (p *workersPane) facts(d *api.Worker, w int) []string {
	m, st := p.m, p.m.w.st
	s := &sheet{st: st}
	s.say("state", st.workerInk(d).On(m.warmth(d))+st.Quiet.On("  since "+clock(d.Since)))
	s.tell("because", m.w.text(d.Because), st.Row, w)
	ev := "nobody has asked yet"
	if d.Evidence != "" {
		ev = m.w.text(string(d.Evidence)) + ", " + since(m.w.now, d.At) + " old"
	}
	s.say("evidence", st.Row.On(ev))
	if d.Error != nil {
		s.tell("error", m.w.text(d.Error.Message), st.Bad, w)
		s.tell("", m.w.text(d.Error.Hint), st.Row, w)
	}
	active := "no"
	if d.Active {
		active = "yes: jobs go here"
	}
	s.say("active", st.Row.On(active))
	s.say("address", st.Row.On(m.w.text(d.URL)))
	s.say("in flight", st.Row.On(fmt.Sprintf("%d of %d%s", d.InFlight-d.NoSlot, d.Capacity, api.BesideSlots(d.NoSlot, 0))))
	s.tell("silent", api.SilentText(*d), st.Warn, w)
	for i, l := range d.Learned {
		label := "learned"
		if i > 0 {
			label = ""
		}
		s.tell(label, m.w.text(api.LearnedText(l)), st.Row, w)
	}
	if d.Way != "" {
		s.tell("way", m.w.text(d.Way)+", because "+m.w.text(d.WayWhy), st.Row, w)
	}
	p.system(s, d, w)
	s.say("cold start", times(st, d.Cold, w))
	s.say("warm run", times(st, d.Warm, w))
	s.say("spend", p.spend(d))
	if d.Held != nil {
		s.tell("held", fmt.Sprintf("one replica since %s (min_replica_count was %d; it drifts from the infrastructure code)", clock(d.Held.Since), d.Held.Was), st.Warn, w)
	}
	s.tell("rules", m.w.text(d.Rules), st.Row, w)
	return s.lines
}

// system is what /system_stats said.
func (p *workersPane) system(s *sheet, d *api.Worker, w int) {
	m, st, x := p.m, p.m.w.st, d.System
	if x == nil {
		s.say("system", st.Quiet.On("unknown: nobody asked while it was awake"))
		return
	}
	s.say("system", st.Row.On("ComfyUI "+m.w.text(x.Version))+st.Quiet.On("  python "+m.w.text(firstWord(x.Python))+", asked "+since(m.w.now, d.SystemAt)+" ago"))
	for _, g := range x.Devices {
		used := 0.0
		if g.VRAMTotal > 0 {
			used = 1 - float64(g.VRAMFree)/float64(g.VRAMTotal)
		}
		s.say("VRAM", meter(st, used, min(24, w-64))+st.Row.On(" "+bytesText(g.VRAMTotal-g.VRAMFree)+" of "+bytesText(g.VRAMTotal))+
			st.Quiet.On("  "+m.w.text(g.Name)))
	}
	where, good := "--output-directory "+m.w.text(x.OutputDirectory), true
	switch own := x.OwnOutput(); {
	case own && d.Delivers.IsZero():
		where, good = "started without --output-directory: no file of it was seen on the share lately", false
	case own:
		where = "started without --output-directory, and its files come to the share"
	case x.OutputDirectory == "":
		where = "as its command line says"
	}
	if d.Stopped != nil && (d.Stopped.Code == "other_volume" || d.Stopped.Code == "no_output_directory") {
		where, good = where+": its files do not come to the share", false
	}
	if good {
		s.tell("outputs", st.glyphs.state[job.Done]+" "+where, st.Good, w)
	} else {
		s.tell("outputs", st.glyphs.warn+" "+where, st.Bad, w)
	}
}

func firstWord(s string) string {
	f, _, _ := strings.Cut(s, " ")
	return f
}

// times are measured times in words and as a line of bars.
func times(st *Styles, t job.Timing, w int) string {
	if t.Count == 0 {
		return st.Quiet.On("not measured yet")
	}
	text := fmt.Sprintf("half in %s, 9 of 10 in %s, last %s, %s", seconds(t.P50), seconds(t.P90), seconds(t.Last), count(t.Count, "run"))
	return st.Row.On(text) + "  " + st.Accent.On(spark(st, last(t.Recent, max(4, min(40, w-labelCells-width(text)-2)))))
}

// spend is what it cost so far today, as the manager estimates.
func (p *workersPane) spend(d *api.Worker) string {
	st := p.m.w.st
	switch t := d.Today; {
	case d.PricePerHour == 0:
		return st.Quiet.On("no price is configured")
	case t.Billed == 0:
		return st.Row.On("nothing today") + st.Quiet.On(fmt.Sprintf("  (%.2f an hour while it is up)", d.PricePerHour))
	case t.Evidence == job.ByPlatform:
		return st.Row.On(fmt.Sprintf("about %.2f today", t.Amount)) + st.Quiet.On(fmt.Sprintf("  (%s billed, of the platform's replicas)", seconds(t.Billed)))
	default:
		return st.Row.On(fmt.Sprintf("at least %.2f today", t.Amount)) + st.Quiet.On(fmt.Sprintf("  (%s billed, from what answered)", seconds(t.Billed)))
	}
}

func (p *workersPane) act(do deed) tea.Cmd {
	d := p.under(&p.table)
	if d == nil {
		return nil
	}
	name, m := d.Name, p.m
	switch do {
	case activate:
		m.ask(dialog{title: "Send jobs to " + m.w.text(name) + "?", yes: "Make active", lines: []string{
			"It is " + m.warmth(d) + ", " + price(d.PricePerHour) + " per hour.", "What is in flight elsewhere goes on there."},
			act: func(string) tea.Cmd {
				return m.simple("make "+name+" active", actTimeout, func(ctx context.Context) (string, error) {
					_, err := m.w.manager.ActivateWorker(ctx, name)
					return name + " is active", err
				})
			}})
	case warm:
		m.askWake(d, "Wake "+m.w.text(name)+"?", "Wake it", func(ctx context.Context) (string, error) {
			_, err := m.w.manager.WarmWorker(ctx, name)
			return name + " is awake", err
		})
	case check:
		look := func(ctx context.Context) (string, error) {
			x, err := m.w.manager.CheckWorker(ctx, name)
			return name + " is " + string(x.State), err
		}
		if d.State == job.WarmthWarm {
			return m.simple("check "+name, wakeTimeout, look)
		}
		m.askWake(d, "Ask "+m.w.text(name)+" how it is?", "Ask it", look)
	case copyText:
		return m.copy(d.URL)
	case pageDown, pageUp: // there are few deployments, but many facts of each
		p.offset += map[deed]int{pageDown: 4, pageUp: -4}[do]
	default:
		p.offset = 0
		return p.listPane.act(do)
	}
	return nil
}

// wakeTimeout bounds a call that may wait for a cold start.
const wakeTimeout = 20 * time.Minute

// askWake says what waking a deployment may cost.
func (m *Model) askWake(d *api.Worker, title, yes string, do func(context.Context) (string, error)) {
	m.ask(dialog{title: title, yes: yes, lines: []string{"It is " + m.warmth(d) + ".", m.w.st.Warn.On(m.wakeCost(d))},
		act: func(string) tea.Cmd { return m.simple(strings.ToLower(yes)+": "+d.Name, wakeTimeout, do) }})
}

// wakeCost says what waking a deployment may cost.
func (m *Model) wakeCost(d *api.Worker) string {
	switch {
	case d.PricePerHour == 0:
		return "No price is configured for it."
	case d.State == job.WarmthWarm || d.State == job.Warming:
		return fmt.Sprintf("That costs %.2f per hour already, and a little longer with this.", d.PricePerHour)
	}
	cost := fmt.Sprintf("Waking it costs %.2f per hour until it sleeps again", d.PricePerHour)
	if d.Cold.P50 > 0 {
		cost += fmt.Sprintf("; about %.3f for the start alone (%s)", d.Cold.P50/3600*d.PricePerHour, seconds(d.Cold.P50))
	}
	return cost + "."
}
