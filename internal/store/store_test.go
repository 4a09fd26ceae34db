package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/store"
)

var _ engine.Ledger = (*store.Store)(nil)

// TestMain is also the process that the tests of locks and kills start.
func TestMain(m *testing.M) {
	if path := os.Getenv("QMTUI_TEST_WRITER"); path != "" {
		if err := writeForEver(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func newPath(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "state", "qmtui.db")
}

// openAt opens a ledger that the test's end closes.
func openAt(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open(store.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, s) })
	return s
}

func open(t testing.TB) *store.Store {
	t.Helper()
	return openAt(t, newPath(t))
}

func closed(t testing.TB, s *store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// sound fails the test when the ledger has a problem.
func sound(t testing.TB, s *store.Store) {
	t.Helper()
	problems, err := s.Check()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Where, p.What)
	}
}

// raw changes a closed ledger behind its back.
func raw(t testing.TB, path string, change func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(change); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func code(err error) string {
	if err == nil {
		return ""
	}
	return job.AsError(err).Code
}

// mixed records n jobs of three users that went different ways.
func mixed(t testing.TB, l engine.Ledger, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		s := ledgertest.Story{N: i, User: []string{"ada", "bob", "cyd"}[i%3], Key: []string{"", fmt.Sprint("k", i)}[i%2]}
		switch i % 5 {
		case 0:
			ledgertest.Record(t, l, s.Created())
		case 1:
			ledgertest.Record(t, l, s.Failed()...)
			ledgertest.Record(t, l, s.Renewed(2), s.Assigned(2))
		case 2:
			ledgertest.Record(t, l, append(s.Failed(), s.Closed())...)
		default:
			ledgertest.Record(t, l, append(s.Whole(), s.Closed())...)
		}
	}
}

func TestConformance(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) engine.Ledger {
		s := open(t)
		t.Cleanup(func() { sound(t, s) })
		return s
	})
}
