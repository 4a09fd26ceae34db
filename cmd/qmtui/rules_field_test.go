package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/simulator"
)

// The rules for deployments, end to end: the manager as the daemon has it and
// the platform simulated, seen by API, command line, log and audit log.

// spare is the second deployment of these tests.
const spare = "h200-on-demand"

// onAPlatform gives a site two deployments of one prompt at a time, at 6 an
// hour (so a billing step costs 1), on a platform with a control API.
func onAPlatform(p *plan) {
	gpu := p.workers.Deployments[0]
	gpu.Replicas, gpu.ByLoad, gpu.ColdStart, gpu.ScaleDown = 1, true, 50*time.Millisecond, time.Hour
	other := gpu
	other.Name = spare
	p.workers.Deployments = []simulator.Deployment{gpu, other}
	p.workers.Platform = &simulator.Platform{ClientID: "id", ClientSecret: "secret"}
	underRules(&p.config, p.url)
}

// underRules is what the manager's configuration says of them.
func underRules(c *config.Config, url string) {
	c.Verda = config.Verda{APIURL: url + "/v1", ClientID: "id", ClientSecret: "secret"}
	c.Calendar.Timezone = midday()
	d := &c.Deployments[0]
	d.Driver, d.Capacity, d.PricePerHour = "verda", 1, 6
	other := *d
	other.Name, other.URL, other.Active = spare, url+"/"+spare, false
	c.Deployments = append(c.Deployments, other)
}

// heldWhileBusy are the rules of a manager that is killed.
func heldWhileBusy(c *config.Config, url string) {
	underRules(c, url)
	c.Deployments[0].Hold = "busy"
}

// midday is a time zone where it was noon when the tests began, so that none
// meets a midnight, nor another hour.
var midday = sync.OnceValue(func() string {
	return fmt.Sprintf("Etc/GMT%+d", time.Now().UTC().Hour()-12) // its sign is the wrong way round
})

// thisMinute is the time of day in that zone.
func thisMinute(t *testing.T) string {
	t.Helper()
	zone, err := time.LoadLocation(midday())
	check(t, err)
	return time.Now().In(zone).Format("15:04")
}

// cli runs a command line against the site, which must succeed.
func (s *site) cli(args ...string) string {
	s.Helper()
	var out, told bytes.Buffer
	if code := run(s.Context(), append(args, "--server", s.config.Server.Socket), strings.NewReader(""), &out, &told); code != 0 {
		s.Fatalf("qmtui %s: exit code %d, %s", strings.Join(args, " "), code, told.String())
	}
	return out.String()
}

// deeds is the audit log as "verb (target, result)", oldest first.
func (s *site) deeds(match string) []string {
	s.Helper()
	all, err := s.client.Audit(s.Context(), 1000, time.Time{}, match)
	check(s.T, err)
	out := []string{}
	for _, e := range slices.Backward(all) {
		out = append(out, e.Verb+" ("+e.Target+", "+e.Result+")")
	}
	return out
}

// wantDeeds waits for what the rules did, and expects the command line to tell
// the same.
func (s *site) wantDeeds(want ...string) {
	s.Helper()
	s.eventually("the audit log has "+strings.Join(want, "; "), func() bool { return slices.Equal(s.deeds("rule"), want) })
	told := s.cli("audit", "--match", "rule")
	for _, w := range want {
		verb, rest, _ := strings.Cut(w, " (")
		target, _, _ := strings.Cut(rest, ",")
		if !strings.Contains(told, verb) || !strings.Contains(told, target) {
			s.Errorf("qmtui audit does not tell %s:\n%s", w, told)
		}
	}
}

// warned waits for a warning with a sentence and a next step, and expects the
// command line to tell it.
func (s *site) warned(code, say string) {
	s.Helper()
	s.eventually("the warning "+code, func() bool { _, ok := s.standing(code); return ok })
	w, _ := s.standing(code)
	if !strings.Contains(w.Message, say) || w.Hint == "" || w.At.IsZero() {
		s.Errorf("%s: %+v, want a sentence with %q, a next step and a time", code, w, say)
	}
	if told := s.cli("queue", "status"); !strings.Contains(told, code+": ") || !strings.Contains(told, w.Hint) {
		s.Errorf("qmtui queue status does not tell %s:\n%s", code, told)
	}
}

// unwarned waits until a warning is over.
func (s *site) unwarned(code string) {
	s.Helper()
	s.eventually(code+" is over", func() bool { _, ok := s.standing(code); return !ok })
}

func (s *site) standing(code string) (job.Warning, bool) {
	s.Helper()
	q, err := s.client.QueueStatus(s.Context())
	check(s.T, err)
	i := slices.IndexFunc(q.Warnings, func(w job.Warning) bool { return w.Code == code })
	if i < 0 {
		return job.Warning{}, false
	}
	return q.Warnings[i], true
}

func (s *site) worker(name string) api.Worker {
	s.Helper()
	all, err := s.client.Workers(s.Context())
	check(s.T, err)
	i := slices.IndexFunc(all, func(w api.Worker) bool { return w.Name == name })
	return all[i]
}

// logged waits for a line of the manager's log with all of these in it.
func (s *site) logged(words ...string) {
	s.Helper()
	s.eventually("the log has "+strings.Join(words, ", "), func() bool { return s.log.has(words...) })
}

// least asks the platform for a deployment's min_replica_count.
func (s *site) least(name string) int {
	s.Helper()
	var token struct {
		Access string `json:"access_token"`
	}
	s.platform(http.MethodPost, "/oauth2/token", "", `{"grant_type":"client_credentials","client_id":"id","client_secret":"secret"}`, &token)
	var scaling struct {
		Least int `json:"min_replica_count"`
	}
	s.platform(http.MethodGet, "/container-deployments/"+name+"/scaling", token.Access, "", &scaling)
	return scaling.Least
}

func (s *site) platform(method, path, token, body string, into any) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.url+"/v1"+path, strings.NewReader(body))
	check(s.T, err)
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	check(s.T, err)
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	check(s.T, errors.Join(err, json.Unmarshal(b, into)))
}

// changes counts what was changed on the platform.
func (s *site) changes() int {
	n := 0
	for _, c := range s.fleet.ControlCalls() {
		if strings.HasPrefix(c, http.MethodPatch) {
			n++
		}
	}
	return n
}

// A replica is held while jobs are in flight. The manager is killed meanwhile,
// so nobody gives it back; the next one does, when nothing is in flight.
func TestRulesHoldAReplica(t *testing.T) {
	t.Parallel()
	s := openSite(t, func(p *plan) {
		p.apart, p.with = true, "held while busy"
		onAPlatform(p)
		p.workers.Render = simulator.Span{Min: time.Second, Max: time.Second}
	})
	kill := s.spawn()
	if n := s.least(demo.Deployment); n != 0 {
		t.Fatalf("min_replica_count is %d before anything", n)
	}
	for range 45 { // enough work for as long as it is looked at
		s.submit("user001", saving("held"))
	}
	s.eventually("a replica is held", func() bool { return s.least(demo.Deployment) == 1 && s.worker(demo.Deployment).Held != nil })
	s.warned("replica_held", "(min_replica_count was 0), which costs 6.00 an hour, because jobs ")
	s.logged("holds a replica", "deployment="+demo.Deployment)
	s.wantDeeds("hold a replica (" + demo.Deployment + ", ok)")
	if told := s.cli("workers", "list"); !strings.Contains(told, "one replica held since") {
		t.Errorf("qmtui workers list:\n%s", told)
	}
	kill()
	if n := s.least(demo.Deployment); n != 1 {
		t.Fatalf("a manager that was killed gave back: %d", n)
	}
	s.spawn()
	s.cli("jobs", "cancel", "--user", "user001", "--state", "queued", "--yes")
	s.eventually("it is given back", func() bool { return s.least(demo.Deployment) == 0 })
	s.unwarned("replica_held")
	s.logged("gave the held replica back", "min_replica_count=0")
	s.wantDeeds("hold a replica ("+demo.Deployment+", ok)", "give the replica back ("+demo.Deployment+", ok)")
	if n := s.least(spare); n != 0 || s.changes() != 2 { // not two for every job
		t.Errorf("the other deployment has %d; the platform was changed %d times", n, s.changes())
	}
}

func (s *site) job(id job.ID) api.Job {
	s.Helper()
	j, err := s.client.Job(s.Context(), id)
	check(s.T, err)
	return j
}

// A schedule wakes the active deployment once, also over a restart; the guard
// leaves a warm-up out that would cost more than it may.
func TestRulesWarmUpBySchedule(t *testing.T) {
	t.Parallel()
	at := thisMinute(t)
	s := openSite(t, func(p *plan) {
		onAPlatform(p)
		for i := range p.config.Deployments { // both, and only one is active
			p.config.Deployments[i].WarmAt, p.config.Deployments[i].WarmMaxCost = []string{at}, 3
			p.config.Deployments[i].WarmFor = config.Duration(15 * time.Minute)
		}
	})
	s.eventually("it is warm", func() bool { return s.worker(demo.Deployment).State == job.WarmthWarm })
	s.wantDeeds("leave a warm-up out ("+spare+", skipped)", "warm by schedule ("+demo.Deployment+", ok)")
	s.logged("warms up by schedule", "deployment="+demo.Deployment, "cost=2")
	s.warned("warmup_skipped", spare+" was not warmed up by schedule: jobs do not go there")
	if told := s.cli("workers", "list"); !strings.Contains(told, "warmed "+at) {
		t.Errorf("qmtui workers list:\n%s", told)
	}
	s.halt()
	s.start()
	s.submitAndDeliver("after-the-restart") // many turns of the loop
	s.wantDeeds("leave a warm-up out ("+spare+", skipped)", "warm by schedule ("+demo.Deployment+", ok)")
	if n := len(s.fleet.Leases(demo.Deployment)); n != 1 {
		t.Errorf("%d replicas were started for one warm-up", n)
	}
	if n := len(s.fleet.Leases(spare)); n != 0 || s.changes() != 0 {
		t.Errorf("%d replicas of the other, %d changes on the platform", n, s.changes())
	}
}

// submitAndDeliver takes one job to its end.
func (s *site) submitAndDeliver(prefix string) api.Job {
	s.Helper()
	return s.awaitEnd(s.submit("user001", saving(prefix)).ID, job.Done)
}

func TestRulesGuardTheCostOfWarmUps(t *testing.T) {
	t.Parallel()
	at := thisMinute(t)
	s := openSite(t, func(p *plan) {
		onAPlatform(p)
		d := &p.config.Deployments[0]
		d.WarmAt, d.WarmFor, d.WarmMaxCost = []string{at}, config.Duration(15*time.Minute), 1.99
	})
	s.warned("warmup_skipped", "it would cost about 2.00, and warm_max_cost allows 1.99 a day")
	s.wantDeeds("leave a warm-up out (" + demo.Deployment + ", skipped)")
	s.logged("left a scheduled warm-up out", "deployment="+demo.Deployment)
	if n := len(s.fleet.Leases(demo.Deployment)); n != 0 {
		t.Fatalf("%d replicas were started against the guard", n)
	}
	s.cli("workers", "warm", demo.Deployment, "--yes") // a person may
	s.unwarned("warmup_skipped")
	if all := s.deeds("warm"); !slices.Contains(all, "warm ("+demo.Deployment+", ok)") {
		t.Errorf("the audit log has %q", all)
	}
}

// A budget sends nothing more, until a person goes on knowingly.
func TestRulesStopAtABudget(t *testing.T) {
	t.Parallel()
	s := openSite(t, func(p *plan) {
		onAPlatform(p)
		p.config.Deployments[0].BudgetPerDay = 1.5 // one step, and not a second
	})
	s.submitAndDeliver("within")
	s.warned("budget_reached", "today cost about 1.00, and one more step would break the cap of 1.50 of "+demo.Deployment)
	s.logged("a budget pauses a deployment", "deployment="+demo.Deployment, "cap=1.5")
	s.wantDeeds("budget pause (" + demo.Deployment + ", budget_reached)")
	waits := s.submit("user002", saving("beyond"))
	s.await(waits.ID, "told why it waits", func(j api.Job) bool { return strings.Contains(j.Phase, "budget") })
	s.cli("queue", "resume") // ends a pause, and no budget
	s.warned("budget_reached", "no job is sent to "+demo.Deployment)
	if s.job(waits.ID).State != job.Queued || s.executions() != 1 {
		t.Fatalf("a job was sent beyond the budget: %s, %d executions", s.job(waits.ID).State, s.executions())
	}
	if told := s.cli("spend"); !strings.Contains(told, "1.00") || !strings.Contains(told, "1.50") {
		t.Errorf("qmtui spend:\n%s", told)
	}
	s.cli("queue", "resume", "--over-budget")
	s.awaitEnd(waits.ID, job.Done)
	who := s.deedOf("lift the budget")
	s.warned("budget_lifted", "beyond the cap of 1.50 of "+demo.Deployment+"; "+who.Actor+" lifted it")
	s.wantDeeds("budget pause ("+demo.Deployment+", budget_reached)", "budget pause ends ("+demo.Deployment+", ok)")
}

// deedOf is the only one with that verb.
func (s *site) deedOf(verb string) api.AuditEntry {
	s.Helper()
	all, err := s.client.Audit(s.Context(), 1000, time.Time{}, verb)
	check(s.T, err)
	if len(all) != 1 || all[0].Actor == "" || all[0].Via != "socket" {
		s.Fatalf("%s: %+v", verb, all)
	}
	return all[0]
}

// brokenAfter passes two prompts on to the first deployment, the second
// without its answer, and lets the deployment fail from then on.
type brokenAfter struct {
	fleet   http.Handler
	prompts atomic.Int32
}

func (b *brokenAfter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/"+demo.Deployment+"/") {
		b.fleet.ServeHTTP(w, r)
		return
	}
	n := b.prompts.Load()
	if isPrompt(r) {
		n = b.prompts.Add(1)
	}
	switch {
	case n < 2 || !isPrompt(r) && n == 0:
		b.fleet.ServeHTTP(w, r)
	case n == 2 && isPrompt(r):
		b.fleet.ServeHTTP(nowhere{http.Header{}}, r)
		panic(http.ErrAbortHandler)
	default:
		http.Error(w, "no healthy upstream", http.StatusServiceUnavailable)
	}
}

// nowhere takes an answer that its caller never gets.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

// A deployment that fails hands over. What was accepted, and what nobody
// answered for, stays there and is rendered once; what was never accepted moves.
func TestRulesFailOver(t *testing.T) {
	t.Parallel()
	s := openSite(t, func(p *plan) {
		onAPlatform(p)
		for i := range p.config.Deployments {
			p.config.Deployments[i].Driver, p.config.Deployments[i].Capacity = "comfyui", 2
		}
		d := &p.config.Deployments[0]
		d.FailoverTo, d.FailoverOn, d.FailoverFor = []string{spare}, []string{"failing"}, config.Duration(time.Second)
		p.config.Users.MaxRunning, p.config.Queue.Retries = 10, 5
		p.front = func(fleet http.Handler) http.Handler { return &brokenAfter{fleet: fleet} }
		p.workers.Render = simulator.Span{Min: 2 * time.Second, Max: 2 * time.Second}
	})
	var jobs []api.Job
	for n := range 4 {
		jobs = append(jobs, s.submit("user001", saving(demo.Prefix("user001", n, "moved"))))
	}
	s.warned("failed_over", "jobs go to "+spare+" instead of "+demo.Deployment)
	s.logged("handed over to another deployment", "from="+demo.Deployment, "to="+spare, "trouble=failing")
	s.wantDeeds("failover to " + spare + " (" + demo.Deployment + ", failing)")
	for i, j := range jobs {
		j = s.awaitEnd(j.ID, job.Done)
		want := spare
		if i < 2 {
			want = demo.Deployment
			if len(j.Attempts) != 1 {
				t.Errorf("job %d has %d attempts, want the one that was sent", i, len(j.Attempts))
			}
		}
		if j.Deployment != want {
			t.Errorf("job %d was rendered on %s, want %s", i, j.Deployment, want)
		}
	}
	if n := s.executions(); n != len(jobs) {
		t.Errorf("%d executions of %d jobs", n, len(jobs))
	}
	s.judge()
	if w := s.worker(spare); !w.Active {
		t.Errorf("the API says of %s: %+v", spare, w)
	}
	s.cli("workers", "use", demo.Deployment) // a person's choice ends it
	s.unwarned("failed_over")
}

// With every rule off, or on and without its occasion, a manager with an
// account only looks: no deployment is asked, nothing is changed.
func TestRulesDoNothingUnasked(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*config.Config){
		"off": func(*config.Config) {},
		"on, without an occasion": func(c *config.Config) {
			d := &c.Deployments[0]
			d.Hold, d.HoldWindows = "both", []string{"03:00-04:00"}  // it is noon
			d.WarmAt, d.WarmMaxCost = []string{"03:00", "20:00"}, 99 // long ago, and to come
			d.FailoverTo, d.BudgetPerDay = []string{spare}, 100
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32 // requests that would wake a deployment
			s := openSite(t, func(p *plan) {
				onAPlatform(p)
				change(&p.config)
				p.front = func(fleet http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if !strings.HasPrefix(r.URL.Path, "/v1/") {
							asked.Add(1)
						}
						fleet.ServeHTTP(w, r)
					})
				}
			})
			s.eventually("the platform was looked at", func() bool { return s.worker(spare).Evidence == job.ByPlatform })
			s.cli("workers", "list")
			s.cli("doctor", "--by-manager", "--json")
			if a, b := len(s.fleet.Leases(demo.Deployment)), len(s.fleet.Leases(spare)); a+b > 0 || s.changes() > 0 || asked.Load() > 0 {
				t.Errorf("unasked: %d and %d replicas, %d changes, %d requests", a, b, s.changes(), asked.Load())
			}
			s.wantDeeds()
		})
	}
}
