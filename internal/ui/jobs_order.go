package ui

import (
	"cmp"
	"slices"
	"strings"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// order names the column jobs are sorted by.
type order string

// The orders, in the sequence in which the sort key walks through them.
const (
	byLine  order = "line" // what waits and runs first, then what ended last
	byAge   order = "age"
	byUser  order = "user"
	byState order = "state"
	byWait  order = "wait"
	byName  order = "name"
)

var orders = []order{byLine, byAge, byUser, byState, byWait, byName}

// arrange puts all jobs in order.
func (l *jobs) arrange() {
	l.line = l.line[:0]
	for _, r := range l.all {
		r.listed = true
		l.line = append(l.line, r)
	}
	l.order()
}

// reorder puts all jobs into another order.
func (l *jobs) reorder() {
	for _, r := range l.line {
		l.key(r)
	}
	l.order()
}

// order sorts the line. By its numbers first, which lie side by side in memory:
// looking at a row for each comparison takes five times as long.
func (l *jobs) order() {
	list := make([]numbered, len(l.line))
	for i, r := range l.line {
		list[i] = numbered{l.turn(r.rank), l.turn(wordRank(r.word[min(rankBytes, len(r.word)):])), r.created, r}
	}
	slices.SortFunc(list, func(a, b numbered) int { return l.compareNumbers(&a, &b) })
	for i := range list {
		l.line[i] = list[i].r
	}
}

// numbered is a row with what it is sorted by: the second number is the rank of
// the word's rest.
type numbered struct {
	first, second, created int64
	r                      *row
}

func (l *jobs) compareNumbers(a, b *numbered) int {
	switch {
	case a.first < b.first:
		return -1
	case a.first > b.first:
		return 1
	case a.second < b.second:
		return -1
	case a.second > b.second:
		return 1
	case a.created == b.created, a.second&255 != 0: // the word may go on
		return l.compare(a.r, b.r)
	case a.created > b.created:
		return -1
	}
	return 1
}

func (l *jobs) turn(n int64) int64 {
	if l.turned {
		return -n
	}
	return n
}

// compare is a total order: by key, then newest first, then id.
func (l *jobs) compare(a, b *row) int {
	c := cmp.Compare(a.rank, b.rank)
	if c == 0 {
		c = strings.Compare(a.word, b.word)
	}
	if l.turned {
		c = -c
	}
	if c != 0 {
		return c
	}
	if c = cmp.Compare(b.created, a.created); c != 0 {
		return c
	}
	return strings.Compare(string(a.job.ID), string(b.job.ID))
}

// key computes what a row is sorted by.
func (l *jobs) key(r *row) {
	r.rank, r.word = 0, ""
	switch j := &r.job; l.by {
	case byLine:
		r.rank = lineRank(j)
	case byAge:
		r.rank = -r.created
	case byUser:
		r.rank, r.word = wordRank(r.lowUser), r.lowUser
	case byState:
		r.rank = int64(j.State)
	case byWait:
		r.rank = -int64(waited(j, j.Updated.Time))
		if !j.State.Terminal() && j.Started.IsZero() {
			r.rank = -1<<62 + r.created // still waiting: longest first
		}
	case byName:
		r.rank, r.word = wordRank(r.lowName), r.lowName
	}
}

// rankBytes is how many bytes of a word its rank holds.
const rankBytes = 7

// wordRank orders words by their first bytes, as numbers.
func wordRank(word string) (rank int64) {
	for i := range rankBytes {
		rank <<= 8
		if i < len(word) {
			rank |= int64(word[i])
		}
	}
	return rank
}

// lineRank puts what is on a GPU on top, then the line in its order, then what
// has ended, the last first.
func lineRank(j *api.Job) int64 {
	const group = int64(1) << 60
	switch {
	case j.State == job.Queued && j.Position != nil:
		return group + int64(*j.Position)
	case j.State == job.Queued:
		return group + 1<<40
	case j.State.Terminal():
		return 2*group - j.Completed.UnixMilli()
	}
	return -int64(j.State)<<50 + j.Created.UnixMilli()
}
