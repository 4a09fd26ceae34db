package doctor

import (
	"fmt"
	"time"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// CanarySeen is how a canary fared.
type CanarySeen struct {
	Deployment string
	Worker     api.Worker   // as the manager knew it at the end
	Stop       string       // no_manager, no_active, no_such, not_agreed, or the queue's mode: it was not submitted
	Held       *job.Warning // why the manager sends nothing; nil when it does
	Sent       *job.Error   // why the manager did not take it; nil when it did
	Job        api.Job      // as it was last seen
	End        ending       // why it was not followed any more
	GaveUp     time.Duration
	Here       bool // the manager is this machine's, so its folders are ours
	OnShare    bool // its source stands on the share as seen from here
	InFolder   bool // it stands in the user's folder as seen from here
	SameBytes  bool // as the manager copied and serves
	Tidied     bool // its picture was taken away again
	Place      string
}

func judgeCanary(o CanarySeen) []Result {
	all := []Result{judgeCanaryAccepted(o)}
	if o.Worker.Driver == "verda" && o.Sent == nil && o.Stop == "" {
		all = append(all, judgeCanaryWay(o))
	}
	all = append(all, judgeCanaryShare(o), judgeCanaryDelivered(o))
	for i := range all {
		all[i] = all[i].about(o.Deployment)
	}
	return all
}

// attempt is the last one that somebody took, else the last one; the zero
// Attempt when there is none.
func (o CanarySeen) attempt() api.Attempt {
	var last api.Attempt
	for _, a := range o.Job.Attempts {
		if wasTaken(a) || !wasTaken(last) {
			last = a
		}
	}
	return last
}

// taken reports that somebody took the prompt.
func (o CanarySeen) taken() bool {
	return o.Sent == nil && o.Held == nil && o.Stop == "" && wasTaken(o.attempt())
}

// trouble is what the job or its attempt ended with; nil for nothing.
func (o CanarySeen) trouble() *api.Error {
	if o.Job.ErrorDetail != nil {
		return o.Job.ErrorDetail
	}
	return o.attempt().Error
}

// stopped reports an end that says nothing of the deployment.
func (o CanarySeen) stopped() bool {
	return o.End == interrupted || o.End == managerLeft || o.Job.State == job.Cancelled
}

func (o CanarySeen) file() (api.Output, bool) {
	if len(o.Job.Outputs) == 0 {
		return api.Output{}, false
	}
	return o.Job.Outputs[0], true
}

func judgeCanaryAccepted(o CanarySeen) Result {
	c, a, e := canaryAccepted, o.attempt(), o.trouble()
	switch {
	case o.Stop == "no_manager":
		return c.say("no_manager", "no manager answers, so nothing was sent")
	case o.Stop == "no_active":
		return c.say("no_active", "no deployment is active, so nothing was sent")
	case o.Stop == "no_such":
		return c.say("no_such", "the manager has no deployment %q, so nothing was sent", o.Deployment)
	case o.Stop == "not_agreed":
		return c.say("not_agreed", "nothing was sent, because nobody agreed to what it may cost")
	case o.Stop != "":
		return c.say("halted", "the queue is %s, so nothing was sent", o.Stop)
	case o.Held != nil:
		return c.say("held", "nothing was sent: %s", o.Held.Message).next("%s", o.Held.Hint)
	case o.Sent != nil:
		return c.say("not_sent", "the manager did not take it: %s", o.Sent.Message)
	case o.taken() && a.Accepted.IsZero():
		return c.say("accepted", "%s took it, which its file shows", o.Deployment)
	case o.taken():
		return c.say("accepted", "%s (driver %s) took it after %s", o.Deployment, o.Worker.Driver, length(a.Assigned, a.Accepted))
	case e != nil && e.Code == "endpoint_or_key":
		return c.say("key", "%s", e.Message)
	case e != nil && e.Code != "accept_timeout":
		return c.say("refused", "%s: %s", e.Code, e.Message).next("see qmtui jobs show %s", o.Job.ID)
	case o.End == managerLeft:
		return c.say("manager_left", "the manager stopped answering while the canary was %s", o.Job.State)
	case o.stopped():
		return c.say("interrupted", "the canary was taken back while it was %s, before anybody took it", o.Job.State)
	}
	return c.say("unanswered", "nobody took it within %s: %s", o.waited(), o.Job.Phase)
}

// waited is how long the canary was followed, or given.
func (o CanarySeen) waited() string {
	if a := o.attempt(); !a.Ended.IsZero() {
		return length(a.Assigned, a.Ended)
	}
	return o.GaveUp.String()
}

func judgeCanaryWay(o CanarySeen) Result {
	c, w := canaryWay, o.Worker
	switch {
	case w.Way == "async":
		return c.say("async", "prompts to %s go the asynchronous way: %s", o.Deployment, w.WayWhy)
	case w.Way == "plain":
		return c.say("plain", "prompts to %s go the plain way: %s", o.Deployment, w.WayWhy)
	}
	return c.say("undecided", "nothing has shown yet which way prompts can go")
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
	switch {
	case !came && !o.taken():
		return c.say("not_reached", "it was not taken, so no file can come")
	case !came:
		return o.nothingCame()
	case o.Here && !o.OnShare:
		return c.say("unseen", "the manager saw %s on the share, and this process does not", out.Source)
	case !a.Accepted.IsZero() && !out.SeenAt.IsZero() && out.SeenAt.Sub(a.Accepted.Time) > lateFile:
		return c.say("late", "its file showed %s after it was taken", length(a.Accepted, out.SeenAt))
	}
	return c.say("came", "its file showed %s after it was taken%s", length(a.Accepted, out.SeenAt), seenHere(o))
}

// nothingCame says why a canary that was taken brought nothing. A worker that
// says that it has rendered it knows more than silence does.
func (o CanarySeen) nothingCame() Result {
	c, e, name := canaryShare, o.trouble(), o.Deployment
	s := o.Worker.System
	switch {
	case e != nil && (e.Code == "execution_error" || e.Node != ""):
		return c.say("broke", "the worker says: %s", e.Message).next("see qmtui jobs show %s", o.Job.ID)
	case e == nil && o.stopped():
		return c.say("stopped", "%s took it, and nobody waited for its file", name)
	case s != nil && judgeOutputDirectory(WorkerSeen{Name: name, System: s}).Code == "missing":
		return c.say("no_output_directory", "%s took it and no file came: it runs without --output-directory, so its picture went to a disk of its own", name)
	case e != nil && (e.Code == "no_files" || e.Code == "other_volume") && s != nil && s.OutputDirectory != "":
		return c.say("elsewhere", "%s says that it rendered it, into %s as it sees it, and no file came to the share: that is another volume", name, s.OutputDirectory)
	case e != nil && e.Code == "no_output_directory":
		return c.say("no_output_directory", "%s took it and no file came: it runs without --output-directory, so its picture went to a disk of its own", name)
	case e != nil && (e.Code == "no_files" || e.Code == "other_volume"):
		return c.say("elsewhere", "%s says that it rendered it, and no file came to the share", name)
	case e != nil:
		return c.say("never", "%s took it and no file came: %s", name, e.Message)
	}
	return c.say("never", "%s took it and no file came within %s", name, o.GaveUp)
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
		return c.say("other_bytes", "%s has other bytes than the manager delivered", o.Place)
	case o.Tidied:
		return c.say("delivered", "it came to %s, %s after it showed, and was taken away again", o.Place, length(out.SeenAt, out.StoredAt))
	}
	return c.say("delivered", "it stands in %s, %s after it showed", o.Place, length(out.SeenAt, out.StoredAt))
}

func reasonOf(j api.Job) string {
	if len(j.Warnings) > 0 {
		return fmt.Sprintf(": %s", j.Warnings[0].Message)
	}
	return ""
}
