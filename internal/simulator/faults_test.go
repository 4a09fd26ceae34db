package simulator

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
)

// only makes one fault certain.
func only(t *testing.T, names ...string) Faults {
	t.Helper()
	f, err := ParseFaults(strings.Join(names, ":1,") + ":1")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// strike runs one prompt under one certain fault.
func strike(t *testing.T, name, prompt string, check func(t *testing.T, f *Fleet)) {
	t.Helper()
	cfg := Config{Faults: only(t, name), Deployments: []Deployment{{Name: "gpu", Replicas: 2, ColdStart: time.Second}}, Balance: Sticky}
	simulate(t, cfg, func(t *testing.T, f *Fleet) {
		pass(time.Millisecond)
		post(t, f, prompt)
		settle(t, f)
		check(t, f)
	})
}

func verdictOf(t *testing.T, f *Fleet, w Written) comfy.Verdict {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(f.cfg.Outputs, w.Path))
	if err != nil {
		t.Fatal(err)
	}
	v, err := comfy.Whole(bytes.NewReader(body), int64(len(body)), w.Path)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func status(t *testing.T, f *Fleet, id string) string {
	t.Helper()
	e := f.Executions()[id]
	if len(e) == 0 {
		t.Fatalf("no execution of %s", id)
	}
	return e[0].Status
}

var attempt = picture("qm/x/9/ComfyUI", `,"prompt_id":"x"`)

func TestHalfFile(t *testing.T) {
	strike(t, "half-file", attempt, func(t *testing.T, f *Fleet) {
		files := f.Manifest()
		if len(files) != 1 || files[0].Complete || verdictOf(t, f, files[0]) != comfy.Partial {
			t.Errorf("%+v, want one half file", files)
		}
		if s := status(t, f, "x"); s != "killed" {
			t.Errorf("status %s, want killed", s)
		}
	})
}

func TestDiskFull(t *testing.T) {
	strike(t, "disk-full", attempt, func(t *testing.T, f *Fleet) {
		files := f.Manifest()
		if len(files) != 1 || files[0].Complete || verdictOf(t, f, files[0]) != comfy.Partial {
			t.Errorf("%+v, want one half file", files)
		}
		if h := call(f, "GET", "/gpu/history/x", "").Body.String(); !strings.Contains(h, "[Errno 28] No space left on device") {
			t.Errorf("history %s", h)
		}
	})
}

func TestExecutionErrorFault(t *testing.T) {
	strike(t, "execution-error", attempt, func(t *testing.T, f *Fleet) {
		e := f.Executions()["x"][0]
		if len(f.Manifest()) != 0 || e.Status != "error" || e.Node != "3" || !strings.Contains(e.Error, "OutOfMemory") {
			t.Errorf("files %+v, execution %+v", f.Manifest(), e)
		}
	})
}

func TestKilledReplica(t *testing.T) {
	strike(t, "killed-replica", attempt, func(t *testing.T, f *Fleet) {
		if s := status(t, f, "x"); s != "killed" || len(f.Manifest()) != 0 {
			t.Errorf("status %s, files %+v", s, f.Manifest())
		}
		pass(2 * time.Second)
		if n := live(f); n != 2 {
			t.Errorf("%d replicas, want the dead one replaced", n)
		}
	})
}

func TestSlowVisibility(t *testing.T) {
	simulate(t, Config{Faults: only(t, "slow-visibility")}, func(t *testing.T, f *Fleet) {
		post(t, f, attempt)
		for status(t, f, "x") != "success" {
			pass(10 * time.Millisecond)
		}
		if len(f.Manifest()) != 0 || f.Idle() {
			t.Errorf("files %+v, idle %v, right after success", f.Manifest(), f.Idle())
		}
		if h := call(f, "GET", "/gpu/history/x", "").Body.String(); !strings.Contains(h, "ComfyUI_00001_.png") {
			t.Errorf("history does not report the file yet: %s", h)
		}
		settle(t, f)
		if files := f.Manifest(); len(files) != 1 || !files[0].Complete || verdictOf(t, f, files[0]) != comfy.Complete {
			t.Errorf("%+v", files)
		}
	})
}

func TestWrongOrder(t *testing.T) {
	batch := strings.Replace(attempt, `"batch_size":1`, `"batch_size":3`, 1)
	strike(t, "wrong-order", batch, func(t *testing.T, f *Fleet) {
		var names []string
		for _, w := range f.Manifest() {
			names = append(names, filepath.Base(w.Path))
		}
		if want := []string{"ComfyUI_00003_.png", "ComfyUI_00002_.png", "ComfyUI_00001_.png"}; !slices.Equal(names, want) {
			t.Errorf("written as %v, want %v", names, want)
		}
	})
}

func TestRefusalsOfTheBalancer(t *testing.T) {
	for name, code := range map[string]int{"bad-gateway": 502, "unavailable": 503} {
		simulate(t, Config{Faults: only(t, name)}, func(t *testing.T, f *Fleet) {
			for _, call := range []*httptest.ResponseRecorder{call(f, "POST", "/gpu/prompt", attempt), call(f, "GET", "/gpu/queue", "")} {
				if call.Code != code {
					t.Errorf("%s: %d, want %d", name, call.Code, code)
				}
			}
			if len(f.Executions()) != 0 {
				t.Errorf("%s queued something", name)
			}
		})
	}
}

func TestTimeoutAfterAcceptance(t *testing.T) {
	simulate(t, Config{Faults: only(t, "timeout-accepted")}, func(t *testing.T, f *Fleet) {
		cut := func() (cut bool) {
			defer func() { cut = recover() == http.ErrAbortHandler }()
			call(f, "POST", "/gpu/prompt", attempt)
			return false
		}()
		if !cut {
			t.Error("the connection was not cut")
		}
		settle(t, f)
		if files := f.Manifest(); len(files) != 1 || !files[0].Wanted() {
			t.Errorf("%+v, want the output of the prompt whose answer was lost", files)
		}
	})
}

func TestDuplicateExecution(t *testing.T) {
	cfg := Config{Faults: only(t, "duplicate"), Deployments: []Deployment{{Name: "gpu", Replicas: 2}}}
	simulate(t, cfg, func(t *testing.T, f *Fleet) {
		call(f, "GET", "/gpu/queue", "")
		synctest.Wait()
		post(t, f, attempt)
		settle(t, f)
		e := f.Executions()["x"]
		if len(e) != 2 || e[0].Replica == e[1].Replica || e[0].Status != "success" || e[1].Status != "success" {
			t.Errorf("%+v, want two successes on two replicas", e)
		}
		wanted := 0
		for _, w := range f.Manifest() {
			if w.Wanted() {
				wanted++
				if verdictOf(t, f, w) != comfy.Complete {
					t.Errorf("%s is not whole", w.Path)
				}
			}
		}
		if wanted == 0 {
			t.Errorf("nothing wanted in %+v", f.Manifest())
		}
	})
}

func TestForeignFiles(t *testing.T) {
	strike(t, "foreign-file", attempt, func(t *testing.T, f *Fleet) {
		foreign := 0
		for _, w := range f.Manifest() {
			if w.Foreign {
				foreign++
				if w.Wanted() || strings.HasPrefix(w.Path, "qm/x/") || verdictOf(t, f, w) != comfy.Complete {
					t.Errorf("%+v", w)
				}
			}
		}
		if foreign != 2 {
			t.Errorf("%d foreign files, want one at the root and one under qm", foreign)
		}
	})
}

func TestPlantedLinksAndPipes(t *testing.T) {
	for name, check := range map[string]func(fs.FileInfo) bool{
		"symbolic-link": func(i fs.FileInfo) bool { return i.Mode()&fs.ModeSymlink != 0 },
		"pipe":          func(i fs.FileInfo) bool { return i.Mode()&fs.ModeNamedPipe != 0 },
		"hard-link":     func(i fs.FileInfo) bool { return i.Mode().IsRegular() },
	} {
		strike(t, name, attempt, func(t *testing.T, f *Fleet) {
			planted := 0
			for _, n := range []string{"97", "98", "99"} {
				path := "qm/x/9/ComfyUI_000" + n + "_.png"
				info, err := os.Lstat(filepath.Join(f.cfg.Outputs, path))
				if err != nil {
					continue
				}
				planted++
				if !check(info) {
					t.Errorf("%s: %s is %v", name, path, info.Mode())
				}
				for _, w := range f.Manifest() {
					if w.Path == path {
						t.Errorf("%s: the manifest counts %s", name, path)
					}
				}
			}
			if planted != 1 {
				t.Errorf("%s: %d planted, want 1", name, planted)
			}
		})
	}
}

func TestSymbolicLinkPointsAtAnotherJobsFile(t *testing.T) {
	simulate(t, Config{Faults: only(t, "symbolic-link")}, func(t *testing.T, f *Fleet) {
		post(t, f, picture("qm/victim/9/a", `,"prompt_id":"victim"`))
		post(t, f, attempt)
		settle(t, f)
		target, err := os.Readlink(filepath.Join(f.cfg.Outputs, "qm/x/9/ComfyUI_00099_.png"))
		if err != nil || !strings.HasSuffix(target, "qm/victim/9/a_00001_.png") {
			t.Errorf("%q %v", target, err)
		}
	})
}

func TestHostileNames(t *testing.T) {
	seen := map[string]bool{}
	simulate(t, Config{Faults: only(t, "hostile-name")}, func(t *testing.T, f *Fleet) {
		for i := range 30 {
			post(t, f, dot(fmt.Sprintf("qm/h%d/9/ComfyUI", i), fmt.Sprintf(`,"prompt_id":"h%d"`, i)))
		}
		settle(t, f)
		for _, w := range f.Manifest() {
			if w.Planted {
				seen[filepath.Base(w.Path)] = true
				if !w.Wanted() || verdictOf(t, f, w) != comfy.Complete {
					t.Errorf("%+v", w)
				}
			}
		}
	})
	if len(seen) != len(hostileNames) {
		t.Errorf("%d different names of %d in 30 prompts", len(seen), len(hostileNames))
	}
}

func TestParseFaults(t *testing.T) {
	all, err := ParseFaults("all")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds {
		if p := *k.of(&all); p != k.usual || p <= 0 || p > 0.4 {
			t.Errorf("%s: %v", k.name, p)
		}
	}
	some, err := ParseFaults("all, half-file:0.5, duplicate:0")
	if err != nil || some.HalfFile != 0.5 || some.Duplicate != 0 || some.DiskFull != all.DiskFull {
		t.Errorf("%+v %v", some, err)
	}
	for _, none := range []string{"", "none", "all,none"} {
		if f, err := ParseFaults(none); err != nil || f != (Faults{}) {
			t.Errorf("%q: %+v %v", none, f, err)
		}
	}
	for _, bad := range []string{"half", "half-file:2", "half-file:x", "pipe:NaN"} {
		if _, err := ParseFaults(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	if len(FaultNames()) != len(kinds) {
		t.Error("FaultNames misses some")
	}
}

func TestDiceAreRepeatableAndFair(t *testing.T) {
	f, _ := ParseFaults("half-file:0.3,disk-full:0.3,slow-visibility:0.3")
	count := map[fault]int{}
	for i := range 10_000 {
		content := fmt.Sprint(i)
		plan := f.plan(1, content, 0, 0)
		if plan != f.plan(1, content, 0, 0) {
			t.Fatal("the same dice fell differently")
		}
		if plan.has(halfFile) && plan.has(diskFull) {
			t.Fatal("two fatal faults in one plan")
		}
		for _, k := range kinds {
			if plan.has(k.bit) {
				count[k.bit]++
			}
		}
	}
	for bit, want := range map[fault]int{halfFile: 3000, diskFull: 2100, slowVisibility: 3000} {
		if n := count[bit]; n < want-300 || n > want+300 {
			t.Errorf("%v fell %d times in 10000, want about %d", faultNames(bit), n, want)
		}
	}
	again := 0
	for i := range 10_000 {
		if f.plan(1, fmt.Sprint(i), 0, 3).has(halfFile) {
			again++
		}
	}
	if again > 600 {
		t.Errorf("half-file fell %d times in 10000 fourth attempts, want about 375", again)
	}
}

func TestAFreshPromptIDIsTheSameContent(t *testing.T) {
	meta := `,"extra_data":{"extra_pnginfo":{"qm":{"job":"j7"}}}`
	a, job := contentOf([]byte(picture("qm/id-1/9/a", `,"prompt_id":"id-1"`+meta)))
	b, none := contentOf([]byte(picture("qm/id-2/9/a", `,"prompt_id":"id-2"`)))
	c, _ := contentOf([]byte(picture("qm/id-2/9/b", `,"prompt_id":"id-2"`)))
	if a != b || a == c {
		t.Error("content must differ by prompt and not by prompt id")
	}
	if job != "j7" || none != "" {
		t.Errorf("jobs %q and %q", job, none)
	}
}
