package fleet

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// TestControlTrouble: whatever the control API does, it is said in words and
// asked in moderation, prompts are sent all the same, and it is forgotten when
// it is over.
func TestControlTrouble(t *testing.T) {
	answer := func(code int, body string, header ...string) func(*http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i+1 < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return func(*http.Request) (*http.Response, error) {
			return heldAnswer{code: code, body: []byte(body), header: h}.response(), nil
		}
	}
	for name, c := range map[string]struct {
		on    string // the path's end
		does  func(*http.Request) (*http.Response, error)
		says  string
		calls int64 // at most, in ten minutes
	}{
		"the token endpoint is down":      {"/oauth2/token", answer(503, "<html>"), "service unavailable", 60},
		"nobody listens for log-ins":      {"/oauth2/token", func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }, "connection refused", 60},
		"a log-in without a token":        {"/oauth2/token", answer(200, `{"token_type":"Bearer"}`), "without a token", 60},
		"a page instead of a token":       {"/oauth2/token", answer(200, "<html>sign in</html>"), "without a token", 60},
		"a token that is never taken":     {"/oauth2/token", answer(200, `{"access_token":"stale","expires_in":-5}`), "missing or invalid", 260},
		"a rest of a day":                 {"/status", answer(429, `{"code":"too_many_requests","message":"slow down"}`, "Retry-After", "86400"), "asked for a rest", 10},
		"a rest until a time":             {"/status", answer(429, `{}`, "Date", "Mon, 30 Nov 2026 09:00:00 GMT", "Retry-After", "Mon, 30 Nov 2026 09:08:00 GMT"), "asked for a rest", 10},
		"a rest that is over already":     {"/status", answer(429, `{}`, "Date", "Mon, 30 Nov 2026 09:00:00 GMT", "Retry-After", "Mon, 30 Nov 2026 08:00:00 GMT"), "too many requests", 60},
		"a rest that nobody understands":  {"/status", answer(429, `{}`, "Retry-After", "soon"), "too many requests", 60},
		"errors of its own":               {"/replicas", answer(500, `{"code":"internal","message":"oops\u001b[31m"}`), "oops", 60},
		"an answer that is no JSON":       {"/status", answer(200, "<html>"), "read the status", 60},
		"the account's quota is used up":  {"/status", answer(403, `{"code":"forbidden","message":"quota of API calls reached"}`), "quota of API calls reached", 60},
		"a list with nonsense":            {"/replicas", answer(200, `{"list":"none"}`), "read the replicas", 60},
		"an answer that never comes":      {"/status", func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }, "deadline exceeded", 60},
		"the deployment is unknown there": {"/status", answer(404, `{"code":"not_found","message":"No such deployment"}`), "No such deployment", 60},
	} {
		t.Run(name, func(t *testing.T) {
			onPlatform(t, nil, func(t *testing.T, s *scene) {
				var healed atomic.Bool
				var calls atomic.Int64
				f := s.fleet(t, func(o *Options) {
					o.HTTP = &http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
						if strings.HasPrefix(r.URL.Path, "/v1/") {
							calls.Add(1)
						}
						if !healed.Load() && strings.HasPrefix(r.URL.Path, "/v1/") && strings.HasSuffix(r.URL.Path, c.on) {
							return c.does(r)
						}
						return s.wire.RoundTrip(r)
					})}
				})
				_, stop := start(t, f)
				defer stop()
				elapse(t, 10*time.Minute)
				d := f.Deployments()[0]
				if codeOf(d.Error) != "control_api" || !strings.Contains(d.Error.Message, c.says) || strings.Contains(d.Error.Message, "\x1b") || d.Error.Hint == "" {
					t.Errorf("it says %v, want %q", d.Error, c.says)
				}
				if strings.Contains(s.logged.String(), "hush") {
					t.Errorf("the secret is in the log: %s", s.logged)
				}
				if calls := calls.Load(); calls > c.calls {
					t.Errorf("%d calls in ten minutes, want at most %d", calls, c.calls)
				}
				if got := <-submitting(t, f, onVerda(1)); got.Kind != job.Acknowledged {
					t.Errorf("a prompt meanwhile: %+v", got)
				}
				healed.Store(true)
				elapse(t, 12*time.Minute)
				if d := f.Deployments()[0]; d.Error != nil || d.Evidence != job.ByPlatform {
					t.Errorf("when it is over: %s by %s, %v", d.State, d.Evidence, d.Error)
				}
			})
		})
	}
}

// TestClocksApart: the platform's clock is an hour off, either way. Its times
// decide nothing but the bill, and there they are not believed.
func TestClocksApart(t *testing.T) {
	for name, off := range map[string]time.Duration{"behind": -time.Hour, "ahead": time.Hour} {
		t.Run(name, func(t *testing.T) {
			onPlatform(t, nil, func(t *testing.T, s *scene) {
				f := s.fleet(t, func(o *Options) { o.Now = func() time.Time { return time.Now().Add(-off) } })
				got, stop := start(t, f)
				defer stop()
				if fact := <-submitting(t, f, onVerda(1)); fact.Kind != job.Acknowledged {
					t.Fatal(fact)
				}
				f.Follow([]job.Flight{flight(1, job.Accepted)})
				elapse(t, 5*time.Minute)
				for _, k := range got.kinds() {
					if k != job.Started {
						t.Errorf("it told %v", got.kinds())
					}
				}
				d := f.Deployments()[0]
				if d.State != job.WarmthWarm || d.Error != nil {
					t.Errorf("it is %s, %v", d.State, d.Error)
				}
				if most := 7 * 600.0; d.Today.Billed <= 0 || d.Today.Billed > most {
					t.Errorf("%.0f s are billed", d.Today.Billed)
				}
			})
		})
	}
}
