package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/simulator"
)

// notebook keeps samples and settings over a restart, as the ledger does.
type notebook struct {
	mu       sync.Mutex
	samples  []job.Sample
	settings map[string][]byte
}

func newNotebook() *notebook { return &notebook{settings: map[string][]byte{}} }

func (m *notebook) Samples(string) ([]job.Sample, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]job.Sample(nil), m.samples...), nil
}

func (m *notebook) AddSample(s job.Sample) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.samples = append(m.samples, s)
	return nil
}

func (m *notebook) Setting(key string, v any) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	raw, ok := m.settings[key]
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal(raw, v)
}

func (m *notebook) SetSetting(key string, v any) error {
	raw, err := json.Marshal(v)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settings[key] = raw
	return err
}

// wire carries requests to the simulated platform, in memory.
type wire struct {
	to  http.Handler
	mu  sync.Mutex
	log []string
}

func (w *wire) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	w.mu.Lock()
	w.log = append(w.log, r.Method+" "+r.URL.Path)
	w.mu.Unlock()
	defer func() {
		if recover() != nil {
			resp, err = nil, http.ErrServerClosed
		}
	}()
	if r.Body == nil { // as a server hands it on
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	rec := httptest.NewRecorder()
	w.to.ServeHTTP(rec, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return rec.Result(), nil
}

// count counts requests that begin with what.
func (w *wire) count(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, r := range w.log {
		if strings.HasPrefix(r, what) {
			n++
		}
	}
	return n
}

// scene is a simulated platform, and what a fleet before it keeps.
type scene struct {
	sim    *simulator.Fleet
	wire   *wire
	memory *notebook
	logged *bytes.Buffer
}

// onPlatform runs a test in a bubble before a simulated platform.
func onPlatform(t *testing.T, change func(*simulator.Config), test func(t *testing.T, s *scene)) {
	t.Helper()
	cfg := simulator.Config{
		Deployments: []simulator.Deployment{{Name: "gpu", Key: "secret", Replicas: 3, ColdStart: 2 * time.Minute, ScaleDown: 5 * time.Minute, ByLoad: true}},
		Outputs:     t.TempDir(), Render: simulator.Span{Min: 10 * time.Minute, Max: 10 * time.Minute}, Balance: simulator.Never,
		Platform: &simulator.Platform{ClientID: "id", ClientSecret: "hush"},
	}
	if change != nil {
		change(&cfg)
	}
	synctest.Test(t, func(t *testing.T) {
		sim, err := simulator.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- sim.Run(ctx) }()
		test(t, &scene{sim: sim, wire: &wire{to: sim.Handler()}, memory: newNotebook(), logged: &bytes.Buffer{}})
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func (s *scene) fleet(t *testing.T, change ...func(*Options)) *Fleet {
	t.Helper()
	o := Options{
		Deployments: []Spec{{Name: "h200", Driver: "verda", URL: "https://containers.example/gpu", Key: "secret", KeepAlive: 5 * time.Second,
			ScaleToZero: true, PricePerHour: 6}},
		HTTP: &http.Client{Transport: s.wire}, Memory: s.memory, Settings: s.memory,
		Control: Control{URL: "https://containers.example/v1", ClientID: "id", Secret: "hush"},
		Logger:  slog.New(slog.NewTextHandler(s.logged, nil)),
	}
	for _, c := range change {
		c(&o)
	}
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func noControl(o *Options) { o.Control = Control{} }

// onVerda is a prompt that the simulated ComfyUI takes.
func onVerda(n int) job.Submission {
	s := submission(n)
	s.Workflow = []byte(`{"1":{"class_type":"EmptyImage","inputs":{"width":8,"height":8,"batch_size":1,"color":255}},
		"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"a"}}}`)
	return s
}

// submitting submits while time passes, and gives what came of it.
func submitting(t *testing.T, f *Fleet, s job.Submission) <-chan job.Fact {
	out := make(chan job.Fact, 1)
	go func() { out <- f.Submit(t.Context(), s) }()
	return out
}

func TestVerdaTellsWaitingFromAccepted(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t)
		_, stop := start(t, f)
		defer stop()
		f.Follow([]job.Flight{flight(1, job.Submitting)})
		fact := submitting(t, f, onVerda(1))
		elapse(t, time.Minute)
		d := f.Deployments()[0]
		if d.State != job.Warming || d.Evidence != job.ByPlatform || !strings.Contains(d.Because, "stage Queue") {
			t.Errorf("in mid cold start: %s by %s, %s", d.State, d.Evidence, d.Because)
		}
		if n := s.wire.count("GET /gpu/"); n != 0 {
			t.Errorf("%d polls of the balancer while the prompt waits", n)
		}
		if st := f.Deployments()[0]; time.Since(st.WaitingSince) != time.Minute {
			t.Errorf("waiting for %v", time.Since(st.WaitingSince))
		}
		got := <-fact
		if got.Kind != job.Acknowledged || got.Evidence != job.ByPlatform {
			t.Errorf("fact = %+v", got)
		}
		if n := s.wire.count("POST /gpu/prompt"); n != 1 {
			t.Errorf("%d prompts were sent", n)
		}
		if w := f.Deployments()[0].Way; w != "async" || strings.Count(s.logged.String(), "chose the way") != 1 {
			t.Errorf("way %q, log %s", w, s.logged)
		}
		d = f.Deployments()[0]
		if d.State != job.WarmthWarm || d.Cold.Count != 1 || d.Cold.Last < 120 || d.Cold.Last > 125 {
			t.Errorf("afterwards %s, cold %+v", d.State, d.Cold)
		}
	})
}

func TestVerdaFallsBack(t *testing.T) {
	for way, posts := range map[simulator.Async]int{simulator.AsyncIgnored: 1, simulator.AsyncRefused: 2} {
		onPlatform(t, func(c *simulator.Config) { c.Platform.Async = way }, func(t *testing.T, s *scene) {
			f := s.fleet(t, noControl)
			if got := <-submitting(t, f, onVerda(1)); got.Kind != job.Acknowledged {
				t.Errorf("way %d: %+v", way, got)
			}
			if n := s.wire.count("POST /gpu/prompt"); n != posts || len(s.sim.Executions()[promptID(1)]) != 1 {
				t.Errorf("way %d: %d POSTs, executions %+v", way, n, s.sim.Executions())
			}
			if d := f.Deployments()[0]; d.Way != "plain" || d.WayWhy == "" {
				t.Errorf("way %d is %q (%s)", way, d.Way, d.WayWhy)
			}
			f = s.fleet(t, noControl) // a restart remembers
			<-submitting(t, f, onVerda(2))
			if n := s.wire.count("POST /gpu/prompt"); n != posts+1 || strings.Count(s.logged.String(), "chose the way") != 1 {
				t.Errorf("way %d: %d POSTs after the restart, log %s", way, n, s.logged)
			}
		})
	}
}

func TestVerdaReadsRefusalsFromTheResult(t *testing.T) {
	for _, flat := range []bool{false, true} {
		onPlatform(t, func(c *simulator.Config) { c.Platform.FlatResults = flat }, func(t *testing.T, s *scene) {
			bad := onVerda(1)
			bad.Workflow = []byte(`{"9":{"class_type":"SaveImage","inputs":{"filename_prefix":"a"}}}`)
			got := <-submitting(t, s.fleet(t), bad)
			if got.Kind != job.Refused || got.Error.Code != "worker_refused" || got.Error.Node != "9" || got.Error.Transient {
				t.Errorf("flat %v: %s %+v", flat, got.Kind, got.Error)
			}
		})
	}
}

// A restart finds out what became of a POST that the last process sent.
func TestVerdaAdmissionAfterARestart(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		before, cut := context.WithTimeout(t.Context(), 30*time.Second)
		defer cut()
		if got := s.fleet(t).Submit(before, onVerda(1)); got.Kind != job.Unanswered {
			t.Fatalf("cut off: %+v", got)
		}
		f := s.fleet(t)
		got, stop := start(t, f)
		defer stop()
		f.Follow([]job.Flight{flight(1, job.Submitting)})
		elapse(t, time.Minute)
		if n := s.wire.count("GET /gpu/"); n != 0 || len(got.kinds()) != 0 {
			t.Errorf("while it waits: %d polls, facts %v", n, got.kinds())
		}
		elapse(t, time.Minute)
		if k := got.kinds(); len(k) == 0 || k[0] != job.Acknowledged || s.wire.count("POST /gpu/prompt") != 1 {
			t.Errorf("facts %v", k)
		}
	})
}

func TestVerdaWakesNothing(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t)
		_, stop := start(t, f)
		defer stop()
		elapse(t, time.Hour)
		if n := s.wire.count("") - s.wire.count("GET /v1/") - s.wire.count("POST /v1/"); n != 0 || len(s.sim.Leases("gpu")) != 0 {
			t.Errorf("%d requests beside the control API, replicas %+v", n, s.sim.Leases("gpu"))
		}
		d := f.Deployments()[0]
		if d.State != job.WarmthCold || d.Evidence != job.ByPlatform || d.Error != nil {
			t.Errorf("deployment %s by %s (%s), %v", d.State, d.Evidence, d.Because, d.Error)
		}
		if n := len(s.sim.ControlCalls()); n < 100 || n > 140 {
			t.Errorf("%d control calls in a quiet hour", n)
		}
	})
}

// A warm machine answers a held prompt at once; that is no cold start.
func TestVerdaWarmIsNotMeasuredAsCold(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		f := s.fleet(t)
		<-submitting(t, f, onVerda(1))
		began := time.Now()
		<-submitting(t, f, onVerda(2))
		if took := time.Since(began); took > 500*time.Millisecond || f.Deployments()[0].Cold.Count != 1 {
			t.Errorf("took %v, cold %+v", took, f.Deployments()[0].Cold)
		}
	})
}

// For a prompt id that it knows, the platform would answer with what it
// remembers, so a second POST goes the plain way.
func TestVerdaSecondPostOfAPromptGoesThePlainWay(t *testing.T) {
	p := &platformed{f: &fake{prompt: withoutMarker}, at: map[string]*httptest.ResponseRecorder{}}
	srv := httptest.NewServer(p)
	defer srv.Close()
	f, err := New(Options{Deployments: []Spec{{Name: "h200", Driver: "verda", URL: srv.URL + "/h200"}}, Tag: Tagging{Marker: true}})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Submit(t.Context(), submission(1)); got.Kind != job.Acknowledged || p.f.count("POST /prompt") != 2 {
		t.Errorf("%+v after %v", got, p.f.requests)
	}
}

// withoutMarker is a server that lacks the start marker's class.
func withoutMarker(p posted) (int, string) {
	if p.has("EmptyImage") {
		return 400, `{"error":{"type":"invalid_prompt","message":"Cannot execute because node EmptyImage does not exist.","details":"","extra_info":{}},"node_errors":{}}`
	}
	return 200, `{"prompt_id":"` + p.PromptID + `","number":1,"node_errors":{}}`
}

// A platform that is busy or loses the result is asked again, and believed only
// when it gives the container's own answer.
func TestVerdaTroubleOnTheWay(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(r *http.Request, n int) *heldAnswer // instead of the platform's answer; n counts requests of that path
		kind  job.Kind
	}{
		"429 on the status": {func(r *http.Request, n int) *heldAnswer {
			if n < 3 && strings.HasPrefix(r.URL.Path, "/status") {
				return &heldAnswer{code: 429, header: http.Header{"Retry-After": {"7"}}}
			}
			return nil
		}, job.Acknowledged},
		"503 on the result": {func(r *http.Request, n int) *heldAnswer {
			if n < 3 && strings.HasPrefix(r.URL.Path, "/result") {
				return &heldAnswer{code: 503}
			}
			return nil
		}, job.Acknowledged},
		"an unknown stage": {func(r *http.Request, n int) *heldAnswer {
			if n < 3 && strings.HasPrefix(r.URL.Path, "/status") {
				return &heldAnswer{code: 200, body: []byte(`{"Status":"Pondering"}`)}
			}
			return nil
		}, job.Acknowledged},
		"the result never comes": {func(r *http.Request, _ int) *heldAnswer {
			if strings.HasPrefix(r.URL.Path, "/result") {
				return &heldAnswer{code: 404}
			}
			return nil
		}, job.Unanswered},
		"the platform forgot it": {func(r *http.Request, _ int) *heldAnswer {
			if strings.HasPrefix(r.URL.Path, "/status") {
				return &heldAnswer{code: 404}
			}
			return nil
		}, job.Unanswered},
		"not even JSON": {func(r *http.Request, _ int) *heldAnswer {
			if strings.HasPrefix(r.URL.Path, "/result") {
				return &heldAnswer{code: 200, body: []byte("<html>")}
			}
			return nil
		}, job.Unanswered},
	} {
		onPlatform(t, nil, func(t *testing.T, s *scene) {
			seen := map[string]int{}
			f := s.fleet(t, noControl, func(o *Options) {
				o.HTTP = &http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
					seen[r.URL.Path]++
					if a := c.spoil(r, seen[r.URL.Path]); a != nil {
						return a.response(), nil
					}
					return s.wire.RoundTrip(r)
				})}
			})
			sub := onVerda(1)
			sub.Timeout = 10 * time.Minute
			if got := <-submitting(t, f, sub); got.Kind != c.kind || s.wire.count("POST /gpu/prompt") != 1 {
				t.Errorf("%s: %s %v", name, got.Kind, got.Error)
			}
			if n := len(s.sim.Executions()[promptID(1)]); n > 1 {
				t.Errorf("%s: ran %d times", name, n)
			}
		})
	}
}

func TestVerdaRestsWhenThePlatformSaysSo(t *testing.T) {
	onPlatform(t, nil, func(t *testing.T, s *scene) {
		looks := 0
		f := s.fleet(t, noControl, func(o *Options) {
			o.HTTP = &http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
				if strings.HasPrefix(r.URL.Path, "/status") {
					looks++
					return heldAnswer{code: 429, header: http.Header{"Retry-After": {"30"}}}.response(), nil
				}
				return s.wire.RoundTrip(r)
			})}
		})
		sub := onVerda(1)
		sub.Timeout = 5*time.Minute - time.Second
		<-submitting(t, f, sub)
		if looks != 10 {
			t.Errorf("%d looks in five minutes of 30s rests", looks)
		}
	})
}

func FuzzPlatformAnswers(f *testing.F) {
	f.Add([]byte(`{"Id":"x","StatusPath":"/status/gpu"}`))
	f.Add([]byte(`{"Status":"Queue"}`))
	f.Add([]byte(`{"error":"no","prompt_id":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a := heldAnswer{code: 200, header: http.Header{}, body: body}
		if s := string(a.stage()); len([]rune(s)) > 80 || strings.ContainsAny(s, "\x1b\n") {
			t.Errorf("stage %q", s)
		}
		if r := readHeld(body); r.plain() && r.taken(a.header) {
			t.Errorf("both ComfyUI's and the platform's: %q", body)
		}
		if got := a.response().StatusCode; got != 200 && got != 400 {
			t.Errorf("%q became %d", body, got)
		}
	})
}
