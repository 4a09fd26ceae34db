package engine

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/comfyume/qmtui/internal/job"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// jobAt makes a job of a user in a state, the n-th submitted.
func jobAt(user string, n int, s job.State, p job.Priority) *job.Job {
	id := job.ID(fmt.Sprintf("00000000-0000-7000-8000-%012d", n))
	return &job.Job{Spec: job.Spec{ID: id, User: user, Submitted: noon.Add(time.Duration(n) * time.Second)}, Priority: p, Want: job.WantRun,
		Attempts: []job.Attempt{{N: 1, State: s}}}
}

func queue(specs ...string) []*job.Job {
	var jobs []*job.Job
	for i, s := range specs {
		f := strings.Fields(s)
		state, p := job.Queued, job.Normal
		for _, w := range f[1:] {
			switch w {
			case "running":
				state = job.Running
			case "instructor":
				p = job.Instructor
			case "high":
				p = job.High
			case "low":
				p = job.Low
			}
		}
		jobs = append(jobs, jobAt(f[0], i, state, p))
	}
	return jobs
}

func TestOrder(t *testing.T) {
	tests := []struct {
		name    string
		jobs    []*job.Job
		charges map[string]float64
		fifo    bool
		cap     int
		want    string
	}{
		{name: "by age when nobody has used anything", jobs: queue("a", "b", "c"), want: "a0 b1 c2"},
		{name: "one user's many do not starve another's one", jobs: queue("a", "a", "a", "b"), want: "a0 b3 a1 a2"},
		{name: "measured GPU time counts, not jobs", jobs: queue("a", "b"), charges: map[string]float64{"a": 600, "b": 5}, want: "b1 a0"},
		{name: "what is in flight counts too", jobs: queue("a running", "a", "b"), want: "b2 a1"},
		{name: "priorities order a user's own", jobs: queue("a low", "a", "a high"), want: "a2 a1 a0"},
		{name: "a high priority does not pass other users", jobs: queue("b", "a high"), want: "b0 a1"},
		{name: "the instructor passes everybody", jobs: queue("a", "b", "t instructor"), charges: map[string]float64{"t": 9000}, want: "t2 a0 b1"},
		{name: "the cap on running jobs holds", jobs: queue("a running", "a running", "a", "b"), cap: 2, want: "b3"},
		{name: "fifo is by priority and age", jobs: queue("a low", "b", "b", "a high"), fifo: true, want: "a3 b1 b2 a0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := View{Now: noon, Jobs: tt.jobs, Charges: tt.charges, Estimate: 30 * time.Second, Policy: Policy{FIFO: tt.fifo, MaxRunning: cmp.Or(tt.cap, 10)}}
			var got []string
			for _, j := range v.Order(100, nil) {
				got = append(got, fmt.Sprintf("%s%d", j.User, int(j.Submitted.Sub(noon).Seconds())))
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("order %q, want %q", s, tt.want)
			}
		})
	}
}

// TestFairShareOverTime replays a user of long videos beside users of short
// images (field.md, case 12) and looks at the GPU seconds each one got.
func TestFairShareOverTime(t *testing.T) {
	length := map[string]float64{"video": 240, "image1": 20, "image2": 20}
	got, charges := map[string]float64{}, map[string]float64{}
	for range 300 {
		v := View{Now: noon, Jobs: queue("video", "image1", "image2"), Charges: charges, Policy: Policy{MaxRunning: 2}}
		u := v.Order(1, nil)[0].User
		got[u] += length[u]
		charges[u] += length[u]
	}
	if got["video"] > 1.2*got["image1"] || got["image1"] > 1.2*got["video"] {
		t.Errorf("GPU seconds %v", got)
	}
}

func TestEqualViewsGiveEqualPlans(t *testing.T) {
	v := View{Now: noon, Mode: job.ModeRunning, Jobs: queue("a", "b", "a running", "c low"), Policy: Policy{}.filled(), Slots: []Slot{{Deployment: "gpu", Free: 2}}}
	first := Plan(v)
	if len(first) == 0 {
		t.Fatal("nothing was planned")
	}
	for range 20 {
		if again := Plan(v); !reflect.DeepEqual(first, again) {
			t.Fatalf("%v\nand then\n%v", first, again)
		}
	}
}

func TestScheduleRespectsSlotsAndWaits(t *testing.T) {
	jobs := queue("a", "b", "c")
	jobs[0].Attempts[0].NotBefore = noon.Add(time.Hour)
	v := View{Now: noon, Mode: job.ModeRunning, Jobs: jobs, Policy: Policy{}.filled(), Slots: []Slot{{Deployment: "gpu", Free: 1}}}
	facts := v.schedule()
	if len(facts) != 1 || facts[0].Job != jobs[1].ID || facts[0].Deployment != "gpu" {
		t.Errorf("planned %+v", facts)
	}
}

// TestScheduleByName: a deployment that is not active takes what names it and
// nothing else, and a user's cap holds over all of them.
func TestScheduleByName(t *testing.T) {
	slots := []Slot{{Deployment: "active", Free: 2}, {Deployment: "other", Free: 1, ByName: true}, {Deployment: "full", ByName: true}}
	for name, c := range map[string]struct {
		jobs []*job.Job
		on   map[int]string // which deployment the n-th job names
		cap  int
		want string
	}{
		"nobody names one":              {jobs: queue("a", "b", "c"), want: "a0 active, b1 active"},
		"one names the other":           {jobs: queue("a", "b", "c"), on: map[int]string{2: "other"}, want: "a0 active, b1 active, c2 other"},
		"the named one waits for room":  {jobs: queue("a", "b", "c", "d"), on: map[int]string{0: "full", 1: "full", 2: "gone"}, want: "d3 active"},
		"one names the active one":      {jobs: queue("a", "a", "b high"), on: map[int]string{2: "active"}, want: "a0 active, b2 active"},
		"only one fits there":           {jobs: queue("a", "b"), on: map[int]string{0: "other", 1: "other"}, want: "a0 other"},
		"the cap holds over both":       {jobs: queue("a", "a", "a"), on: map[int]string{2: "other"}, cap: 2, want: "a0 active, a1 active"},
		"what was sent there is charge": {jobs: queue("a running", "a", "b", "b"), on: map[int]string{1: "other"}, want: "b2 active, b3 active, a1 other"},
	} {
		v := View{Now: noon, Mode: job.ModeRunning, Jobs: c.jobs, Policy: Policy{MaxRunning: c.cap}.filled(), Slots: slots}
		for n, d := range c.on {
			c.jobs[n].Spec.Deployment = d
		}
		var got []string
		for _, f := range v.schedule() {
			for n, j := range c.jobs {
				if j.ID == f.Job {
					got = append(got, fmt.Sprintf("%s%d %s", j.User, n, f.Deployment))
				}
			}
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
	}
}

func TestPromptIDs(t *testing.T) {
	id := job.ID(uuid.NewString())
	seen := map[string]bool{}
	for n := 1; n <= 50; n++ {
		p := PromptID(id, n)
		u, err := uuid.Parse(p)
		if err != nil || u.String() != p || p != strings.ToLower(p) {
			t.Errorf("%q is not a canonical lower-case UUID", p)
		}
		if seen[p] || p == string(id) {
			t.Errorf("%q is not fresh", p)
		}
		if again := PromptID(id, n); again != p {
			t.Errorf("computed again it is %q, not %q", again, p)
		}
		seen[p] = true
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 400 * time.Millisecond: "0s", 59 * time.Second: "59s", 100 * time.Second: "1m40s", 5 * time.Minute: "5m",
		time.Hour: "1h", 90 * time.Minute: "1h30m", 10 * time.Minute: "10m", -time.Second: "0s",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestCharges(t *testing.T) {
	var c charges
	c.add("a", 100, noon)
	c.add("b", 10, noon)
	got := c.now(noon.Add(halfLife))
	if a, b := got["a"], got["b"]; a < 49.9 || a > 50.1 || b < 4.9 || b > 5.1 {
		t.Errorf("after one half-life %v", got)
	}
}

func TestUsed(t *testing.T) {
	at := func(k job.Kind, s int) job.Witness {
		return job.Witness{Kind: k, At: noon.Add(time.Duration(s) * time.Second)}
	}
	tests := []struct {
		name string
		w    []job.Witness
		want time.Duration
	}{
		{"never accepted", []job.Witness{at(job.Assigned, 0)}, 0},
		{"from the start marker", []job.Witness{at(job.Acknowledged, 0), at(job.Started, 100)}, 20 * time.Second},
		{"without a marker from the acceptance", []job.Witness{at(job.Acknowledged, 60)}, time.Minute},
		{"bounded", []job.Witness{at(job.Started, -9000)}, time.Hour},
	}
	for _, tt := range tests {
		if got := Used(job.Attempt{Witnesses: tt.w}, noon.Add(2*time.Minute), time.Hour); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
