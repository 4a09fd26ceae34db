package ledgertest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/comfyume/qmtui/internal/engine"
	"github.com/comfyume/qmtui/internal/job"
)

var _ engine.Ledger = (*Memory)(nil)

// Memory is a ledger that forgets everything when the process ends. Its
// methods may be called from any goroutine.
type Memory struct {
	mu       sync.Mutex
	jobs     map[job.ID]job.Job
	facts    map[job.ID][]job.Fact
	blobs    map[string][]byte
	orphans  map[job.OutputID]job.Orphan
	settings map[string][]byte
	rejects  []job.Verdict
	rev      uint64
	readers  map[chan job.Change]bool
	fail     func([]job.Fact) error
	born     time.Time
}

// NewMemory makes an empty ledger, born at the Unix epoch so that no file is
// too old to be an orphan.
func NewMemory() *Memory {
	return &Memory{
		jobs: map[job.ID]job.Job{}, facts: map[job.ID][]job.Fact{}, blobs: map[string][]byte{},
		orphans: map[job.OutputID]job.Orphan{}, settings: map[string][]byte{},
		readers: map[chan job.Change]bool{}, born: time.Unix(0, 0).UTC(),
	}
}

// FailWith makes Record ask fail first: an error means that nothing is
// recorded, as on a full disk. Nil lets everything pass again.
func (m *Memory) FailWith(fail func([]job.Fact) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = fail
}

// Rejects lists the facts that were judged impossible, oldest first.
func (m *Memory) Rejects() []job.Verdict {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.rejects)
}

// Record folds facts as the port says.
func (m *Memory) Record(facts ...job.Fact) ([]job.Verdict, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		if err := m.fail(facts); err != nil {
			return nil, err
		}
	}
	var verdicts []job.Verdict
	var changed []job.ID
	for _, f := range facts {
		v := m.judge(f.InUTC())
		if v.Err == nil && !slices.Contains(changed, v.Job.ID) {
			changed = append(changed, v.Job.ID)
			m.rev++
			v.Job.Rev = m.rev
		}
		m.keep(v)
		verdicts = append(verdicts, v)
	}
	for _, id := range changed {
		m.publish(job.Change{Rev: m.jobs[id].Rev, Job: m.jobs[id]})
	}
	return verdicts, nil
}

func (m *Memory) judge(f job.Fact) job.Verdict {
	j, known := m.jobs[f.Job]
	if f.Kind == job.Created && !known && f.Spec != nil && f.Spec.Key != "" {
		if holder, ok := m.find(func(x job.Job) bool { return x.User == f.Spec.User && x.Key == f.Spec.Key }); ok {
			return job.Verdict{Fact: f, Job: holder, Err: job.ErrStale}
		}
	}
	if f.Kind == job.Assigned {
		if x, ok := m.find(byPrompt(f.PromptID)); ok && x.ID != f.Job {
			return job.Verdict{Fact: f, Job: j, Err: fmt.Errorf("%w: prompt id of job %s", job.ErrImpossible, x.ID)}
		}
	}
	next, err := j.Apply(f)
	return job.Verdict{Fact: f, Job: next, Err: err}
}

func byPrompt(promptID string) func(job.Job) bool {
	return func(j job.Job) bool { _, ok := j.ByPrompt(promptID); return ok }
}

func (m *Memory) keep(v job.Verdict) {
	if v.Err != nil {
		if !errors.Is(v.Err, job.ErrStale) {
			m.rejects = append(m.rejects, v)
		}
		return
	}
	m.jobs[v.Job.ID] = v.Job
	m.facts[v.Job.ID] = append(m.facts[v.Job.ID], v.Fact)
	for _, b := range v.Fact.Blobs {
		m.blobs[b.Hash] = slices.Clone(b.Data)
	}
}

// find returns any job that match picks.
func (m *Memory) find(match func(job.Job) bool) (job.Job, bool) {
	for _, j := range m.jobs {
		if match(j) {
			return j, true
		}
	}
	return job.Job{}, false
}

func (m *Memory) lookUp(match func(job.Job) bool) (job.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if j, ok := m.find(match); ok {
		return j, nil
	}
	return job.Job{}, job.ErrNoJob
}

// Job finds a job by its id.
func (m *Memory) Job(id job.ID) (job.Job, error) {
	return m.lookUp(func(j job.Job) bool { return j.ID == id })
}

// ByPrompt finds the job one of whose attempts has that prompt id.
func (m *Memory) ByPrompt(promptID string) (job.Job, error) { return m.lookUp(byPrompt(promptID)) }

// Pruned is always false: nothing is ever removed.
func (m *Memory) Pruned(string) (bool, error) { return false, nil }

// ByKey finds a user's job by its idempotency key.
func (m *Memory) ByKey(user, key string) (job.Job, error) {
	return m.lookUp(func(j job.Job) bool { return key != "" && j.User == user && j.Key == key })
}

// ByOutput finds the job that an output belongs to.
func (m *Memory) ByOutput(id job.OutputID) (job.Job, error) {
	return m.lookUp(func(j job.Job) bool { _, ok := j.Output(id); return ok })
}

// Delivered finds the latest delivery of a file outside the attempts' own folders.
func (m *Memory) Delivered(p job.Path) (job.Delivery, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []job.Delivery
	var last job.Delivery
	for _, j := range m.sorted(func(job.Job) bool { return true }) { // of two at one time, the later job's
		for _, o := range j.Outputs {
			if o.Source != p || p.Tagged() || o.State != job.OutputStored {
				continue
			}
			d := job.Delivery{Job: j.ID, Output: o.ID, Size: o.Size, Checksum: o.Checksum, Modified: o.Modified, At: o.DeliveredAt()}
			if all = append(all, d); !d.At.Before(last.At) {
				last = d
			}
		}
	}
	last.Changed = slices.ContainsFunc(all, func(d job.Delivery) bool { return d.Job != last.Job && d.Checksum != last.Checksum })
	return last, last.Job != "", nil
}

// sorted lists the jobs that keep picks, oldest first.
func (m *Memory) sorted(keep func(job.Job) bool) []job.Job {
	var out []job.Job
	for _, j := range m.jobs {
		if keep(j) {
			out = append(out, j)
		}
	}
	slices.SortFunc(out, func(x, y job.Job) int {
		return cmp.Or(x.Submitted.Compare(y.Submitted), cmp.Compare(x.ID, y.ID))
	})
	return out
}

// Open lists the jobs that are not closed, oldest first.
func (m *Memory) Open() ([]job.Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sorted(func(j job.Job) bool { return !j.Closed }), nil
}

// Jobs lists a page; the cursor is the id of the last job before it.
func (m *Memory) Jobs(q job.Query) (job.Page, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q.Sort != "" && q.Sort != job.NewestFirst && q.Sort != job.OldestFirst {
		return job.Page{}, &job.Error{Code: "bad_sort", Class: job.Invalid, Message: fmt.Sprintf("%q is not an order", q.Sort)}
	}
	all := m.sorted(q.Filter.Matches)
	if q.Sort != job.OldestFirst {
		slices.Reverse(all)
	}
	from := 0
	if q.Cursor != "" {
		from = 1 + slices.IndexFunc(all, func(j job.Job) bool { return string(j.ID) == q.Cursor })
		if from == 0 {
			return job.Page{}, &job.Error{Code: "bad_cursor", Class: job.Invalid, Message: "that is not a cursor of this list"}
		}
	}
	return pageOf(all, from, q.Limit), nil
}

func pageOf(all []job.Job, from, limit int) job.Page {
	to := min(len(all), from+min(cmp.Or(max(limit, 0), 100), 1000))
	page := job.Page{Jobs: slices.Clone(all[from:to]), Total: len(all)}
	if to < len(all) {
		page.Next = string(all[to-1].ID)
	}
	return page
}

// Counts counts jobs by state.
func (m *Memory) Counts() (job.Counts, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := job.Counts{}
	for _, j := range m.jobs {
		counts[j.State()]++
	}
	return counts, nil
}

// UserCounts counts each user's jobs by state.
func (m *Memory) UserCounts() (map[string]job.Counts, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := map[string]job.Counts{}
	for _, j := range m.jobs {
		if counts[j.User] == nil {
			counts[j.User] = job.Counts{}
		}
		counts[j.User][j.State()]++
	}
	return counts, nil
}

// Totals adds up each user's stored files.
func (m *Memory) Totals() (map[string]job.Folders, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	totals := map[string]job.Folders{}
	for _, j := range m.jobs {
		for _, o := range j.Outputs {
			if o.State == job.OutputStored {
				t := totals[j.User]
				t.Outputs, t.Bytes = t.Outputs+1, t.Bytes+o.Size
				if o.StoredAt.After(t.Newest) {
					t.Newest = o.StoredAt
				}
				totals[j.User] = t
			}
		}
	}
	return totals, nil
}

// Facts lists what was recorded of a job, in order.
func (m *Memory) Facts(id job.ID) ([]job.Fact, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	facts, ok := m.facts[id]
	if !ok {
		return nil, job.ErrNoJob
	}
	out := slices.Clone(facts)
	for i := range out {
		out[i].Blobs = nil
	}
	return out, nil
}

// Blob returns a body by its hash.
func (m *Memory) Blob(hash string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[hash]
	if !ok {
		return nil, job.ErrNoBlob
	}
	return slices.Clone(b), nil
}

// Orphans lists orphans in state, or all, newest first.
func (m *Memory) Orphans(state string) ([]job.Orphan, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []job.Orphan
	for _, o := range m.orphans {
		if state == "" || o.State == state {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(x, y job.Orphan) int {
		return cmp.Or(y.SeenAt.Compare(x.SeenAt), cmp.Compare(x.ID, y.ID))
	})
	return out, nil
}

// Orphan finds an orphan by its id.
func (m *Memory) Orphan(id job.OutputID) (job.Orphan, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.orphans[id]
	if !ok {
		return job.Orphan{}, job.ErrNoOrphan
	}
	return o, nil
}

// PutOrphan keeps an orphan under its id.
func (m *Memory) PutOrphan(o job.Orphan) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	o.SeenAt = o.SeenAt.Round(0).UTC()
	m.orphans[o.ID] = o
	return nil
}

// Setting reads what SetSetting kept.
func (m *Memory) Setting(key string, v any) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.settings[key]
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal(b, v)
}

// SetSetting keeps v under key.
func (m *Memory) SetSetting(key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("keep setting %s: %w", key, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settings[key] = b
	return nil
}

// Born is the Unix epoch.
func (m *Memory) Born() time.Time { return m.born }
