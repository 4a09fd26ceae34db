package store_test

import (
	"path/filepath"
	"testing"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/store"
)

var _ engine.Ledger = (*store.Store)(nil)

// openAt opens a ledger that the test's end closes.
func openAt(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open(store.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func open(t testing.TB) *store.Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "state", "qmtui.db"))
}

func TestConformance(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) engine.Ledger { return open(t) })
}
