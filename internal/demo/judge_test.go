package demo

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/simulator"
)

const (
	pathA = "qm/p1/9/stills/user001_001_lake_00001_.png"
	pathB = "qm/p2/9/user002_001_lake_00001_.png"
)

func wrote(path, sum string) simulator.Written {
	return simulator.Written{Path: path, Checksum: sum, Complete: true}
}

func told(user, path, sum string, s job.State) api.Job {
	return api.Job{ID: job.ID(user), User: user, State: s, Outputs: []api.Output{{Path: path, Checksum: sum, State: job.OutputStored}}}
}

func TestJudge(t *testing.T) {
	a, b := wrote(pathA, "x:a"), wrote(pathB, "x:b")
	inA, inB := Delivered{"user001", "stills/a.png", 1, "x:a"}, Delivered{"user002", "b.png", 1, "x:b"}
	jobs := []api.Job{told("user001", "stills/a.png", "x:a", job.Done), told("user002", "b.png", "x:b", job.Done)}
	older := a
	older.Overwritten, older.Checksum = true, "x:old"
	half := wrote("qm/p3/9/user001_002_x_00001_.png", "x:h")
	half.Complete = false
	sibling, hostile := wrote("qm/p1/9/user001_001_y_00001_.png", "x:s"), wrote("qm/p1/9/\x1b]0;owned_00001_.png", "x:x")
	sibling.PromptID, hostile.PromptID, sibling.Complete = "p1", "p1", false
	tests := []struct {
		name    string
		written []simulator.Written
		folders []Delivered
		jobs    []api.Job
		want    [6]int // lost, twice, wrong, changed, untold, open
	}{
		{"clean", []simulator.Written{a, b, half}, []Delivered{inA, inB}, jobs, [6]int{}},
		{"lost", []simulator.Written{a, b}, []Delivered{inA}, jobs[:1], [6]int{1, 0, 0, 0, 0, 0}},
		{"twice", []simulator.Written{a}, []Delivered{inA, {"user001", "again.png", 1, "x:a"}}, jobs[:1], [6]int{0, 1, 0, 0, 1, 0}},
		{"wrong user", []simulator.Written{a}, []Delivered{{"user002", "a.png", 1, "x:a"}}, []api.Job{told("user002", "a.png", "x:a", job.Done)}, [6]int{0, 0, 1, 0, 0, 0}},
		{"changed bytes", []simulator.Written{a}, []Delivered{{"user001", "a.png", 1, "x:z"}}, []api.Job{told("user001", "a.png", "x:z", job.Done)}, [6]int{1, 0, 0, 1, 0, 0}},
		{"told and not there", []simulator.Written{a}, []Delivered{inA}, jobs, [6]int{0, 0, 0, 0, 1, 0}},
		{"told with another checksum", []simulator.Written{a}, []Delivered{inA}, []api.Job{told("user001", "stills/a.png", "x:q", job.Done)}, [6]int{0, 0, 0, 0, 1, 0}},
		{"an older version is as good", []simulator.Written{older, a}, []Delivered{{"user001", "o.png", 1, "x:old"}}, []api.Job{told("user001", "o.png", "x:old", job.Done)}, [6]int{}},
		{"a hostile name belongs to its prompt's user", []simulator.Written{sibling, hostile}, []Delivered{{"user001", "x.png", 1, "x:x"}}, []api.Job{told("user001", "x.png", "x:x", job.Done)}, [6]int{}},
		{"a hostile name with the wrong user", []simulator.Written{sibling, hostile}, []Delivered{{"user002", "x.png", 1, "x:x"}}, []api.Job{told("user002", "x.png", "x:x", job.Done)}, [6]int{0, 0, 1, 0, 0, 0}},
		{"open job", nil, nil, []api.Job{{ID: "1", State: job.Running}}, [6]int{0, 0, 0, 0, 0, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := Judge(tt.written, tt.folders, tt.jobs, nil)
			got := [6]int{len(v.Lost), len(v.Twice), len(v.Wrong), len(v.Changed), len(v.Untold), len(v.Open)}
			if got != tt.want || v.Clean() != (tt.want == [6]int{}) {
				t.Errorf("judged %v, want %v: %+v", got, tt.want, v)
			}
		})
	}
}

// TestJudgeOfSaveNodes: files that do not name their user, told by their seeds.
func TestJudgeOfSaveNodes(t *testing.T) {
	known := &Known{Seeds: map[uint64]string{1: "user001_001", 2: "user002_001"}, Orphans: map[string]bool{"poster.png": true}}
	first := simulator.Written{Path: "poster.png", PromptID: "p1", Seed: 1, Checksum: "x:1", Complete: true, Overwritten: true}
	second := simulator.Written{Path: "poster.png", PromptID: "p2", Seed: 2, Checksum: "x:2", Complete: true}
	one, two := Delivered{"user001", "poster.png", 1, "x:1"}, Delivered{"user002", "poster.png", 1, "x:2"}
	older, again := first, second
	older.Replaced, older.PromptID, older.Seed = true, "p2", 2
	tests := []struct {
		name           string
		written        []simulator.Written
		folders        []Delivered
		lost, wrong    int
		orphans, stale int
	}{
		{"one name, two users", []simulator.Written{first, second}, []Delivered{one, two}, 0, 0, 0, 0},
		{"overwritten before it was copied", []simulator.Written{first, second}, []Delivered{two}, 1, 0, 0, 0},
		{"exchanged", []simulator.Written{first, second}, []Delivered{{"user002", "poster.png", 1, "x:1"}, {"user001", "poster.png", 1, "x:2"}}, 0, 2, 0, 0},
		{"shown as an orphan", []simulator.Written{second}, nil, 0, 0, 1, 0},
		{"the final version", []simulator.Written{older, again}, []Delivered{two}, 0, 0, 0, 0},
		{"an older version", []simulator.Written{older, again}, []Delivered{{"user002", "poster.png", 1, "x:1"}}, 0, 0, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := Judge(tt.written, tt.folders, nil, known)
			if len(v.Lost) != tt.lost || len(v.Wrong) != tt.wrong || v.Orphaned != tt.orphans || len(v.Stale) != tt.stale || len(v.Changed)+len(v.Twice) > 0 {
				t.Errorf("%+v", v)
			}
		})
	}
}

// TestSaverRequests: every kind of save node is among them, each request has a
// seed of its own or names its user in every file.
func TestSaverRequests(t *testing.T) {
	requests, err := Load{Users: 10, Jobs: 20, Seed: 1, Savers: 1, Prompts: fstest.MapFS{"i.json": {Data: []byte(`{}`)}}}.Requests()
	if err != nil {
		t.Fatal(err)
	}
	titles, seeds := map[string]int{}, map[uint64]bool{}
	for _, r := range requests {
		titles[r.Name]++
		for _, seed := range r.Seeds {
			if seeds[seed] {
				t.Errorf("seed %d comes twice", seed)
			}
			seeds[seed] = true
		}
		if len(r.Seeds) == 0 && !strings.Contains(string(r.Workflow), Prefix(r.User, r.N, "")) {
			t.Errorf("nothing tells whose %s is", r.Workflow)
		}
		if strings.Contains(string(r.Workflow), "NAME") {
			t.Errorf("%s", r.Workflow)
		}
	}
	if len(titles) != len(saverPrompts) {
		t.Errorf("%d of %d kinds: %v", len(titles), len(saverPrompts), titles)
	}
}

func TestOwnerOf(t *testing.T) {
	for p, want := range map[string]string{pathA: "user001", pathB: "user002", "qm/p/9/ComfyUI_00001_.png": "", "user001_x.png": ""} {
		if got := OwnerOf(p); got != want {
			t.Errorf("OwnerOf(%q) = %q, want %q", p, got, want)
		}
	}
	if got := OwnerOf(Prefix("user007", 3, "lake") + "_00001_.png"); got != "user007" {
		t.Errorf("the prefix names %q", got)
	}
}

// TestJudgeInputs: a file made from another job's picture, also of the same
// user, is as bad as one with the wrong user.
func TestJudgeInputs(t *testing.T) {
	a, extra := wrote(pathA, "x:a"), wrote("qm/p1/9/\x1b]0;owned_00001_.png", "x:x")
	a.PromptID, extra.PromptID = "p1", "p1"
	given := map[string]string{"user001_001": "x:one", "user001_002": "x:two", "user002_001": ""}
	for loaded, want := range map[string]int{"x:one": 0, "x:two": 2, "": 2, "x:one x:two": 2} {
		a.Loaded, extra.Loaded = loaded, loaded
		v := Judge([]simulator.Written{a, extra}, nil, nil, &Known{Given: given})
		if len(v.Misfed) != want || v.Fed != 2-want {
			t.Errorf("made from %q: %v, %d fed", loaded, v.Misfed, v.Fed)
		}
	}
	b := wrote(pathB, "x:b")
	b.Loaded = "x:one"
	if v := Judge([]simulator.Written{b}, nil, nil, &Known{Given: given}); len(v.Misfed) != 1 || v.Clean() {
		t.Errorf("made from a picture that nobody gave it: %+v", v)
	}
	requests, err := Load{Users: 3, Jobs: 3, Seed: 1, Prompts: fstest.MapFS{"i.json": {Data: []byte(`{"10":{"class_type":"LoadImage","inputs":{"image":"s.jpg"}}}`)}}}.Requests()
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]bool{}
	for _, sum := range knownFrom(requests).Given {
		sums[sum] = true
	}
	if len(sums) != 9 {
		t.Errorf("9 jobs have %d pictures", len(sums))
	}
}
