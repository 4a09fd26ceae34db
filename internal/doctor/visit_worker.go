package doctor

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
)

// wakePatience is how long a deployment that may be woken has to answer.
const wakePatience = 20 * time.Minute

func (v Visit) workerStage(k known, d config.Deployment) stage {
	s := stage{name: d.Name, subject: d.Name, checks: []*Check{workerAnswers, workerOutput, workerInput, workerAssets, workerVersion, workerModels, workerNodes, workerClock, workerSaves, workerSilent}, limit: 45 * time.Second,
		run: func(ctx context.Context) []Result { return judgeWorker(v.seeWorker(ctx, k, d)) }}
	if v.Wake {
		s.limit = wakePatience
	}
	return s
}

// MayAsk reports whether a deployment may be asked without costing anything:
// it never sleeps, or it renders at this moment. Otherwise why says why not.
func MayAsk(d config.Deployment, r job.Deployment) (may bool, why string) {
	switch {
	case !d.ScaleToZero:
		return true, ""
	case r.InFlight > 0 && r.State == job.WarmthWarm:
		return true, ""
	}
	return false, "it may be asleep, and asking costs money"
}

func (v Visit) seeWorker(ctx context.Context, k known, d config.Deployment) WorkerSeen {
	report, is := k.workers[d.Name]
	o := WorkerSeen{Name: d.Name, URL: d.URL, Known: is, Report: report, Now: time.Now(), System: report.System, At: report.SystemAt, MachineIsLocal: isLocalURL(d.URL), Carries: v.Config.CarriesInputs()}
	may, why := MayAsk(d, report)
	if o.WhyNotAsked = why; !may && !v.Wake {
		return o
	}
	if d.Key == "" && (d.KeyEnv != "" || d.KeyFile != "") {
		o.WhyNotAsked = "its key is not in this shell's environment"
		return o
	}
	if d.ScaleToZero && v.Wake && k.answers() {
		// The manager waits for the machine and learns from it; what it
		// says of a failure is found out again below.
		_, _ = v.Manager.WarmWorker(ctx, d.Name)
	}
	o.ask(ctx, d, v.Prompts, v.Config.Share.Outputs, v.Wake && d.ScaleToZero)
	return o
}

// ask asks a deployment with its own address and key. With wait it asks again
// for as long as a machine may be starting.
func (o *WorkerSeen) ask(ctx context.Context, d config.Deployment, prompts map[string][]byte, share string, wait bool) {
	dates := &dateKeeper{}
	c := &comfy.Client{Base: d.URL, Key: d.Key.Reveal(), HTTP: &http.Client{Transport: dates, Timeout: 30 * time.Second}}
	stats, err := c.SystemStats(ctx)
	for err != nil && wait && mayWakeUp(err) && pause(ctx, 2*time.Second) {
		stats, err = c.SystemStats(ctx)
	}
	o.Asked, o.Error, o.Now = true, answerError(err), time.Now()
	o.Date, o.DateAt = dates.last()
	if err != nil {
		return
	}
	o.System, o.At = systemOf(stats), o.Now
	if o.MachineIsLocal && o.System.OwnOutput() {
		o.OnShare = ownsFolder(ctx, c, share)
	}
	if info, err := c.ObjectInfo(ctx); err == nil {
		o.NoNodes = info.Len() == 0
		need := needsOf(prompts)
		o.NodesKnown, o.Prompts = true, need.prompts
		o.Classes, o.Models = need.missing(info)
	} else {
		o.WhyNotAsked = "its node list could not be read: " + rootCause(err)
	}
}

// ownsFolder reports whether a server on this machine writes to that folder: its
// models may stand below its output folder as well, and it tells where.
func ownsFolder(ctx context.Context, c *comfy.Client, folder string) bool {
	want, err := os.Stat(folder)
	if err != nil {
		return false
	}
	folders, err := c.CheckpointFolders(ctx)
	return err == nil && slices.ContainsFunc(folders, func(f string) bool {
		is, err := os.Stat(filepath.Dir(f))
		return err == nil && os.SameFile(is, want)
	})
}

// mayWakeUp reports an error that a starting machine may cause: the platform
// takes the connection, and answers late or with an error of the gateway.
func mayWakeUp(err error) bool {
	var a *comfy.AnswerError
	var n net.Error
	if errors.As(err, &a) {
		return a.Code == "server_error" || a.Code == "busy"
	}
	return errors.As(err, &n) && n.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

// pause waits; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// answerError is what asking ended with, in the vocabulary; nil for nil.
func answerError(err error) *job.Error {
	var a *comfy.AnswerError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &a):
		return &job.Error{Code: a.Code, Class: job.Unavailable, Message: a.Message}
	}
	return &job.Error{Code: "unreachable", Class: job.Unavailable, Message: rootCause(err)}
}

func systemOf(x comfy.SystemStats) *job.System {
	s := &job.System{Version: x.Version, Python: x.Python, Argv: x.Argv}
	s.OutputDirectory, _ = x.OutputDirectory()
	return s
}

// dateKeeper keeps the Date header of the last answer.
type dateKeeper struct {
	mu       sync.Mutex
	date, at time.Time // guarded by mu
}

// RoundTrip is for net/http, from any goroutine.
func (k *dateKeeper) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return resp, err
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		k.mu.Lock()
		k.date, k.at = date, time.Now()
		k.mu.Unlock()
	}
	return resp, nil
}

func (k *dateKeeper) last() (date, at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.date, k.at
}
