package doctor

import (
	"fmt"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// The checks of a canary: a prompt without models that goes the whole way.
var (
	canaryAccepted = &Check{Name: "canary-accepted", Looks: "--canary: an 8x8 EmptyImage with SaveImage, submitted for the user qmtui-canary to the active deployment, and who answered", Cases: []int{1, 2, 7, 10},
		Rulings: []Ruling{
			{"accepted", OK, "the deployment took it", ""},
			{"refused", Fail, "it was refused, or failed before it was taken", "see qmtui jobs show ID"},
			{"unanswered", Fail, "nobody took it in time", "see qmtui workers list and the deployment's page on the platform: quota, image, health check"},
			{"not_sent", Fail, "the manager did not take it", "mend what the manager says, then try again"},
			{"halted", Skip, "the queue is paused or drains", "run qmtui queue resume, then try again"},
			{"no_manager", Fail, "no manager answers", "start the manager, then try again"},
			{"no_active", Fail, "no deployment is active", "run qmtui workers use NAME"},
			{"not_agreed", Skip, "nobody agreed to what it may cost", "answer y, or give --yes"},
		}}
	canaryShare = &Check{Name: "canary-share", Looks: "--canary: whether its file came to the share, on this machine's mount as well, and how long after the start", Cases: []int{3, 4, 5, 8},
		Rulings: []Ruling{
			{"came", OK, "it did: the workers and this machine see the same volume", ""},
			{"never", Fail, "it was taken and no file came", "see whether the worker has --output-directory on the share, then compare the volume ids of both mounts: a clone looks just like this"},
			{"unseen", Fail, "the manager saw it, and this process does not", "restart what has the stale mount; see the check share-view"},
			{"late", Warn, "it showed more than ten seconds after the run", "see the check share-cache"},
			{"broke", Fail, "the worker says that it broke", "see qmtui jobs show ID"},
			{"not_reached", Skip, "it was not taken", ""},
		}}
	canaryDelivered = &Check{Name: "canary-delivered", Looks: "--canary: whether its file stands in the user's folder with the bytes that the manager serves", Cases: []int{6, 8, 16},
		Rulings: []Ruling{
			{"delivered", OK, "it does", ""},
			{"not_delivered", Fail, "it stands on the share and was not copied", "see the check users-writable, and qmtui jobs show ID"},
			{"other_place", Fail, "the manager says that it is delivered, and it does not stand there as seen from here", "restart what has the stale mount of users.outputs, or give doctor the manager's --config"},
			{"other_bytes", Fail, "another file stands there than the manager serves", "see qmtui db check, and whether something else writes into users.outputs"},
			{"not_reached", Skip, "there was nothing to deliver", ""},
		}}
)

// CanarySeen is how a canary fared.
type CanarySeen struct {
	Deployment, Driver string
	Stop               string     // halted, no_manager, no_active, not_agreed: it was not submitted
	Sent               *job.Error // why the manager did not take it; nil when it did
	Job                api.Job    // as it was last seen
	GaveUp             time.Duration
	Here               bool // the manager is this machine's, so its folders are ours
	OnShare            bool // its source stands on the share as seen from here
	InFolder           bool // it stands in the user's folder as seen from here
	SameBytes          bool // as the manager serves
	Place              string
}

func judgeCanary(o CanarySeen) []Result {
	all := []Result{judgeCanaryAccepted(o), judgeCanaryShare(o), judgeCanaryDelivered(o)}
	for i := range all {
		all[i] = all[i].about(o.Deployment)
	}
	return all
}

// attempt is the last one; the zero Attempt when there is none.
func (o CanarySeen) attempt() api.Attempt {
	if len(o.Job.Attempts) == 0 {
		return api.Attempt{}
	}
	return o.Job.Attempts[len(o.Job.Attempts)-1]
}

// taken reports that somebody took the prompt.
func (o CanarySeen) taken() bool {
	a := o.attempt()
	return o.Sent == nil && o.Stop == "" && (!a.Accepted.IsZero() || !a.Started.IsZero())
}

func (o CanarySeen) file() (api.Output, bool) {
	if len(o.Job.Outputs) == 0 {
		return api.Output{}, false
	}
	return o.Job.Outputs[0], true
}

func judgeCanaryAccepted(o CanarySeen) Result {
	c, a := canaryAccepted, o.attempt()
	switch {
	case o.Stop == "no_manager":
		return c.say("no_manager", "no manager answers, so nothing was sent")
	case o.Stop == "no_active":
		return c.say("no_active", "no deployment is active, so nothing was sent")
	case o.Stop == "not_agreed":
		return c.say("not_agreed", "nothing was sent, because nobody agreed to what it may cost")
	case o.Stop != "":
		return c.say("halted", "the queue is %s, so nothing was sent", o.Stop)
	case o.Sent != nil:
		return c.say("not_sent", "the manager did not take it: %s", o.Sent.Message)
	case o.taken() && a.Accepted.IsZero():
		return c.say("accepted", "%s took it, which its file shows", o.Deployment)
	case o.taken():
		return c.say("accepted", "%s (driver %s) took it after %s", o.Deployment, o.Driver, length(a.Assigned, a.Accepted))
	case o.Job.ErrorDetail != nil:
		return c.say("refused", "%s: %s", o.Job.ErrorDetail.Code, o.Job.ErrorDetail.Message).next("see qmtui jobs show %s", o.Job.ID)
	}
	return c.say("unanswered", "nobody took it within %s: %s", o.GaveUp, o.Job.Phase)
}

// length is the time between two moments; "an unknown time" when one is not known.
func length(from, to api.Time) string {
	if from.IsZero() || to.IsZero() || to.Before(from.Time) {
		return "an unknown time"
	}
	return to.Sub(from.Time).Round(10 * time.Millisecond).String()
}

// lateFile is how long after its acceptance a file of a canary may show.
const lateFile = 10 * time.Second

func judgeCanaryShare(o CanarySeen) Result {
	c, a := canaryShare, o.attempt()
	out, came := o.file()
	e := o.Job.ErrorDetail
	switch {
	case !o.taken() && !came:
		return c.say("not_reached", "it was not taken, so no file can come")
	case !came && e != nil && (e.Code == "execution_error" || e.Node != ""):
		return c.say("broke", "the worker says: %s", e.Message).next("see qmtui jobs show %s", o.Job.ID)
	case !came && e != nil:
		return c.say("never", "%s took it and no file came: %s", o.Deployment, e.Message)
	case !came:
		return c.say("never", "%s took it and no file came within %s", o.Deployment, o.GaveUp)
	case o.Here && !o.OnShare:
		return c.say("unseen", "the manager saw %s on the share, and this process does not", out.Source)
	case !a.Accepted.IsZero() && !out.SeenAt.IsZero() && out.SeenAt.Sub(a.Accepted.Time) > lateFile:
		return c.say("late", "its file showed %s after it was taken", length(a.Accepted, out.SeenAt))
	}
	return c.say("came", "its file showed %s after it was taken%s", length(a.Accepted, out.SeenAt), seenHere(o))
}

func seenHere(o CanarySeen) string {
	if o.Here {
		return ", on this machine's mount as well"
	}
	return ""
}

func judgeCanaryDelivered(o CanarySeen) Result {
	c := canaryDelivered
	out, came := o.file()
	switch {
	case !came:
		return c.say("not_reached", "there was nothing to deliver")
	case out.State != job.OutputStored:
		return c.say("not_delivered", "its file is %s and was not copied%s", out.State, reasonOf(o.Job))
	case o.Here && !o.InFolder:
		return c.say("other_place", "the manager delivered %s, which does not stand there as seen from here", o.Place)
	case o.Here && !o.SameBytes:
		return c.say("other_bytes", "%s has other bytes than the manager serves", o.Place)
	}
	return c.say("delivered", "it stands in %s, %s after it showed", o.Place, length(out.SeenAt, out.StoredAt))
}

func reasonOf(j api.Job) string {
	if len(j.Warnings) > 0 {
		return fmt.Sprintf(": %s", j.Warnings[0].Message)
	}
	return ""
}
