package fleet

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/calendar"
	"github.com/comfyume/qmtui/internal/engine/upkeep"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/simulator"
)

// workshop is a day of 600 jobs: in each of eight hours a demo of half an hour,
// then six bursts of twelve or thirteen submits, five minutes apart.
func workshop() []time.Duration {
	var at []time.Duration
	for hour := range 8 {
		for burst := range 6 {
			for range 12 + burst%2 {
				at = append(at, time.Duration(hour)*time.Hour+30*time.Minute+time.Duration(burst)*5*time.Minute)
			}
		}
	}
	return at
}

// day is what a strategy cost.
type day struct {
	billed   time.Duration
	replicas int
	killed   int           // renders that a scale-down took
	waited   time.Duration // from submit to the start of the render, on average
	left     int           // never rendered
}

// dispatch is the smallest manager there can be: three prompts in flight, a
// killed one goes again, and the rules for the deployment are asked and obeyed.
type dispatch struct {
	s      *scene
	f      *Fleet
	rules  upkeep.Rules
	warmed map[string]upkeep.Warmed
	awake  time.Time // kept awake until then
	asked  time.Time // for that, last
	begun  time.Time
	queue  []time.Duration // when each was submitted
	flying map[string]time.Duration
	n      int
	result day
	rest   time.Duration // the sum of waits
}

func (d *dispatch) run(ctx context.Context) {
	jobs := d.queue
	d.queue = nil
	d.result.left = len(jobs)
	for d.result.left > 0 && ctx.Err() == nil {
		for len(jobs) > 0 && time.Since(d.begun) >= jobs[0] {
			d.queue, jobs = append(d.queue, jobs[0]), jobs[1:]
		}
		for len(d.flying) < 3 && len(d.queue) > 0 {
			d.send(ctx)
		}
		d.tend(ctx)
		pause(ctx, 5*time.Second)
		d.result.left -= d.collect()
	}
}

// tend does as the engine's loop does: the same rules, the same calls.
func (d *dispatch) tend(ctx context.Context) {
	now := time.Now()
	all := d.f.Deployments()
	all[0].InFlight = len(d.flying)
	s := upkeep.Situation{Now: now, Active: "h200", Deployments: all}
	var names []string
	for name := range d.rules.Holds(s) {
		names = append(names, name)
	}
	d.f.Hold(names)
	for _, w := range d.rules.Warmups(s, d.warmed) {
		d.warmed["h200"] = d.rules.After(w, d.warmed["h200"], now)
		if w.Skip == "" {
			d.awake = now.Add(d.rules.Deployments["h200"].Warm.For)
			go d.f.Warm(ctx, "h200")
		}
	}
	if now.Before(d.awake) && len(d.flying) == 0 && now.Sub(d.asked) >= time.Minute && all[0].State == job.WarmthWarm {
		d.asked = now
		go d.f.Refresh(ctx, "h200")
	}
}

func (d *dispatch) send(ctx context.Context) {
	d.n++
	s := onVerda(d.n)
	s.Workflow = fmt.Appendf(nil, `{"1":{"class_type":"EmptyImage","inputs":{"width":8,"height":8,"batch_size":1,"color":%d}},
		"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"a"}}}`, d.n)
	d.flying[s.PromptID], d.queue = d.queue[0], d.queue[1:]
	d.follow()
	go d.f.Submit(ctx, s)
}

func (d *dispatch) follow() {
	var flights []job.Flight
	for id := range d.flying {
		flights = append(flights, job.Flight{Job: job.ID(id), Attempt: 1, PromptID: id, Deployment: "h200", State: job.Accepted})
	}
	d.f.Follow(flights)
}

// collect takes in what ended; it counts what was rendered.
func (d *dispatch) collect() int {
	done, all := 0, d.s.sim.Executions()
	for id, at := range d.flying {
		for _, e := range all[id] {
			switch e.Status {
			case "success":
				done++
				d.rest += e.Started.Sub(d.begun.Add(at))
				delete(d.flying, id)
			case "killed":
				d.result.killed++
				d.queue = append(d.queue, at)
				delete(d.flying, id)
			}
		}
	}
	d.follow()
	return done
}

// A strategy is a day's kind of jobs and what is done for them.
type strategy struct {
	name   string
	render simulator.Span
	jobs   []time.Duration
	with   func(*Options)
	care   upkeep.Care
	least  time.Duration // all renders back to back on one machine
}

func (st strategy) cost(t *testing.T) (out day) {
	onPlatform(t, func(c *simulator.Config) { c.Balance, c.Render = simulator.Random, st.render }, func(t *testing.T, s *scene) {
		f := s.fleet(t, st.with)
		_, stop := start(t, f)
		d := &dispatch{s: s, f: f, begun: time.Now(), queue: st.jobs, flying: map[string]time.Duration{},
			warmed: map[string]upkeep.Warmed{}, rules: upkeep.Rules{Calendar: calendar.Calendar{Zone: time.UTC}, Deployments: map[string]upkeep.Care{"h200": st.care}}}
		ctx, cancel := context.WithTimeout(t.Context(), 16*time.Hour)
		defer cancel()
		d.run(ctx)
		f.Hold(nil)
		elapse(t, 15*time.Minute) // and home
		stop()
		d.result.billed, d.result.replicas = s.sim.Billed("gpu"), len(s.sim.Leases("gpu"))
		d.result.waited = d.rest / time.Duration(max(1, len(st.jobs)-d.result.left))
		out = d.result
	})
	t.Logf("| %s | %.0f | %.1f | %d | %d | %d | %.1f |", st.name, out.billed.Minutes(), float64(out.billed)/float64(st.least), out.replicas, out.killed, out.left, out.waited.Minutes())
	return out
}

var (
	images = simulator.Span{Min: 10 * time.Second, Max: time.Minute}
	videos = simulator.Span{Min: 4 * time.Minute, Max: 8 * time.Minute} // longer than the scale-down delay
	costly = flag.Bool("cost", false, "also print the table of docs/verda.md for a day of 600 images")
)

func noPolls(o *Options) { o.Deployments[0].KeepAlive = 0 }

func polls(*Options) {}

// care reads rules; a bubble's clock begins at midnight UTC.
func care(t *testing.T, hold string, warm ...string) (out upkeep.Care) {
	t.Helper()
	c := calendar.Calendar{Zone: time.UTC}
	if hold != "" {
		w, err := c.Window(hold)
		if err != nil {
			t.Fatal(err)
		}
		out.Hold.Windows = append(out.Hold.Windows, w)
	}
	for _, text := range warm {
		at, err := c.Time(text)
		if err != nil {
			t.Fatal(err)
		}
		out.Warm.At = append(out.Warm.At, at)
	}
	out.Warm.For, out.Warm.Max = 15*time.Minute, 1000
	return out
}

// TestCostOfLongRenders shows why the polls are there: the platform takes a
// replica away in mid-render when no message comes.
func TestCostOfLongRenders(t *testing.T) {
	var jobs []time.Duration
	for i := range 16 {
		jobs = append(jobs, time.Duration(i)*30*time.Minute)
	}
	without := strategy{"16 videos, no keep-alive", videos, jobs, noPolls, upkeep.Care{}, 96 * time.Minute}.cost(t)
	with := strategy{"16 videos, keep-alive", videos, jobs, polls, upkeep.Care{}, 96 * time.Minute}.cost(t)
	if without.killed == 0 || with.killed != 0 || with.left != 0 {
		t.Errorf("without polls %+v, with them %+v", without, with)
	}
	if with.billed >= without.billed {
		t.Errorf("the polls cost more than they saved: %v and %v", with.billed, without.billed)
	}
}

// TestCostOfADay prints the table of docs/verda.md. The dice of the balancer
// and of the polls differ from run to run, so only what must hold of every run
// is checked.
func TestCostOfADay(t *testing.T) {
	if !*costly {
		t.Skip("a whole day; use -cost")
	}
	const least = 350 * time.Minute // 600 renders of 35 s on average, back to back on one machine
	everyHour := []string{}
	for hour := range 8 {
		everyHour = append(everyHour, fmt.Sprintf("0%d:20", hour))
	}
	for _, st := range []strategy{
		{"600 images, no keep-alive", images, workshop(), noPolls, upkeep.Care{}, least},
		{"600 images, keep-alive", images, workshop(), polls, upkeep.Care{}, least},
		{"600 images, keep-alive, hold while busy", images, workshop(), polls, upkeep.Care{Hold: upkeep.Hold{WhileBusy: true}}, least},
		{"600 images, keep-alive, warmed ten minutes before each hour's bursts", images, workshop(), polls, care(t, "", everyHour...), least},
		{"600 images, keep-alive, held in workshop hours", images, workshop(), polls, care(t, "00:20-08:30"), least},
	} {
		if d := st.cost(t); d.killed != 0 || d.left != 0 || d.billed < least*9/10 || d.billed > 3*9*time.Hour {
			t.Errorf("%s: %+v is out of all reason", st.name, d)
		}
	}
}
