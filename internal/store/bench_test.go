package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/engine/ledgertest"
	"github.com/comfyume/qmtui/internal/job"
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

// BenchmarkLarge is what 45,000 ended jobs cost, 1,500 a day kept for 30 days:
// on disk, at the start, and for a page of a list.
func BenchmarkLarge(b *testing.B) {
	const jobs = 45_000
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
	b.Logf("%d bytes a job on disk", s.Stats().Size/jobs)
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
	closed(b, s)
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			closed(b, openAt(b, path))
		}
	})
}
