package server

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"mime"
	"net/http"
	"strings"
	"testing"

	"github.com/HugoSmits86/nativewebp"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// delivered is a handler and the paths of one delivered file.
func delivered(t *testing.T, dest string, data []byte) (h http.Handler, path string) {
	t.Helper()
	svc := newFake()
	o := svc.deliver(t, svc.add(t, "user001").ID, dest, data)
	return newServer(t, svc, nil).Handler(), "/api/outputs/" + string(o.ID)
}

func TestFileHeaders(t *testing.T) {
	for _, c := range []struct{ dest, kind, how string }{
		{"a.png", "image/png", "inline"},
		{"film/b.MP4", "video/mp4", "inline"},
		{"c.svg", "image/svg+xml", "attachment"},
		{"d.html", "application/octet-stream", "attachment"},
		{"e", "application/octet-stream", "attachment"},
		{"quote\"; x=y.png", "image/png", "inline"},
		{"line\r\nSet-Cookie: a=b.png", "image/png", "inline"},
		{"bäume/ä 漢.png", "image/png", "inline"},
	} {
		h, path := delivered(t, c.dest, []byte("<svg onload=alert(1)>"))
		w := ask(h, "GET", path+"/file", "")
		how, params, err := mime.ParseMediaType(w.Header().Get("Content-Disposition"))
		name := c.dest[strings.LastIndex(c.dest, "/")+1:]
		if err != nil || how != c.how || params["filename"] != name || w.Header().Get("Content-Type") != c.kind {
			t.Errorf("%q: %v %v", c.dest, w.Header(), err)
		}
		if strings.ContainsAny(w.Header().Get("Content-Disposition"), "\r\n") || w.Header().Get("X-Content-Type-Options") != "nosniff" ||
			!strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "sandbox;") {
			t.Errorf("%q: %v", c.dest, w.Header())
		}
	}
}

func TestFileRanges(t *testing.T) {
	h, path := delivered(t, "a.mp4", []byte("0123456789"))
	for _, c := range []struct {
		header string
		status int
		body   string
	}{
		{"Range: bytes=2-4", 206, "234"},
		{"Range: bytes=-3", 206, "789"},
		{"Range: bytes=20-", 416, ""},
		{"Accept: */*", 200, "0123456789"},
		{`If-None-Match: "xxh64:0011223344556677"`, 304, ""},
	} {
		w := ask(h, "GET", path+"/file", "", c.header)
		if w.Code != c.status || (c.body != "" && w.Body.String() != c.body) {
			t.Errorf("%s: %d %q", c.header, w.Code, w.Body)
		}
	}
	if w := ask(h, "HEAD", path+"/file", ""); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") != "10" {
		t.Errorf("HEAD: %d %v", w.Code, w.Header())
	}
}

func TestFilesThatAreNotThere(t *testing.T) {
	svc := newFake()
	h := newServer(t, svc, nil).Handler()
	o := svc.deliver(t, svc.add(t, "user001").ID, "a.png", nil)
	delete(svc.files, o.ID)
	wantError(t, ask(h, "GET", "/api/outputs/"+string(o.ID)+"/file", ""), 404, "file_gone")
	j := svc.add(t, "user001")
	seen := job.Output{ID: "seen", Node: "9", Source: "qm/p/9/a.png", Evidence: job.ByPrefix}
	svc.mu.Lock()
	err := svc.record(job.Fact{Job: j.ID, Kind: job.Assigned, Attempt: 1, At: epoch, PromptID: "p", Deployment: "h200"},
		job.Fact{Job: j.ID, Kind: job.Seen, Attempt: 1, At: epoch, Output: &seen, Evidence: job.ByPrefix})
	svc.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"file", "preview"} {
		b := wantError(t, ask(h, "GET", "/api/outputs/seen/"+what, ""), 409, "not_delivered")
		if b.State != "running" {
			t.Errorf("%+v", b)
		}
	}
}

func TestPreviewFormats(t *testing.T) {
	src := image.NewRGBA(image.Rect(0, 0, 40, 20))
	var asPNG, asJPEG, asGIF, asWebP bytes.Buffer
	for _, err := range []error{png.Encode(&asPNG, src), jpeg.Encode(&asJPEG, src, nil), gif.Encode(&asGIF, src, nil), nativewebp.Encode(&asWebP, src, nil)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range map[string][]byte{"a.png": asPNG.Bytes(), "a.jpg": asJPEG.Bytes(), "a.gif": asGIF.Bytes(), "a.webp": asWebP.Bytes()} {
		h, path := delivered(t, name, data)
		for query, width := range map[string]int{"?width=10": 10, "": 40, "?width=1024": 40} {
			w := ask(h, "GET", path+"/preview"+query, "")
			cfg, err := png.DecodeConfig(w.Body)
			if err != nil || cfg.Width != width || cfg.Height != width/2 || w.Header().Get("Content-Type") != "image/png" {
				t.Errorf("%s%s: %d %+v %v", name, query, w.Code, cfg, err)
			}
		}
	}
}

// hugePNG is a small file that says it has w x h pixels.
func hugePNG(t *testing.T, w, h uint32) []byte {
	data := somePicture(t, 4, 4)
	binary.BigEndian.PutUint32(data[16:], w)
	binary.BigEndian.PutUint32(data[20:], h)
	binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
	return data
}

func TestNoPreview(t *testing.T) {
	whole := somePicture(t, 64, 64)
	for name, data := range map[string][]byte{
		"video.mp4": []byte("\x00\x00\x00\x18ftypmp42"), "sound.flac": []byte("fLaC"), "nothing.png": nil, "half.png": whole[:len(whole)/2],
		"lies.png": hugePNG(t, 4000, 4000),
	} {
		h, path := delivered(t, name, data)
		wantError(t, ask(h, "GET", path+"/preview", ""), 415, "no_preview")
	}
	for _, side := range []uint32{8000, 60_000, 1<<31 - 1} {
		h, path := delivered(t, "bomb.png", hugePNG(t, side, side))
		wantError(t, ask(h, "GET", path+"/preview", ""), 413, "picture_too_large")
	}
	h, path := delivered(t, "a.png", whole)
	for _, width := range []string{"0", "-1", "1025", "x"} {
		wantError(t, ask(h, "GET", path+"/preview?width="+width, ""), 422, "bad_field")
	}
}

// A preview that was made once is not made again, and the cache stays small.
func TestPreviewCache(t *testing.T) {
	svc := newFake()
	h := newServer(t, svc, nil).Handler()
	o := svc.deliver(t, svc.add(t, "user001").ID, "a.png", somePicture(t, 64, 64))
	first := ask(h, "GET", "/api/outputs/"+string(o.ID)+"/preview", "").Body.String()
	delete(svc.files, o.ID)
	if again := ask(h, "GET", "/api/outputs/"+string(o.ID)+"/preview", ""); again.Body.String() != first {
		t.Errorf("%d %s", again.Code, again.Body)
	}

	c := newPreviewCache(10)
	c.put(previewKey{"a", 1}, []byte("1234"))
	c.put(previewKey{"b", 1}, []byte("1234"))
	c.get(previewKey{"a", 1})
	c.put(previewKey{"c", 1}, []byte("1234"))
	c.put(previewKey{"d", 1}, []byte("12345678901"))
	for id, want := range map[job.OutputID]bool{"a": true, "b": false, "c": true, "d": false} {
		if _, ok := c.get(previewKey{id, 1}); ok != want {
			t.Errorf("%s: %v", id, ok)
		}
	}
	if c.size != 8 || len(c.byKey) != 2 || c.order.Len() != 2 {
		t.Errorf("%d bytes, %d keys, %d elements", c.size, len(c.byKey), c.order.Len())
	}
}

func TestUserOutputsPages(t *testing.T) {
	svc := newFake()
	for range 5 {
		svc.deliver(t, svc.add(t, "user001").ID, "a.png", nil)
		svc.add(t, "user001") // without outputs
	}
	tcp, _ := serve(t, svc, func(o *Options) { o.Subfolder = "shared/{user}" })
	seen := map[job.OutputID]bool{}
	for q := (api.OutputQuery{Limit: 2}); ; {
		page, err := tcp.UserOutputs(t.Context(), "user001", q)
		if err != nil || page.Total != 10 {
			t.Fatalf("%+v: %v", page, err)
		}
		for _, o := range page.Items {
			if seen[o.ID] || o.Subfolder != "shared/user001" {
				t.Errorf("%+v", o)
			}
			seen[o.ID] = true
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d outputs", len(seen))
	}
}
