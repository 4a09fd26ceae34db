package server

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// sendUp uploads through the face of user001.
func sendUp(t testing.TB, h http.Handler, path, name string, data []byte, fields ...string) (int, map[string]any) {
	t.Helper()
	body, kind := uploadForm(t, name, data, fields...)
	w := ask(h, "POST", "/comfy/user001"+path, body, "X-Remote-User: user001", "Content-Type: "+kind)
	var v map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &v) // an error has another shape
	return w.Code, v
}

// TestFaceShowsUploads: what a user uploaded is shown to that user, and nothing beside it.
func TestFaceShowsUploads(t *testing.T) {
	dir := t.TempDir()
	h := newServer(t, newFake(), func(o *Options) { o.Inputs = dir }).Handler()
	for _, c := range [][]string{{"a.png", ""}, {"b.png", "subfolder", "sketches"}, {"c.png", "type", "temp", "subfolder", "webcam"}} {
		fields := c[1:]
		if len(fields) == 1 {
			fields = nil
		}
		if code, v := sendUp(t, h, "/upload/image", c[0], []byte("bytes of "+c[0]), fields...); code != 200 || v["name"] != c[0] {
			t.Fatalf("%v: %d %v", c, code, v)
		}
	}
	own := filepath.Join(dir, "user001")
	check(t, os.MkdirAll(filepath.Join(dir, "user002"), 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "user002", "s.png"), []byte("secret"), 0o644))
	check(t, os.WriteFile(filepath.Join(own, ".upload-x"), []byte("half"), 0o644))
	check(t, os.Symlink("../user002/s.png", filepath.Join(own, "link.png")))
	check(t, os.Symlink("user002", filepath.Join(dir, "user003")))
	check(t, unix.Mkfifo(filepath.Join(own, "pipe.png"), 0o644))
	for query, want := range map[string]string{
		"filename=a.png&type=input": "bytes of a.png", "filename=b.png&type=input&subfolder=sketches": "bytes of b.png",
		"filename=b.png%20[input]&subfolder=sketches": "bytes of b.png", "filename=c.png&type=temp&subfolder=webcam": "bytes of c.png",
		"filename=c.png&type=input&subfolder=temp/webcam": "bytes of c.png", "filename=c.png&type=input": "", "filename=link.png&type=input": "",
		"filename=.upload-x&type=input": "", "filename=pipe.png&type=input": "", "filename=sketches&type=input": "", "filename=a.png&type=other": "",
		"filename=s.png&type=input&subfolder=../user002": "", "filename=../user002/s.png&type=input": "",
	} {
		w := atFace(h, "GET", "/view?"+query, "")
		if (w.Code == 200) != (want != "") || w.Code == 200 && w.Body.String() != want || w.Code >= 500 {
			t.Errorf("%s: %d %q", query, w.Code, w.Body)
		}
	}
	if w := ask(h, "GET", "/comfy/user003/view?filename=s.png&type=input", "", "X-Remote-User: user003"); w.Code == 200 {
		t.Errorf("a user's folder that is a link shows another user's: %s", w.Body)
	}
	s := newServer(t, newFake(), func(o *Options) { o.Inputs = dir })
	check(t, os.MkdirAll(filepath.Join(own, "3d", "old"), 0o755))
	check(t, os.WriteFile(filepath.Join(own, "3d", "old", "m.glb"), nil, 0o644))
	if got := s.uploads("user001"); !slices.Equal(got, []string{"3d/old/m.glb", "a.png"}) {
		t.Errorf("user001 is offered %q", got)
	}
	if got := append(s.uploads("user003"), s.uploads("user009")...); len(got) != 0 {
		t.Errorf("through a link, or without a folder: %q", got)
	}
	body, kind := uploadForm(t, "x.png", []byte("x"))
	if w := ask(h, "POST", "/comfy/user003/upload/image", body, "X-Remote-User: user003", "Content-Type: "+kind); w.Code < 300 {
		t.Errorf("uploaded through a link into another user's folder: %d", w.Code)
	}
	if code, _ := sendUp(t, h, "/upload/image", "a.png", []byte("x"), "subfolder", "qm/user002"); code != 422 {
		t.Errorf("into the manager's own folder: %d", code)
	}
	off := newServer(t, newFake(), nil).Handler()
	if w := atFace(off, "GET", "/view?filename=a.png&type=input", ""); w.Code != 404 {
		t.Errorf("without uploads: %d", w.Code)
	}
}

// inColours is a PNG of w x h whose pixels are all c, with a text.
func inColours(t testing.TB, w, h int, c color.NRGBA, texts ...string) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		img.SetNRGBA(i%w, i/w, c)
	}
	var b bytes.Buffer
	check(t, png.Encode(&b, img))
	var chunks []byte
	for _, text := range texts {
		chunks = append(binary.BigEndian.AppendUint32(chunks, uint32(len(text))), "tEXt"+text...)
		chunks = binary.BigEndian.AppendUint32(chunks, crc32.ChecksumIEEE([]byte("tEXt"+text)))
	}
	const head = 8 + 25 // the signature and the first chunk
	return slices.Insert(b.Bytes(), head, chunks...)
}

// TestFaceMask: the picture keeps its colours, also under the mask, and its texts.
func TestFaceMask(t *testing.T) {
	dir := t.TempDir()
	h := newServer(t, newFake(), func(o *Options) { o.Inputs = dir }).Handler()
	red := color.NRGBA{200, 10, 20, 255}
	if code, _ := sendUp(t, h, "/upload/image", "a.png", inColours(t, 6, 4, red, "workflow\x00{}")); code != 200 {
		t.Fatal(code)
	}
	mask := image.NewNRGBA(image.Rect(0, 0, 6, 4))
	mask.SetNRGBA(2, 1, color.NRGBA{0, 0, 0, 255})
	var b bytes.Buffer
	check(t, png.Encode(&b, mask))
	ref := `{"filename":"a.png","subfolder":"","type":"input"}`
	code, v := sendUp(t, h, "/upload/mask", "m.png", b.Bytes(), "original_ref", ref, "subfolder", "clipspace", "type", "input")
	if code != 200 || v["name"] != "m.png" || v["subfolder"] != "clipspace" {
		t.Fatalf("%d %v", code, v)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "user001", "clipspace", "m.png"))
	check(t, err)
	got, err := png.Decode(bytes.NewReader(raw))
	check(t, err)
	hidden, seen := color.NRGBAModel.Convert(got.At(0, 0)).(color.NRGBA), color.NRGBAModel.Convert(got.At(2, 1)).(color.NRGBA)
	if hidden != (color.NRGBA{200, 10, 20, 0}) || seen != red {
		t.Errorf("under the mask %v, beside it %v", hidden, seen)
	}
	if !bytes.Contains(raw, []byte("tEXtworkflow\x00{}")) {
		t.Error("the texts of the picture are lost")
	}
	for name, c := range map[string]struct {
		ref    string
		mask   []byte
		status int
	}{
		"no reference": {"", b.Bytes(), 422}, "no such picture": {strings.Replace(ref, "a.png", "b.png", 1), b.Bytes(), 404},
		"another user's": {strings.Replace(ref, "a.png", "../user002/a.png", 1), b.Bytes(), 422}, "another size": {ref, inColours(t, 5, 4, red), 422},
		"not JSON": {"{", b.Bytes(), 422}, "no picture": {ref, []byte("text"), 422},
	} {
		if code, v := sendUp(t, h, "/upload/mask", "n.png", c.mask, "original_ref", c.ref); code != c.status {
			t.Errorf("%s: %d %v", name, code, v)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "user001", "n.png")); err == nil {
		t.Error("something refused was stored")
	}
}
