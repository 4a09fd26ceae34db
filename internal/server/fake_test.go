package server

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// fakeService is an engine in memory: it records facts with job.Apply and
// publishes changes under the lock that Watch takes its snapshot under.
type fakeService struct {
	mu       sync.Mutex
	rev      uint64
	jobs     map[job.ID]job.Job
	order    []job.ID // oldest first
	facts    map[job.ID][]job.Fact
	bodies   map[job.ID][2][]byte
	keys     map[string]job.ID
	files    map[job.OutputID][]byte
	orphans  []job.Orphan
	workers  []job.Deployment
	mode     job.Mode
	status   func(*job.QueueStatus)
	watchers map[chan job.Change]bool
	buffer   int // of a watcher
	err      error
	callers  []job.Caller
	standing func(job.Job) job.Standing

	remembered map[string][]byte
	nodes      job.NodeList
}

var epoch = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func newFake() *fakeService {
	return &fakeService{
		jobs: map[job.ID]job.Job{}, facts: map[job.ID][]job.Fact{}, bodies: map[job.ID][2][]byte{}, keys: map[string]job.ID{},
		files: map[job.OutputID][]byte{}, watchers: map[chan job.Change]bool{}, buffer: 256, mode: job.ModeRunning,
		orphans: []job.Orphan{{ID: "0123456789abcdef01234567", Path: "stray/a\nb.png", Size: 5, SeenAt: epoch, State: job.OrphanOpen, Suggest: []string{"user001"},
			Candidates: []job.ID{fakeID(1), fakeID(99)}}},
		workers: []job.Deployment{{Name: "h200", Driver: "comfyui", URL: "https://key:secret@gpu.example/h200", Capacity: 1, Active: true, State: job.WarmthCold,
			Learned: []job.Learned{{Class: "Flat Saver", Plain: true, At: epoch, Job: fakeID(1)}}}},
	}
}

func fakeID(n int) job.ID { return job.ID(fmt.Sprintf("00000000-0000-4000-8000-%012d", n)) }

// record folds facts and publishes; the lock is held.
func (f *fakeService) record(facts ...job.Fact) error {
	for _, fact := range facts {
		j, err := f.jobs[fact.Job].Apply(fact)
		if err != nil {
			return err
		}
		f.rev++
		j.Rev = f.rev
		if _, known := f.jobs[j.ID]; !known {
			f.order = append(f.order, j.ID)
		}
		f.jobs[j.ID], f.facts[j.ID] = j, append(f.facts[j.ID], fact)
		for w := range f.watchers {
			select {
			case w <- job.Change{Rev: f.rev, Job: j}:
			default:
				close(w)
				delete(f.watchers, w)
			}
		}
	}
	return nil
}

func (f *fakeService) Submit(_ context.Context, r job.Request) (job.Job, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.callers = append(f.callers, r.Caller)
	if f.err != nil {
		return job.Job{}, false, f.err
	}
	if id, ok := f.keys[r.User+"\x00"+r.Key]; ok && r.Key != "" {
		return f.jobs[id], true, nil
	}
	id := fakeID(len(f.order) + 1)
	by := ""
	if r.Caller.Name != r.User {
		by = r.Caller.Name
	}
	spec := &job.Spec{ID: id, User: r.User, Name: r.Name, Submitted: epoch.Add(time.Duration(len(f.order)) * time.Second), Priority: r.Priority,
		Workflow: "hash", Metadata: r.Metadata, Key: r.Key, Deployment: r.Deployment, By: by, Expect: []job.Expected{{Node: "9", Class: "SaveImage", Prefix: "ComfyUI", Count: 1}}}
	f.bodies[id], f.keys[r.User+"\x00"+r.Key] = [2][]byte{r.Workflow, r.Extra}, id
	err := f.record(job.Fact{Job: id, Kind: job.Created, At: spec.Submitted, Spec: spec, Actor: r.Caller.Name})
	return f.jobs[id], false, err
}

func (f *fakeService) Job(id job.ID) (job.Job, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if j, ok := f.jobs[id]; ok {
		return j, nil
	}
	return job.Job{}, job.ErrNoJob
}

func (f *fakeService) matching(filter job.Filter) []job.Job {
	var out []job.Job
	for _, id := range slices.Backward(f.order) {
		if j := f.jobs[id]; filter.Matches(j) {
			out = append(out, j)
		}
	}
	return out
}

func (f *fakeService) Jobs(q job.Query) (job.Page, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.matching(q.Filter)
	if q.Sort == job.OldestFirst {
		slices.Reverse(all)
	}
	from, err := 0, error(nil)
	if q.Cursor != "" {
		if from, err = strconv.Atoi(q.Cursor); err != nil || from > len(all) {
			return job.Page{}, &job.Error{Code: "bad_cursor", Class: job.Invalid, Message: "not a cursor"}
		}
	}
	p := job.Page{Total: len(all), Jobs: all[from:min(from+q.Limit, len(all))]}
	if from+q.Limit < len(all) {
		p.Next = strconv.Itoa(from + q.Limit)
	}
	return p, nil
}

func (f *fakeService) Standing(j job.Job) job.Standing {
	if f.standing != nil {
		return f.standing(j)
	}
	if j.State() == job.Queued {
		return job.Standing{Position: 0, Wait: 12.5, Phase: "waiting for its turn"}
	}
	return job.Standing{Position: -1, Wait: -1, Phase: j.State().String()}
}

func (f *fakeService) Facts(id job.ID) ([]job.Fact, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.facts[id], nil
}

func (f *fakeService) Workflow(id job.ID) ([]byte, []byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.bodies[id]
	if !ok {
		return nil, nil, job.ErrNoJob
	}
	return b[0], b[1], nil
}

func (f *fakeService) Act(_ context.Context, a job.Action) ([]job.ActionResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.callers = append(f.callers, a.Caller)
	var out []job.ActionResult
	for _, j := range f.matching(a.Filter) {
		out = append(out, f.actOn(j, a))
	}
	return out, f.err
}

func (f *fakeService) actOn(j job.Job, a job.Action) job.ActionResult {
	late := &job.Error{Code: "too_late", Class: job.Conflict, Message: "the job is " + j.State().String()}
	ended := j.State().Terminal()
	if ended != (a.Verb == job.DoRetry) {
		return job.ActionResult{Job: j, Error: late}
	}
	if a.DryRun {
		return job.ActionResult{Job: j}
	}
	var err error
	switch a.Verb {
	case job.DoCancel:
		err = f.record(job.Fact{Job: j.ID, Kind: job.Wanted, Want: job.WantCancel, At: epoch, Actor: a.Caller.Name},
			job.Fact{Job: j.ID, Kind: job.Withdrawn, Attempt: j.Current().N, At: epoch, Evidence: job.ByManager})
	case job.DoRetry:
		err = f.record(job.Fact{Job: j.ID, Kind: job.Renewed, Attempt: j.Current().N + 1, At: epoch})
	case job.DoPriority:
		err = f.record(job.Fact{Job: j.ID, Kind: job.Prioritised, Priority: &a.Priority, At: epoch})
	}
	return job.ActionResult{Job: f.jobs[j.ID], Error: job.AsError(err)}
}

func (f *fakeService) Status() job.QueueStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := job.QueueStatus{Mode: f.mode, Scheduling: "fair", Counts: job.Counts{}, MaxDepth: 1000, Capacity: 1, Active: "h200", Wait: 30,
		Started: epoch, Share: job.ShareStatus{Path: "/mnt/sfs/outputs", Mounted: true}}
	for _, j := range f.jobs {
		s.Counts[j.State()]++
		if !j.State().Terminal() {
			s.Depth++
		}
	}
	if f.status != nil {
		f.status(&s)
	}
	return s
}

func (f *fakeService) SetMode(_ context.Context, m job.Mode, by job.Caller) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mode, f.callers = m, append(f.callers, by)
	return f.err
}

func (f *fakeService) AcceptShare(_ context.Context, by job.Caller) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.callers = append(f.callers, by)
	return f.err
}

func (f *fakeService) Users() ([]job.UserStatus, error) {
	return []job.UserStatus{{User: "user001", Queued: 1, MaxQueued: 50}, {User: "user002", MaxQueued: 50}}, f.err
}

func (f *fakeService) Output(id job.OutputID) (job.Job, job.Output, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, j := range f.jobs {
		if o, ok := j.Output(id); ok {
			return j, o, nil
		}
	}
	return job.Job{}, job.Output{}, &job.Error{Code: "output_not_found", Class: job.NotFound, Message: "there is no such output"}
}

type fakeFile struct{ *bytes.Reader }

func (fakeFile) Close() error { return nil }

func (f *fakeService) Open(_ job.Job, o job.Output) (File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.files[o.ID]
	if !ok {
		return nil, &job.Error{Code: "file_gone", Class: job.NotFound, Message: "the file is not in the user's folder any more"}
	}
	return fakeFile{bytes.NewReader(b)}, nil
}

func (f *fakeService) Orphans(state string) ([]job.Orphan, error) {
	return slices.DeleteFunc(slices.Clone(f.orphans), func(o job.Orphan) bool { return state != "" && o.State != state }), f.err
}

func (f *fakeService) settle(id job.OutputID, change func(*job.Orphan)) (job.Orphan, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.orphans {
		if f.orphans[i].ID == id {
			change(&f.orphans[i])
			return f.orphans[i], nil
		}
	}
	return job.Orphan{}, &job.Error{Code: "orphan_not_found", Class: job.NotFound, Message: "there is no such orphan"}
}

func (f *fakeService) AssignOrphan(_ context.Context, id job.OutputID, user string, by job.Caller) (job.Orphan, error) {
	return f.settle(id, func(o *job.Orphan) { o.State, o.User, o.By = job.OrphanAssigned, user, by.Name })
}

func (f *fakeService) UnassignOrphan(_ context.Context, id job.OutputID, _ job.Caller) (job.Orphan, error) {
	return f.settle(id, func(o *job.Orphan) { o.State, o.User, o.By = job.OrphanOpen, "", "" })
}

func (f *fakeService) OrphanFile(id job.OutputID) (File, error) {
	if _, err := f.settle(id, func(*job.Orphan) {}); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 30, 20)))
	return fakeFile{bytes.NewReader(b.Bytes())}, err
}

func (f *fakeService) DiscardOrphan(_ context.Context, id job.OutputID, reason string, by job.Caller) (job.Orphan, error) {
	return f.settle(id, func(o *job.Orphan) { o.State, o.Reason, o.By = job.OrphanDiscarded, reason, by.Name })
}

func (f *fakeService) Spend(days int) []job.SpendDay {
	users := []job.UserSpend{{User: "user001", GPUSeconds: 840, Amount: 0.97}}
	day := job.SpendDay{Day: "2026-11-23", Amount: 0.97, Cap: 20, Users: users, Deployments: []job.DeploymentSpend{{Name: "h200", Users: users, Cap: 10,
		Spent: job.Spent{Day: "2026-11-23", Billed: 3600, Lived: 3120, Amount: 0.97, Evidence: job.ByPlatform}}}}
	return slices.Repeat([]job.SpendDay{day}, days)
}

func (f *fakeService) LiftBudget(_ context.Context, by job.Caller) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.callers = append(f.callers, by)
	return f.err
}

func (f *fakeService) Workers() []job.Deployment { return slices.Clone(f.workers) }

func (f *fakeService) worker(name string) (job.Deployment, error) {
	for _, d := range f.workers {
		if d.Name == name {
			return d, f.err
		}
	}
	return job.Deployment{}, &job.Error{Code: "worker_not_found", Class: job.NotFound, Message: "there is no such deployment"}
}

func (f *fakeService) ActivateWorker(_ context.Context, name string, _ job.Caller) (job.Deployment, error) {
	return f.worker(name)
}

func (f *fakeService) WarmWorker(_ context.Context, name string, _ job.Caller) (job.Deployment, error) {
	return f.worker(name)
}

func (f *fakeService) CheckWorker(_ context.Context, name string, _ job.Caller) (job.Deployment, error) {
	return f.worker(name)
}

func (f *fakeService) Watch(limit int) (job.Watch, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return job.Watch{}, f.err
	}
	c := make(chan job.Change, f.buffer)
	f.watchers[c] = true
	all := f.matching(job.Filter{})
	return job.Watch{Rev: f.rev, Jobs: all[:min(limit, len(all))], Changes: c, Stop: func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.watchers[c] {
			delete(f.watchers, c)
			close(c)
		}
	}}, nil
}

// add submits a job for user and returns it.
func (f *fakeService) add(t testing.TB, user string) job.Job {
	t.Helper()
	j, _, err := f.Submit(context.Background(), job.Request{User: user, Workflow: []byte(`{"9":{}}`), Priority: job.Normal, Caller: job.Caller{Name: user}})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// deliver walks a job to Done with one stored file at dest.
func (f *fakeService) deliver(t testing.TB, id job.ID, dest string, data []byte) job.Output {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	j := f.jobs[id]
	prompt := "p" + string(id)[1:]
	src := job.Path("qm/" + prompt + "/9/ComfyUI_00001_.png")
	o := job.Output{ID: job.NewOutputID(prompt, src), Node: "9", Source: src, Size: int64(len(data)), Evidence: job.ByPrefix}
	stored := o
	stored.Dest, stored.Checksum = dest, "xxh64:0011223344556677"
	f.files[o.ID] = data
	n := j.Current().N
	at := epoch.Add(time.Minute)
	err := f.record(
		job.Fact{Job: id, Kind: job.Assigned, Attempt: n, At: at, PromptID: prompt, Deployment: "h200", Evidence: job.ByManager},
		job.Fact{Job: id, Kind: job.Acknowledged, Attempt: n, At: at, Evidence: job.ByPlatform},
		job.Fact{Job: id, Kind: job.Seen, Attempt: n, At: at, Output: &o, Evidence: job.ByPrefix},
		job.Fact{Job: id, Kind: job.Finished, Attempt: n, At: at, Evidence: job.ByHistory, Files: []job.Path{src}},
		job.Fact{Job: id, Kind: job.Stored, Attempt: n, At: at, Output: &stored, Evidence: job.ByPrefix},
		job.Fact{Job: id, Kind: job.Completed, Attempt: n, At: at, Evidence: job.ByManager},
	)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := f.jobs[id].Output(o.ID)
	return got
}

// picture is a PNG of that size.
func somePicture(t testing.TB, w, h int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	img.Set(0, 0, color.RGBA{200, 10, 10, 255})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
