package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/job"
)

// coloured is a picture of one colour as a PNG, and what one of its pixels is.
func coloured(t *testing.T, c color.NRGBA) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 64, 48))
	for i := range img.Pix {
		img.Pix[i] = []uint8{c.R, c.G, c.B, c.A}[i%4]
	}
	var b bytes.Buffer
	orFatal(t, png.Encode(&b, img))
	return b.Bytes()
}

// samePixels reports a PNG that shows one colour everywhere.
func samePixels(t *testing.T, file string, c color.NRGBA) bool {
	t.Helper()
	body, err := os.ReadFile(file)
	orFatal(t, err)
	img, err := png.Decode(bytes.NewReader(body))
	orFatal(t, err)
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if r, g, b, _ := img.At(x, y).RGBA(); uint8(r>>8) != c.R || uint8(g>>8) != c.G || uint8(b>>8) != c.B {
				return false
			}
		}
	}
	return img.Bounds().Dx() == 64
}

// shareInputs gives a server the stage's input folder in place of its own.
func (s *realStage) shareInputs(t *testing.T) func(dir string) {
	return func(dir string) {
		own := filepath.Join(dir, "input")
		orFatal(t, os.Remove(own))
		orFatal(t, os.Symlink(s.inputs, own))
	}
}

// upload puts a file where the user's own page has it.
func (s *realStage) upload(t *testing.T, user, name string, body []byte) {
	t.Helper()
	to := filepath.Join(s.uploads, user, name)
	orFatal(t, os.MkdirAll(filepath.Dir(to), 0o755))
	orFatal(t, os.WriteFile(to, body, 0o644))
}

// loading is a user's prompt of which node 10 loads and node 9 saves.
func loading(user string, n int, title, load, save string) api.SubmitRequest {
	prefix := demo.Prefix(user, n, title)
	workflow := fmt.Sprintf(`{"10":%s,"9":%s}`, load, strings.ReplaceAll(save, "{mine}", prefix))
	return api.SubmitRequest{User: user, Name: title, Workflow: json.RawMessage(workflow), Extra: json.RawMessage(realExtra)}
}

const (
	saveStill = `{"class_type":"SaveImage","inputs":{"images":["10",0],"filename_prefix":"{mine}"}}`
	loadStill = `{"class_type":"LoadImage","inputs":{"image":%q}}`
)

// testInputs: two users have an a.png of different colours. Each gets their
// own back, as it was at submission, on whichever server; so it is with every
// core node that loads a file.
func (s *realStage) testInputs(t *testing.T) {
	colours := map[string]color.NRGBA{"user011": {200, 30, 40, 255}, "user012": {20, 60, 210, 255}}
	var ids []job.ID
	for user, c := range colours {
		s.upload(t, user, "a.png", coloured(t, c))
		ids = append(ids, s.submit(t, loading(user, 1, "first", fmt.Sprintf(loadStill, "a.png"), saveStill)).ID)
		s.upload(t, user, "a.png", coloured(t, color.NRGBA{c.G, c.B, c.R, 255}))
		ids = append(ids, s.submit(t, loading(user, 2, "second", fmt.Sprintf(loadStill, "a.png [input]"), saveStill)).ID)
	}
	ended := s.until(t, 2*time.Minute, "has ended", hasEnded, ids...)
	for user, c := range colours {
		for file, want := range map[string]color.NRGBA{demo.Prefix(user, 1, "first"): c, demo.Prefix(user, 2, "second"): {c.G, c.B, c.R, 255}} {
			if !samePixels(t, filepath.Join(s.users, user, file+"_00001_.png"), want) {
				t.Errorf("%s of %s is not of the colour %v that was uploaded", file, user, want)
			}
		}
	}
	for _, id := range ids {
		s.wantOwnNames(t, ended[id])
	}
	s.testLoaders(t, colours["user011"])
	_, _, err := s.client.Submit(t.Context(), loading("user012", 9, "missing", fmt.Sprintf(loadStill, "only_of_user011.png"), saveStill))
	if e := refusedAs(t, err, "input_missing"); !strings.Contains(string(e.NodeErrors), "image - Invalid image file: only_of_user011.png") {
		t.Errorf("node errors %s", e.NodeErrors)
	}
	s.judge(t)
}

// wantOwnNames: neither the job nor what a picture says of its prompt has the workers' names.
func (s *realStage) wantOwnNames(t *testing.T, j api.Job) {
	t.Helper()
	if j.State != job.Done || len(j.Inputs) != 1 || !strings.HasPrefix(j.Inputs[0].Name, "a.png") {
		t.Errorf("%s of %s is %s (%v) with the inputs %+v", j.Name, j.User, j.State, j.ErrorDetail, j.Inputs)
		return
	}
	tags := readTags(t, filepath.Join(s.users, j.User, j.Outputs[0].Path))
	if tags["prompt"] == "" || strings.Contains(tags["prompt"], "qm/"+j.User) || !strings.Contains(tags["prompt"], "a.png") {
		t.Errorf("the picture says of its prompt %s", tags["prompt"])
	}
}

// testLoaders tries each other core node that loads a file.
func (s *realStage) testLoaders(t *testing.T, c color.NRGBA) {
	const user = "user011"
	samples := map[string]string{"film.mp4": "mp4__mp4_00001_.mp4", "sound.flac": "flac__flac_00001_.flac", "l.latent": "latent__latent_00001_.latent", "3d/mesh.glb": "glb__glb_00001_.glb"}
	for name, sample := range samples {
		body, err := os.ReadFile(filepath.Join("..", "..", "internal", "comfy", "testdata", "samples", sample))
		orFatal(t, err)
		s.upload(t, user, name, body)
	}
	s.upload(t, user, "only_of_user011.png", coloured(t, c))
	for _, view := range []string{"i", "m", "n"} {
		s.upload(t, user, "temp/threed/"+view+".png", coloured(t, c))
	}
	mine := demo.Prefix(user, 1, "first") + "_00001_.png [output]"
	saveMask := `{"class_type":"SaveImage","inputs":{"images":["11",0],"filename_prefix":"{mine}"}},"11":{"class_type":"MaskToImage","inputs":{"mask":["10",0]}}`
	var ids []job.ID
	stills := map[string]bool{}
	for i, x := range []struct {
		title, load, save string
		still             bool
	}{
		{"output", fmt.Sprintf(loadStill, mine), saveStill, true},
		{"loadoutput", fmt.Sprintf(`{"class_type":"LoadImageOutput","inputs":{"image":%q}}`, mine), saveStill, true},
		{"mask", `{"class_type":"LoadImageMask","inputs":{"image":"only_of_user011.png","channel":"red"}}`, saveMask, false},
		{"video", `{"class_type":"LoadVideo","inputs":{"file":"film.mp4"}}`, `{"class_type":"SaveVideo","inputs":{"video":["10",0],"filename_prefix":"{mine}","format":"auto","codec":"auto"}}`, false},
		{"audio", `{"class_type":"LoadAudio","inputs":{"audio":"sound.flac"}}`, `{"class_type":"SaveAudio","inputs":{"audio":["10",0],"filename_prefix":"{mine}"}}`, false},
		{"latent", `{"class_type":"LoadLatent","inputs":{"latent":"l.latent"}}`, `{"class_type":"SaveLatent","inputs":{"samples":["10",0],"filename_prefix":"{mine}"}}`, false},
		{"model", `{"class_type":"Load3D","inputs":{"model_file":"3d/mesh.glb","width":64,"height":48,"image":{"image":"threed/i.png [temp]","mask":"threed/m.png [temp]","normal":"threed/n.png [temp]","recording":"","camera_info":{}}}}`, saveStill, true},
	} {
		ids = append(ids, s.submit(t, loading(user, 10+i, x.title, x.load, x.save)).ID)
		stills[demo.Prefix(user, 10+i, x.title)] = x.still
	}
	ended := s.until(t, 2*time.Minute, "has ended", hasEnded, ids...)
	for _, id := range ids {
		if j := ended[id]; j.State != job.Done || len(j.Inputs) == 0 {
			t.Errorf("%s is %s (%+v) with the inputs %+v", j.Name, j.State, j.ErrorDetail, j.Inputs)
		}
	}
	for file, still := range stills {
		if still && !samePixels(t, filepath.Join(s.users, user, file+"_00001_.png"), c) {
			t.Errorf("%s is not of the colour %v", file, c)
		}
	}
	entries, err := os.ReadDir(filepath.Join(s.inputs, comfy.Root, user))
	orFatal(t, err)
	t.Logf("%d staged files of %s: %v", len(entries), user, entries[0].Name())
}
