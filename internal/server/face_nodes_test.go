package server

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

const workersNodes = `{
	"CheckpointLoaderSimple":{"input":{"required":{"ckpt_name":[["sd15.safetensors","xl/base.safetensors"],{}]}}},
	"LoadImage":{"input":{"required":{"image":[["theirs.png"],{"image_upload":true}]}}},
	"PackOnly":{"input":{"required":{"strength":["FLOAT",{"default":1}]}}}}`

// Pages have the workers' models and custom nodes from what was read before,
// and nobody's files but the user's own.
func TestFaceNodesAndModels(t *testing.T) {
	svc := newFake()
	read := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	svc.nodes = job.NodeList{Deployment: "h200", At: read, JSON: []byte(workersNodes)}
	uploads := t.TempDir()
	for _, user := range []string{"user001", "user002"} {
		if err := os.Mkdir(filepath.Join(uploads, user), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := newServer(t, svc, func(o *Options) { o.Inputs = uploads })
	h := s.Handler()
	for path, want := range map[string]string{
		"/models":                            `["checkpoints"]`,
		"/models/checkpoints":                `["sd15.safetensors","xl/base.safetensors"]`,
		"/models/loras":                      `[]`,
		"/experiment/models":                 `[{"extensions":[],"folders":[],"name":"checkpoints"}]`,
		"/experiment/models/checkpoints":     `[{"name":"sd15.safetensors","pathIndex":0},{"name":"xl/base.safetensors","pathIndex":0}]`,
		"/object_info/PackOnly":              `{"PackOnly":{"input":{"required":{"strength":["FLOAT",{"default":1}]}}}}`,
		"/object_info/Nobody":                `{}`,
		"/api/object_info/LoadImage":         `{"LoadImage":{"input":{"required":{"image":[[],{"image_upload":true}]}}}}`,
		"/api/experiment/models/no-such-one": `[]`,
	} {
		w := atFace(h, "GET", path, "")
		if w.Code != 200 || strings.TrimSpace(w.Body.String()) != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if w.Header().Get("X-Qmtui-Deployment") != "h200" || w.Header().Get("Last-Modified") != "Mon, 30 Nov 2026 09:00:00 GMT" {
			t.Errorf("%s: %v", path, w.Header())
		}
	}

	first := ask(h, "GET", "/comfy/user001/object_info", "")
	tag := first.Header().Get("ETag")
	if tag == "" || first.Header().Get("Cache-Control") != "private, no-cache" || strings.Contains(first.Body.String(), "theirs") {
		t.Errorf("%v\n%s", first.Header(), first.Body)
	}
	again := func(header ...string) *httptest.ResponseRecorder {
		return ask(h, "GET", "/comfy/user001/object_info", "", header...)
	}
	if w := again("If-None-Match: " + `"x", ` + tag); w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("asked again: %d %s", w.Code, w.Body)
	}
	packed := again("Accept-Encoding: gzip, br")
	z, err := gzip.NewReader(packed.Body)
	if err != nil || packed.Header().Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v %v", err, packed.Header())
	}
	if b, err := io.ReadAll(z); err != nil || string(b) != first.Body.String() {
		t.Errorf("packed: %s (%v)", b, err)
	}

	// An upload is a choice of its user's and of nobody else's.
	if err := os.WriteFile(filepath.Join(uploads, "user001", "mine.png"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if w := again("If-None-Match: " + tag); w.Code != 200 || !strings.Contains(w.Body.String(), `[["mine.png"],`) {
		t.Errorf("after an upload: %d %s", w.Code, w.Body)
	}
	if w := ask(h, "GET", "/comfy/user002/object_info", ""); strings.Contains(w.Body.String(), "mine.png") {
		t.Errorf("another user is shown %s", w.Body)
	}
	if w := ask(h, "GET", "/comfy/user002/object_info", "", "If-None-Match: "+again().Header().Get("ETag")); w.Code != 200 {
		t.Errorf("with the other's tag: %d", w.Code)
	}

	svc.nodes = job.NodeList{Deployment: "b200", At: read, JSON: []byte(`{"Other":{}}`)}
	if w := again("If-None-Match: " + tag); w.Code != 200 || !strings.Contains(w.Body.String(), `"Other"`) || w.Header().Get("X-Qmtui-Deployment") != "b200" {
		t.Errorf("of another deployment: %d %v", w.Code, w.Header())
	}
}

// Without uploads nobody's files are offered either.
func TestFaceNodesWithoutUploads(t *testing.T) {
	svc := newFake()
	svc.nodes.JSON = []byte(workersNodes)
	if w := atFace(newServer(t, svc, nil).Handler(), "GET", "/object_info", ""); strings.Contains(w.Body.String(), "theirs") || !json.Valid(w.Body.Bytes()) {
		t.Errorf("%s", w.Body)
	}
}

// Before anything is known, a page that has a ComfyUI of its own is told so,
// and nginx asks that one.
func TestFaceNodesUnknown(t *testing.T) {
	svc := newFake()
	h := newServer(t, svc, nil).Handler()
	for path, empty := range map[string]string{"/object_info": "{}", "/object_info/X": "{}", "/models": "[]", "/models/loras": "[]", "/experiment/models": "[]", "/experiment/models/loras": "[]"} {
		if w := atFace(h, "GET", path, ""); w.Code != 200 || strings.TrimSpace(w.Body.String()) != empty {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		wantError(t, ask(h, "GET", "/comfy/user001"+path, "", "X-Qmtui-Fallback: 1"), 503, "nodes_unknown")
	}
	svc.nodes.JSON = []byte(workersNodes)
	for path, status := range map[string]int{"/object_info": 200, "/object_info/PackOnly": 200, "/object_info/X": 503, "/models": 200, "/models/loras": 503, "/models/checkpoints": 200} {
		if w := ask(h, "GET", "/comfy/user001"+path, "", "X-Qmtui-Fallback: 1"); w.Code != status {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// BenchmarkFaceNodes hands out a list of the size that many node packs have.
func BenchmarkFaceNodes(b *testing.B) {
	var all strings.Builder
	all.WriteString(`{"LoadImage":{"input":{"required":{"image":[["theirs.png"],{"image_upload":true}]}}}`)
	for n := range 3000 {
		fmt.Fprintf(&all, `,"Class%d":{"input":{"required":{"value":["FLOAT",{"default":%d,"tooltip":"%s"}]}}}`, n, n, strings.Repeat("a tip ", 200))
	}
	all.WriteString("}")
	svc := newFake()
	svc.nodes.JSON = []byte(all.String())
	h := newServer(b, svc, nil).Handler()
	b.SetBytes(int64(all.Len()))
	for b.Loop() {
		ask(h, "GET", "/comfy/user001/object_info", "", "Accept-Encoding: gzip")
	}
}
