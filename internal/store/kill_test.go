package store_test

import (
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"testing"

	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/store"
)

// writeForEver records job after job, three batches each, and prints the number
// of a job when all of it is recorded. It goes on with the job that the last
// process may have left half told; what it had told is stale.
func writeForEver(path string) error {
	s, err := store.Open(store.Options{Path: path})
	if err != nil {
		return err
	}
	for n := max(1, s.Stats().Jobs); ; n++ {
		life := ledgertest.Story{N: n, User: "ada", Key: fmt.Sprint("k", n)}
		whole := life.Whole()
		for _, batch := range [][]job.Fact{whole[:1], whole[1:5], append(whole[5:], life.Closed())} {
			if _, err := s.Record(batch...); err != nil {
				return err
			}
		}
		fmt.Println(n)
	}
}

// TestKill: a writer killed at any moment loses nothing that it acknowledged,
// and leaves a sound ledger. QMTUI_CAMPAIGN=1 makes it 200 kills instead of 5.
func TestKill(t *testing.T) {
	kills := 5
	if os.Getenv("QMTUI_CAMPAIGN") != "" {
		kills = 200
	}
	path, r := newPath(t), rand.New(rand.NewSource(1))
	acknowledged := 0
	for range kills {
		cmd, lines := writer(t, path)
		for range 1 + r.Intn(60) {
			if !lines.Scan() {
				t.Fatal("the writer ended by itself")
			}
			acknowledged, _ = strconv.Atoi(lines.Text())
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it had said before it died
			acknowledged, _ = strconv.Atoi(lines.Text())
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the writer was not killed")
		}
		survived(t, path, acknowledged)
	}
	t.Logf("%d kills, %d jobs acknowledged, none lost", kills, acknowledged)
}

func survived(t *testing.T, path string, acknowledged int) {
	t.Helper()
	s := openAt(t, path)
	defer closed(t, s)
	sound(t, s)
	for n := 1; n <= acknowledged; n++ {
		j, err := s.Job(ledgertest.Story{N: n}.ID())
		if err != nil || j.State() != job.Done || !j.Closed || len(j.Outputs) != 1 {
			t.Fatalf("job %d of %d acknowledged: %s, %v", n, acknowledged, j.State(), err)
		}
	}
	if jobs := s.Stats().Jobs; jobs > acknowledged+1 {
		t.Errorf("%d jobs where %d were acknowledged", jobs, acknowledged)
	}
}
