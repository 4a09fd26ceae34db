package simulator

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// simulate runs a test in a bubble of fake time with a running fleet.
func simulate(t *testing.T, cfg Config, test func(t *testing.T, f *Fleet)) {
	t.Helper()
	if cfg.Outputs == "" {
		cfg.Outputs = t.TempDir()
	}
	if cfg.Deployments == nil {
		cfg.Deployments = []Deployment{{Name: "gpu"}}
	}
	synctest.Test(t, func(t *testing.T) {
		f, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		test(t, f)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func call(f *Fleet, method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	f.Handler().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w
}

// answerOf is a JSON answer as Python values.
func answerOf(t *testing.T, w *httptest.ResponseRecorder) *object {
	t.Helper()
	v, err := loads(w.Body.Bytes())
	o, ok := v.(*object)
	if err != nil || !ok {
		t.Fatalf("answer %d is no object: %q", w.Code, w.Body.String())
	}
	return o
}

// post submits a prompt that must be accepted and returns its id.
func post(t *testing.T, f *Fleet, body string) string {
	t.Helper()
	w := call(f, "POST", "/gpu/prompt", body)
	if w.Code != http.StatusOK {
		t.Fatalf("POST /prompt: %d %s", w.Code, w.Body)
	}
	return text(answerOf(t, w).values["prompt_id"])
}

// settle lets the fleet work until nothing is left to do.
func settle(t *testing.T, f *Fleet) {
	t.Helper()
	for range 10_000 {
		synctest.Wait()
		if f.Idle() {
			return
		}
		pass(100 * time.Millisecond)
	}
	t.Fatal("the fleet never came to rest")
}

func picture(prefix, more string) string {
	return `{"prompt":{"4":{"class_type":"CheckpointLoaderSimple","inputs":{"ckpt_name":"sd_xl_base_1.0.safetensors"}},
"5":{"class_type":"EmptyLatentImage","inputs":{"width":1024,"height":1024,"batch_size":1}},
"6":{"class_type":"CLIPTextEncode","inputs":{"text":"a lighthouse","clip":["4",1]}},
"3":{"class_type":"KSampler","inputs":{"model":["4",0],"seed":7,"steps":20,"cfg":8.0,"sampler_name":"euler","scheduler":"normal","positive":["6",0],"negative":["6",0],"latent_image":["5",0],"denoise":1.0}},
"8":{"class_type":"VAEDecode","inputs":{"samples":["3",0],"vae":["4",2]}},
"9":{"class_type":"SaveImage","inputs":{"images":["8",0],"filename_prefix":"` + prefix + `"}}}` + more + `}`
}

// dot is the cheapest prompt: one small picture.
func dot(prefix, more string) string {
	return `{"prompt":{"1":{"class_type":"EmptyImage","inputs":{"width":8,"height":8,"batch_size":1,"color":255}},
"9":{"class_type":"SaveImage","inputs":{"images":["1",0],"filename_prefix":"` + prefix + `"}}}` + more + `}`
}

func TestAPromptBecomesAPicture(t *testing.T) {
	simulate(t, Config{}, func(t *testing.T, f *Fleet) {
		id := post(t, f, picture("qm/p1/9/ComfyUI", `,"prompt_id":"p1"`))
		if id != "p1" {
			t.Errorf("prompt id %q, want p1", id)
		}
		settle(t, f)
		files := f.Manifest()
		if len(files) != 1 || files[0].Path != "qm/p1/9/ComfyUI_00001_.png" || !files[0].Complete || files[0].Node != "9" {
			t.Fatalf("manifest %+v", files)
		}
		body, err := os.ReadFile(filepath.Join(f.cfg.Outputs, files[0].Path))
		if err != nil || checksum(body) != files[0].Checksum {
			t.Errorf("file %v, checksum %s, manifest says %s", err, checksum(body), files[0].Checksum)
		}
		history := answerOf(t, call(f, "GET", "/gpu/api/history/p1", ""))
		if s := dig(history, "p1", "status", "status_str"); s != "success" {
			t.Errorf("status %v in %s", s, dumps(history))
		}
	})
}

// pass lets fake time go by.
func pass(d time.Duration) { <-time.After(d) }
