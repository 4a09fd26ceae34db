package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/job"
)

// realFormat is a prompt of testdata/real/formats and the files it makes. "*"
// stands for the user's own prefix.
type realFormat struct {
	name  string
	files []string
	bare  bool // ComfyUI embeds no metadata in it
}

// realFormats are all that ComfyUI writes without a model.
var realFormats = []realFormat{
	{name: "image", files: []string{"*_00001_.png"}},
	{name: "batch", files: []string{"stills/*_00001_.png", "stills/*_00002_.png", "stills/*_00003_.png", "stills/*_00004_.png"}},
	{name: "animated-png", files: []string{"anim/*_00001_.png"}},
	{name: "animated-webp", files: []string{"anim/*_00001_.webp"}},
	{name: "video", files: []string{"video/*_00001_.mp4"}},
	{name: "video-sound", files: []string{"video/*_00001_.mp4"}},
	{name: "webm", files: []string{"video/*_00001_.webm"}},
	{name: "webm-av1", files: []string{"video/*_00001_.webm"}},
	{name: "audio-flac", files: []string{"audio/*_00001_.flac"}},
	{name: "audio-mp3", files: []string{"audio/*_00001_.mp3"}},
	{name: "audio-opus", files: []string{"audio/*_00001_.opus"}},
	{name: "latent", files: []string{"latents/*_00001_.latent"}},
	{name: "mesh", files: []string{"mesh/*_00001_.glb"}},
	{name: "vector", files: []string{"svg/*_00001_.svg"}},
	{name: "linked-prefix", files: []string{"linked/*_00001_.png"}},
	{name: "two-saves", files: []string{"*_00001_.png", "*_moving_00001_.webp"}},
	{name: "subgraph", files: []string{"*_48x32_00001_.png"}},
	{name: "odd-name", files: []string{"Bilder für später/*.v2 'x' [1] %2025%_00001_.png"}},
	{name: "dataset", files: []string{"*/img_00000.png"}, bare: true},
	{name: "dataset-text", files: []string{"*/img_00000.png", "*/img_00000.txt"}, bare: true},
}

// known are the formats for which these servers have every node.
func (s *realStage) known(t *testing.T) []realFormat {
	t.Helper()
	formats := slices.Clone(realFormats)
	if _, newer := s.nodes.Class("SaveAudioAdvanced"); newer { // its names of sound have no underscore at the end
		for i, f := range formats {
			if strings.HasPrefix(f.name, "audio-") {
				formats[i].files = []string{strings.Replace(f.files[0], "_.", ".", 1)}
			}
		}
	}
	return slices.DeleteFunc(formats, func(f realFormat) bool {
		lacks := s.lacks(t, "formats/"+f.name)
		if lacks != "" {
			t.Logf("%s is left out: this ComfyUI has no %s", f.name, lacks)
		}
		return lacks != ""
	})
}

// lacks names a class of a prompt that the servers do not have; "" for none.
func (s *realStage) lacks(t *testing.T, file string) string {
	t.Helper()
	for _, class := range classesOf(t, file) {
		if _, ok := s.nodes.Class(class); !ok {
			return class
		}
	}
	return ""
}

// classesOf are the node classes of a prompt below testdata/real.
func classesOf(t *testing.T, file string) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "real", file+".json"))
	orFatal(t, err)
	var nodes map[string]struct {
		Class string `json:"class_type"`
	}
	orFatal(t, json.Unmarshal(raw, &nodes))
	var out []string
	for _, n := range nodes {
		out = append(out, n.Class)
	}
	return out
}

// testAllFormats runs 20 jobs of 4 users, every format at least once, and
// judges what came of them.
func (s *realStage) testAllFormats(t *testing.T) { s.testFormats(t, s.known(t)) }

func (s *realStage) testFormats(t *testing.T, formats []realFormat) {
	t.Helper()
	const users, total = 4, 20
	began := time.Now()
	asked := map[job.ID]realFormat{}
	var ids []job.ID
	for i := range total {
		f := formats[i%len(formats)]
		j := s.submit(t, s.request(t, demo.User(i%users+1), i/users+1, "formats/"+f.name))
		asked[j.ID] = f
		ids = append(ids, j.ID)
	}
	s.until(t, 5*time.Minute, "has ended", hasEnded, ids...)
	t.Logf("%d jobs of %d users, %d formats, done after %s", total, users, len(formats), seconds(began))
	jobs := s.until(t, time.Minute, "is closed: nothing more will come", isClosed, ids...)
	for i, id := range ids {
		s.checkDone(t, jobs[id], asked[id], i/users+1)
	}
	files := s.judge(t)
	t.Logf("%d files, each once in its user's folder, byte for byte: %s", files, s.kinds(t))
}

func (s *realStage) checkDone(t *testing.T, j api.Job, f realFormat, n int) {
	t.Helper()
	if j.State != job.Done || len(j.Attempts) != 1 || len(j.Warnings) != 0 {
		t.Errorf("%s of %s is %s after %d attempts: %v, %v", f.name, j.User, j.State, len(j.Attempts), j.ErrorDetail, j.Warnings)
	}
	mine := demo.Prefix(j.User, n, f.name)
	var want []string
	for _, name := range f.files {
		want = append(want, strings.ReplaceAll(name, "*", mine))
	}
	s.checkFiles(t, j, want, !f.bare)
}

// kinds counts the files in the users' folders by extension.
func (s *realStage) kinds(t *testing.T) string {
	t.Helper()
	files, err := demo.Folders(s.users)
	orFatal(t, err)
	counts := map[string]int{}
	for _, f := range files {
		counts[path.Ext(f.Path)]++
	}
	return fmt.Sprint(counts)
}

// testAgain submits one prompt three times in a row, so that one of the two
// servers gets it again and would by itself write nothing: its cache has it.
// The user's folder already holds a file of that name, which must stay.
func (s *realStage) testAgain(t *testing.T) {
	const user, n = "user005", 1
	old := filepath.Join(s.users, user, demo.Prefix(user, n, "image")+"_00007_.png")
	orFatal(t, os.MkdirAll(filepath.Dir(old), 0o755))
	orFatal(t, os.WriteFile(old, []byte("the user's own"), 0o644))
	r := s.request(t, user, n, "formats/image")
	for _, number := range []string{"00008", "00009", "00010"} {
		j := s.submit(t, r)
		j = s.until(t, time.Minute, "has ended", hasEnded, j.ID)[j.ID]
		if j.State != job.Done {
			t.Errorf("the job is %s: %v", j.State, j.ErrorDetail)
		}
		s.checkFiles(t, j, []string{demo.Prefix(user, n, "image") + "_" + number + "_.png"}, true)
	}
	if b, err := os.ReadFile(old); string(b) != "the user's own" {
		t.Errorf("the user's own file has %q (%v)", b, err)
	}
	orFatal(t, os.Remove(old)) // the judge counts what servers wrote
}

// testOnePrefix: files of one prefix from two servers with one output folder,
// where bare ComfyUI overwrites and corrupts, and says success.
func (s *realStage) testOnePrefix(t *testing.T) {
	const user, jobs, each = "user005", 8, 4
	var ids []job.ID
	for range jobs {
		ids = append(ids, s.submit(t, s.request(t, user, 3, "formats/batch")).ID)
	}
	found := s.until(t, time.Minute, "has ended", hasEnded, ids...)
	numbers := map[string]bool{}
	for _, id := range ids {
		if j := found[id]; j.State != job.Done || len(j.Outputs) != each {
			t.Errorf("the job is %s with %d files: %v", j.State, len(j.Outputs), j.ErrorDetail)
		}
		for _, o := range found[id].Outputs {
			numbers[o.Path] = true
			s.checkMetadata(t, found[id], o.Path, true)
		}
	}
	for n := range jobs * each {
		if name := fmt.Sprintf("stills/%s_%05d_.png", demo.Prefix(user, 3, "batch"), n+1); !numbers[name] {
			t.Errorf("there is no %s", name)
		}
	}
}

// testDraggedBack: a picture dragged back carries the prompt as it was sent,
// with the tags of its attempt; submitted again it gets tags of its own.
func (s *realStage) testDraggedBack(t *testing.T) {
	first := s.run(t, "user005", 2, "formats/linked-prefix")
	if len(first.Outputs) != 1 {
		t.Fatalf("the first is %s with %d files", first.State, len(first.Outputs))
	}
	tags := readTags(t, filepath.Join(s.users, first.User, first.Outputs[0].Path))
	again := s.submit(t, api.SubmitRequest{User: first.User, Name: "dragged back", Workflow: json.RawMessage(tags["prompt"]), Extra: json.RawMessage(realExtra)})
	again = s.until(t, time.Minute, "has ended", hasEnded, again.ID)[again.ID]
	if again.State != job.Done || len(again.Outputs) != 1 {
		t.Fatalf("the second is %s with %d files: %v", again.State, len(again.Outputs), again.ErrorDetail)
	}
	s.checkFiles(t, again, []string{"linked/" + demo.Prefix(first.User, 2, "linked-prefix") + "_00002_.png"}, true)
	if again.PromptID == first.PromptID || !strings.HasPrefix(string(again.Outputs[0].Source), comfy.Folder(again.PromptID)+"/") {
		t.Errorf("the second picture was written to %s", again.Outputs[0].Source)
	}
}
