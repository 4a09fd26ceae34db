package doctor

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// CanaryUser is whose job a canary is, and canaryName how it is called.
const (
	CanaryUser = api.CanaryUser
	canaryName = "canary of doctor"
)

// Canary is one canary on its way, or several one after the other.
type Canary struct {
	// To names the deployments that get one each; none means the active one.
	To []string
	// Agree is asked with all of them before anything is sent; false means that
	// nobody agreed to the cost.
	Agree func([]api.Worker) bool
	// Here says that the manager is this machine's.
	Here bool
	// Tell hears how it goes; nil for nobody.
	Tell func(api.Job)
	// Limit is how long to follow it. Zero means half an hour.
	Limit time.Duration
	// Every is the time between two looks. Zero means 250ms.
	Every time.Duration
	// Copy is how long a whole file may wait to be copied. Zero means half a minute.
	Copy time.Duration
}

// Fly sends a canary to each deployment and follows it into its user's folder,
// one after the other. When it gives up, or ctx ends, it takes the job back.
// Its picture is taken away again, and so are those that canaries before it
// have left.
func (v Visit) Fly(ctx context.Context, c Canary) []Result {
	k := v.ask(ctx)
	if len(c.To) == 0 {
		c.To = []string{k.status.Active}
	}
	all, asked := make([]CanarySeen, len(c.To)), []api.Worker(nil)
	for i, name := range c.To {
		all[i] = CanarySeen{Deployment: name, Worker: k.workers[name], Here: c.Here && !v.foreign(k), Stop: grounded(k, name)}
		if all[i].Stop == "" {
			all[i].Held = holding(k.status, name)
		}
		if all[i].flies() {
			asked = append(asked, all[i].Worker)
		}
	}
	refused := len(asked) > 0 && c.Agree != nil && !c.Agree(asked)
	var results []Result
	for _, o := range all {
		switch {
		case o.flies() && refused:
			o.Stop = "not_agreed"
		case o.flies() && ctx.Err() != nil:
			continue // it was stopped before this one
		case o.flies():
			v.send(ctx, c, &o)
		}
		results = append(results, judgeCanary(o)...)
	}
	return results
}

// flies reports that nothing is in its way.
func (o CanarySeen) flies() bool { return o.Stop == "" && o.Held == nil }

// grounded is why no canary can be sent to a deployment; empty when it can.
func grounded(k known, name string) string {
	switch {
	case !k.answers():
		return "no_manager"
	case k.status.Mode != "" && k.status.Mode != job.ModeRunning:
		return string(k.status.Mode)
	case name == "":
		return "no_active"
	case k.workers[name].Name == "":
		return "no_such"
	}
	return ""
}

// holding is the manager's warning for which it sends nothing to a deployment;
// nil when it does.
func holding(s api.QueueStatus, name string) *job.Warning {
	for _, w := range s.Warnings {
		switch w.Code {
		case "share_not_mounted", "share_stalled", "share_changed":
			return &w
		case "budget_reached":
			if strings.Contains(w.Message, name) {
				return &w
			}
		}
	}
	return nil
}

func (v Visit) send(ctx context.Context, c Canary, o *CanarySeen) {
	if c.Limit == 0 {
		c.Limit = 30 * time.Minute
	}
	o.GaveUp = c.Limit
	if o.Here {
		defer v.tidy(ctx, o)()
	}
	key := uuid.NewString()
	high := job.High
	j, _, err := v.Manager.Submit(ctx, api.SubmitRequest{User: CanaryUser, Name: canaryName, Workflow: v.canaryPrompt(time.Now()), Priority: &high, Deployment: o.Deployment, Key: key})
	if err != nil {
		o.Sent = job.AsError(err)
		return
	}
	o.Job, o.End = v.follow(ctx, c, j)
	if o.End != ended {
		v.takeBack(ctx, o)
	}
	v.learn(ctx, o)
	v.compare(ctx, o)
}

// canaryExample is the example prompt, which needs no model, that canaries are made of.
const canaryExample = "first-picture.json"

// canaryPrompt is the example as 8x8 pixels. The colour changes with every
// second, so that no cache answers for the worker.
func (v Visit) canaryPrompt(now time.Time) json.RawMessage {
	var nodes map[string]map[string]any
	if json.Unmarshal(v.Prompts[canaryExample], &nodes) != nil {
		return v.Prompts[canaryExample]
	}
	for _, n := range nodes {
		in, _ := n["inputs"].(map[string]any)
		switch n["class_type"] {
		case "EmptyImage":
			in["width"], in["height"], in["color"] = 8, 8, now.Unix()&0xffffff
		case "SaveImage":
			in["filename_prefix"] = "canary"
		}
	}
	raw, _ := json.Marshal(nodes) // what was JSON
	return raw
}

// after is ctx for what has to be done after its end, too.
func after(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), patience)
}

// takeBack cancels a job that nobody waits for any more.
func (v Visit) takeBack(ctx context.Context, o *CanarySeen) {
	ctx, cancel := after(ctx)
	defer cancel()
	_, _ = v.Manager.Cancel(ctx, o.Job.ID)
	// Its state is left as it was when nobody waited any more; a file that came
	// in between is to be taken away.
	if j, err := v.Manager.Job(ctx, o.Job.ID); err == nil {
		o.Job.Outputs = j.Outputs
	}
}

// learn asks the manager what it knows of the deployment now: its command line
// is read while a prompt is there, and the way of a prompt is known after one.
func (v Visit) learn(ctx context.Context, o *CanarySeen) {
	ctx, cancel := after(ctx)
	defer cancel()
	workers, err := v.Manager.Workers(ctx)
	if err != nil {
		return
	}
	for _, w := range workers {
		if w.Name == o.Deployment {
			o.Worker = w
		}
	}
}
