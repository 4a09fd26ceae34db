package simulator

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
)

// serveFleet runs a fleet behind a real listener, in real time.
func serveFleet(t *testing.T, cfg Config) (*Fleet, *comfy.Client) {
	t.Helper()
	cfg.Outputs = t.TempDir()
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	server := httptest.NewServer(f.Handler())
	t.Cleanup(func() {
		stop()
		server.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return f, &comfy.Client{Base: server.URL + "/gpu", Key: cfg.Deployments[0].Key}
}

// tagged is a prompt as the manager sends it.
func tagged(t *testing.T, info *comfy.ObjectInfo, id, nodes string) comfy.Request {
	t.Helper()
	p, err := comfy.ParsePrompt([]byte(nodes), comfy.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(info); err != nil {
		t.Fatal(err)
	}
	tag := comfy.Tag{PromptID: id, Metadata: map[string]any{"job": "j-" + id}, Prefix: true, Embed: true, Marker: true}
	r, err := p.Tagged(tag, nil, info)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// linkedPrefix takes its file name from another node.
const linkedPrefix = `{"1":{"class_type":"EmptyImage","inputs":{"width":8,"height":8,"batch_size":2,"color":255}},
"2":{"class_type":"PrimitiveString","inputs":{"value":"mine/name"}},
"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":["2",0]}},
"5:1":{"class_type":"SaveLatent","inputs":{"samples":["6",0],"filename_prefix":"latents/x"}},
"6":{"class_type":"EmptyLatentImage","inputs":{"width":64,"height":64,"batch_size":1}}}`

func TestTheManagersClientUnderstandsTheFleet(t *testing.T) {
	cfg := Config{Deployments: []Deployment{{Name: "gpu", Key: "k", ColdStart: 10 * time.Millisecond}},
		Render: Span{time.Millisecond, 2 * time.Millisecond}}
	f, client := serveFleet(t, cfg)
	ctx := t.Context()
	info, err := client.ObjectInfo(ctx)
	if err != nil || info.Len() < 60 {
		t.Fatalf("object_info: %d classes, %v", info.Len(), err)
	}
	receipt, err := client.Submit(ctx, tagged(t, info, "11111111-2222-4333-8444-555555555555", linkedPrefix))
	if err != nil {
		t.Fatalf("%+v %v", receipt, err)
	}
	untilIdle(t, f)
	entry, err := client.History(ctx, "11111111-2222-4333-8444-555555555555")
	if err != nil || entry == nil || !entry.Succeeded() || len(entry.Outputs) != 4 {
		t.Fatalf("history %+v %v", entry, err)
	}
	paths := pathsOf(t, f)
	for _, want := range []string{"9/mine/name_00001_.png", "9/mine/name_00002_.png", "5_3a1/latents/x_00001_.latent"} {
		if !strings.Contains(strings.Join(paths, " ")+" ", want+" ") {
			t.Errorf("no %s in %v", want, paths)
		}
	}
	stats, err := client.SystemStats(ctx)
	if err != nil || len(stats.Devices) != 1 || !strings.Contains(strings.Join(stats.Argv, " "), "--output-directory "+f.cfg.Outputs) {
		t.Errorf("system_stats %+v %v", stats, err)
	}
}

// pathsOf lists what was written below each attempt's folder, four files with
// one start marker among them.
func pathsOf(t *testing.T, f *Fleet) []string {
	t.Helper()
	var paths []string
	markers := 0
	for _, w := range f.Manifest() {
		paths = append(paths, strings.TrimPrefix(w.Path, comfy.Folder(w.PromptID)+"/"))
		if w.Marker {
			markers++
		}
	}
	if len(paths) != 4 || markers != 1 {
		t.Errorf("%d start markers in %v, want one of four files", markers, paths)
	}
	return paths
}

func TestTheStartMarkerComesFirst(t *testing.T) {
	nodes := picture("mine", "")
	nodes = strings.TrimSuffix(strings.TrimPrefix(nodes, `{"prompt":`), "}")
	request := tagged(t, nil, "x", nodes)
	body := `{"prompt":` + string(request.Prompt) + `,"prompt_id":"x"}`
	simulate(t, Config{Render: longRender}, func(t *testing.T, f *Fleet) {
		begin := time.Now()
		post(t, f, body)
		settle(t, f)
		files := f.Manifest()
		if len(files) != 2 || !files[0].Marker || files[1].Marker {
			t.Fatalf("%+v, want the start marker and then the picture", files)
		}
		if early, late := files[0].At.Sub(begin), files[1].At.Sub(begin); early > 5*time.Second || late < 55*time.Second {
			t.Errorf("the marker after %v, the picture after %v of a minute", early, late)
		}
	})
}

// untilIdle waits in real time, looking once a millisecond.
func untilIdle(t *testing.T, f *Fleet) {
	t.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for deadline := time.After(time.Minute); ; {
		if f.Idle() {
			return
		}
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("not idle: %+v", f.Executions())
		}
	}
}

func TestABurstUnderAllFaults(t *testing.T) {
	faults, err := ParseFaults("all")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Deployments: []Deployment{{Name: "gpu", Replicas: 4, ColdStart: 20 * time.Millisecond}},
		Render: Span{time.Millisecond, 5 * time.Millisecond}, Faults: faults, Seed: 1, Speed: 4}
	f, client := serveFleet(t, cfg)
	var burst sync.WaitGroup
	for i := range 100 {
		if i%10 == 0 { // a replica that dies takes all that it was given, on a slow machine a whole burst
			burst.Wait()
			untilIdle(t, f)
		}
		request := tagged(t, nil, fmt.Sprintf("00000000-0000-4000-8000-%012d", i),
			strings.Replace(linkedPrefix, `"color":255`, fmt.Sprintf(`"color":%d`, i), 1))
		burst.Go(func() {
			_, err := client.Submit(t.Context(), request)
			var refused *comfy.SubmitError
			if err != nil && !errors.As(err, &refused) {
				t.Errorf("prompt %d: %v", i, err)
			}
			if refused != nil && refused.Class == comfy.RefusedForGood {
				t.Errorf("prompt %d was refused for good: %v", i, err)
			}
		})
	}
	burst.Wait()
	untilIdle(t, f)
	checkBurst(t, f)
}

// checkBurst holds the manifest to the disk and to the executions.
func checkBurst(t *testing.T, f *Fleet) {
	t.Helper()
	wanted, statuses := 0, map[string]int{}
	for _, w := range f.Manifest() {
		if w.Wanted() {
			wanted++
			if v := verdictOf(t, f, w); v == comfy.Partial {
				t.Errorf("%s is wanted and %v", w.Path, v)
			}
		}
	}
	for _, executions := range f.Executions() {
		for _, e := range executions {
			statuses[e.Status]++
		}
	}
	if wanted < 20 || statuses["success"] < 10 || statuses["killed"] == 0 {
		t.Errorf("%d wanted files, executions %v", wanted, statuses)
	}
}
