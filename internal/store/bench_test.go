package store_test

import (
	"fmt"
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

// BenchmarkLarge is what 100,000 ended jobs cost: on disk, at the start, and
// for a page of a list.
func BenchmarkLarge(b *testing.B) {
	const jobs = 100_000
	path := newPath(b)
	s := openAt(b, path)
	for n := 0; n < jobs; n += 250 {
		var facts []job.Fact
		for i := n; i < n+250; i++ {
			life := ledgertest.Story{N: i, User: fmt.Sprint("user", i%40), Key: fmt.Sprint(i)}
			facts = append(append(facts, life.Whole()...), life.Closed())
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
