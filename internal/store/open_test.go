package store_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/store"
)

// everything is all that a ledger can be asked, as JSON.
func everything(t *testing.T, s *store.Store) map[string]string {
	t.Helper()
	out := map[string]string{"born": s.Born().String()}
	keep := func(name string, v any, err error) {
		b, e := json.Marshal(v)
		if err != nil || e != nil {
			t.Fatal(name, err, e)
		}
		out[name] = string(b)
	}
	page, err := s.Jobs(job.Query{Limit: 1000})
	keep("jobs", page, err)
	open, err := s.Open()
	keep("open", open, err)
	counts, err := s.Counts()
	keep("counts", counts, err)
	users, err := s.UserCounts()
	keep("users", users, err)
	totals, err := s.Totals()
	keep("totals", totals, err)
	w, err := s.Watch(3)
	keep("watch", []any{w.Rev, w.Jobs}, err)
	w.Stop()
	for _, j := range page.Jobs {
		facts, err := s.Facts(j.ID)
		keep("facts of "+string(j.ID), facts, err)
	}
	return out
}

// TestReopen: what a process knew, the next one knows.
func TestReopen(t *testing.T) {
	path := newPath(t)
	s := openAt(t, path)
	mixed(t, s, 1, 25)
	before := everything(t, s)
	closed(t, s)
	s = openAt(t, path)
	if after := everything(t, s); !reflect.DeepEqual(after, before) {
		for name := range before {
			if after[name] != before[name] {
				t.Errorf("%s:\nwas %s\nnow %s", name, before[name], after[name])
			}
		}
	}
	v := ledgertest.Record(t, s, ledgertest.Story{N: 99, User: "ada"}.Created())
	if st := s.Stats(); v[0].Job.Rev != st.Rev || st.Jobs != 26 {
		t.Errorf("revision %d of %d, %d jobs", v[0].Job.Rev, st.Rev, st.Jobs)
	}
	sound(t, s)
}

func TestClosed(t *testing.T) {
	s := open(t)
	w, err := s.Watch(1)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, s)
	if _, ok := <-w.Changes; ok {
		t.Error("a watch of a closed ledger goes on")
	}
	w.Stop()
	_, record := s.Record(ledgertest.Story{N: 1, User: "ada"}.Created())
	_, read := s.Job("x")
	_, counts := s.Counts()
	_, watch := s.Watch(1)
	for name, err := range map[string]error{"record": record, "read": read, "counts": counts, "watch": watch} {
		if code(err) != "state_closed" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if st := s.Stats(); st.Jobs != 0 || st.Size == 0 || st.Watchers != 0 {
		t.Errorf("stats of a closed ledger: %+v", st)
	}
}

// TestCreateOver: what an interrupted creation left is cleared away.
func TestCreateOver(t *testing.T) {
	path := newPath(t)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, path)
	mixed(t, s, 1, 5)
	if _, err := os.Stat(path + ".new"); !os.IsNotExist(err) {
		t.Errorf("the half-made file is still there: %v", err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}

func TestNotALedger(t *testing.T) {
	for name, prepare := range map[string]func(path string) error{
		"text": func(path string) error {
			return os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600)
		},
		"empty bolt": func(path string) error { db, err := bolt.Open(path, 0o600, nil); return firstError(err, db.Close) },
	} {
		path := filepath.Join(t.TempDir(), "qmtui.db")
		if err := prepare(path); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(path)
		_, err := store.Open(store.Options{Path: path})
		if code(err) != "state_damaged" {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := os.ReadFile(path); string(after) != string(before) {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func firstError(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

// TestMigration: a ledger of schema 0, which had facts, jobs and bodies only,
// is brought up to date and knows all that it knew.
func TestMigration(t *testing.T) {
	path := newPath(t)
	s := openAt(t, path)
	mixed(t, s, 1, 25)
	before := everything(t, s)
	closed(t, s)
	raw(t, path, func(tx *bolt.Tx) error {
		for _, name := range []string{"heads", "prompts", "keys", "outputs", "refs", "pruned", "rejects", "orphans", "settings", "samples", "audit"} {
			if err := tx.DeleteBucket([]byte(name)); err != nil {
				return err
			}
		}
		return tx.Bucket([]byte("meta")).Delete([]byte("schema"))
	})
	s = openAt(t, path)
	if after := everything(t, s); !reflect.DeepEqual(after, before) {
		t.Errorf("was %v\nnow %v", before, after)
	}
	sound(t, s)
	if j, err := s.ByPrompt(ledgertest.Story{N: 1}.Prompt(2)); err != nil || j.ID != (ledgertest.Story{N: 1}).ID() {
		t.Errorf("by prompt: %s, %v", j.ID, err)
	}
	closed(t, s)
	openAt(t, path) // a second time there is nothing to do
}

func TestTooNew(t *testing.T) {
	path := newPath(t)
	closed(t, openAt(t, path))
	raw(t, path, func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte{0, 0, 0, 0, 0, 0, 0, 99})
	})
	if _, err := store.Open(store.Options{Path: path}); code(err) != "state_too_new" {
		t.Errorf("got %v", err)
	}
}

func TestBorn(t *testing.T) {
	then := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	path := newPath(t)
	s, err := store.Open(store.Options{Path: path, Now: func() time.Time { return then }})
	if err != nil {
		t.Fatal(err)
	}
	closed(t, s)
	if s = openAt(t, path); !s.Born().Equal(then) {
		t.Errorf("born %s", s.Born())
	}
}

// TestBornIsNotLater: files of the second in which a ledger was created are not
// taken for older than it.
func TestBornIsNotLater(t *testing.T) {
	then := time.Date(2026, 5, 4, 12, 0, 0, 700_000_000, time.UTC)
	s, err := store.Open(store.Options{Path: newPath(t), Now: func() time.Time { return then }})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, s)
	if s.Born().After(then) {
		t.Errorf("born at %v, created at %v", s.Born(), then)
	}
}
