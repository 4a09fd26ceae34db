package fleet

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
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
	flying []sent
	n      int
	result day
	rest   time.Duration // the sum of waits
}

// sent is a prompt that was sent, and when its job was submitted.
type sent struct {
	id string
	at time.Duration
}

// turn is how often the dispatcher looks. Nothing else happens in step with
// it: what comes at the same moment would come in any order.
const turn = 5*time.Second + 13*time.Millisecond

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
		pause(ctx, turn)
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
	d.flying, d.queue = append(d.flying, sent{s.PromptID, d.queue[0]}), d.queue[1:]
	d.follow()
	// What is asked of the replicas because of that is over before the prompt
	// comes: if both were open at once, the platform would start a replica more.
	pause(ctx, 7*time.Millisecond+357*time.Nanosecond)
	go d.f.Submit(ctx, s)
	pause(ctx, 17*time.Millisecond) // one after another, always in the same order
}

func (d *dispatch) follow() {
	var flights []job.Flight
	for _, x := range d.flying {
		flights = append(flights, job.Flight{Job: job.ID(x.id), Attempt: 1, PromptID: x.id, Deployment: "h200", State: job.Accepted})
	}
	d.f.Follow(flights)
}

// collect takes in what ended; it counts what was rendered.
func (d *dispatch) collect() int {
	done, all := 0, d.s.sim.Executions()
	var still []sent
	for _, x := range d.flying {
		ended := false
		for _, e := range all[x.id] {
			switch e.Status {
			case "success":
				ended = true
				done++
				d.rest += e.Started.Sub(d.begun.Add(x.at))
			case "killed":
				ended = true
				d.result.killed++
				d.queue = append(d.queue, x.at)
			}
		}
		if !ended {
			still = append(still, x)
		}
	}
	d.flying = still
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
		d := &dispatch{s: s, f: f, begun: time.Now(), queue: st.jobs,
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
	return out
}

var (
	images = simulator.Span{Min: 10 * time.Second, Max: time.Minute}
	videos = simulator.Span{Min: 4 * time.Minute, Max: 8 * time.Minute} // longer than the scale-down delay
	costly = flag.Bool("cost", false, "write the table of docs/verda.md anew")
)

func noPolls(o *Options) { o.Deployments[0].KeepAlive = 0 }

// polls come in steps of their own, without dice: the table must come out the
// same every time.
func polls(o *Options) {
	o.Deployments[0].KeepAlive = 4711 * time.Millisecond
	o.spread = func(d time.Duration) time.Duration { return d }
}

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

// The least that a day can cost: all its renders back to back on one machine.
const (
	leastForVideos = 96 * time.Minute  // 16 of 6 minutes on average
	leastForImages = 350 * time.Minute // 600 of 35 s on average
)

// strategies are the rows of the table in docs/verda.md.
func strategies(t *testing.T) []strategy {
	var shoots []time.Duration
	for i := range 16 {
		shoots = append(shoots, time.Duration(i)*30*time.Minute)
	}
	everyHour := []string{}
	for hour := range 8 {
		everyHour = append(everyHour, fmt.Sprintf("0%d:25", hour))
	}
	return []strategy{
		{"16 videos, no keep-alive", videos, shoots, noPolls, upkeep.Care{}, leastForVideos},
		{"16 videos, keep-alive", videos, shoots, polls, upkeep.Care{}, leastForVideos},
		{"600 images, no keep-alive", images, workshop(), noPolls, upkeep.Care{}, leastForImages},
		{"600 images, keep-alive", images, workshop(), polls, upkeep.Care{}, leastForImages},
		{"600 images, keep-alive, hold while busy", images, workshop(), polls, upkeep.Care{Hold: upkeep.Hold{WhileBusy: true}}, leastForImages},
		{"600 images, keep-alive, warmed five minutes before each hour's bursts", images, workshop(), polls, care(t, "", everyHour...), leastForImages},
		{"600 images, keep-alive, held in workshop hours", images, workshop(), polls, care(t, "00:20-08:30"), leastForImages},
	}
}

// TestCost holds the table of docs/verda.md against the simulated platform, and
// with -cost writes it. What a scheduler may change from run to run is allowed for.
func TestCost(t *testing.T) {
	if raced {
		t.Skip("days of simulated work; run without -race")
	}
	const file = "../../../docs/verda.md"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all := strategies(t)
	days := make([]day, len(all))
	for i, st := range all {
		days[i] = st.cost(t)
	}
	if *costly {
		if err := os.WriteFile(file, []byte(withTable(string(raw), all, days)), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	told := costRows.FindAllStringSubmatch(string(raw), -1)
	if len(told) != len(all) {
		t.Fatalf("docs/verda.md has %d rows of cost, want %d: run go test ./internal/engine/fleet -run TestCost -cost", len(told), len(all))
	}
	for i, st := range all {
		if !like(told[i][1:], cells(st, days[i])) {
			t.Errorf("docs/verda.md says %q, simulated %q: run go test ./internal/engine/fleet -run TestCost -cost", told[i][1:], cells(st, days[i]))
		}
	}
	if no, yes := days[0], days[1]; no.killed == 0 || yes.killed != 0 || yes.left != 0 || yes.billed >= no.billed {
		t.Errorf("the polls do not save long renders: without %+v, with %+v", no, yes)
	}
}

// costRows are the table's rows: strategy, minutes billed, that against the
// least, replicas, renders lost, never rendered, mean wait.
var costRows = regexp.MustCompile(`(?m)^\| (\d+ \w+, [^|]+) \| (\d+) \| ([\d.]+) \| (\d+) \| (\d+) \| (\d+) \| ([\d.]+) \|$`)

func cells(st strategy, d day) []string {
	return []string{st.name, fmt.Sprintf("%.0f", d.billed.Minutes()), fmt.Sprintf("%.1f", float64(d.billed)/float64(st.least)),
		strconv.Itoa(d.replicas), strconv.Itoa(d.killed), strconv.Itoa(d.left), fmt.Sprintf("%.1f", d.waited.Minutes())}
}

// like compares two rows: the same strategy, and figures within a tenth or two
// of each other.
func like(told, simulated []string) bool {
	for i := range told {
		a, errA := strconv.ParseFloat(told[i], 64)
		b, errB := strconv.ParseFloat(simulated[i], 64)
		switch {
		case errA != nil || errB != nil:
			if told[i] != simulated[i] {
				return false
			}
		case math.Abs(a-b) > max(2, a/10) || i == 2 && math.Abs(a-b) > 0.3+a/10:
			return false
		}
	}
	return true
}

// withTable puts the rows into the document, in the place of those there.
func withTable(doc string, all []strategy, days []day) string {
	at := costRows.FindAllStringIndex(doc, -1)
	rows := ""
	for i, st := range all {
		rows += "| " + strings.Join(cells(st, days[i]), " | ") + " |\n"
	}
	return doc[:at[0][0]] + strings.TrimSuffix(rows, "\n") + doc[at[len(at)-1][1]:]
}
