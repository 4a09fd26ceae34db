package demo

import (
	"testing"

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
			v := Judge(tt.written, tt.folders, tt.jobs)
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
