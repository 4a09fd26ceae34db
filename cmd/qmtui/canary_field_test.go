package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/doctor"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/simulator"
)

// ways are the two drivers, each before the platform that it is for.
var ways = []struct {
	driver string
	change func(*plan)
}{
	{"comfyui", func(*plan) {}},
	{"verda", func(p *plan) { p.config.Deployments[0].Driver, p.workers.Platform = "verda", &simulator.Platform{} }},
}

// TestCanary lets a canary fly through the whole system, with one thing wrong
// at a time, and reads what doctor says of it.
func TestCanary(t *testing.T) {
	clone := func(p *plan) { p.workers.Outputs = p.scene.Dir + "/clone" }
	hasty := func(p *plan) {
		p.config.Queue.EvidenceTimeout, p.config.Queue.RunTimeout = config.Duration(2*time.Second), config.Duration(patience/4) // before the canary's limit
	}
	for _, c := range []struct {
		name   string
		change []func(*plan)
		want   string // verdicts of accepted, share and delivered
		says   string // in one of the reasons
	}{
		{"all is well", nil, "accepted came delivered", "was taken away again"},
		{"all is well behind a password file", []func(*plan){withPasswords}, "accepted came delivered", "was taken away again"},
		{"asleep", []func(*plan){func(p *plan) { p.workers.Deployments[0].ColdStart = 2 * time.Second }}, "accepted came delivered", "took it after "},
		{"another volume, and a worker who tells", []func(*plan){clone, func(p *plan) { p.workers.Balance = simulator.Sticky }}, "accepted elsewhere not_reached", "clone as it sees it"},
		{"another volume, and nobody tells", []func(*plan){clone, hasty, func(p *plan) { p.workers.Balance = simulator.Never }}, "accepted never not_reached", "no sign of it appeared"},
		{"no --output-directory", []func(*plan){func(p *plan) { p.workers.Deployments[0].ContainerDisk = p.scene.Dir + "/disk" }}, "accepted no_output_directory not_reached", ""},
		{"another key", []func(*plan){func(p *plan) { p.config.Deployments[0].Key = "another" }}, "key not_reached not_reached", "404"},
		{"a refusal", []func(*plan){func(p *plan) { p.front = misspelling }}, "refused not_reached not_reached", "EmptyImageX"},
		{"the worker breaks", []func(*plan){func(p *plan) { p.workers.Faults.ExecutionError, p.workers.Balance = 1, simulator.Sticky }}, "accepted broke not_reached", "the worker says"},
		{"the replica is taken away", []func(*plan){hasty, func(p *plan) { p.workers.Faults.KilledReplica = 1 }}, "accepted never not_reached", "no file came"},
	} {
		for _, w := range ways {
			t.Run(c.name+", "+w.driver, func(t *testing.T) {
				t.Parallel() // most of it is waiting
				s := openSite(t, func(p *plan) {
					p.mkdir(t, "clone")
					p.mkdir(t, "disk")
					w.change(p)
					for _, f := range c.change {
						f(p)
					}
				})
				got := s.flyCanary(t.Context())
				if v := verdicts(got, "canary-accepted", "canary-share", "canary-delivered"); v != c.want {
					t.Errorf("it says %s, want %s:\n%s", v, c.want, reasons(got))
				}
				if !strings.Contains(reasons(got), c.says) {
					t.Errorf("nothing says %q:\n%s", c.says, reasons(got))
				}
				if way := verdicts(got, "canary-way"); w.driver == "verda" && strings.HasPrefix(c.want, "accepted") && way != "async" || w.driver != "verda" && way != "" {
					t.Errorf("the way is %q:\n%s", way, reasons(got))
				}
				s.wantNoCanary(got)
			})
		}
	}
}

// TestCanaryFindsTheWay: where the platform does not hold prompts, the canary
// goes the plain way, and says so and why.
func TestCanaryFindsTheWay(t *testing.T) {
	for async, why := range map[simulator.Async]string{simulator.AsyncRefused: "the platform refused: ", simulator.AsyncIgnored: "ComfyUI itself answered"} {
		s := openSite(t, func(p *plan) {
			p.config.Deployments[0].Driver, p.workers.Platform = "verda", &simulator.Platform{Async: async}
		})
		got := s.flyCanary(t.Context())
		if v := verdicts(got, "canary-accepted", "canary-way", "canary-share", "canary-delivered"); v != "accepted plain came delivered" || !strings.Contains(reasons(got), why) {
			t.Errorf("it says %s:\n%s", v, reasons(got))
		}
	}
}

// TestCanaryToEachDeployment: one that nobody uses now is tried as well, and
// stays unused: jobs go on to the active one.
func TestCanaryToEachDeployment(t *testing.T) {
	t.Parallel() // it waits for what never comes
	s := openSite(t, func(p *plan) {
		onAPlatform(p)
		p.workers.Deployments[1].ContainerDisk = p.mkdir(t, "disk")
		p.config.Queue.EvidenceTimeout = config.Duration(patience / 2) // of the good one, too
	})
	got := doctor.Visit{Config: s.config, Manager: s.client, Prompts: examplePrompts()}.Fly(t.Context(), doctor.Canary{Here: true, Limit: patience, To: []string{demo.Deployment, spare}})
	if v := verdicts(got, "canary-accepted", "canary-share", "canary-delivered"); v != "accepted accepted came no_output_directory delivered not_reached" {
		t.Errorf("it says %s:\n%s", v, reasons(got))
	}
	for _, r := range got[len(got)-3:] {
		if r.Subject != spare {
			t.Errorf("%+v is not about %s", r, spare)
		}
	}
	q, err := s.client.QueueStatus(t.Context())
	check(t, err)
	j := s.submitAndDeliver("after")
	if q.Active != demo.Deployment || j.Deployment != demo.Deployment {
		t.Errorf("%s is active, and a job went to %s", q.Active, j.Deployment)
	}
	s.wantNoCanary(got)
}

// TestCanaryIsTakenBack: whoever stops doctor in a cold start pays for no render
// that nobody waits for, and what comes all the same is taken away by the next.
func TestCanaryIsTakenBack(t *testing.T) {
	t.Parallel()
	for _, w := range ways {
		t.Run(w.driver, func(t *testing.T) {
			s := openSite(t, func(p *plan) {
				w.change(p)
				p.workers.Deployments[0].ColdStart = time.Second
				p.workers.Render = simulator.Span{Min: time.Second, Max: time.Second}
			})
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			got := doctor.Visit{Config: s.config, Manager: s.client, Prompts: examplePrompts()}.Fly(ctx, doctor.Canary{Here: true, Tell: func(j api.Job) {
				if j.State == job.Submitting {
					stop()
				}
			}})
			if v := verdicts(got, "canary-accepted", "canary-share", "canary-delivered"); v != "interrupted not_reached not_reached" {
				t.Fatalf("it says %s:\n%s", v, reasons(got))
			}
			page, err := s.client.Jobs(t.Context(), api.Query{Limit: 10})
			check(t, err)
			if len(page.Items) != 1 {
				t.Fatalf("%d jobs", len(page.Items))
			}
			s.awaitEnd(page.Items[0].ID, job.Cancelled)
			s.eventually("the fleet rests", s.fleet.Idle)
			// The platform may render it all the same, at any time; what comes is
			// taken away by the canary after that. Its folder stays: nobody knows
			// who made it.
			s.eventually("the next canaries leave nothing", func() bool {
				got := s.flyCanary(t.Context())
				return verdicts(got, "canary-delivered") == "delivered" && s.fleet.Idle() && len(s.delivered(doctor.CanaryUser)) == 0
			})
		})
	}
}

// flyCanary is what doctor --canary --yes does after its other looks.
func (s *site) flyCanary(ctx context.Context) []doctor.Result {
	return doctor.Visit{Config: s.config, Manager: s.client, Prompts: examplePrompts()}.Fly(ctx, doctor.Canary{Here: true, Limit: patience})
}

// wantNoCanary expects that no job of a canary is open, and no picture of one left.
func (s *site) wantNoCanary(got []doctor.Result) {
	s.Helper()
	if files := s.delivered(doctor.CanaryUser); len(files) != 0 {
		s.Errorf("%v is left after\n%s", files, reasons(got))
	}
	if _, err := os.Lstat(filepath.Join(s.config.Users.Outputs, doctor.CanaryUser)); err == nil {
		s.Errorf("its folder is left")
	}
	s.eventually("no canary is open", func() bool {
		page, err := s.client.Jobs(s.Context(), api.Query{Limit: 10})
		check(s.T, err)
		for _, j := range page.Items {
			if !j.State.Terminal() {
				return false
			}
		}
		return true
	})
}

// verdicts are the codes of those checks that said something, in that order.
func verdicts(all []doctor.Result, names ...string) string {
	var codes []string
	for _, n := range names {
		for _, r := range all {
			if r.Name == n {
				codes = append(codes, r.Code)
			}
		}
	}
	return strings.Join(codes, " ")
}

func reasons(all []doctor.Result) string {
	var b strings.Builder
	for _, r := range all {
		b.WriteString(r.Name + " " + r.Code + ": " + r.Reason + "\n")
	}
	return b.String()
}

// withPasswords has a password file that knows nobody of the name of the canary's user.
func withPasswords(p *plan) {
	p.config.Auth.Mode, p.config.Auth.Htpasswd = "login", filepath.Join(p.scene.Dir, "htpasswd")
	p.before = func(p plan) {
		if err := os.WriteFile(p.config.Auth.Htpasswd, []byte("user001:$2y$05$"+strings.Repeat("a", 53)+"\n"), 0o600); err != nil {
			panic(err)
		}
	}
}

// misspelling changes prompts on their way, so that the worker itself refuses them.
func misspelling(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isPrompt(r) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			body = bytes.ReplaceAll(body, []byte(`"EmptyImage"`), []byte(`"EmptyImageX"`))
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		}
		next.ServeHTTP(w, r)
	})
}
