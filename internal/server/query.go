package server

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
	maxIDs       = 10_000 // of one filter
	maxText      = 200    // bytes of a search text
)

// readQuery reads the parameters of a list of jobs. none says that no job can
// match, because status and state exclude each other.
func readQuery(v url.Values) (q job.Query, none bool, err error) {
	f := api.Filter{User: v.Get("user_id"), Match: v.Get("q"), Status: words(v["status"])}
	for _, id := range words(v["id"]) {
		f.IDs = append(f.IDs, job.ID(id))
	}
	for _, w := range words(v["state"]) {
		st, err := job.ParseState(w)
		if err != nil {
			return q, false, err
		}
		f.States = append(f.States, st)
	}
	if f.Since, err = readTime("since", v.Get("since")); err != nil {
		return q, false, err
	}
	if f.Before, err = readTime("before", v.Get("before")); err != nil {
		return q, false, err
	}
	if q.Filter, none, err = readFilter(f); err != nil {
		return q, false, err
	}
	if q.Limit, err = readLimit(v.Get("limit"), defaultLimit, maxLimit); err != nil {
		return q, false, err
	}
	q.Cursor, q.Sort = v.Get("cursor"), job.Order(v.Get("sort"))
	return q, none, checkSort(q.Sort)
}

// readFilter turns a filter of the wire into one of the vocabulary.
func readFilter(f api.Filter) (job.Filter, bool, error) {
	out := job.Filter{IDs: f.IDs, User: f.User, States: f.States, Since: f.Since, Before: f.Before, Match: f.Match}
	switch {
	case len(f.IDs) > maxIDs:
		return out, false, badField("ids", fmt.Sprintf("names more than %d jobs", maxIDs), "use a filter")
	case len(f.Match) > maxText:
		return out, false, badField("q", "is too long", "use at most 200 bytes")
	case f.User != "":
		if err := job.CheckUser(f.User); err != nil {
			return out, false, err
		}
	}
	var byStatus []job.State
	for _, w := range f.Status {
		states := job.StatesOf(w)
		if len(states) == 0 {
			return out, false, &job.Error{Code: "unknown_status", Class: job.Invalid, Message: fmt.Sprintf("%.40q is not a status", w),
				Hint: "use pending, running, completed, failed or cancelled"}
		}
		byStatus = append(byStatus, states...)
	}
	var none bool
	out.States, none = intersect(f.States, byStatus)
	return out, none, nil
}

// intersect joins two lists of which an empty one means all; none says that
// nothing is left.
func intersect(a, b []job.State) (both []job.State, none bool) {
	if len(a) == 0 || len(b) == 0 {
		return append(slices.Clone(a), b...), false
	}
	both = slices.DeleteFunc(slices.Clone(a), func(s job.State) bool { return !slices.Contains(b, s) })
	return both, len(both) == 0
}

// words splits repeated and comma-separated values.
func words(values []string) []string {
	var out []string
	for _, v := range values {
		for w := range strings.SplitSeq(v, ",") {
			if w = strings.TrimSpace(w); w != "" {
				out = append(out, w)
			}
		}
	}
	return out
}

// readLimit reads a limit; one above most counts as most.
func readLimit(text string, otherwise, most int) (int, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, badField("limit", fmt.Sprintf("%.20q is not a number from 1", text), fmt.Sprintf("use 1 to %d", most))
	}
	return min(n, most), nil
}

func readTime(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, badField(field, fmt.Sprintf("%.40q is not a time", text), "write it as 2026-01-31T12:00:00Z")
	}
	return t, nil
}

func checkSort(o job.Order) error {
	switch o {
	case "", job.NewestFirst, job.OldestFirst:
		return nil
	}
	return badField("sort", fmt.Sprintf("%.40q is not an order", string(o)), "use -submitted or submitted")
}
