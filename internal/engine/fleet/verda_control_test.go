package fleet

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

func logIns(s *scene) int {
	n := 0
	for _, c := range s.sim.ControlCalls() {
		if c == "POST /oauth2/token" {
			n++
		}
	}
	return n
}

func TestControlTokenIsRenewed(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t)
		_, stop := start(t, f)
		defer stop()
		elapse(t, 10*time.Minute)
		if n := logIns(s); n != 1 {
			t.Errorf("%d log-ins in ten minutes", n)
		}
		s.sim.ExpireTokens()
		elapse(t, 5*time.Minute)
		if n := logIns(s); n != 2 {
			t.Errorf("%d log-ins after the token was taken back, want one more", n)
		}
		elapse(t, 2*time.Hour)
		if n := logIns(s); n != 4 {
			t.Errorf("%d log-ins, want one for each hour", n)
		}
		if d := f.Deployments()[0]; d.Error != nil || strings.Contains(s.logged.String(), "control API") {
			t.Errorf("trouble %v, log %s", d.Error, s.logged)
		}
	})
}

// Before its end, so that no call meets a token that just ended.
func TestControlTokenIsRenewedBeforeItsEnd(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		c := newControl(s.fleet(t).opts)
		if _, err := c.status(t.Context(), "gpu"); err != nil {
			t.Fatal(err)
		}
		elapse(t, 59*time.Minute+30*time.Second)
		if _, err := c.status(t.Context(), "gpu"); err != nil {
			t.Fatal(err)
		}
		want := []string{"POST /oauth2/token", "GET /container-deployments/gpu/status", "POST /oauth2/token", "GET /container-deployments/gpu/status"}
		if got := s.sim.ControlCalls(); strings.Join(got, ",") != strings.Join(want, ",") {
			t.Errorf("calls %v, want %v", got, want)
		}
	})
}

func TestControlWrongSecretShows(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t, func(o *Options) { o.Control.Secret = "wrong-hush" })
		_, stop := start(t, f)
		defer stop()
		elapse(t, 10*time.Minute)
		d := f.Deployments()[0]
		if codeOf(d.Error) != "control_api" || d.State != job.WarmthUnknown {
			t.Errorf("%s %v", d.State, d.Error)
		}
		text := d.Error.Error() + s.logged.String()
		if strings.Contains(text, "wrong-hush") || strings.Count(text, "level=WARN") != 1 {
			t.Errorf("says %s", text)
		}
		if got := <-submitting(t, f, onVerda(1)); got.Kind != job.Acknowledged {
			t.Errorf("without the control API: %+v", got)
		}
	})
}

func TestControlHonours429(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		c := newControl(s.fleet(t).opts)
		if _, err := c.status(t.Context(), "gpu"); err != nil {
			t.Fatal(err)
		}
		s.sim.Throttle(1, "40")
		_, err := c.status(t.Context(), "gpu")
		var e *ControlError
		if !errors.As(err, &e) || e.Status != http.StatusTooManyRequests || e.Code != "too_many_requests" {
			t.Errorf("error = %v", err)
		}
		began := time.Now()
		if _, err := c.status(t.Context(), "gpu"); err != nil || time.Since(began) != 40*time.Second {
			t.Errorf("the next call after %v, %v; want 40s", time.Since(began), err)
		}
	})
}

func TestControlKeepsItsRate(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		c := newControl(s.fleet(t).opts)
		began, done := time.Now(), make(chan error)
		for range 20 {
			go func() { _, err := c.status(t.Context(), "gpu"); done <- err }()
		}
		for range 20 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took != 20*between {
			t.Errorf("21 calls took %v, want %v", took, 20*between)
		}
	})
}

func TestControlReadsReplicasAndScaling(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t)
		<-submitting(t, f, onVerda(1))
		c := newControl(f.opts)
		r, err := c.replicas(t.Context(), "gpu")
		lease := s.sim.Leases("gpu")[0]
		if err != nil || len(r) != 1 || r[0].ID != lease.Replica || !r[0].Started.Equal(lease.From.Truncate(time.Second)) || r[0].Status != "running" {
			t.Errorf("%+v, %v", r, err)
		}
		if got, err := c.scaling(t.Context(), "gpu"); err != nil || got != (Scaling{Least: 0, Most: 3}) {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := c.status(t.Context(), "nobody"); err == nil {
			t.Error("an unknown deployment has a status")
		}
	})
}

func TestUnknownStatesAreTexts(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t)
		_, stop := start(t, f)
		defer stop()
		for said, want := range map[string]job.Warmth{"defragmenting\x1b[31m": job.WarmthCold, "quota_reached": job.WarmthFailing, "paused": job.WarmthFailing,
			"image_pulling": job.Warming, "healthy": job.WarmthCold} {
			s.sim.Say("gpu", said)
			elapse(t, 2*time.Minute)
			d := f.Deployments()[0]
			if d.State != want || d.Evidence != job.ByPlatform || (d.Error != nil) != (want == job.WarmthFailing) || strings.Contains(d.Because, "\x1b") {
				t.Errorf("%q: %s, %s, %v", said, d.State, d.Because, d.Error)
			}
			if strings.HasPrefix(said, "defrag") && !strings.Contains(d.Because, "defragmenting") {
				t.Errorf("the platform's word is not shown: %s", d.Because)
			}
		}
	})
}

// The site's story: a render is not a message, so its replica is taken away.
func TestVanishedReplicaIsTold(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t, func(o *Options) { o.Deployments[0].KeepAlive = 0 })
		got, stop := start(t, f)
		defer stop()
		if fact := <-submitting(t, f, onVerda(1)); fact.Kind != job.Acknowledged {
			t.Fatal(fact)
		}
		f.Follow([]job.Flight{flight(1, job.Accepted)})
		elapse(t, 5*time.Minute+time.Minute) // scaled down in mid-render
		if k := got.kinds(); len(k) != 0 {
			t.Errorf("told too early: %v", k)
		}
		elapse(t, 2*time.Minute)
		if k := got.kinds(); len(k) != 1 || k[0] != job.Broke {
			t.Fatalf("facts %v", k)
		}
		fact := got.list[0]
		if e := fact.Error; e.Code != "replica_vanished" || !e.Transient || fact.Evidence != job.ByPlatform || fact.PromptID != promptID(1) {
			t.Errorf("fact %+v, error %+v", fact, e)
		}
		if st := f.Deployments()[0]; st.Lost != 1 || st.LostAt.IsZero() || !st.WaitingSince.IsZero() {
			t.Errorf("standing %+v", st)
		}
		elapse(t, time.Hour)
		if k := got.kinds(); len(k) != 1 {
			t.Errorf("told again: %v", k)
		}
		if st := f.Deployments()[0]; st.Lost != 0 {
			t.Errorf("an hour later it counts still: %+v", st)
		}
	})
}

func TestKeepAliveKeepsTheReplica(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t)
		got, stop := start(t, f)
		defer stop()
		<-submitting(t, f, onVerda(1))
		f.Follow([]job.Flight{flight(1, job.Accepted)})
		elapse(t, 27*time.Minute)
		ends := slices.DeleteFunc(got.kinds(), func(k job.Kind) bool { return k == job.Started }) // its queue tells that it runs
		if e := s.sim.Executions()[promptID(1)]; e[0].Status != "success" || len(ends) != 0 {
			t.Errorf("execution %s, facts %v", e[0].Status, got.kinds())
		}
		spent, billed := f.Spending("h200"), s.sim.Billed("gpu")
		if len(spent) != 1 || spent[0].Billed != billed.Seconds() || billed != 30*time.Minute || spent[0].Amount != 3 || f.Deployments()[0].Today != spent[0] {
			t.Errorf("estimate %+v, billed %v", spent, billed)
		}
		if again := s.fleet(t).Deployments()[0].Today; again.Amount != spent[0].Amount || again.Billed != spent[0].Billed {
			t.Errorf("after a restart %+v", again)
		}
	})
}

func TestControlIsSilentAboutTheBadList(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t, func(o *Options) {
			to := o.HTTP.Transport
			o.HTTP = &http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, "/replicas") {
					return heldAnswer{code: 200, body: []byte(`{}`)}.response(), nil
				}
				return to.RoundTrip(r)
			})}
		})
		got, stop := start(t, f)
		defer stop()
		f.Follow([]job.Flight{flight(1, job.Accepted)})
		elapse(t, 20*time.Minute)
		if k := got.kinds(); len(k) != 0 {
			t.Errorf("an answer without a list told %v", k)
		}
	})
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
