package store_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/store"
)

// BenchmarkRecord is the group commit: facts in one Record, each of another job.
func BenchmarkRecord(b *testing.B) {
	for _, group := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(group), func(b *testing.B) {
			s := open(b)
			n := 0
			for b.Loop() {
				var facts []job.Fact
				for range group {
					n++
					facts = append(facts, ledgertest.Story{N: n, User: "ada"}.Created())
				}
				ledgertest.Record(b, s, facts...)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "facts/s")
		})
	}
}

// body is of the size that a prompt and the graph of its page come to when
// they are packed: 6 KiB, no two alike, since each job has a seed of its own.
func body(n int) []byte {
	random := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	b := make([]byte, 6<<10)
	_, _ = random.Read(b) // never fails
	return b
}

// benchJobs is how many jobs BenchmarkLarge keeps: 45,000, which are 1,500 a day
// for 30 days, or what QMTUI_BENCH_JOBS says.
func benchJobs(b *testing.B) int {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("QMTUI_BENCH_JOBS"), "45000"))
	if err != nil || n < 1000 {
		b.Fatalf("QMTUI_BENCH_JOBS: %d, %v; give 1000 or more", n, err)
	}
	return n
}

// held is what the heap holds, in bytes.
func held() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// BenchmarkLarge is what many ended jobs cost: on disk, in memory, at the
// start, for a page of a list, for one more job, and to prune and compact.
func BenchmarkLarge(b *testing.B) {
	jobs := benchJobs(b)
	path := newPath(b)
	s := openAt(b, path)
	for n := 0; n < jobs; n += 250 {
		var facts []job.Fact
		for i := n; i < n+250; i++ {
			life := ledgertest.Story{N: i, User: fmt.Sprint("user", i%40), Key: fmt.Sprint(i)}
			whole := life.Whole()
			whole[0].Spec.Workflow = fmt.Sprint("workflow-", i)
			whole[0].Blobs = []job.Blob{{Hash: whole[0].Spec.Workflow, Data: body(i)}}
			facts = append(append(facts, whole...), life.Closed())
		}
		ledgertest.Record(b, s, facts...)
	}
	b.Logf("%d bytes a job on disk", s.Stats().Size/int64(jobs))
	for name, q := range map[string]job.Query{
		"newest": {}, "user": {Filter: job.Filter{User: "user7"}}, "state": {Filter: job.Filter{States: []job.State{job.Failed}}},
		"match": {Filter: job.Filter{Match: "prompt-99-"}}, "since": {Filter: job.Filter{Since: ledgertest.Noon.Add(time.Hour)}},
	} {
		b.Run("page/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Jobs(q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("watch", func(b *testing.B) {
		for b.Loop() {
			w, err := s.Watch(100)
			if err != nil {
				b.Fatal(err)
			}
			w.Stop()
		}
	})
	b.Run("record", func(b *testing.B) {
		for b.Loop() {
			ledgertest.Record(b, s, ledgertest.Story{N: jobs, User: "ada"}.Created())
			jobs++
		}
	})
	closed(b, s)
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			without := held()
			b.StartTimer()
			s := openAt(b, path)
			b.StopTimer()
			b.ReportMetric((held()-without)/float64(jobs), "heap-B/job")
			closed(b, s)
			b.StartTimer()
		}
	})
	b.Run("prune", func(b *testing.B) {
		s := openAt(b, path)
		for b.Loop() {
			n, err := s.Prune(b.Context(), ledgertest.Noon.Add(time.Duration(jobs/3)*time.Second), 0)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "jobs/s")
		}
		closed(b, s)
	})
	b.Run("compact", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := store.Compact(store.Options{Path: path}, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
