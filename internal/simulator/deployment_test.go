package simulator

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestColdStartHoldsTheRequest(t *testing.T) {
	cfg := Config{Deployments: []Deployment{{Name: "gpu", Replicas: 3, ColdStart: 20 * time.Second}}, Speed: 10}
	simulate(t, cfg, func(t *testing.T, f *Fleet) {
		begin := time.Now()
		post(t, f, picture("a", ""))
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("the POST took %v, want the cold start of 2s", took)
		}
		begin = time.Now()
		post(t, f, picture("b", ""))
		if took := time.Since(begin); took != 0 {
			t.Errorf("on a warm replica the POST took %v, want none", took)
		}
		pass(5 * time.Second)
		if n := live(f); n != 3 {
			t.Errorf("%d replicas after the cold start, want 3", n)
		}
	})
}

func live(f *Fleet) int {
	d := f.deployments["gpu"]
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.live)
}

func TestWithoutMessagesNothingWakes(t *testing.T) {
	cfg := Config{Deployments: []Deployment{{Name: "gpu", Key: "secret"}}}
	simulate(t, cfg, func(t *testing.T, f *Fleet) {
		for path, key := range map[string]string{"/gpu/system_stats": "", "/gpu/queue": "Bearer wrong", "/nobody/queue": "Bearer secret"} {
			w, r := httptest.NewRecorder(), httptest.NewRequest("GET", path, nil)
			r.Header.Set("Authorization", key)
			f.Handler().ServeHTTP(w, r)
			if w.Code != http.StatusNotFound {
				t.Errorf("%s with %q: %d, want 404", path, key, w.Code)
			}
		}
		if n := live(f); n != 0 {
			t.Errorf("%d replicas woke without a valid request", n)
		}
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/gpu/system_stats", nil)
		r.Header.Set("Authorization", "Bearer secret")
		if f.Handler().ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Errorf("with the key: %d", w.Code)
		}
	})
}

// longRender takes a minute and writes a picture large enough to be caught in
// the middle of it.
var longRender = Span{time.Minute, time.Minute}

func TestScaleDownKillsARender(t *testing.T) {
	cfg := Config{Deployments: []Deployment{{Name: "gpu", ScaleDown: 30 * time.Second}}, Render: longRender}
	simulate(t, cfg, func(t *testing.T, f *Fleet) {
		post(t, f, picture("qm/x/9/a", `,"prompt_id":"x"`))
		pass(31 * time.Second)
		synctest.Wait()
		if e := f.Executions()["x"]; len(e) != 1 || e[0].Status != "killed" {
			t.Errorf("executions %+v, want one that was killed", e)
		}
		if files := f.Manifest(); len(files) != 0 {
			t.Errorf("files %+v, want none", files)
		}
		if body := call(f, "GET", "/gpu/history/x", "").Body.String(); body != "{}" {
			t.Errorf("history of the killed replica: %s", body)
		}
	})
}

func TestPollingKeepsARenderAlive(t *testing.T) {
	cfg := Config{Deployments: []Deployment{{Name: "gpu", ScaleDown: 30 * time.Second}}, Render: longRender}
	simulate(t, cfg, func(t *testing.T, f *Fleet) {
		post(t, f, picture("a", `,"prompt_id":"x"`))
		for range 7 {
			pass(10 * time.Second)
			call(f, "GET", "/gpu/history/x", "")
		}
		if e := f.Executions()["x"]; len(e) != 1 || e[0].Status != "success" {
			t.Errorf("executions %+v, want success", e)
		}
	})
}

func TestBalance(t *testing.T) {
	known := func(t *testing.T, balance Balance) int {
		n := 0
		cfg := Config{Deployments: []Deployment{{Name: "gpu", Replicas: 4}}, Balance: balance, Seed: 3}
		simulate(t, cfg, func(t *testing.T, f *Fleet) {
			for i := range 40 {
				post(t, f, dot(fmt.Sprint("p", i), fmt.Sprintf(`,"prompt_id":"p%d"`, i)))
			}
			settle(t, f)
			for i := range 40 {
				if len(answerOf(t, call(f, "GET", fmt.Sprintf("/gpu/history/p%d", i), "")).keys) > 0 {
					n++
				}
			}
		})
		return n
	}
	if n := known(t, Sticky); n != 40 {
		t.Errorf("sticky: %d of 40 histories found", n)
	}
	if n := known(t, Never); n != 0 {
		t.Errorf("never: %d of 40 histories found", n)
	}
	if n := known(t, Random); n < 2 || n > 25 {
		t.Errorf("random over 4 replicas: %d of 40 histories found, want about 10", n)
	}
}

func TestNeverWithOneReplica(t *testing.T) {
	simulate(t, Config{Balance: Never}, func(t *testing.T, f *Fleet) {
		post(t, f, picture("a", `,"prompt_id":"x"`))
		settle(t, f)
		for _, path := range []string{"/gpu/history/x", "/gpu/history"} {
			if body := call(f, "GET", path, "").Body.String(); body != "{}" {
				t.Errorf("%s: %s, want {}", path, body)
			}
		}
	})
}

func TestQueueDeleteAndInterrupt(t *testing.T) {
	simulate(t, Config{Render: longRender}, func(t *testing.T, f *Fleet) {
		for _, id := range []string{"running", "second", "third"} {
			post(t, f, picture(id, `,"prompt_id":"`+id+`"`))
			synctest.Wait()
		}
		queue := answerOf(t, call(f, "GET", "/gpu/queue", ""))
		if r, p := len(queue.values["queue_running"].([]any)), len(queue.values["queue_pending"].([]any)); r != 1 || p != 2 {
			t.Errorf("%d running, %d pending, want 1 and 2", r, p)
		}
		call(f, "POST", "/gpu/queue", `{"delete":["second","running"]}`)
		call(f, "POST", "/gpu/interrupt", `{"prompt_id":"third"}`)
		call(f, "POST", "/gpu/interrupt", `{"prompt_id":"running"}`)
		settle(t, f)
		want := map[string]string{"running": "interrupted", "second": "deleted", "third": "success"}
		for id, status := range want {
			if e := f.Executions()[id]; len(e) != 1 || e[0].Status != status {
				t.Errorf("%s: %+v, want %s", id, e, status)
			}
		}
		messages := dig(answerOf(t, call(f, "GET", "/gpu/history/running", "")), "running", "status", "messages").([]any)
		if last := messages[len(messages)-1].([]any); last[0] != "execution_interrupted" {
			t.Errorf("the last message is %v", last[0])
		}
	})
}

func TestInterruptInTheLastNodeIsTooLate(t *testing.T) {
	simulate(t, Config{Render: longRender}, func(t *testing.T, f *Fleet) {
		post(t, f, `{"prompt":{"1":{"class_type":"EmptyImage","inputs":{"width":1,"height":1,"batch_size":1,"color":0}},"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"a"}}},"prompt_id":"x"}`)
		synctest.Wait()
		call(f, "POST", "/gpu/interrupt", `{"prompt_id":"x"}`)
		settle(t, f)
		if e := f.Executions()["x"]; e[0].Status != "success" {
			t.Errorf("%+v, want success", e)
		}
	})
}

func TestAnUndeclaredLinkEndsTheWorker(t *testing.T) {
	simulate(t, Config{}, func(t *testing.T, f *Fleet) {
		post(t, f, strings.Replace(picture("a", ""), `"denoise":1.0`, `"denoise":1.0,"bogus":["404",0]`, 1))
		post(t, f, picture("b", ""))
		pass(time.Hour)
		answer := answerOf(t, call(f, "GET", "/gpu/prompt", ""))
		if n := intOf(dig(answer, "exec_info", "queue_remaining")); n < 1 {
			t.Errorf("queue_remaining %d, want the prompts that never run", n)
		}
		if len(f.Manifest()) != 0 {
			t.Errorf("files %+v from a dead worker", f.Manifest())
		}
	})
}

func TestACycleIsASuccessWithAnError(t *testing.T) {
	// Recorded: transcripts 15-faults/cycle, selflink.
	simulate(t, Config{}, func(t *testing.T, f *Fleet) {
		entry := run(t, f, "selflink", strings.Replace(dot("c", ""), `"filename_prefix"`, `"bogus":["9",0],"filename_prefix"`, 1))
		messages := dig(entry, "status", "messages").([]any)
		last := messages[len(messages)-1].([]any)
		if dig(entry, "status", "status_str") != "success" || last[0] != "execution_error" ||
			dig(last[1], "exception_message") != "Dependency cycle detected" || dig(last[1], "node_id") != "9" {
			t.Errorf("%s", dumps(entry.values["status"]))
		}
		entry = run(t, f, "after", dot("c", ""))
		if dig(entry, "outputs", "9") == nil {
			t.Error("the worker did not go on")
		}
	})
}

func TestAClientIDThatIsAListEndsTheProcess(t *testing.T) {
	// Recorded: transcripts 14-crash/client_id_list.
	simulate(t, Config{}, func(t *testing.T, f *Fleet) {
		post(t, f, dot("c", `,"prompt_id":"x","client_id":[]`))
		settle(t, f)
		if s := status(t, f, "x"); s != "killed" {
			t.Errorf("status %s, want killed", s)
		}
	})
}

func TestAnUnreachableNodeWithoutInputsEndsTheWorker(t *testing.T) {
	// Recorded: transcripts 14-crash/extra_unreachable_noinputs.
	simulate(t, Config{}, func(t *testing.T, f *Fleet) {
		post(t, f, strings.Replace(dot("c", ""), `{"1":`, `{"7":{"class_type":"EmptyImage"},"1":`, 1))
		pass(time.Hour)
		if len(f.Manifest()) != 0 || f.Idle() {
			t.Errorf("files %+v, idle %v", f.Manifest(), f.Idle())
		}
	})
}

func TestViewNeverOpensAPipe(t *testing.T) {
	simulate(t, Config{Faults: only(t, "pipe")}, func(t *testing.T, f *Fleet) {
		post(t, f, dot("c", ""))
		settle(t, f)
		if w := call(f, "GET", "/gpu/view?filename=c_00097_.png", ""); w.Code != http.StatusNotFound {
			t.Errorf("the pipe: %d", w.Code)
		}
		if w := call(f, "GET", "/gpu/view?filename=c_00001_.png", ""); w.Code != http.StatusOK || w.Header().Get("Content-Type") != "image/png" {
			t.Errorf("the picture: %d %v", w.Code, w.Header())
		}
	})
}

func TestContainerDisk(t *testing.T) {
	disk := t.TempDir()
	cfg := Config{Deployments: []Deployment{{Name: "gpu", ContainerDisk: disk}}}
	simulate(t, cfg, func(t *testing.T, f *Fleet) {
		post(t, f, picture("a", ""))
		settle(t, f)
		if strings.Contains(call(f, "GET", "/gpu/system_stats", "").Body.String(), "--output-directory") {
			t.Error("argv names an output directory")
		}
		if _, err := os.Stat(filepath.Join(disk, "a_00001_.png")); err != nil {
			t.Error(err)
		}
		if w := f.Manifest()[0]; !w.ContainerDisk || w.Wanted() {
			t.Errorf("%+v is not on the share", w)
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	good := Config{Deployments: []Deployment{{Name: "a"}}, Outputs: t.TempDir()}
	for name, change := range map[string]func(*Config){
		"outputs":     func(c *Config) { c.Outputs = filepath.Join(c.Outputs, "absent") },
		"deployment":  func(c *Config) { c.Deployments = nil },
		"twice":       func(c *Config) { c.Deployments = []Deployment{{Name: "a"}, {Name: "a"}} },
		"balance":     func(c *Config) { c.Balance = "wobbly" },
		"render":      func(c *Config) { c.Render = Span{2, 1} },
		"name in URL": func(c *Config) { c.Deployments = []Deployment{{Name: "a/b"}} },
	} {
		bad := good
		if change(&bad); func() error { _, err := New(bad); return err }() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
}
