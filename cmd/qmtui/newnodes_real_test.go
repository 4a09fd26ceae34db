package main

import (
	"image/color"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/job"
)

// newFormats are what ComfyUI 0.33 writes besides, of prompts in
// testdata/real/formats33.
var newFormats = []realFormat{
	{name: "advanced-png8", files: []string{"adv/*_00001.png", "adv/*_00002.png"}},
	{name: "advanced-png16", files: []string{"adv/*_00001.png"}},
	{name: "advanced-exr", files: []string{"adv/*_00001.exr"}},
	{name: "audio-advanced-flac", files: []string{"audio/*_00001.flac"}},
	{name: "audio-advanced-mp3", files: []string{"audio/*_00001.mp3"}},
	{name: "audio-advanced-opus", files: []string{"audio/*_00001.opus"}},
	{name: "text-txt", files: []string{"text/*_00001.txt"}, bare: true},
	{name: "text-csv", files: []string{"text/*_00001.csv"}, bare: true},
	{name: "text-md", files: []string{"text/*_00001.md"}, bare: true},
	{name: "text-json", files: []string{"text/*_00001.json"}, bare: true},
	{name: "video-auto", files: []string{"video/*_00001_.mp4"}},
	{name: "video-mkv", files: []string{"video/*_00001_.mkv"}},
	{name: "video-webm", files: []string{"video/*_00001_.webm"}},
	{name: "video-av1", files: []string{"video/*_00001_.mp4"}},
	{name: "mesh-file", files: []string{"mesh/*_00001_.glb"}, bare: true},
	{name: "3d-advanced", files: []string{"mesh/*_00001.glb"}, bare: true},
	{name: "3d-usdz", files: []string{"m3/*_00001.usdz"}, bare: true},
	{name: "3d-ply", files: []string{"m3/*_00001.ply"}, bare: true},
	{name: "3d-splat", files: []string{"m3/*_00001.splat"}, bare: true},
	{name: "3d-spz", files: []string{"m3/*_00001.spz"}, bare: true},
	{name: "3d-stl", files: []string{"m3/*_00001_.stl"}, bare: true},
	{name: "chain", files: []string{"*_a_00001_.png", "*_b_00001_.png"}},
	{name: "compare", files: []string{"*_00001_.png"}},
	{name: "dataset-increment", files: []string{"*/img_00001_00000.png"}, bare: true},
	{name: "lora", files: []string{"loras/*_5_steps_00001_.safetensors"}, bare: true},
}

// needModels are the save nodes of 0.33 for which no prompt can be written
// that needs no model.
var needModels = []string{"CLIPSave", "CheckpointSave", "ImageOnlyCheckpointSave", "LoraSave", "ModelSave", "VAESave"}

// TestNewNodesOnComfyUI tries every save node of ComfyUI 0.33, and what else is new in it.
func TestNewNodesOnComfyUI(t *testing.T) {
	s := openStage(t, stagePlan{
		prepare: func(dir string) { orFatal(t, os.Mkdir(filepath.Join(dir, "custom_nodes"), 0o755)) },
		flags:   func(dir string) []string { return []string{"--base-directory", dir} },
	})
	if _, ok := s.nodes.Class("SaveImageAdvanced"); !ok {
		t.Skipf("ComfyUI %s is older than 0.33 and has no SaveImageAdvanced", s.version)
	}
	if _, err := s.client.CheckWorker(t.Context(), realDeployment); err != nil {
		t.Fatal(err)
	}
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"no save node is left out", s.testNoneLeftOut},
		{"every save node, 4 users", s.testNewFormats},
		{"row 19: 8 short jobs of each", s.testNoSlower},
		{"row 20: nodes that only show", s.testOnlyShows},
		{"row 21: Preview3D writes into the root of the share", s.testPreview3D},
		{"row 22: the mask of Painter", s.testPainter},
		{"row 23: names without an underscore are counted on", s.testNumbering},
		{"row 24: SaveTrainingDataset writes elsewhere", s.testElsewhere},
		{"row 25: an old class that the server replaces", s.testReplaced},
	} {
		t.Run(part.name, part.run)
	}
}

// allFormats are the prompts for these servers, by file.
func (s *realStage) allFormats(t *testing.T) map[string]realFormat {
	t.Helper()
	all := map[string]realFormat{}
	for _, f := range s.known(t) {
		all["formats/"+f.name] = f
	}
	for _, f := range newFormats {
		all["formats33/"+f.name] = f
	}
	return all
}

// testNoneLeftOut: the server itself says which output nodes it has.
func (s *realStage) testNoneLeftOut(t *testing.T) {
	tried := map[string]bool{"SaveTrainingDataset": true, "Preview3D": true}
	for file := range s.allFormats(t) {
		for _, class := range classesOf(t, file) {
			tried[class] = true
		}
	}
	for _, row := range comfy.SaveNodeRows() {
		for _, class := range append([]string{row.Class}, row.Same...) {
			declared, ok := s.nodes.Class(class)
			if ok && declared.Core && declared.Output && row.None == "" && !tried[class] && !slices.Contains(needModels, class) {
				t.Errorf("%s saves files, and no prompt tries it", class)
			}
		}
	}
}

// testNewFormats runs each prompt once for each of 4 users.
func (s *realStage) testNewFormats(t *testing.T) {
	const users = 4
	all := s.allFormats(t)
	asked := map[job.ID]realFormat{}
	var ids []job.ID
	for _, file := range slices.Sorted(maps.Keys(all)) {
		for u := 1; u <= users; u++ {
			j := s.submit(t, s.request(t, demo.User(u), 1, file))
			asked[j.ID] = all[file]
			ids = append(ids, j.ID)
		}
	}
	began := time.Now()
	s.until(t, 5*time.Minute, "has ended", hasEnded, ids...)
	t.Logf("%d prompts for %d users: %d jobs done after %s", len(all), users, len(ids), seconds(began))
	jobs := s.until(t, time.Minute, "is closed", isClosed, ids...)
	for _, id := range ids {
		s.checkDone(t, jobs[id], asked[id], 1)
	}
	files := s.judge(t)
	t.Logf("%d files, each once in its user's folder, byte for byte: %s", files, s.kinds(t))
}

// testNoSlower: 8 short jobs of a class take at most half as long again as 8
// of SaveImage. What seems slow is tried again, since the machine may be busy.
func (s *realStage) testNoSlower(t *testing.T) {
	all := slices.Sorted(maps.Keys(s.allFormats(t)))
	eight := func(file string) time.Duration {
		began := time.Now()
		var ids []job.ID
		for n := range 8 {
			ids = append(ids, s.submit(t, s.request(t, demo.User(n%4+1), 10+n, file)).ID)
		}
		for id, j := range s.until(t, 2*time.Minute, "has ended", hasEnded, ids...) {
			if slices.Contains(ids, id) && j.State != job.Done {
				t.Errorf("%s of %s is %s: %+v", j.Name, j.User, j.State, j.ErrorDetail)
			}
		}
		return time.Since(began)
	}
	for _, file := range all {
		const tries = 4
		var ratio float64
		for try := range tries {
			base, took := eight("formats/image"), eight(file)
			r := took.Seconds() / base.Seconds()
			if try == 0 || r < ratio {
				ratio = r
			}
			if ratio <= 1.5 {
				t.Logf("%-32s %5.2f s, %.2f x SaveImage", file, took.Seconds(), ratio)
				break
			}
			t.Logf("%-32s %5.2f s, %.2f x SaveImage in try %d", file, took.Seconds(), r, try+1)
		}
		if ratio > 1.5 {
			t.Errorf("8 jobs of %s take %.2f times as long as SaveImage", file, ratio)
		}
	}
}

// testOnlyShows: what saves nothing is refused before it is sent.
func (s *realStage) testOnlyShows(t *testing.T) {
	sent := s.balancer.count(asked.posts)
	_, _, err := s.client.Submit(t.Context(), s.request(t, "user020", 1, "formats33/only-compare"))
	e := refusedAs(t, err, "previews_only")
	t.Logf("%s; %s", e.Message, e.Hint)
	if now := s.balancer.count(asked.posts); now != sent {
		t.Errorf("%d prompts were sent", now-sent)
	}
}

// testPreview3D: two users at once; only the history says whose file it is.
func (s *realStage) testPreview3D(t *testing.T) {
	var ids []job.ID
	users := []string{"user021", "user022"}
	for n := range 6 {
		ids = append(ids, s.submit(t, s.request(t, users[n%2], n, "formats33/preview3d")).ID)
	}
	found := s.until(t, 2*time.Minute, "has ended", hasEnded, ids...)
	for _, id := range ids {
		j := found[id]
		if j.State != job.Done || len(j.Outputs) != 1 || !strings.HasPrefix(string(j.Outputs[0].Source), "preview3d_") {
			t.Errorf("the job of %s is %s with %s: %+v", j.User, j.State, paths(j.Outputs), j.ErrorDetail)
			continue
		}
		t.Logf("%s of %s by %s after %s", j.Outputs[0].Path, j.User, j.Outputs[0].Evidence, j.Completed.Sub(j.Created.Time).Round(time.Millisecond))
	}
	s.wantNoOrphans(t)
}

func (s *realStage) wantNoOrphans(t *testing.T) {
	t.Helper()
	orphans, err := s.client.Orphans(t.Context(), "")
	orFatal(t, err)
	for _, o := range orphans {
		t.Errorf("%s is an orphan", o.Path)
	}
}

// testPainter: the file that a text input names is brought to the workers.
func (s *realStage) testPainter(t *testing.T) {
	colours := map[string]color.NRGBA{"user023": {210, 30, 40, 255}, "user024": {10, 160, 210, 255}}
	for user, c := range colours {
		s.upload(t, user, "painter-9-1.png", coloured(t, c))
		j := s.run(t, user, 1, "formats33/painter")
		if j.State != job.Done || len(j.Outputs) != 1 {
			t.Errorf("the job is %s with %d files: %+v", j.State, len(j.Outputs), j.ErrorDetail)
			continue
		}
		if !samePixels(t, filepath.Join(s.users, user, j.Outputs[0].Path), c) {
			t.Errorf("%s of %s does not show what was painted", j.Outputs[0].Path, user)
		}
	}
}

// testNumbering: what is delivered goes on in the sequence that is there.
func (s *realStage) testNumbering(t *testing.T) {
	const user = "user025"
	for _, file := range []string{"formats33/advanced-png8", "formats33/advanced-exr"} {
		var got []string
		for range 3 {
			j := s.run(t, user, 1, file)
			for _, o := range j.Outputs {
				got = append(got, o.Path)
			}
		}
		want := []string{"adv/*_00001.png", "adv/*_00002.png", "adv/*_00003.png", "adv/*_00004.png", "adv/*_00005.png", "adv/*_00006.png"}
		if strings.HasSuffix(file, "exr") {
			want = []string{"adv/*_00001.exr", "adv/*_00002.exr", "adv/*_00003.exr"}
		}
		mine := demo.Prefix(user, 1, filepath.Base(file))
		for i := range want {
			want[i] = strings.ReplaceAll(want[i], "*", mine)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("the user has %q, want %q", got, want)
		}
	}
}

// testElsewhere: what is written beside the output folder is said to be, and
// waited for by nobody.
func (s *realStage) testElsewhere(t *testing.T) {
	j := s.run(t, "user026", 1, "formats33/training")
	if j.State != job.Done || len(j.Outputs) != 1 || !slices.ContainsFunc(j.Warnings, func(w job.Warning) bool { return w.Code == "writes_elsewhere" }) {
		t.Errorf("the job is %s with %s and the warnings %+v: %+v", j.State, paths(j.Outputs), j.Warnings, j.ErrorDetail)
	}
	for _, r := range s.replicas {
		orFatal(t, filepath.WalkDir(filepath.Join(filepath.Dir(r.log), "datasets"), func(p string, _ os.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err == nil && filepath.Base(p) == comfy.Root {
				t.Errorf("our folder stands in the dataset's: %s", p)
			}
			return err
		}))
	}
}

func (s *realStage) testReplaced(t *testing.T) {
	j := s.run(t, "user027", 1, "formats33/replaced")
	if j.State != job.Done || len(j.Outputs) != 1 {
		t.Errorf("the job is %s with %s: %+v", j.State, paths(j.Outputs), j.ErrorDetail)
	}
}
