package fleet

import (
	"fmt"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// look is one look at a deployment through the control API.
type look struct {
	began    time.Time
	at       time.Time
	status   string // the platform's word, unknown ones too
	replicas []Replica
	since    time.Time // since when looks in a row have said the same
}

// after is the look as it follows another: what was so stays so since then.
func (l look) after(before look) look {
	l.since = l.at
	if !before.at.IsZero() && before.reading().state == l.reading().state {
		l.since = before.since
	}
	return l
}

// starting are the words for a deployment or a replica that is not up yet
// (field.md); other words for a replica count as up.
var starting = []string{"initializing", "image_pulling", "version_updating", "pending", "starting", "provisioning"}

// troubles are the words for a deployment that renders nothing.
var troubles = map[string]job.Error{
	"quota_reached": {Code: "quota_reached", Message: "the platform has no machine for this account: its quota is reached",
		Hint: "use another deployment, or ask the platform for more", Transient: true},
	"paused":    {Code: "deployment_paused", Message: "the deployment is paused on the platform", Hint: "resume it there, or use another"},
	"unhealthy": {Code: "deployment_unhealthy", Message: "the platform calls the deployment unhealthy", Hint: "see its log on the platform", Transient: true},
}

// reading is what the look says of the GPUs.
func (l look) reading() reading {
	out := reading{evidence: job.ByPlatform, at: l.at, since: l.at}
	if !l.since.IsZero() {
		out.since = l.since
	}
	if e, ok := troubles[l.status]; ok {
		e.Class = job.Unavailable
		out.state, out.because, out.err = job.WarmthFailing, e.Message, &e
		return out
	}
	up := l.up()
	out.because = fmt.Sprintf("the platform says %q with %s", l.status, replicasText(up, len(l.replicas)))
	switch {
	case up > 0:
		out.state = job.WarmthWarm
	case len(l.replicas) > 0 || slices.Contains(starting, l.status):
		out.state = job.Warming
	default:
		out.state = job.WarmthCold
	}
	return out
}

func replicasText(up, all int) string {
	switch {
	case all == 0:
		return "no replicas"
	case up == all:
		return fmt.Sprintf("%d of its replicas up", up)
	}
	return fmt.Sprintf("%d of %d replicas up", up, all)
}

// up counts replicas that are not on their way any more.
func (l look) up() int {
	n := 0
	for _, r := range l.replicas {
		if !slices.Contains(starting, r.Status) {
			n++
		}
	}
	return n
}

// agree puts together what the wire and the platform say. The platform knows
// better, except where the wire spoke later, met an error of its own, or has a
// request out that waits for a machine.
func agree(wire reading, l look, stage Stage, now time.Time, fresh time.Duration) reading {
	if wire.state == job.Warming && stage != "" {
		return stageReading(wire, stage)
	}
	if l.at.IsZero() || now.Sub(l.at) >= fresh {
		return wire
	}
	said := l.reading()
	if since := wire.since; wire.state == said.state && !since.IsZero() && since.Before(said.since) {
		said.since = since
	}
	switch {
	case wire.state == job.WarmthFailing:
		return wire
	case wire.state == job.WarmthWarm && wire.at.After(l.began):
		return wire
	case wire.state == job.Warming && said.state != job.WarmthFailing:
		return wire
	}
	return said
}

// stageReading is a request that waits, in the platform's own words.
func stageReading(wire reading, stage Stage) reading {
	wire.evidence = job.ByPlatform
	switch {
	case stage.Waits():
		wire.because = "the prompt waits for a machine: the platform has it in stage " + string(stage)
	case stage == StageInference || stage == StageCompleted:
		wire.because = "a machine has the prompt and has not answered yet"
	default:
		wire.because = fmt.Sprintf("the platform has the prompt in stage %q", string(stage))
	}
	return wire
}
