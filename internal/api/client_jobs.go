package api

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// Query asks for a page of jobs.
type Query struct {
	Filter
	Sort   job.Order
	Limit  int    // zero means 100; at most 1000
	Cursor string // from the page before; empty for the first
}

// Page is a part of a list. Total counts all that match; Next is empty on the
// last.
type Page[T any] struct {
	Items []T
	Total int
	Next  string
}

func (q Query) values() url.Values {
	v := url.Values{}
	for _, id := range q.IDs {
		v.Add("id", string(id))
	}
	for _, s := range q.States {
		v.Add("state", s.String())
	}
	for _, s := range q.Status {
		v.Add("status", s)
	}
	setIf(v, "user_id", q.User)
	setIf(v, "q", q.Match)
	setIf(v, "sort", string(q.Sort))
	setIf(v, "cursor", q.Cursor)
	if !q.Since.IsZero() {
		v.Set("since", q.Since.Format(time.RFC3339Nano))
	}
	if !q.Before.IsZero() {
		v.Set("before", q.Before.Format(time.RFC3339Nano))
	}
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return v
}

func setIf(v url.Values, key, value string) {
	if value != "" {
		v.Set(key, value)
	}
}

// Submit asks for a job. repeated says that the request's Key was known and
// the earlier job came back.
func (c *Client) Submit(ctx context.Context, r SubmitRequest) (j Job, repeated bool, err error) {
	header := http.Header{}
	if r.Key != "" {
		header.Set(HeaderKey, r.Key)
	}
	status, _, err := c.do(ctx, call{verb: "submit", method: http.MethodPost, path: PathJobs, body: r, header: header}, &j)
	return j, status == http.StatusOK, err
}

// Jobs lists a page of jobs.
func (c *Client) Jobs(ctx context.Context, q Query) (Page[Job], error) {
	return list[Job](ctx, c, call{verb: "list jobs", method: http.MethodGet, path: PathJobs, query: q.values()})
}

// list gets a list with its headers.
func list[T any](ctx context.Context, c *Client, k call) (Page[T], error) {
	p := Page[T]{Items: []T{}}
	_, h, err := c.do(ctx, k, &p.Items)
	if err != nil {
		return Page[T]{}, err
	}
	p.Total, _ = strconv.Atoi(cmp.Or(h.Get(HeaderTotal), strconv.Itoa(len(p.Items))))
	p.Next = h.Get(HeaderNextCursor)
	return p, nil
}

// Job gets one job.
func (c *Client) Job(ctx context.Context, id job.ID) (j Job, err error) {
	_, _, err = c.do(ctx, call{verb: "get job", method: http.MethodGet, path: Path(PathJob, string(id))}, &j)
	return j, err
}

// Cancel asks that a job be cancelled, and returns it as it is then: a running
// one ends later.
func (c *Client) Cancel(ctx context.Context, id job.ID) (j Job, err error) {
	_, _, err = c.do(ctx, call{verb: "cancel job", method: http.MethodPost, path: Path(PathJobCancel, string(id))}, &j)
	return j, err
}

// Delete is Cancel as the first site's API had it.
func (c *Client) Delete(ctx context.Context, id job.ID) error {
	_, _, err := c.do(ctx, call{verb: "cancel job", method: http.MethodDelete, path: Path(PathJob, string(id))}, nil)
	return err
}

// Retry asks for a further attempt at a job that has ended.
func (c *Client) Retry(ctx context.Context, id job.ID) (j Job, err error) {
	_, _, err = c.do(ctx, call{verb: "retry job", method: http.MethodPost, path: Path(PathJobRetry, string(id))}, &j)
	return j, err
}

// SetPriority changes a waiting job's priority.
func (c *Client) SetPriority(ctx context.Context, id job.ID, p job.Priority) (j Job, err error) {
	_, _, err = c.do(ctx, call{verb: "set priority", method: http.MethodPatch, path: Path(PathJobPriority, string(id)),
		body: PriorityRequest{&p}}, &j)
	return j, err
}

// Act does something to many jobs, or says what it would do.
func (c *Client) Act(ctx context.Context, r ActionRequest) (a ActionReport, err error) {
	_, _, err = c.do(ctx, call{verb: string(r.Action) + " jobs", method: http.MethodPost, path: PathActions, body: r}, &a)
	return a, err
}

// Facts lists what happened to a job, oldest first.
func (c *Client) Facts(ctx context.Context, id job.ID) (facts []Fact, err error) {
	_, _, err = c.do(ctx, call{verb: "get events", method: http.MethodGet, path: Path(PathJobEvents, string(id))}, &facts)
	return facts, err
}

// Submitted is a job's prompt as it was submitted.
type Submitted struct {
	Workflow json.RawMessage `json:"workflow"`
	Extra    json.RawMessage `json:"extra_data"` // null for none
}

// Workflow gets the prompt and the extra data that a job was submitted with.
func (c *Client) Workflow(ctx context.Context, id job.ID) (s Submitted, err error) {
	_, _, err = c.do(ctx, call{verb: "get workflow", method: http.MethodGet, path: Path(PathJobWorkflow, string(id)),
		query: url.Values{"extra_data": {"true"}}}, &s)
	return s, err
}
