package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/store"
)

// TestBackup: a copy taken while others write is a sound ledger.
func TestBackup(t *testing.T) {
	s := open(t)
	mixed(t, s, 1, 50)
	var wg sync.WaitGroup
	wg.Go(func() { mixed(t, s, 51, 250) })
	for i := range 5 {
		path := filepath.Join(t.TempDir(), fmt.Sprint(i), "copy.db")
		var b bytes.Buffer
		n, err := s.Backup(&b)
		if err != nil || n != int64(b.Len()) {
			t.Fatalf("%d of %d bytes, %v", n, b.Len(), err)
		}
		if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(path, b.Bytes(), 0o600)); err != nil {
			t.Fatal(err)
		}
		c := openAt(t, path)
		sound(t, c)
		if jobs := c.Stats().Jobs; jobs < 50 {
			t.Errorf("the copy has %d jobs", jobs)
		}
		closed(t, c)
	}
	wg.Wait()
}

// TestPrune: old closed jobs go with all that was theirs, and nothing else does.
func TestPrune(t *testing.T) {
	s := open(t)
	mixed(t, s, 1, 60)
	cut := ledgertest.Noon.Add(95 * time.Second) // a story is closed 60 s after its beginning
	var goes, stays []ledgertest.Story
	page, err := s.Jobs(job.Query{Limit: 1000, Sort: job.OldestFirst})
	if err != nil {
		t.Fatal(err)
	}
	for i, j := range page.Jobs {
		life := ledgertest.Story{N: i + 1, User: j.User, Key: j.Key}
		if j.Closed && j.Updated.Before(cut) {
			goes = append(goes, life)
		} else {
			stays = append(stays, life)
		}
	}
	n, err := s.Prune(context.Background(), cut, 4)
	if err != nil || n != len(goes) || n < 10 {
		t.Fatalf("pruned %d of %d, %v", n, len(goes), err)
	}
	sound(t, s)
	for _, life := range goes {
		_, byID := s.Job(life.ID())
		_, facts := s.Facts(life.ID())
		_, byPrompt := s.ByPrompt(life.Prompt(1))
		_, byKey := s.ByKey(life.User, life.Key)
		_, byOutput := s.ByOutput(life.Output(1).ID)
		for _, err := range []error{byID, facts, byPrompt, byKey, byOutput} {
			if !errors.Is(err, job.ErrNoJob) {
				t.Errorf("job %d: %v", life.N, err)
			}
		}
		if ours, err := s.Pruned(life.Prompt(1)); !ours || err != nil {
			t.Errorf("job %d: its prompt id is forgotten (%v)", life.N, err)
		}
	}
	for _, life := range stays {
		if _, err := s.Job(life.ID()); err != nil {
			t.Errorf("job %d: %v", life.N, err)
		}
	}
	if ours, _ := s.Pruned("prompt-60-1"); ours {
		t.Error("a job that stays counts as pruned")
	}
	if counts, _ := s.Counts(); total(counts) != len(stays) {
		t.Errorf("counts %v, %d jobs", counts, len(stays))
	}
	if n, err = s.Prune(context.Background(), cut, 0); n != 0 || err != nil {
		t.Errorf("a second time: %d, %v", n, err)
	}
}

func total(c job.Counts) (n int) {
	for _, k := range c {
		n += k
	}
	return n
}

// TestPruneBodies: a body goes with the last job that refers to it.
func TestPruneBodies(t *testing.T) {
	s := open(t)
	for n := 1; n <= 6; n += 3 { // the same workflow
		life := ledgertest.Story{N: n, User: "ada"}
		ledgertest.Record(t, s, append(life.Whole(), life.Closed())...)
	}
	hash := ledgertest.Story{N: 1}.Spec().Workflow
	for i, cut := range []time.Duration{62, 70} {
		if n, err := s.Prune(context.Background(), ledgertest.Noon.Add(cut*time.Second), 0); n != 1 || err != nil {
			t.Fatalf("pruned %d, %v", n, err)
		}
		if _, err := s.Blob(hash); errors.Is(err, job.ErrNoBlob) != (i == 1) {
			t.Errorf("after %d of 2 jobs: %v", i+1, err)
		}
	}
	sound(t, s)
}

// TestPruneUsers: a user whose closed jobs take too much loses the oldest of
// them, no open one, and nobody else loses any.
func TestPruneUsers(t *testing.T) {
	path := newPath(t)
	s, err := store.Open(store.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	record := func(n int, user string, closed bool) {
		life := ledgertest.Story{N: n, User: user}
		body := make([]byte, 1<<20) // of noise, so that packing does not make it small
		_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(body)
		created := life.Created()
		created.Blobs[0].Data, created.Blobs[0].Hash = body, fmt.Sprintf("%064d", n)
		created.Spec.Workflow = created.Blobs[0].Hash
		facts := []job.Fact{created}
		if closed {
			facts = append(append(facts, life.Whole()[1:]...), life.Closed())
		}
		ledgertest.Record(t, s, facts...)
	}
	for n := range 10 {
		record(n+1, "eve", n%5 != 0)
		record(n+101, "bob", n < 3)
	}
	if n, err := s.PruneUsers(t.Context(), 8<<20+100_000, 3); n != 0 || err != nil {
		t.Fatalf("nobody has more than the most: %d, %v", n, err)
	}
	closed(t, s)
	s = openAt(t, path)
	if n, err := s.PruneUsers(t.Context(), 4<<20+100_000, 3); n != 4 || err != nil {
		t.Fatalf("pruned %d, %v", n, err)
	}
	sound(t, s)
	for n := range 10 {
		_, err := s.Job(ledgertest.Story{N: n + 1}.ID())
		if goes := n == 1 || n == 2 || n == 3 || n == 4; goes != errors.Is(err, job.ErrNoJob) {
			t.Errorf("eve's job %d: %v", n+1, err)
		}
		if _, err := s.Job(ledgertest.Story{N: n + 101}.ID()); err != nil {
			t.Errorf("bob's job %d: %v", n+101, err)
		}
	}
	if n, err := s.PruneUsers(t.Context(), 4<<20+100_000, 3); n != 0 || err != nil {
		t.Errorf("a second time: %d, %v", n, err)
	}
}

func TestPruneStops(t *testing.T) {
	s := open(t)
	mixed(t, s, 1, 10)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if n, err := s.Prune(ctx, ledgertest.Noon.Add(time.Hour), 1); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("got %d, %v", n, err)
	}
}

// TestCompact: the file shrinks and says the same.
func TestCompact(t *testing.T) {
	path := newPath(t)
	s := openAt(t, path)
	mixed(t, s, 1, 400)
	if err := s.SetSetting("mode", strings.Repeat("x", 4<<20)); err != nil {
		t.Fatal(err)
	}
	if err := s.SetSetting("mode", job.ModePaused); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prune(context.Background(), ledgertest.Noon.Add(200*time.Second), 0); err != nil {
		t.Fatal(err)
	}
	before := everything(t, s)
	if _, _, err := store.Compact(store.Options{Path: path, Timeout: time.Millisecond}, nil); code(err) != "state_locked" {
		t.Errorf("a ledger in use was compacted: %v", err)
	}
	closed(t, s)
	var calls int
	var done, total int64
	was, is, err := store.Compact(store.Options{Path: path}, func(d, n int64) {
		if calls++; d < done || d > n {
			t.Errorf("progress %d after %d of %d", d, done, n)
		}
		done, total = d, n
	})
	if err != nil || is >= was/2 || calls == 0 || total == 0 {
		t.Fatalf("%d bytes became %d, %d calls, %v", was, is, calls, err)
	}
	s = openAt(t, path)
	sound(t, s)
	for name, v := range everything(t, s) {
		if v != before[name] {
			t.Errorf("%s:\nwas %s\nnow %s", name, before[name], v)
		}
	}
	mixed(t, s, 1000, 20) // the numbers of facts go on
	sound(t, s)
	if _, _, err := store.Compact(store.Options{Path: filepath.Join(t.TempDir(), "none.db")}, nil); err == nil {
		t.Error("a ledger that is not there was compacted")
	}
}

// TestCompactAtStart: a big file that is mostly free is compacted by Open.
func TestCompactAtStart(t *testing.T) {
	path := newPath(t)
	s := openAt(t, path)
	mixed(t, s, 1, 10)
	for _, v := range []string{strings.Repeat("x", 48<<20), "small", "small"} {
		if err := s.SetSetting("big", v); err != nil {
			t.Fatal(err)
		}
	}
	before := s.Stats().Size
	closed(t, s)
	var told bool
	s, err := store.Open(store.Options{Path: path, Progress: func(int64, int64) { told = true }})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, s)
	if after := s.Stats().Size; after > before/4 || !told {
		t.Errorf("%d bytes became %d, progress told: %v", before, after, told)
	}
	sound(t, s)
}

// TestCheckFinds: every sort of damage is found.
func TestCheckFinds(t *testing.T) {
	life := ledgertest.Story{N: 1, User: "ada", Key: "k"}
	id := []byte(life.ID())
	first := func(b *bolt.Bucket) ([]byte, []byte) { return b.Cursor().First() }
	for name, damage := range map[string]func(*bolt.Tx) error{
		"a changed job": func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte("jobs"))
			return b.Put(id, bytes.Replace(b.Get(id), []byte(`"done"`), []byte(`"lost"`), 1))
		},
		"an unreadable job": func(tx *bolt.Tx) error { return tx.Bucket([]byte("jobs")).Put(id, []byte("{")) },
		"a lost fact": func(tx *bolt.Tx) error {
			k, _ := first(tx.Bucket([]byte("facts")))
			return tx.Bucket([]byte("facts")).Delete(k)
		},
		"a fact of no job": func(tx *bolt.Tx) error {
			_, v := first(tx.Bucket([]byte("facts")))
			return tx.Bucket([]byte("facts")).Put([]byte("x\x0000000001"), v)
		},
		"a lost head": func(tx *bolt.Tx) error {
			k, _ := first(tx.Bucket([]byte("heads")))
			return tx.Bucket([]byte("heads")).Delete(k)
		},
		"a lost prompt":  func(tx *bolt.Tx) error { return tx.Bucket([]byte("prompts")).Delete([]byte(life.Prompt(1))) },
		"a wrong prompt": func(tx *bolt.Tx) error { return tx.Bucket([]byte("prompts")).Put([]byte(life.Prompt(1)), []byte("x")) },
		"a prompt of nobody": func(tx *bolt.Tx) error {
			return tx.Bucket([]byte("prompts")).Put([]byte("nobody"), id)
		},
		"a lost key": func(tx *bolt.Tx) error {
			k, _ := first(tx.Bucket([]byte("keys")))
			return tx.Bucket([]byte("keys")).Delete(k)
		},
		"a lost output": func(tx *bolt.Tx) error {
			k, _ := first(tx.Bucket([]byte("outputs")))
			return tx.Bucket([]byte("outputs")).Delete(k)
		},
		"a lost body": func(tx *bolt.Tx) error {
			k, _ := first(tx.Bucket([]byte("blobs")))
			return tx.Bucket([]byte("blobs")).Delete(k)
		},
		"a broken body": func(tx *bolt.Tx) error {
			k, _ := first(tx.Bucket([]byte("blobs")))
			return tx.Bucket([]byte("blobs")).Put(k, []byte("x"))
		},
		"a stray body": func(tx *bolt.Tx) error {
			k, v := first(tx.Bucket([]byte("blobs")))
			return tx.Bucket([]byte("blobs")).Put(append([]byte("z"), k...), v)
		},
		"a wrong number": func(tx *bolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("rev"), make([]byte, 8)) },
	} {
		path := newPath(t)
		s := openAt(t, path)
		ledgertest.Record(t, s, append(life.Whole(), life.Closed())...)
		sound(t, s)
		closed(t, s)
		raw(t, path, damage)
		s = openAt(t, path)
		if problems, err := s.Check(); err != nil || len(problems) == 0 {
			t.Errorf("%s was not found (%v)", name, err)
		}
		closed(t, s)
	}
}

// TestUnwritableFact: a fact that has no JSON form is impossible and costs the
// others nothing.
func TestUnwritableFact(t *testing.T) {
	s := open(t)
	bad, good := ledgertest.Story{N: 1, User: "ada", Key: "k"}.Created(), ledgertest.Story{N: 2, User: "ada"}.Created()
	bad.Spec.Metadata = json.RawMessage("{")
	verdicts, err := s.Record(bad, good)
	if err != nil || !errors.Is(verdicts[0].Err, job.ErrImpossible) || verdicts[1].Err != nil {
		t.Fatalf("got %v, %v", verdicts, err)
	}
	if r, err := s.Rejects(10); err != nil || len(r) != 1 || r[0].Fact.Job != bad.Job || r[0].Reason == "" {
		t.Errorf("rejects %+v, %v", r, err)
	}
	if _, err := s.ByKey("ada", "k"); !errors.Is(err, job.ErrNoJob) {
		t.Errorf("its key was kept: %v", err)
	}
	sound(t, s)
}

func TestRejectsAreBounded(t *testing.T) {
	s := open(t)
	for n := range 11 {
		var facts []job.Fact
		for i := range 100 {
			facts = append(facts, ledgertest.Story{N: n*100 + i}.Closed())
		}
		if _, err := s.Record(facts...); err != nil {
			t.Fatal(err)
		}
	}
	r, err := s.Rejects(5000)
	if err != nil || len(r) != 1000 || r[0].Fact.Job != (ledgertest.Story{N: 1099}).ID() || r[999].Fact.Job != (ledgertest.Story{N: 100}).ID() {
		t.Errorf("%d rejects, %v", len(r), err)
	}
}

func TestSamples(t *testing.T) {
	s := open(t)
	for n := range 1040 { // a busy time does not push the cold starts out
		if err := s.AddSample(job.Sample{Deployment: "a", Seconds: float64(n), Cold: n < 520, At: ledgertest.Noon}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.AddSample(job.Sample{Deployment: "ab", Seconds: 7}); err != nil {
		t.Fatal(err)
	}
	a, err := s.Samples("a")
	if err != nil || len(a) != 1000 || a[0].Seconds != 20 || a[499].Seconds != 519 || a[999].Seconds != 1039 || a[0].At != ledgertest.Noon {
		t.Errorf("%d samples, %v", len(a), err)
	}
	if ab, err := s.Samples("ab"); err != nil || len(ab) != 1 {
		t.Errorf("%d samples of the other, %v", len(ab), err)
	}
}

func TestAudit(t *testing.T) {
	s := open(t)
	for n := range 5 {
		if err := s.Audit(job.AuditEntry{At: ledgertest.Noon, Actor: "ada", Verb: "cancel", Target: fmt.Sprint(n), Result: "ok"}); err != nil {
			t.Fatal(err)
		}
	}
	tail, err := s.AuditTail(2)
	if err != nil || len(tail) != 2 || tail[0].Target != "4" || tail[1].Target != "3" || tail[0].At != ledgertest.Noon {
		t.Errorf("got %+v, %v", tail, err)
	}
}
