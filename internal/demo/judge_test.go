package demo

import (
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
		v := Judge([]simulator.Written{a, extra}, nil, nil, given)
		if len(v.Misfed) != want || v.Fed != 2-want {
			t.Errorf("made from %q: %v, %d fed", loaded, v.Misfed, v.Fed)
		}
	}
	b := wrote(pathB, "x:b")
	b.Loaded = "x:one"
	if v := Judge([]simulator.Written{b}, nil, nil, given); len(v.Misfed) != 1 || v.Clean() {
		t.Errorf("made from a picture that nobody gave it: %+v", v)
	}
	requests, err := Load{Users: 3, Jobs: 3, Seed: 1, Prompts: fstest.MapFS{"i.json": {Data: []byte(`{"10":{"class_type":"LoadImage","inputs":{"image":"s.jpg"}}}`)}}}.Requests()
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]bool{}
	for _, sum := range givenTo(requests) {
		sums[sum] = true
	}
	if len(sums) != 9 {
		t.Errorf("9 jobs have %d pictures", len(sums))
	}
}
