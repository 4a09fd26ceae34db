package simulator

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func platformConfig() Config {
	return Config{
		Deployments: []Deployment{{Name: "gpu", Key: "k", Replicas: 3, ColdStart: 2 * time.Minute, ScaleDown: 5 * time.Minute, ByLoad: true}},
		Render:      longRender, Platform: &Platform{ClientID: "id", ClientSecret: "secret"},
	}
}

// send makes a request with headers given as name, value, name, value.
func send(f *Fleet, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	w, r := httptest.NewRecorder(), httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer k")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	f.Handler().ServeHTTP(w, r)
	return w
}

func later(f *Fleet, id, body string) *httptest.ResponseRecorder {
	return send(f, "POST", "/gpu/prompt", body, "Prefer", "respond-async", "X-Inference-Id", id)
}

func stateOf(t *testing.T, f *Fleet, id string) string {
	t.Helper()
	return text(answerOf(t, send(f, "GET", "/status/gpu", "", "X-Inference-Id", id)).values["Status"])
}

func TestAsyncTellsWaitingFromAccepted(t *testing.T) {
	simulate(t, platformConfig(), func(t *testing.T, f *Fleet) {
		w := later(f, "one", picture("a", `,"prompt_id":"one"`))
		if w.Code != http.StatusAccepted || w.Header().Get("X-Inference-Id") != "one" || text(answerOf(t, w).values["StatusPath"]) != "/status/gpu" {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		pass(time.Minute)
		if s := stateOf(t, f, "one"); s != "Queue" || live(f) != 0 {
			t.Errorf("in mid cold start: %s with %d replicas", s, live(f))
		}
		if w := send(f, "GET", "/result/gpu", "", "X-Inference-Id", "one"); w.Code != http.StatusNotFound {
			t.Errorf("a result before there is one: %d", w.Code)
		}
		pass(61 * time.Second)
		if s := stateOf(t, f, "one"); s != "Completed" || f.Executions()["one"][0].Status != "running" {
			t.Errorf("accepted: %s, %s", s, f.Executions()["one"][0].Status)
		}
		if got := answerOf(t, send(f, "GET", "/result/gpu", "", "X-Inference-Id", "one")); text(got.values["prompt_id"]) != "one" {
			t.Errorf("result %v", dumps(got))
		}
		if w := send(f, "GET", "/status/gpu", "", "X-Inference-Id", "two"); w.Code != http.StatusNotFound {
			t.Errorf("an unknown id: %d", w.Code)
		}
		if w := send(f, "GET", "/status/gpu", "", "X-Inference-Id", "one", "Authorization", "Bearer no"); w.Code != http.StatusNotFound {
			t.Errorf("a wrong key: %d", w.Code)
		}
	})
}

func TestAsyncIgnoredAndRefused(t *testing.T) {
	for way, want := range map[Async]int{AsyncIgnored: http.StatusOK, AsyncRefused: http.StatusBadRequest} {
		cfg := platformConfig()
		cfg.Platform.Async = way
		simulate(t, cfg, func(t *testing.T, f *Fleet) {
			w := later(f, "one", picture("a", ""))
			if w.Code != want || (way == AsyncRefused) != (len(f.Executions()) == 0) {
				t.Errorf("way %d: %d %s, %d executions", way, w.Code, w.Body, len(f.Executions()))
			}
		})
	}
}

func TestARefusalComesAsTheResult(t *testing.T) {
	cfg := platformConfig()
	cfg.Platform.FlatResults = true
	simulate(t, cfg, func(t *testing.T, f *Fleet) {
		later(f, "one", `{"prompt":{}}`)
		pass(3 * time.Minute)
		w := send(f, "GET", "/result/gpu", "", "X-Inference-Id", "one")
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "prompt_no_outputs") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func TestOnlyMessagesScale(t *testing.T) {
	simulate(t, platformConfig(), func(t *testing.T, f *Fleet) {
		later(f, "one", picture("a", ""))
		pass(3 * time.Minute)
		for range 5 { // POST after POST: each is over before the next comes
			send(f, "POST", "/gpu/prompt", picture("b", ""))
		}
		pass(3 * time.Minute)
		if n := live(f); n != 1 {
			t.Errorf("six prompts made %d replicas, want the first alone", n)
		}
		pass(6 * time.Minute)
		if n := live(f); n != 0 {
			t.Errorf("%d replicas after five quiet minutes", n)
		}
		for _, id := range []string{"x", "y", "z", "more"} { // waiting messages do count
			later(f, id, picture(id, ""))
			synctest.Wait()
		}
		pass(5 * time.Minute)
		if n := live(f); n != 3 {
			t.Errorf("four waiting messages made %d replicas, want all 3", n)
		}
	})
}

func TestBillInSteps(t *testing.T) {
	simulate(t, platformConfig(), func(t *testing.T, f *Fleet) {
		later(f, "one", picture("a", ""))
		pass(10 * time.Minute)
		if l := f.Leases("gpu"); len(l) != 1 || l[0].To.Sub(l[0].From) != 5*time.Minute {
			t.Errorf("leases %+v, want one of five minutes", l)
		}
		if b := f.Billed("gpu"); b != 10*time.Minute {
			t.Errorf("billed %v for five minutes, want a step", b)
		}
	})
}

func logIn(t *testing.T, f *Fleet) string {
	t.Helper()
	w := send(f, "POST", "/v1/oauth2/token", `{"grant_type":"client_credentials","client_id":"id","client_secret":"secret"}`)
	return "Bearer " + text(answerOf(t, w).values["access_token"])
}

func TestControlTokens(t *testing.T) {
	simulate(t, platformConfig(), func(t *testing.T, f *Fleet) {
		if w := send(f, "POST", "/v1/oauth2/token", `{"grant_type":"client_credentials","client_id":"id","client_secret":"no"}`); w.Code != 401 {
			t.Errorf("a wrong secret: %d", w.Code)
		}
		token := logIn(t, f)
		status := func() int {
			return send(f, "GET", "/v1/container-deployments/gpu/status", "", "Authorization", token).Code
		}
		if c := status(); c != 200 {
			t.Errorf("with a token: %d", c)
		}
		f.Throttle(1, "7")
		if w := send(f, "GET", "/v1/container-deployments", "", "Authorization", token); w.Code != 429 || w.Header().Get("Retry-After") != "7" {
			t.Errorf("throttled: %d", w.Code)
		}
		pass(time.Hour)
		if c := status(); c != 401 {
			t.Errorf("an hour later: %d", c)
		}
		token = logIn(t, f)
		f.ExpireTokens()
		if c := status(); c != 401 {
			t.Errorf("an expired token: %d", c)
		}
		if n := live(f); n != 0 {
			t.Errorf("the control API woke %d replicas", n)
		}
		if calls := f.ControlCalls(); !slices.Contains(calls, "GET /container-deployments/gpu/status") {
			t.Errorf("calls %v", calls)
		}
	})
}

func TestControlScalingHoldsAReplica(t *testing.T) {
	simulate(t, platformConfig(), func(t *testing.T, f *Fleet) {
		token := logIn(t, f)
		control := func(method, path, body string) *object {
			return answerOf(t, send(f, method, "/v1/container-deployments/gpu/"+path, body, "Authorization", token))
		}
		if got := dumps(control("PATCH", "scaling", `{"min_replica_count":1}`)); !strings.Contains(got, `"min_replica_count": 1`) {
			t.Errorf("scaling %s", got)
		}
		pass(time.Minute)
		if s := text(control("GET", "status", "").values["status"]); s != "initializing" {
			t.Errorf("in mid start: %s", s)
		}
		pass(50 * time.Minute)
		list, _ := control("GET", "replicas", "").values["list"].([]any)
		if len(list) != 1 {
			t.Errorf("replicas %v after 50 quiet minutes, want one", list)
		}
		control("PATCH", "scaling", `{"min_replica_count":0}`)
		pass(time.Minute)
		if list, _ := control("GET", "replicas", "").values["list"].([]any); len(list) != 0 {
			t.Errorf("replicas %v after it was given back", list)
		}
		f.Say("gpu", "defragmenting")
		if s := text(control("GET", "status", "").values["status"]); s != "defragmenting" {
			t.Errorf("status %s", s)
		}
		if w := send(f, "PATCH", "/v1/container-deployments/gpu/scaling", `{"min_replica_count":9}`, "Authorization", token); w.Code != 400 {
			t.Errorf("out of range: %d", w.Code)
		}
	})
}
