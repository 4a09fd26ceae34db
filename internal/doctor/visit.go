package doctor

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
)

// Manager is the part of [api.Client] that doctor needs.
type Manager interface {
	Target() string
	Health(context.Context) (api.Health, error)
	QueueStatus(context.Context) (api.QueueStatus, error)
	Workers(context.Context) ([]api.Worker, error)
	Jobs(context.Context, api.Query) (api.Page[api.Job], error)
	WarmWorker(ctx context.Context, name string) (api.Worker, error)
	Submit(context.Context, api.SubmitRequest) (api.Job, bool, error)
	Job(context.Context, job.ID) (api.Job, error)
	Cancel(context.Context, job.ID) (api.Job, error)
	OpenOutput(ctx context.Context, id job.OutputID, offset int64) (*api.Download, error)
}

// Visit is one run of doctor. Config must be one that Load gave; Manager may
// be nil when there is no address to ask at.
type Visit struct {
	Config  config.Config
	Source  config.Source
	Manager Manager
	// Wake allows asking deployments that may be asleep, which costs money.
	Wake bool
	// Prompts are the example prompts in API format, by name.
	Prompts map[string][]byte
	// TF is a folder with OpenTofu files; empty for none.
	TF string
	// Progress may be nil.
	Progress Progress
}

// Broken is what is left to say when the configuration cannot be read.
func Broken(ps config.Problems) []Result { return judgeConfig(SettingsSeen{Problems: ps}) }

// Examine gathers and judges everything. Findings come in the order of the
// documentation, whatever was ready first. It changes nothing but a file on
// the share that is gone again at once.
func (v Visit) Examine(ctx context.Context) []Result {
	k := v.ask(ctx)
	stages := []stage{
		v.settingsStage(k), v.managerStage(k), v.stateStage(k), v.shareStage(k), v.usersStage(k), v.inputsStage(k),
		v.processStage(k), v.webStage(k), v.loginStage(k), v.sshStage(k),
	}
	for _, d := range v.Config.Deployments {
		stages = append(stages, v.workerStage(k, d))
	}
	if v.TF != "" {
		stages = append(stages, v.tofuStage(k))
	}
	return runStages(ctx, stages, v.Progress)
}

// known is what the manager said at the beginning.
type known struct {
	err     *job.Error // nil when it answers
	health  api.Health
	at      time.Time // of health
	status  api.QueueStatus
	workers map[string]api.Worker
	recent  []api.Job // newest first
	pid     int       // of its process; 0 when not known
	who     Who
}

func (k known) answers() bool { return k.err == nil }

// recentJobs is how many of the newest jobs are looked at.
const recentJobs = 50

// ask gathers what the manager knows, within patience.
func (v Visit) ask(ctx context.Context) known {
	k := known{workers: map[string]api.Worker{}, err: api.ErrNoDaemon}
	k.who = lookWho(0, -1)
	if dir, err := v.Config.StateDir(nil); err == nil {
		k.who = ServiceUser(dir)
	}
	if v.Manager == nil {
		return k
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if k.err = v.fill(ctx, &k); k.err != nil {
		return k
	}
	if pid, uid := lookPeer(v.Manager.Target()); uid >= 0 {
		k.pid, k.who = pid, lookWho(pid, uid)
	}
	return k
}

func (v Visit) fill(ctx context.Context, k *known) *job.Error {
	var err error
	if k.health, err = v.Manager.Health(ctx); err != nil {
		return job.AsError(err)
	}
	k.at = time.Now()
	if k.status, err = v.Manager.QueueStatus(ctx); err != nil {
		return job.AsError(err)
	}
	workers, err := v.Manager.Workers(ctx)
	if err != nil {
		return job.AsError(err)
	}
	for _, w := range workers {
		k.workers[w.Name] = w
	}
	page, err := v.Manager.Jobs(ctx, api.Query{Limit: recentJobs})
	if err != nil {
		return job.AsError(err)
	}
	k.recent = page.Items
	return nil
}

// fruitless counts recent jobs that somebody accepted and that brought nothing.
func (k known) fruitless() int {
	n := 0
	for _, j := range k.recent {
		broughtNothing := func(e *api.Error) bool {
			return e != nil && (e.Code == "never_appeared" || e.Code == "no_files" || losesFiles(e.Code))
		}
		// One that was put back to the queue waits, and has no error of its own.
		if broughtNothing(j.ErrorDetail) || j.State == job.Queued && slices.ContainsFunc(j.Attempts, func(a api.Attempt) bool { return broughtNothing(a.Error) }) {
			n++
		}
	}
	return n
}

// losesFiles reports the code of a run that reported files of which none came.
func losesFiles(code string) bool { return code == "other_volume" || code == "no_output_directory" }

// stopped lists why nothing is sent to deployments, in the order of their names.
func (k known) stopped() []job.Stopped {
	var out []job.Stopped
	for _, name := range slices.Sorted(maps.Keys(k.workers)) {
		if s := k.workers[name].Stopped; s != nil {
			out = append(out, *s)
		}
	}
	return out
}
