package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
	"github.com/comfyume/qmtui/internal/simulator"
)

// Progress is how far a run has come.
type Progress struct {
	Total, Submitted, Ended, Delivered int
}

// Result is what a run amounted to. Durations are in seconds.
type Result struct {
	Submitted int            `json:"submitted"`
	States    map[string]int `json:"states"`
	Failures  map[string]int `json:"failures"` // by code
	Attempts  int            `json:"attempts"`
	Orphans   int            `json:"orphans"`
	// Burst is how long it took until all submits were answered; SubmitP50 and
	// SubmitP99 are of single answers.
	Burst     float64 `json:"burst_seconds"`
	SubmitP50 float64 `json:"submit_p50_seconds"`
	SubmitP99 float64 `json:"submit_p99_seconds"`
	Elapsed   float64 `json:"elapsed_seconds"`
	Verdict   Verdict `json:"verdict"`
}

// Run is one proof: submit everything, wait for every end and for late files,
// and judge.
type Run struct {
	Load Load
	// Dial connects to the manager; each user gets a connection.
	Dial func() (*api.Client, error)
	// Written is the replicas' own record; Settled says that they write nothing more.
	Written func() ([]simulator.Written, error)
	Settled func() bool
	// Users is the folder with a folder for each user.
	Users string
	// Uploads is the folder with a folder of input files for each user.
	Uploads string

	known *Known
	// Late is how long to wait for files that are still on their way once every job has ended.
	Late time.Duration
	// Progress, when set, hears how far things are, a few times a second.
	Progress func(Progress)
}

// lookEvery is how often the run looks how far things are.
const lookEvery = 200 * time.Millisecond

// Do runs it. An error means that it could not be judged; what the judge found
// is in the result.
func (r Run) Do(ctx context.Context) (Result, error) {
	began := time.Now()
	requests, err := r.Load.Requests()
	if err != nil {
		return Result{}, err
	}
	r.known = knownFrom(requests)
	c, err := r.Dial()
	if err != nil {
		return Result{}, err
	}
	defer c.Close()
	res := Result{States: map[string]int{}, Failures: map[string]int{}}
	if err := r.submit(ctx, requests, &res); err != nil {
		return res, err
	}
	jobs, err := r.wait(ctx, c, len(requests))
	if err != nil {
		return res, err
	}
	res.Verdict, jobs, err = r.judge(ctx, c, jobs)
	res.sum(jobs)
	res.Elapsed = time.Since(began).Seconds()
	if orphans, oerr := c.Orphans(ctx, job.OrphanOpen); oerr == nil {
		res.Orphans = len(orphans)
	}
	return res, err
}

func (r Run) submit(ctx context.Context, requests []Request, res *Result) error {
	var mu sync.Mutex
	var times []time.Duration
	began := time.Now()
	err := Submit(ctx, r.Dial, r.Uploads, requests, func(_ api.Job, took time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		times = append(times, took)
		r.tell(Progress{Total: len(requests), Submitted: len(times)})
	})
	res.Burst, res.Submitted = time.Since(began).Seconds(), len(times)
	slices.Sort(times)
	if n := len(times); n > 0 {
		res.SubmitP50, res.SubmitP99 = times[n/2].Seconds(), times[n*99/100].Seconds()
	}
	return err
}

func (r Run) tell(p Progress) {
	if r.Progress != nil {
		r.Progress(p)
	}
}

// wait looks at all jobs until every one has ended. A manager that is away is
// waited for.
func (r Run) wait(ctx context.Context, c *api.Client, total int) ([]api.Job, error) {
	for {
		jobs, err := allJobs(ctx, c)
		if err == nil {
			p := Progress{Total: total, Submitted: len(jobs)}
			for _, j := range jobs {
				if j.State.Terminal() {
					p.Ended++
				}
				for _, o := range j.Outputs {
					if o.State == job.OutputStored {
						p.Delivered++
					}
				}
			}
			r.tell(p)
			if p.Ended >= total {
				return jobs, nil
			}
		} else if !comesBack(job.AsError(err)) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the jobs to end: %w", ctx.Err())
		case <-time.After(lookEvery):
		}
	}
}

// judge judges until the verdict is clean and the replicas rest, or Late has passed.
func (r Run) judge(ctx context.Context, c *api.Client, jobs []api.Job) (Verdict, []api.Job, error) {
	deadline := time.Now().Add(r.Late)
	for {
		r.known.Orphans = map[string]bool{}
		if orphans, err := c.Orphans(ctx, job.OrphanOpen); err == nil { // otherwise the manager is away
			for _, o := range orphans {
				r.known.Orphans[string(o.Path)] = true
			}
		}
		v, err := r.verdict(jobs)
		if err != nil || v.Clean() && r.Settled() || time.Now().After(deadline) {
			return v, jobs, err
		}
		select {
		case <-ctx.Done():
			return v, jobs, nil
		case <-time.After(lookEvery):
		}
		if now, err := allJobs(ctx, c); err == nil {
			jobs = now
		} else if !comesBack(job.AsError(err)) {
			return v, jobs, err
		}
	}
}

func (r Run) verdict(jobs []api.Job) (Verdict, error) {
	folders, ferr := Folders(r.Users)
	written, werr := r.Written()
	return Judge(written, folders, jobs, r.known), errors.Join(ferr, werr)
}

// sum counts how the jobs ended.
func (res *Result) sum(jobs []api.Job) {
	for _, j := range jobs {
		res.States[j.State.String()]++
		res.Attempts += len(j.Attempts)
		if j.ErrorDetail != nil && j.State.Terminal() && j.State != job.Done {
			res.Failures[j.ErrorDetail.Code]++
		}
	}
}

func allJobs(ctx context.Context, c *api.Client) ([]api.Job, error) {
	var all []api.Job
	q := api.Query{Sort: job.OldestFirst, Limit: 1000}
	for {
		page, err := c.Jobs(ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return all, nil
		}
	}
}
