package simulator

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
)

// modern is a fleet of ComfyUI 0.33.0.
func modern() Config { return Config{Deployments: []Deployment{{Name: "gpu", Version: V33}}} }

func TestRefusalsOf033AsRecorded(t *testing.T) {
	simulate(t, modern(), func(t *testing.T, f *Fleet) {
		for _, row := range recorded(t, "prompt-errors-0.33.jsonl") {
			label := text(row.values["label"])
			w := call(f, text(row.values["method"]), "/gpu"+text(row.values["path"]), text(row.values["body"]))
			if want := intOf(row.values["status"]); w.Code != want {
				t.Errorf("%s: status %d, want %d: %s", label, w.Code, want, w.Body)
				continue
			}
			compareAnswer(t, label, row.values["answer"], w.Body.Bytes(), false)
		}
	})
}

// TestJobsOf033AsRecorded goes through the recording in its order: two slow
// prompts, one of them running, then both cancelled.
func TestJobsOf033AsRecorded(t *testing.T) {
	cfg := modern()
	cfg.Render = longRender
	const running, queued, done, failed = "aaaaaaaa-0000-4000-8000-0000000000a1", "aaaaaaaa-0000-4000-8000-0000000000a2", "aaaaaaaa-0000-4000-8000-0000000000a3", "aaaaaaaa-0000-4000-8000-0000000000a4"
	simulate(t, cfg, func(t *testing.T, f *Fleet) {
		before := map[string]func(){
			"job running": func() {
				post(t, f, picture("rec/a", `,"prompt_id":"`+running+`"`))
				post(t, f, picture("rec/a", `,"prompt_id":"`+queued+`"`))
				pass(time.Second)
			},
			"job cancelled": func() { settle(t, f) },
			"job completed": func() { post(t, f, picture("rec/done", `,"prompt_id":"`+done+`"`)); settle(t, f) },
			"job failed":    func() { post(t, f, picture("../bad", `,"prompt_id":"`+failed+`"`)); settle(t, f) },
		}
		for _, row := range recorded(t, "jobs-0.33.jsonl") {
			label := text(row.values["label"])
			if prepare := before[label]; prepare != nil {
				prepare()
			}
			body, _ := row.values["body"].(string)
			w := call(f, text(row.values["method"]), "/gpu"+text(row.values["path"]), body)
			if want := intOf(row.values["status"]); w.Code != want {
				t.Errorf("%s: status %d, want %d: %s", label, w.Code, want, w.Body)
				continue
			}
			if want, ok := row.values["answer"].(*object); ok {
				got, err := loads(w.Body.Bytes())
				if err != nil {
					t.Errorf("%s: %v", label, err)
					continue
				}
				if strings.HasPrefix(label, "job ") {
					sameJob(t, label, got.(*object), want)
				} else if drop := []string{"system", "devices"}; plain(got, drop...) != plain(want, drop...) {
					t.Errorf("%s:\n got %s\nwant %s", label, plain(got), plain(want))
				}
			}
		}
	})
}

// sameJob compares what does not depend on the prompt: the keys, the state,
// the counts.
func sameJob(t *testing.T, label string, got, want *object) {
	t.Helper()
	if g, w := strings.Join(sortedStrings(got.keys), " "), strings.Join(sortedStrings(want.keys), " "); g != w {
		t.Errorf("%s: keys %s, want %s", label, g, w)
	}
	for _, key := range []string{"id", "status", "error", "outputs_count", "previewable_outputs_count"} {
		if plain(got.values[key]) != plain(want.values[key]) {
			t.Errorf("%s: %s is %v, want %v", label, key, got.values[key], want.values[key])
		}
	}
	if plain(dig(got, "execution_status", "status_str")) != plain(dig(want, "execution_status", "status_str")) {
		t.Errorf("%s: %v", label, dig(got, "execution_status"))
	}
}

var numbers = regexp.MustCompile(`[0-9a-f]{32}|\d{5}`)

func TestOutputsOf033AsRecorded(t *testing.T) {
	letters := regexp.MustCompile(`temp_[a-z]{5}`)
	same := func(v any) string {
		return letters.ReplaceAllString(numbers.ReplaceAllString(plain(v), "#"), "temp_#")
	}
	simulate(t, modern(), func(t *testing.T, f *Fleet) {
		for _, row := range recorded(t, "outputs-0.33.jsonl") {
			label := text(row.values["label"])
			entry := run(t, f, label, dumps(dict("prompt", row.values["prompt"], "client_id", "c")))
			if got, want := same(entry.values["outputs"]), same(row.values["outputs"]); got != want {
				t.Errorf("%s:\n got %s\nwant %s", label, got, want)
			}
		}
		for _, w := range f.Manifest() {
			if strings.HasPrefix(w.Path, "datasets/") {
				if !w.ContainerDisk || w.Wanted() {
					t.Errorf("%s stands on the share", w.Path)
				}
				continue
			}
			body, err := os.ReadFile(filepath.Join(f.cfg.Outputs, w.Path))
			if err != nil || checksum(body) != w.Checksum && !w.Overwritten {
				t.Errorf("%s: %v", w.Path, err)
			}
			if v, err := comfy.Whole(bytes.NewReader(body), int64(len(body)), w.Path); err != nil || v == comfy.Partial {
				t.Errorf("%s is %v: %v", w.Path, v, err)
			}
		}
	})
}

// TestSaveNodesPassOn: in 0.33 a save node's picture goes on to another.
func TestSaveNodesPassOn(t *testing.T) {
	chain := `{"prompt":{"1":{"class_type":"EmptyImage","inputs":{"width":8,"height":8,"batch_size":2,"color":255}},
"2":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"chain/a"}},
"3":{"class_type":"SaveImageAdvanced","inputs":{"images":["2",0],"filename_prefix":"chain/b","format":"exr","format.bit_depth":"32-bit float","format.input_color_space":"HDR"}}}}`
	simulate(t, modern(), func(t *testing.T, f *Fleet) {
		run(t, f, "chain", chain)
		files := f.Manifest()
		if len(files) != 4 || files[3].Path != "chain/b_00002.exr" {
			t.Errorf("%+v", files)
		}
	})
	simulate(t, Config{}, func(t *testing.T, f *Fleet) {
		if w := call(f, "POST", "/gpu/prompt", strings.ReplaceAll(chain, `SaveImageAdvanced`, `SaveImage`)); !strings.Contains(w.Body.String(), `"node_errors": {"3"`) {
			t.Errorf("0.8 takes a chain: %s", w.Body)
		}
	})
}

// TestReplacedClass: the server rewrites the old name and its inputs.
func TestReplacedClass(t *testing.T) {
	prompt := `{"prompt":{"1":{"class_type":"T2IAdapterLoader","inputs":{"t2i_adapter_name":"t2iadapter_depth.safetensors"},"_meta":{"title":"x"}},
"2":{"class_type":"PreviewAny","inputs":{"source":["1",0]}}},"prompt_id":"aaaaaaaa-0000-4000-8000-000000000001"}`
	simulate(t, modern(), func(t *testing.T, f *Fleet) {
		post(t, f, prompt)
		settle(t, f)
		h, err := loads(call(f, "GET", "/gpu/history", "").Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		item, _ := dig(h, "aaaaaaaa-0000-4000-8000-000000000001", "prompt").([]any)
		if got := dig(item[2], "1", "class_type"); got != "ControlNetLoader" || dig(item[2], "1", "inputs", "control_net_name") != "t2iadapter_depth.safetensors" {
			t.Errorf("it ran %v", dumps(item[2]))
		}
		if w := call(f, "POST", "/gpu/prompt", strings.Replace(prompt, `,"_meta":{"title":"x"}`, "", 1)); w.Code != 500 {
			t.Errorf("without _meta: %d, want 500", w.Code)
		}
	})
}

func TestLateClass(t *testing.T) {
	cfg := Config{Deployments: []Deployment{{Name: "gpu", Late: "StudioFlatSave"}}, Speed: 2}
	simulate(t, cfg, func(t *testing.T, f *Fleet) {
		has := func() bool { return call(f, "GET", "/gpu/object_info/StudioFlatSave", "").Body.String() != "{}" }
		prompt := studio("StudioFlatSave", `"output_path":"a","filename_prefix":"x"`, "x")
		if has() || call(f, "POST", "/gpu/prompt", prompt).Code != 400 {
			t.Error("the class is there from the start")
		}
		pass(30 * time.Second)
		synctest.Wait()
		if !has() {
			t.Error("the class is missing after a minute")
		}
		post(t, f, prompt)
	})
}

func TestEverySecondReplicaAstray(t *testing.T) {
	elsewhere := t.TempDir()
	cfg := Config{Deployments: []Deployment{{Name: "gpu", Replicas: 2, Astray: elsewhere}}, Balance: Sticky}
	simulate(t, cfg, func(t *testing.T, f *Fleet) {
		call(f, "GET", "/gpu/queue", "")
		pass(time.Second)
		for range 2 {
			post(t, f, picture("qm/x/9/a", ""))
		}
		settle(t, f)
		files := f.Manifest()
		if len(files) != 2 || files[0].ContainerDisk == files[1].ContainerDisk {
			t.Fatalf("%+v", files)
		}
		argv := map[bool]int{}
		for _, r := range f.deployments["gpu"].live {
			argv[strings.Contains(dumps(r.systemStats()), elsewhere)]++
		}
		if argv[true] != 1 || argv[false] != 1 {
			t.Errorf("%v replicas name the other folder", argv)
		}
	})
}

func TestGatewayPattern(t *testing.T) {
	for _, accepted := range []bool{false, true} {
		cfg := Config{Deployments: []Deployment{{Name: "gpu", Gateway: Gateway{Fail: 2, Of: 3, Accepted: accepted}}}}
		simulate(t, cfg, func(t *testing.T, f *Fleet) {
			var codes []int
			for i := range 6 {
				codes = append(codes, call(f, "POST", "/gpu/prompt", picture(fmt.Sprint("a", i), "")).Code)
				if w := call(f, "GET", "/gpu/queue", ""); w.Code != 200 {
					t.Errorf("the queue answers %d", w.Code)
				}
			}
			settle(t, f)
			if want := []int{502, 502, 200, 502, 502, 200}; !slices.Equal(codes, want) {
				t.Errorf("answers %v, want %v", codes, want)
			}
			if n, want := len(f.Manifest()), map[bool]int{false: 2, true: 6}[accepted]; n != want {
				t.Errorf("%d files, want %d", n, want)
			}
		})
	}
}

func TestPartialBatch(t *testing.T) {
	prompt := strings.Replace(attempt, `"batch_size":1`, `"batch_size":4`, 1)
	strike(t, "partial-batch", prompt, func(t *testing.T, f *Fleet) {
		files := f.Manifest()
		if len(files) != 3 || !files[1].Complete || files[2].Complete || verdictOf(t, f, files[2]) != comfy.Partial || status(t, f, "x") != "killed" {
			t.Errorf("%+v, want two files and a half one", files)
		}
	})
}

func TestParseGateway(t *testing.T) {
	for s, want := range map[string]Gateway{"": {}, "2/3": {2, 3, false}, "1/1:accepted": {1, 1, true}} {
		if g, err := ParseGateway(s); err != nil || g != want {
			t.Errorf("%q: %+v %v", s, g, err)
		}
	}
	for _, s := range []string{"x", "4/3", "2/3:x", "-1/2", "0/0"} {
		if g, err := ParseGateway(s); err == nil {
			t.Errorf("%q: %+v", s, g)
		}
	}
	for _, s := range []string{"0.8", "0.8.0", "0.33", "0.33.0"} {
		if v, err := ParseVersion(s); err != nil || !strings.HasPrefix(string(v), s) {
			t.Errorf("%q: %q %v", s, v, err)
		}
	}
	if _, err := ParseVersion("0.3"); err == nil {
		t.Error("0.3 is a version")
	}
}
