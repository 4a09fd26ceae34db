package store

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/comfyume/qmtui/internal/job"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// Jobs lists a page. Filters run over the heads in memory; only the page's own
// jobs are read from disk.
func (s *Store) Jobs(q job.Query) (job.Page, error) {
	after, err := readCursor(q.Cursor)
	if err != nil {
		return job.Page{}, err
	}
	if q.Sort != "" && q.Sort != job.NewestFirst && q.Sort != job.OldestFirst {
		return job.Page{}, &job.Error{Code: "bad_sort", Class: job.Invalid,
			Message: fmt.Sprintf("%.40q is not an order", q.Sort), Hint: `use "submitted" or "-submitted"`}
	}
	var page job.Page
	var heads []*head
	err = s.look(
		func() { heads, page.Total, page.Next = s.index.page(q, after) },
		func(tx *bolt.Tx) error { page.Jobs, err = s.readJobs(tx, heads); return err })
	return page, err
}

// page picks the heads of one page, the number of all that match, and the
// cursor of the page after; after is nil for the first page.
func (x *index) page(q job.Query, after *head) (page []*head, total int, next string) {
	limit := min(q.Limit, maxLimit)
	if limit <= 0 {
		limit = defaultLimit
	}
	newest := q.Sort != job.OldestFirst
	match := strings.ToLower(q.Filter.Match)
	for h := range x.candidates(q.Filter.IDs, newest) {
		if !h.matches(q.Filter, match) {
			continue
		}
		total++
		if after != nil && !beyond(h, after, newest) {
			continue
		}
		if len(page) < limit {
			page = append(page, h)
		} else if next == "" {
			next = cursorOf(page[limit-1])
		}
	}
	return page, total, next
}

// candidates yields the heads among ids, or all when there are none, in order.
func (x *index) candidates(ids []job.ID, newest bool) func(func(*head) bool) {
	order := x.order
	if len(ids) > 0 {
		order = nil
		for _, id := range ids {
			if h := x.byID[id]; h != nil {
				order = append(order, h)
			}
		}
		slices.SortFunc(order, compareHeads)
		order = slices.Compact(order)
	}
	return func(yield func(*head) bool) {
		for i := range order {
			if newest {
				i = len(order) - 1 - i
			}
			if !yield(order[i]) {
				return
			}
		}
	}
}

// beyond reports whether h comes after the last head of the page before.
func beyond(h, last *head, newest bool) bool {
	c := compareHeads(h, last)
	return newest && c < 0 || !newest && c > 0
}

func cursorOf(h *head) string {
	return base64.RawURLEncoding.EncodeToString(headKey(h.submitted, h.id))
}

// readCursor returns nil for the first page.
func readCursor(c string) (*head, error) {
	if c == "" {
		return nil, nil
	}
	k, err := base64.RawURLEncoding.DecodeString(c)
	at, id, ok := submittedOf(k)
	if err != nil || !ok {
		return nil, &job.Error{Code: "bad_cursor", Class: job.Invalid,
			Message: fmt.Sprintf("%.40q is not a cursor", c), Hint: "take the cursor that came with the page before"}
	}
	return &head{id: id, submitted: at}, nil
}
