package fleet

import (
	"context"
	"fmt"
	"sync"

	"github.com/comfyume/qmtui/internal/job"
)

// Fleet is the deployments. All methods may be called from any goroutine; Run
// is called once.
type Fleet struct {
	opts    Options
	control *control         // nil without an account
	sites   []*site          // in configured order
	byName  map[string]*site // the same

	mu   sync.Mutex
	used *site // submitted to last: prompts are checked against its nodes
}

// New reads the options. It starts nothing and asks nobody. The error says
// which deployment is wrong.
func New(o Options) (*Fleet, error) {
	f := &Fleet{opts: o.withDefaults(), byName: map[string]*site{}}
	f.control = newControl(f.opts)
	for _, spec := range o.Deployments {
		s, err := newSite(spec.withDefaults(), f.opts)
		if err != nil {
			return nil, err
		}
		if f.byName[spec.Name] != nil {
			return nil, fmt.Errorf("deployment %s: there are two of that name", spec.Name)
		}
		f.sites = append(f.sites, s)
		f.byName[spec.Name] = s
	}
	if len(f.sites) == 1 {
		f.used = f.sites[0]
	}
	return f, nil
}

// Run recalls measured times, then asks about the attempts that Follow names,
// until ctx ends and every question has come back. report is called from
// several goroutines. The error is nil: trouble shows on the deployments.
func (f *Fleet) Run(ctx context.Context, report func(job.Fact)) error {
	var children sync.WaitGroup
	for _, s := range f.sites {
		s.recall()
		children.Go(func() { s.watch(ctx, report) })
		children.Go(func() { s.guess(ctx) })
		if s.spec.Driver == "verda" && f.control != nil {
			children.Go(func() { s.oversee(ctx, f.control, report) })
		}
	}
	children.Wait()
	return nil
}

// Follow replaces the set of attempts to ask about. Those that have rendered
// or ended are not asked about any more.
func (f *Fleet) Follow(flights []job.Flight) {
	of := map[string][]job.Flight{}
	for _, x := range flights {
		if x.State.InFlight() && x.PromptID != "" {
			of[x.Deployment] = append(of[x.Deployment], x)
		}
	}
	for _, s := range f.sites {
		s.follow(of[s.spec.Name])
	}
}

// Deployments lists them in configured order. The copies are the caller's;
// Active and InFlight are left for the engine.
func (f *Fleet) Deployments() []job.Deployment {
	out := make([]job.Deployment, 0, len(f.sites))
	for _, s := range f.sites {
		out = append(out, s.snapshot())
	}
	return out
}

// site finds a deployment; the error is a *job.Error.
func (f *Fleet) site(name string) (*site, error) {
	if s := f.byName[name]; s != nil {
		return s, nil
	}
	return nil, &job.Error{Code: "unknown_deployment", Class: job.NotFound,
		Message: fmt.Sprintf("there is no deployment %q", name), Hint: `list them with "qmtui workers list"`}
}

// Interrupt takes a prompt out of the queue and stops it, by its id only. A
// balancer may send either anywhere, so nil does not say that it worked.
// While the prompt's own POST waits for a machine nothing is sent: it is done
// when the answer comes. A deployment that sleeps runs nothing and is not
// woken, nor is one that may sleep for the sake of an attempt given up long ago.
func (f *Fleet) Interrupt(ctx context.Context, x job.Flight) error {
	s, err := f.site(x.Deployment)
	if err != nil {
		return err
	}
	if x.PromptID == "" {
		return &job.Error{Code: "no_prompt_id", Class: job.Invalid, Message: "there is no prompt id to interrupt",
			Hint: "nothing was sent: an interrupt without an id stops whatever runs there"}
	}
	if s.postpone(x.PromptID) || s.wouldWake(x) {
		return nil
	}
	return s.interrupt(ctx, x.PromptID)
}

func (s *site) interrupt(ctx context.Context, promptID string) error {
	s.mu.Lock()
	s.tracks.stopped[promptID] = true
	s.mu.Unlock()
	if err := s.ask("POST /interrupt", func() error { return s.driver.Stop(ctx, promptID) }); err != nil {
		return fmt.Errorf("interrupt %s on %s: %w", promptID, s.spec.Name, err)
	}
	return nil
}
