package doctor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// Resident is the doctor that lives in the manager and sees what the manager
// sees. Make it with [NewResident]; its methods may be called from any
// goroutine, Run once.
type Resident struct {
	visit   Visit
	version string
	asked   chan api.DoctorRequest // holds one while running is set and Run has not taken it

	mu      sync.Mutex
	last    *api.DoctorReport // never changed once it is here
	running *api.DoctorRun
}

// NewResident makes one that visits as v says. version is that of the program.
func NewResident(v Visit, version string) *Resident {
	return &Resident{visit: v, version: version, asked: make(chan api.DoctorRequest, 1)}
}

// maxLeft is how many looks may hang in a disk before no further ones begin:
// each of them holds a thread.
const maxLeft = 8

// Standing is what was found last, and what is being looked at now.
func (r *Resident) Standing() api.DoctorStanding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.standing()
}

func (r *Resident) standing() api.DoctorStanding {
	s := api.DoctorStanding{Report: r.last}
	if r.running != nil {
		now := *r.running
		s.Running = &now
	}
	return s
}

// Begin starts a look; one that is under way is joined. A canary is refused
// meanwhile (doctor_busy), and everything while too many looks hang (doctor_hangs).
func (r *Resident) Begin(q api.DoctorRequest) (api.DoctorStanding, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.running != nil && q.Canary:
		return r.standing(), &job.Error{Code: "doctor_busy", Class: job.Conflict, Message: "doctor is looking already, so no canary was sent", Hint: "wait for the end and ask again"}
	case r.running != nil:
		return r.standing(), nil
	case left.Load() > maxLeft:
		return r.standing(), &job.Error{Code: "doctor_hangs", Class: job.Unavailable, Transient: true,
			Message: fmt.Sprintf("%d looks of doctor still hang in a disk that does not answer", left.Load()), Hint: "see the last report, and mend that disk"}
	}
	r.running = &api.DoctorRun{Since: api.Time{Time: time.Now()}, Canary: q.Canary}
	r.asked <- q
	return r.standing(), nil
}

// Run looks whenever somebody asks, until ctx ends.
func (r *Resident) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case q := <-r.asked:
			r.look(ctx, q)
		}
	}
}

func (r *Resident) look(ctx context.Context, q api.DoctorRequest) {
	began, v := time.Now(), r.visit
	v.Progress = func(done, total int, name string) {
		r.tell(func(now *api.DoctorRun) { now.Done, now.Total, now.Doing = done, total, name })
	}
	results := v.Examine(ctx)
	if q.Canary && ctx.Err() == nil {
		results = append(results, v.Fly(ctx, Canary{Here: true, To: q.Deployments, Tell: func(j api.Job) {
			r.tell(func(now *api.DoctorRun) { now.Doing = "canary: " + j.Phase })
		}})...)
	}
	report := Report(results)
	report.At, report.Took, report.Version = api.Time{Time: time.Now()}, time.Since(began).Seconds(), r.version
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last, r.running = &report, nil
}

// tell changes what is told of the run.
func (r *Resident) tell(change func(*api.DoctorRun)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r.running)
}
