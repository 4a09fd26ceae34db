package store_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/store"
)

// TestFewAddresses opens a ledger in a process that may not have the addresses
// it would like.
func TestFewAddresses(t *testing.T) {
	path := newPath(t)
	s, err := store.Open(store.Options{Path: path, InitialMmapSize: 1 << 47})
	if err != nil {
		t.Fatal(err)
	}
	ledgertest.Record(t, s, ledgertest.Story{N: 1, User: "ada"}.Created())
	closed(t, s)
}

// grown makes a ledger of several hundred pages; size is what of its file is used.
func grown(t *testing.T) (path string, size int64) {
	t.Helper()
	path = newPath(t)
	s := openAt(t, path)
	for n := range 200 {
		life := ledgertest.Story{N: n, User: "ada"}
		ledgertest.Record(t, s, append(life.Whole(), life.Closed())...)
	}
	closed(t, s)
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.View(func(tx *bolt.Tx) error { size = tx.Size(); return nil }); err != nil {
		t.Fatal(err)
	}
	return path, size
}

// use does with a ledger what the start and the first callers do, in a process
// of its own: what is damaged may end that.
func use(t *testing.T, path string) (said string) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run", "^TestUseAsked$")
	c.Env = append(os.Environ(), "QMTUI_TEST_USE="+path)
	out, err := c.CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%v: %.2000s", err, out)
	}
	return string(out)
}

func TestUseAsked(t *testing.T) {
	path := os.Getenv("QMTUI_TEST_USE")
	if path == "" {
		t.Skip("for TestTruncated and TestScribbled")
	}
	s, err := store.Open(store.Options{Path: path})
	if err != nil {
		fmt.Println("refused:", job.AsError(err).Code)
		return
	}
	// What a manager does next may fail too, with a sentence.
	for n := range 300 {
		if _, err := s.Record(ledgertest.Story{N: 1000 + n, User: "ada"}.Created()); err != nil {
			fmt.Println("refused:", job.AsError(err).Code)
			return
		}
	}
	problems, err := s.Check()
	fmt.Println("opened:", len(problems) > 0 || err != nil)
}

// TestTruncated cuts a ledger short, as a copy on a full disk does. It is
// refused with a sentence instead of a fault in the middle of a read.
func TestTruncated(t *testing.T) {
	whole, size := grown(t)
	b, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []int64{4, 3, 2} {
		path := filepath.Join(t.TempDir(), "qmtui.db")
		if err := os.WriteFile(path, b[:size*(part-1)/part], 0o600); err != nil {
			t.Fatal(err)
		}
		if said := use(t, path); !strings.HasPrefix(said, "refused: state_damaged") {
			t.Errorf("%d of %d bytes: %s", size*(part-1)/part, size, said)
		}
	}
}

// TestScribbled overwrites pages. Whatever is found of it is said in words; no
// process ends in a panic.
func TestScribbled(t *testing.T) {
	whole, size := grown(t)
	b, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 1))
	for round := range 12 {
		path := filepath.Join(t.TempDir(), "qmtui.db")
		c := append([]byte(nil), b...)
		for range 8 {
			page := 2 + random.Int64N(size/4096-2)
			for i := range 64 {
				c[page*4096+int64(i)] = byte(random.Uint32())
			}
		}
		if err := os.WriteFile(path, c, 0o600); err != nil {
			t.Fatal(err)
		}
		if said := use(t, path); !strings.HasPrefix(said, "refused: state_damaged") && !strings.HasPrefix(said, "opened: ") {
			t.Errorf("round %d: %s", round, said)
		}
	}
}
