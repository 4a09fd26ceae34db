package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/demo"
	"github.com/comfyume/qmtui/internal/job"
)

// saveKind is a way to save that real nodes have. In node 2, {label} is a text
// that tells the job, and {share} the output folder as the servers call it.
// Every user of it takes the same names.
type saveKind struct {
	name  string
	pack  string // "" for nodes of testdata
	batch int
	node2 string
	more  string // further nodes
	files int    // that one job makes
}

var saveKinds = []saveKind{
	{"QmtuiTestFlat", "", 2, `{"class_type":"QmtuiTestFlat","inputs":{"images":["1",0],"output_path":"","filename_prefix":"same"}}`, "", 2},
	{"QmtuiTestNamed", "", 1, `{"class_type":"QmtuiTestNamed","inputs":{"images":["1",0],"filename":"same","path":"","extension":"png"}}`, "", 1},
	{"QmtuiTestNamedBare jpg", "", 1, `{"class_type":"QmtuiTestNamedBare","inputs":{"images":["1",0],"filename":"same","path":"","extension":"jpg"}}`, "", 1},
	{"QmtuiTestNamedBare webp", "", 1, `{"class_type":"QmtuiTestNamedBare","inputs":{"images":["1",0],"filename":"same","path":"mine","extension":"webp"}}`, "", 1},
	{"QmtuiTestWhole", "", 1, `{"class_type":"QmtuiTestWhole","inputs":{"images":["1",0],"target":"same.jpg"}}`, "", 1},
	{"QmtuiTestBothFolders", "", 2, `{"class_type":"QmtuiTestBothFolders","inputs":{"images":["1",0],"filename_prefix":"same","output_folder":"output","caption":"{label}"}}`, "", 4},
	{"QmtuiTestOtherPrefix", "", 2, `{"class_type":"QmtuiTestOtherPrefix","inputs":{"images":["1",0],"save_prefix":"same"}}`, "", 2},
	{"QmtuiTestPassThrough", "", 1, `{"class_type":"QmtuiTestPassThrough","inputs":{"images":["1",0],"filename_prefix":"same"}}`,
		`,"3":{"class_type":"SaveImage","inputs":{"images":["2",0],"filename_prefix":"same"}}`, 2},
	{"QmtuiTestSidecars", "", 2, `{"class_type":"QmtuiTestSidecars","inputs":{"images":["1",0],"filename_prefix":"same","caption":"{label}"}}`, "", 6},
	{"QmtuiTestRewrite", "", 1, `{"class_type":"QmtuiTestRewrite","inputs":{"images":["1",0],"filename_prefix":"same"}}`, "", 1},
	{"QmtuiTestQuietText", "", 1, `{"class_type":"QmtuiTestQuietText","inputs":{"text":["1",1],"root_dir":"output","file":"same.txt"}}`, "", 1},
	{"Image Save", "WAS", 1, `{"class_type":"Image Save","inputs":{"images":["1",0],"output_path":"","filename_prefix":"same","filename_delimiter":"_","filename_number_padding":4,` +
		`"filename_number_start":"false","extension":"jpg","dpi":300,"quality":95,"optimize_image":"true","lossless_webp":"false","overwrite_mode":"prefix_as_filename","show_history":"false",` +
		`"show_history_by_prefix":"true","embed_workflow":"false","show_previews":"true"}}`, "", 1},
	{"Image Save [time]", "WAS", 2, `{"class_type":"Image Save","inputs":{"images":["1",0],"output_path":"[time(%Y)]","filename_prefix":"same","filename_delimiter":"_","filename_number_padding":4,` +
		`"filename_number_start":"false","extension":"png","dpi":300,"quality":95,"optimize_image":"true","lossless_webp":"false","overwrite_mode":"false","show_history":"false",` +
		`"show_history_by_prefix":"true","embed_workflow":"true","show_previews":"true"}}`, "", 2},
	{"Save Text File", "WAS", 1, `{"class_type":"Save Text File","inputs":{"text":["1",1],"path":"{share}/notes","filename_prefix":"same","filename_delimiter":"_","filename_number_padding":4}}`, "", 1},
	{"Export API", "WAS", 1, `{"class_type":"Export API","inputs":{"save_prompt_api":"true","output_path":"{share}","filename_prefix":"same","filename_delimiter":"_","filename_number_padding":4,"parse_text_tokens":false}}`,
		`,"3":{"class_type":"PreviewImage","inputs":{"images":["1",0]}}`, 1},
	{"SaveImageKJ", "KJNodes", 2, `{"class_type":"SaveImageKJ","inputs":{"images":["1",0],"filename_prefix":"same","output_folder":"output","caption":"{label}","caption_file_extension":".txt"}}`, "", 4},
	{"SaveStringKJ", "KJNodes", 1, `{"class_type":"SaveStringKJ","inputs":{"string":["1",1],"filename_prefix":"same","output_folder":"output"}}`, "", 1},
	{"Image Saver", "Image-Saver", 2, `{"class_type":"Image Saver","inputs":{"images":["1",0],"filename":"same","path":"","extension":"png","save_workflow_as_json":true,"download_civitai_data":false}}`, "", 4},
	{"Image Saver Simple", "Image-Saver", 1, `{"class_type":"Image Saver Simple","inputs":{"images":["1",0],"filename":"same","path":"","extension":"jpeg","lossless_webp":true,"quality_jpeg_or_webp":95,` +
		`"optimize_png":false,"embed_workflow":false,"save_workflow_as_json":false}}`, "", 1},
	{"VHS_VideoCombine", "VideoHelperSuite", 8, `{"class_type":"VHS_VideoCombine","inputs":{"images":["1",0],"filename_prefix":"same","format":"video/h264-mp4","frame_rate":8,"loop_count":0,"pingpong":false,"save_output":true}}`, "", 2},
	{"VHS_VideoCombine audio", "VideoHelperSuite", 8, `{"class_type":"VHS_VideoCombine","inputs":{"images":["1",0],"audio":["3",0],"filename_prefix":"same","format":"video/h264-mp4","frame_rate":8,"loop_count":0,"pingpong":false,"save_output":true}}`,
		`,"3":{"class_type":"EmptyAudio","inputs":{"duration":1.0,"sample_rate":44100,"channels":2}}`, 3},
	{"CR Image Output", "Comfyroll", 1, `{"class_type":"CR Image Output","inputs":{"images":["1",0],"output_type":"Save","filename_prefix":"same","prefix_presets":"yyyyMMdd","file_format":"webp"}}`, "", 1},
	{"CR XY Save Grid Image", "Comfyroll", 1, `{"class_type":"CR XY Save Grid Image","inputs":{"image":["1",0],"mode":"Save","output_folder":"grids","filename_prefix":"same","file_format":"jpg","output_path":"","trigger":true}}`, "", 1},
}

// saveJob is a job and what tells its files.
type saveJob struct {
	kind   saveKind
	number int
	user   string
	id     job.ID
}

// saveStage is a stage whose jobs are told apart by numbers that stand in what
// their files show.
type saveStage struct {
	*realStage
	python  string
	numbers map[int]*saveJob
}

// openSaveStage starts servers with the nodes of testdata, and with the packs
// that are in COMFYUI_PACKS.
func openSaveStage(t *testing.T, plan stagePlan) *saveStage {
	t.Helper()
	more := plan.prepare
	plan.prepare = func(dir string) {
		code, err := os.ReadFile("testdata/real/standins.py")
		orFatal(t, err)
		orFatal(t, os.WriteFile(filepath.Join(customNodes(dir), "qmtui_standins.py"), code, 0o644))
		linkPacks(t, customNodes(dir))
		if more != nil {
			more(dir)
		}
	}
	s := &saveStage{openStage(t, plan), findCheckout(t).python, map[int]*saveJob{}}
	t.Cleanup(func() {
		if keep := os.Getenv("QMTUI_KEEP_LOG"); keep != "" {
			said, _ := os.ReadFile(s.log.Name())
			_ = os.WriteFile(keep, said, 0o644)
		}
	})
	orFatal(t, os.MkdirAll(filepath.Join(s.share, "grids"), 0o755)) // Comfyroll only offers folders that are there
	return s
}

// linkPacks links every node pack in the folder that COMFYUI_PACKS names.
func linkPacks(t *testing.T, nodes string) {
	t.Helper()
	packs := os.Getenv("COMFYUI_PACKS")
	if packs == "" {
		t.Log("COMFYUI_PACKS is not set: without the packs WAS, KJNodes, Image-Saver, VideoHelperSuite and Comfyroll in that folder only the nodes of testdata are tried")
		return
	}
	entries, err := os.ReadDir(packs)
	orFatal(t, err)
	for _, e := range entries {
		orFatal(t, os.Symlink(filepath.Join(packs, e.Name()), filepath.Join(nodes, e.Name())))
	}
}

// start submits a job of a kind under a number of its own.
func (s *saveStage) start(t *testing.T, user string, k saveKind) *saveJob {
	t.Helper()
	n := &saveJob{kind: k, number: 1000 + 257*len(s.numbers), user: user}
	s.numbers[n.number] = n
	label := "qmtui-job-" + strconv.Itoa(n.number)
	own := strings.NewReplacer("{label}", label, "{share}", filepath.ToSlash(s.share))
	prompt := fmt.Sprintf(`{"1":{"class_type":"QmtuiTestBits","inputs":{"number":%d,"label":"%s","batch_size":%d}},"2":%s%s}`, n.number, label, k.batch, own.Replace(k.node2), k.more)
	n.id = s.submit(t, api.SubmitRequest{User: user, Name: k.name, Workflow: json.RawMessage(prompt),
		Extra: json.RawMessage(fmt.Sprintf(`{"extra_pnginfo":{"workflow":{"nodes":[],"label":"%s"}}}`, label))}).ID
	return n
}

// ownFile is a file on a disk, and the number that it shows.
type ownFile struct {
	demo.Delivered
	number int
}

// read lists the files in the folders below root, of which each is a user's or the share.
func (s *saveStage) read(t *testing.T, root string) []ownFile {
	t.Helper()
	folders, err := demo.Folders(root)
	orFatal(t, err)
	folders = slices.DeleteFunc(folders, func(f demo.Delivered) bool { return strings.Contains(f.Path, "/"+comfy.StartedFolder+"/") })
	var paths []string
	for _, f := range folders {
		paths = append(paths, filepath.Join(root, f.User, f.Path))
	}
	var out []ownFile
	for i, n := range s.numbersOf(t, paths) {
		out = append(out, ownFile{folders[i], n})
	}
	return out
}

// numbersOf asks Python, which reads every format, whose files these are.
func (s *saveStage) numbersOf(t *testing.T, paths []string) []int {
	t.Helper()
	cmd := exec.Command(s.python, "testdata/real/whose.py")
	cmd.Stdin = strings.NewReader(strings.Join(paths, "\n"))
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	said, err := cmd.Output()
	if err != nil {
		t.Fatalf("read numbers: %v: %s", err, trouble.String())
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	if len(paths) == 0 {
		return nil
	}
	if len(lines) != len(paths) {
		t.Fatalf("%d numbers of %d files: %s", len(lines), len(paths), trouble.String())
	}
	numbers := make([]int, len(paths))
	for i, line := range lines {
		first, rest, _ := strings.Cut(line, " ")
		numbers[i], err = strconv.Atoi(first)
		orFatal(t, err)
		if rest != "" {
			t.Logf("%s: %s", paths[i], rest)
		}
	}
	return numbers
}

// saved is what came of the jobs of one kind.
type saved struct {
	jobs, files, done, delivered, orphans, wrong, lost, twice, changed int
	longest                                                            time.Duration
}

// judgeNumbers holds what the files show against who asked for them, and the
// bytes in the users' folders against those on the share and those that the
// manager recorded. It prints a table and fails the test for every fault.
func (s *saveStage) judgeNumbers(t *testing.T, jobs []*saveJob) {
	t.Helper()
	ours := map[int]bool{}
	tallies := map[string]*saved{}
	for _, j := range jobs {
		ours[j.number] = true
		if tallies[j.kind.name] == nil {
			tallies[j.kind.name] = &saved{}
		}
		tallies[j.kind.name].jobs++
		tallies[j.kind.name].files += j.kind.files
	}
	onShare, inFolders := map[string]ownFile{}, map[string]ownFile{}
	for _, f := range s.read(t, filepath.Dir(s.share)) {
		onShare[f.Path] = f
	}
	found := map[int]int{}
	for _, f := range s.read(t, s.users) {
		inFolders[f.User+"/"+f.Path] = f
		j := s.numbers[f.number]
		if j == nil {
			t.Errorf("%s shows the number %d, which no job has", f.Path, f.number)
			continue
		}
		if !ours[j.number] {
			continue // of jobs before
		}
		if j.user != f.User {
			t.Errorf("wrong user: %s is of job %s (%s) of %s", f.Path, j.id, j.kind.name, j.user)
			tallies[j.kind.name].wrong++
			continue
		}
		found[j.number]++
		tallies[j.kind.name].delivered++
	}
	for _, j := range jobs {
		x := tallies[j.kind.name]
		a, err := s.client.Job(t.Context(), j.id)
		orFatal(t, err)
		if a.State == job.Done {
			x.done++
		} else {
			t.Errorf("%s of %s (%s, %d attempts) is %s: %+v", a.ID, j.user, j.kind.name, len(a.Attempts), a.State, a.ErrorDetail)
		}
		x.longest = max(x.longest, a.Completed.Sub(a.Created.Time))
		if n := found[j.number]; n != j.kind.files {
			t.Errorf("%s of %s (%s) has %d of %d files: %s", a.ID, j.user, j.kind.name, n, j.kind.files, paths(a.Outputs))
			x.lost += max(0, j.kind.files-n)
			x.twice += max(0, n-j.kind.files)
		}
		for _, o := range a.Outputs {
			here, there := inFolders[j.user+"/"+o.Path], onShare[string(o.Source)]
			if o.State != job.OutputStored || here.Checksum != o.Checksum || here.number != j.number || there.number == j.number && there.Checksum != here.Checksum {
				t.Errorf("%s of %s (%s): %s is %s with %s, on disk it has %q of %d; %s on the share has %q of %d",
					a.ID, j.user, j.kind.name, o.Path, o.State, o.Checksum, here.Checksum, here.number, o.Source, there.Checksum, there.number)
				x.changed++
			}
		}
	}
	orphans, err := s.client.Orphans(t.Context(), job.OrphanOpen)
	orFatal(t, err)
	for _, o := range orphans {
		f := onShare[string(o.Path)]
		t.Errorf("%s is an orphan, of job %d", o.Path, f.number)
		if j := s.numbers[f.number]; j != nil && tallies[j.kind.name] != nil {
			tallies[j.kind.name].orphans++
		}
	}
	t.Logf("ComfyUI %s\n%s", s.version, tableOf(tallies))
}

func paths(outputs []api.Output) string {
	var said []string
	for _, o := range outputs {
		said = append(said, fmt.Sprintf("%s from %s by %s", o.Path, o.Source, o.Evidence))
	}
	return strings.Join(said, ", ")
}

func tableOf(tallies map[string]*saved) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "node class\tjobs\tfiles\tdone\tdelivered\torphans\twrong\tlost\ttwice\tchanged\tlongest\t")
	var all saved
	line := func(name string, x saved) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t\n", name, x.jobs, x.files, x.done, x.delivered, x.orphans, x.wrong, x.lost, x.twice, x.changed, x.longest.Round(100*time.Millisecond))
	}
	for _, name := range slices.Sorted(maps.Keys(tallies)) {
		x := tallies[name]
		line(name, *x)
		all.jobs, all.files, all.done, all.delivered = all.jobs+x.jobs, all.files+x.files, all.done+x.done, all.delivered+x.delivered
		all.orphans, all.wrong, all.lost, all.twice, all.changed = all.orphans+x.orphans, all.wrong+x.wrong, all.lost+x.lost, all.twice+x.twice, all.changed+x.changed
		all.longest = max(all.longest, x.longest)
	}
	line("all", all)
	w.Flush()
	return b.String()
}

// knownKinds are those whose nodes the servers have.
func (s *saveStage) knownKinds(t *testing.T) []saveKind {
	t.Helper()
	return slices.DeleteFunc(slices.Clone(saveKinds), func(k saveKind) bool {
		var n struct {
			Class string `json:"class_type"`
		}
		orFatal(t, json.Unmarshal([]byte(k.node2), &n))
		_, ok := s.nodes.Class(n.Class)
		if !ok {
			t.Logf("%s is left out: these servers have no %s", k.name, n.Class)
		}
		return !ok
	})
}

// endAll waits until nothing more will come of jobs.
func (s *saveStage) endAll(t *testing.T, jobs []*saveJob) {
	t.Helper()
	var ids []job.ID
	for _, j := range jobs {
		ids = append(ids, j.id)
	}
	began := time.Now()
	s.until(t, 15*time.Minute, "has ended", hasEnded, ids...)
	t.Logf("%d jobs ended after %s", len(jobs), seconds(began))
	s.until(t, 2*time.Minute, "is closed", isClosed, ids...)
}

// TestSaveNodesOnComfyUI runs 100 jobs of mixed save nodes for three users who
// all take the same names, on two real servers behind a random balancer. Which
// job a delivered file is of is read from what the file shows.
func TestSaveNodesOnComfyUI(t *testing.T) {
	for _, mount := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain folder", true: "FUSE"}[mount], func(t *testing.T) {
			s := openSaveStage(t, stagePlan{mount: mount})
			if _, err := s.client.CheckWorker(t.Context(), realDeployment); err != nil {
				t.Fatal(err)
			}
			kinds := s.knownKinds(t)
			random := rand.New(rand.NewPCG(8, 2026))
			var order []int
			for i := range 100 {
				order = append(order, i)
			}
			random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			var jobs []*saveJob
			for _, i := range order {
				jobs = append(jobs, s.start(t, demo.User(i/len(kinds)%3+1), kinds[i%len(kinds)]))
			}
			s.endAll(t, jobs)
			s.judgeNumbers(t, jobs)
			t.Run("row 4: nothing of it is an orphan after a restart", s.testNoOrphansAfterRestart)
		})
	}
}

// testNoOrphansAfterRestart: files that only a history named are known again.
func (s *saveStage) testNoOrphansAfterRestart(t *testing.T) {
	before, err := s.client.Orphans(t.Context(), "")
	orFatal(t, err)
	s.stop()
	s.startManager(t)
	putPicture(t, filepath.Join(s.share, "zz_stranger_00001_.png"))
	var after []api.Orphan
	eventually(t, time.Minute, "the stranger is an orphan", func() bool {
		after, err = s.client.Orphans(t.Context(), "")
		orFatal(t, err)
		return slices.ContainsFunc(after, func(o api.Orphan) bool { return o.Path == "zz_stranger_00001_.png" })
	})
	if len(after) != len(before)+1 {
		t.Errorf("there were %d orphans before the restart, now there are %d", len(before), len(after)-1)
	}
	orFatal(t, os.Remove(filepath.Join(s.share, "zz_stranger_00001_.png")))
}
