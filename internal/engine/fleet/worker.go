package fleet

import (
	"context"
	"net"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// examine asks a worker about itself and about its queue, at most once every
// StatsEvery. It is called only right after an answer, with attempts in flight.
func (s *site) examine(ctx context.Context, report func(job.Fact)) {
	now := s.opts.Now()
	s.mu.Lock()
	due := now.Sub(s.examinedAt) >= s.opts.StatsEvery
	if due {
		s.examinedAt = now
	}
	s.mu.Unlock()
	if !due || s.askStats(ctx) != nil {
		return
	}
	s.lookInQueue(ctx, report)
	if s.nodesDue() {
		if err := s.askNodes(ctx); err != nil {
			s.opts.Logger.Debug("ask for nodes", "deployment", s.spec.Name, "error", err)
		}
	}
}

func (s *site) askStats(ctx context.Context) error {
	var stats comfy.SystemStats
	err := s.ask("GET /system_stats", func() error {
		var err error
		stats, err = s.driver.Stats(ctx)
		return err
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.system, s.systemAt = systemOf(stats), s.opts.Now()
	if folder := writesTo(s.system); folder != "" {
		last := s.writesTo[folder]
		for _, at := range s.writesTo {
			if at.After(last) {
				s.agreed = 0
			}
		}
		s.agreed++
		if s.writesTo == nil || s.solo.is() || s.agreed >= enoughReplies { // one server has only one, and a mended one no other
			s.writesTo = map[string]time.Time{}
		}
		s.writesTo[folder] = s.systemAt
	}
	return nil
}

// compareReplicas asks several replicas in a row where they write to, at most
// once every StatsEvery. It is called right after an answer: an attempt has ended
// whose history names files, and none of them was seen on the share.
func (s *site) compareReplicas(ctx context.Context) {
	now := s.opts.Now()
	s.mu.Lock()
	due := now.Sub(s.comparedAt) >= s.opts.StatsEvery && !s.solo.is()
	if due {
		s.comparedAt = now
	}
	s.mu.Unlock()
	for range enoughReplies {
		if !due || s.askStats(ctx) != nil {
			return
		}
	}
}

// folderKept is for how long a replica counts that named another output folder
// than the rest: one that was mended or replaced says so no more.
const folderKept = 30 * time.Minute

// differs reports replicas that named different output folders lately.
func (s *site) differs() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return replicasDiffer(s.writesTo, s.opts.Now()) != nil
}

// writesTo is the folder that a server writes to, for people; empty when its
// command line is not known.
func writesTo(x *job.System) string {
	base, _ := flagOf(x.Argv, "--base-directory")
	switch {
	case len(x.Argv) == 0:
		return ""
	case x.OutputDirectory != "":
		return path.Clean(x.OutputDirectory)
	case base != "":
		return path.Join(base, "output")
	}
	return "its own folder"
}

// replicasDiffer warns of replicas that write to different folders, so that
// the files of some never come; nil while all that were asked lately agree.
func replicasDiffer(folders map[string]time.Time, now time.Time) *job.Error {
	var all []string
	for folder, at := range folders {
		if now.Sub(at) < folderKept {
			all = append(all, folder)
		}
	}
	if len(all) < 2 {
		return nil
	}
	slices.Sort(all)
	return &job.Error{Code: "replicas_differ", Class: job.Unavailable,
		Message: "replicas of this deployment write to different folders, so files of some never come: " + strings.Join(all, " and "),
		Hint:    "give all of them the same --output-directory, and start those anew that have another"}
}

// lookInQueue looks for our attempts among what a replica runs, and for a
// worker that takes prompts and runs none.
func (s *site) lookInQueue(ctx context.Context, report func(job.Fact)) {
	running, pending, err := s.askQueue(ctx)
	if err != nil {
		return
	}
	for _, f := range s.queued(running, pending) {
		report(job.Fact{Job: f.Job, Attempt: f.Attempt, PromptID: f.PromptID,
			Kind: job.Started, At: s.opts.Now(), Evidence: job.ByPlatform})
	}
}

func (s *site) askQueue(ctx context.Context) (running, pending []string, err error) {
	err = s.ask("GET /queue", func() error {
		var err error
		running, pending, err = s.driver.Queue(ctx)
		return err
	})
	return running, pending, err
}

// queued keeps what the look says and returns the attempts that run there.
func (s *site) queued(running, pending []string) []job.Flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tracks.queued(running, pending)
	var out []job.Flight
	for _, id := range running {
		if f, ok := s.tracks.of(id); ok {
			out = append(out, f)
		}
	}
	return out
}

func systemOf(x comfy.SystemStats) *job.System {
	out := &job.System{Version: x.Version, Python: x.Python, Argv: x.Argv}
	out.OutputDirectory, _ = x.OutputDirectory()
	for _, d := range x.Devices {
		out.Devices = append(out.Devices, job.Device{Name: d.Name, VRAMTotal: d.VRAMTotal, VRAMFree: d.VRAMFree})
	}
	return out
}

func cloneSystem(x *job.System) *job.System {
	if x == nil {
		return nil
	}
	out := *x
	out.Argv, out.Devices = slices.Clone(x.Argv), slices.Clone(x.Devices)
	return &out
}

// outputTrouble warns of results that vanish with the worker's own disk
// (field.md, case 3); nil when nobody asked yet or the command line is not
// known. A server on this machine may well use its own output folder as the share.
func outputTrouble(s Spec, x *job.System) *job.Error {
	if x == nil || len(x.Argv) == 0 || x.OutputDirectory != "" || hasFlag(x.Argv, "--base-directory") || isLocal(s.URL) {
		return nil
	}
	return &job.Error{Code: "no_output_directory", Class: job.Unavailable,
		Message: "ComfyUI runs without --output-directory, so results stay on the worker's own disk and vanish with it",
		Hint:    "add --output-directory with the mounted share to the deployment's command line"}
}

// inputTrouble warns of a worker that does not look where inputs are brought to.
func inputTrouble(s Spec, x *job.System) *job.Error {
	if x == nil || len(x.Argv) == 0 || hasFlag(x.Argv, "--input-directory") || hasFlag(x.Argv, "--base-directory") || isLocal(s.URL) {
		return nil
	}
	return &job.Error{Code: "no_input_directory", Class: job.Unavailable,
		Message: "ComfyUI runs without --input-directory, so it does not find the files that workflows load",
		Hint:    "add --input-directory with the folder of share.inputs to the deployment's command line"}
}

func hasFlag(argv []string, name string) bool {
	_, ok := flagOf(argv, name)
	return ok
}

// flagOf is the last value of a flag in a command line.
func flagOf(argv []string, name string) (value string, found bool) {
	for i, a := range argv {
		switch v, ok := strings.CutPrefix(a, name+"="); {
		case ok:
			value, found = v, true
		case a == name && i+1 < len(argv):
			value, found = argv[i+1], true
		case a == name:
			found = true
		}
	}
	return value, found
}

// isLocal reports an address on this machine.
func isLocal(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// Refresh asks a deployment now and waits for the answer. On a sleeping one it
// starts a machine, which costs money: it is a person's wish. The error is a
// *job.Error, beside what is known now.
func (f *Fleet) Refresh(ctx context.Context, name string) (job.Deployment, error) {
	return f.rouse(ctx, name, false)
}

// Warm wakes a deployment and waits for it to answer, at most WarmTimeout.
// The error is a *job.Error, beside what is known now.
func (f *Fleet) Warm(ctx context.Context, name string) (job.Deployment, error) {
	return f.rouse(ctx, name, true)
}

func (f *Fleet) rouse(ctx context.Context, name string, persist bool) (job.Deployment, error) {
	s, err := f.site(name)
	if err != nil {
		return job.Deployment{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.opts.WarmTimeout)
	defer cancel()
	before, began := s.reading().state, s.opts.Now()
	err = s.askStats(ctx)
	for persist && err != nil && mayWake(err) && pause(ctx, wakePause) {
		if next := s.askStats(ctx); next == nil || ctx.Err() == nil {
			err = next
		}
	}
	if err != nil {
		return s.snapshot(), troubleOf("GET /system_stats", outcomeKind(err), err)
	}
	s.measureCold(before, began, s.opts.Now(), nil)
	for range enoughReplies {
		if s.differs() && s.askStats(ctx) != nil {
			break
		}
	}
	if err := s.askNodes(ctx); err != nil {
		s.opts.Logger.Debug("ask for nodes", "deployment", name, "error", err)
	}
	return s.snapshot(), nil
}

// wakePause is between two requests to a deployment that is to wake.
const wakePause = 2 * time.Second

// mayWake reports an error that a starting machine may well cause.
func mayWake(err error) bool {
	k := outcomeKind(err)
	return k == silent || k == failed
}
