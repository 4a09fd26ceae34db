package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// CanaryUser is whose job a canary is.
const CanaryUser = "qmtui-canary"

// Canary is one canary on its way.
type Canary struct {
	// Agree is asked with the deployment before anything is sent; false means
	// that nobody agreed to the cost.
	Agree func(api.Worker) bool
	// Here says that the manager is this machine's.
	Here bool
	// Tell hears how it goes; nil for nobody.
	Tell func(api.Job)
	// Limit is how long to follow it. Zero means half an hour.
	Limit time.Duration
	// Every is the time between two looks. Zero means 250ms.
	Every time.Duration
}

// Fly sends a canary to the active deployment and follows it into its user's
// folder. When it gives up, or ctx ends, it takes the job back.
func (v Visit) Fly(ctx context.Context, c Canary) []Result {
	k := v.ask(ctx)
	o := CanarySeen{Deployment: k.status.Active, Here: c.Here, Stop: grounded(k)}
	if o.Stop != "" {
		return judgeCanary(o)
	}
	w := k.workers[o.Deployment]
	if o.Driver = w.Driver; c.Agree != nil && !c.Agree(w) {
		o.Stop = "not_agreed"
		return judgeCanary(o)
	}
	v.send(ctx, c, &o)
	return judgeCanary(o)
}

// grounded is why no canary can be sent; empty when it can.
func grounded(k known) string {
	switch {
	case !k.answers():
		return "no_manager"
	case k.status.Mode != "" && k.status.Mode != job.ModeRunning:
		return string(k.status.Mode)
	case k.status.Active == "":
		return "no_active"
	}
	return ""
}

func (v Visit) send(ctx context.Context, c Canary, o *CanarySeen) {
	if c.Limit == 0 {
		c.Limit = 30 * time.Minute
	}
	o.GaveUp = c.Limit
	key := uuid.NewString()
	high := job.High
	j, _, err := v.Manager.Submit(ctx, api.SubmitRequest{User: CanaryUser, Name: "canary of doctor", Workflow: canaryPrompt(time.Now()), Priority: &high, Key: key})
	if err != nil {
		o.Sent = job.AsError(err)
		return
	}
	o.Job = v.follow(ctx, c, j)
	v.compare(ctx, o)
}

// canaryPrompt needs no model. The colour changes with every second, so that
// no cache answers for the worker.
func canaryPrompt(now time.Time) json.RawMessage {
	return fmt.Appendf(nil, `{"1":{"class_type":"EmptyImage","inputs":{"width":8,"height":8,"batch_size":1,"color":%d}},`+
		`"2":{"class_type":"SaveImage","inputs":{"filename_prefix":"canary","images":["1",0]}}}`, now.Unix()&0xffffff)
}

// follow looks at a job until it has ended and its file is settled. What has
// not ended in time is cancelled.
func (v Visit) follow(ctx context.Context, c Canary, j api.Job) api.Job {
	bounded, cancel := context.WithTimeout(ctx, c.Limit)
	defer cancel()
	every := c.Every
	if every == 0 {
		every = 250 * time.Millisecond
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if c.Tell != nil {
			c.Tell(j)
		}
		if j.State.Terminal() {
			return j
		}
		select {
		case <-bounded.Done():
			return v.takeBack(ctx, j)
		case <-tick.C:
		}
		if next, err := v.Manager.Job(bounded, j.ID); err == nil {
			j = next
		}
	}
}

// takeBack cancels a job that nobody waits for any more; j stays as it was.
func (v Visit) takeBack(ctx context.Context, j api.Job) api.Job {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	_, _ = v.Manager.Cancel(ctx, j.ID)
	return j
}

// maxCanary is more than any 8x8 picture has, in bytes.
const maxCanary = 1 << 20

// compare looks for the file on the share and in the user's folder, and holds
// its bytes against those that the manager serves.
func (v Visit) compare(ctx context.Context, o *CanarySeen) {
	out, came := o.file()
	if !came {
		return
	}
	o.Place = CanaryUser + "/" + out.Path
	if !o.Here {
		return
	}
	o.Place = filepath.Join(v.Config.Users.Outputs, CanaryUser, filepath.FromSlash(out.Path))
	before := *o
	seen, ended := within(diskPatience, func() CanarySeen {
		s := before
		s.OnShare = countThere(v.Config.Share.Outputs, []string{string(out.Source)}) == 1
		body, err := readFew(s.Place)
		s.InFolder = err == nil
		s.SameBytes = s.InFolder && bytes.Equal(body, v.served(ctx, out.ID))
		return s
	})
	if ended {
		*o = seen
	}
}

func readFew(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxCanary))
}

// served is the file as the manager serves it; nil when it does not.
func (v Visit) served(ctx context.Context, id job.OutputID) []byte {
	d, err := v.Manager.OpenOutput(ctx, id, 0)
	if err != nil {
		return nil
	}
	defer func() { _ = d.Close() }()
	b, err := io.ReadAll(io.LimitReader(d, maxCanary))
	if err != nil {
		return nil
	}
	return b
}
