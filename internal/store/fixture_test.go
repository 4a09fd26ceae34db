package store_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/store"
)

// TestOpenFixture opens testdata/demo-v1.db, a ledger of schema 1 that qmtui
// wrote: "qmtui demo --headless --users 3 --jobs 3 --replicas 2 --seed 3" with
// execution errors, killed replicas, duplicates and foreign files, then with
// the queue paused three submitted jobs, of which one was cancelled, and one
// orphan assigned and one discarded; at last "qmtui db compact". A migration
// must keep every one of these numbers.
func TestOpenFixture(t *testing.T) {
	bytes, err := os.ReadFile(filepath.Join("testdata", "demo-v1.db"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "qmtui.db")
	if err := os.WriteFile(path, bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(store.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, s)
	sound(t, s)

	page, err := s.Jobs(job.Query{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	states, users, outputs := map[string]int{}, map[string]int{}, map[string]int{}
	attempts, facts, evidence := 0, 0, map[job.Evidence]int{}
	for _, j := range page.Jobs {
		states[j.State().String()]++
		users[j.User]++
		attempts += len(j.Attempts)
		for _, o := range j.Outputs {
			outputs[o.State.String()]++
			evidence[o.Evidence]++
		}
		f, err := s.Facts(j.ID)
		if err != nil {
			t.Fatal(err)
		}
		facts += len(f)
		if body, err := s.Blob(j.Workflow); err != nil || len(body) == 0 {
			t.Errorf("workflow of %s: %d bytes, %v", j.ID, len(body), err)
		}
	}
	orphans := map[string]int{}
	all, err := s.Orphans("")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range all {
		orphans[o.State]++
	}
	audit, err := s.AuditTail(1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"jobs by state", states, map[string]int{"done": 7, "failed": 2, "cancelled": 1, "queued": 2}},
		{"jobs by user", users, map[string]int{"user001": 4, "user002": 4, "user003": 4}},
		{"outputs by state", outputs, map[string]int{"stored": 16}},
		{"outputs by evidence", evidence, map[job.Evidence]int{job.ByPrefix: 16}},
		{"orphans by state", orphans, map[string]int{"open": 28, "assigned": 1, "discarded": 1}},
		{"attempts", attempts, 16},
		{"events", facts, 147},
		{"audit entries", len(audit), 4},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}
