package simulator

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestTheJournalGivesTheManifestBack(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "manifest.jsonl")
	faults, _ := ParseFaults("all,killed-replica:0,half-file:0")
	var want []Written
	cfg := Config{Journal: journal, Faults: faults, Seed: 5, Deployments: []Deployment{{Name: "gpu", Replicas: 2}}}
	simulate(t, cfg, func(t *testing.T, f *Fleet) {
		for i := range 20 {
			body := dot(fmt.Sprintf("qm/j%d/9/a", i), fmt.Sprintf(`,"prompt_id":"j%d"`, i))
			func() {
				defer func() { _ = recover() }() // a cut connection
				call(f, "POST", "/gpu/prompt", body)
			}()
		}
		settle(t, f)
		want = f.Manifest()
	})
	file, err := os.Open(journal)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	got, err := ReadJournal(file)
	if err != nil || len(got) != len(want) || len(got) < 10 {
		t.Fatalf("%d entries of %d: %v", len(got), len(want), err)
	}
	for i := range got {
		got[i].At, want[i].At = time.Time{}, time.Time{}
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("entry %d: %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestTheManifestOverHTTP(t *testing.T) {
	simulate(t, Config{}, func(t *testing.T, f *Fleet) {
		post(t, f, picture("qm/x/_started/s", `,"prompt_id":"x"`))
		settle(t, f)
		var files []Written
		if err := json.Unmarshal(call(f, "GET", "/_sim/manifest", "").Body.Bytes(), &files); err != nil || len(files) != 1 {
			t.Fatalf("%v %+v", err, files)
		}
		if !files[0].Marker || files[0].Wanted() {
			t.Errorf("a start marker is not wanted: %+v", files[0])
		}
		var runs map[string][]Execution
		if err := json.Unmarshal(call(f, "GET", "/_sim/executions", "").Body.Bytes(), &runs); err != nil || runs["x"][0].Status != "success" {
			t.Errorf("%v %+v", err, runs)
		}
		var status struct{ Idle bool }
		if err := json.Unmarshal(call(f, "GET", "/_sim/status", "").Body.Bytes(), &status); err != nil || !status.Idle {
			t.Errorf("%v %+v", err, status)
		}
	})
}

func TestASecondWriterMarksTheFirstOverwritten(t *testing.T) {
	simulate(t, Config{}, func(t *testing.T, f *Fleet) {
		post(t, f, picture("t05/ts/", ""))
		settle(t, f)
		post(t, f, `{"prompt":`+picture("t05/ts/", "")[len(`{"prompt":`):])
		settle(t, f)
		call(f, "POST", "/gpu/free", `{"free_memory":true}`)
		post(t, f, picture("t05/ts/", ""))
		settle(t, f)
		files := f.Manifest()
		if len(files) != 2 || !files[0].Overwritten || files[1].Overwritten {
			t.Errorf("%+v, want two entries of one path, the first overwritten", files)
		}
	})
}
