package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/comfyume/qmtui/internal/job"
)

// savedNothing is the code of an attempt that reported success while its
// history named no file and none came. It is sent once more with the inputs of
// its custom nodes as the user wrote them; what comes of that is remembered.
const savedNothing = "saved_nothing"

// learnable reports an attempt after which another with untagged inputs shows
// something: no class of the job was tried that way on the deployment, or it was
// since, and saved.
func (v View) learnable(j job.Job, a job.Attempt) bool {
	classes := customClasses(j)
	if len(classes) == 0 || a.Plain != nil || len(a.Files) > 0 || !a.Heard() || v.losses(j) > v.Policy.Retries {
		return false
	}
	return !slices.ContainsFunc(classes, func(c string) bool { l, known := v.Learned[a.Deployment][c]; return known && !l.Plain })
}

// trying reports that another job will show how the custom classes of the job
// save on the attempt's deployment: it is sent, or about to be, with untagged
// inputs of one of them. An attempt with places waits for none, since the other
// may wait for it.
func (v View) trying(j job.Job, a job.Attempt) bool {
	classes := customClasses(j)
	return a.Plain == nil && a.Places == nil && len(a.Files) == 0 && slices.ContainsFunc(v.Jobs, func(k *job.Job) bool {
		b, plain := k.Current(), k.Current().Plain
		if n := len(k.Attempts); b.State == job.Queued && n > 1 && k.Attempts[n-2].Deployment == a.Deployment {
			plain = v.plain(*k, a.Deployment)
		} else if b.State.Terminal() || b.Deployment != a.Deployment {
			return false
		}
		return k.ID != j.ID && slices.ContainsFunc(plain, func(c string) bool {
			_, known := v.Learned[a.Deployment][c]
			return !known && slices.Contains(classes, c)
		})
	})
}

// learn keeps what an attempt showed of its classes: one with untagged inputs,
// whether they save, and any other, which of them do not write into the folder
// that they were given, or elsewhere as well. Of output nodes that no table has, it
// keeps whether they write outside their attempt's folder: a history says so, and
// a file in that folder that they take it. Once one wrote outside, it may again.
func (l *loop) learn(j *job.Job, n int) {
	a, _ := j.Attempt(n)
	ended := a.State.Terminal() && a.Heard()
	if !ended && len(j.Strangers) == 0 {
		return
	}
	learned := maps.Clone(l.learned[a.Deployment])
	if learned == nil {
		learned = map[string]job.Learned{}
	}
	news := false
	keep := func(class string, plain, outside bool) {
		was, known := learned[class]
		if outside = outside || was.Outside; known && was.Plain == plain && was.Outside == outside {
			return
		}
		learned[class] = job.Learned{Class: class, Plain: plain, Outside: outside, At: stamp(j.Updated), Job: j.ID}
		news = true
		l.log.Info("learned how a node class saves", "deployment", a.Deployment, "class", class, "untagged", plain, "outside", outside, "job", j.ID)
	}
	outputs := j.OutputsOf(n)
	saved := slices.ContainsFunc(outputs, func(o job.Output) bool { return o.State == job.OutputStored })
	if ended {
		for _, c := range a.Plain {
			keep(c, saved, false)
		}
		for _, c := range strays(*j, a) {
			keep(c, true, false)
		}
	}
	for _, node := range slices.Sorted(maps.Keys(j.Strangers)) {
		class := j.Strangers[node]
		_, known := learned[class]
		named, sure := namedOutside(*j, a, node)
		own := slices.ContainsFunc(outputs, func(o job.Output) bool { return o.Node == node && o.Source.Tagged() })
		given := slices.ContainsFunc(j.Expect, func(x job.Expected) bool { return x.Node == node }) // a folder of its own
		switch {
		case ended && named && given && own:
			keep(class, false, true)
		case ended && named:
			keep(class, true, false)
		case known:
		case given:
			if own {
				keep(class, false, false)
			}
		case ended && sure && !a.When(job.Finished).IsZero() && a.When(job.Broke).IsZero() && !slices.Contains(a.Dropped, node) && !l.candidate(j.ID):
			keep(class, false, false)
		}
	}
	if !news {
		return
	}
	all := maps.Clone(l.learned)
	if all == nil {
		all = map[string]map[string]job.Learned{}
	}
	all[a.Deployment] = learned
	l.learned = all
	l.logError("keep what was learned of node classes", l.ledger.SetSetting(settingLearned, l.learned))
}

// namedOutside reports whether a history names a file of that node outside the
// attempt's own folder. It is not sure when one stands there that is told as
// nobody's; then it is the node's unless the job has nodes that write there.
func namedOutside(j job.Job, a job.Attempt, node string) (named, sure bool) {
	if len(a.Outside) > 0 || len(outside(a)) == 0 {
		return slices.Contains(a.Outside, node), true
	}
	return j.Places == nil, false
}

// candidate reports that a file on the share may be the job's, and nothing says so.
func (l *loop) candidate(id job.ID) bool {
	for _, u := range l.unclaimed {
		if slices.Contains(u.candidates, id) {
			return true
		}
	}
	open, err := l.ledger.Orphans(job.OrphanOpen)
	return err != nil || slices.ContainsFunc(open, func(o job.Orphan) bool { return slices.Contains(o.Candidates, id) })
}

// strays are the custom classes of which a history names files outside the
// attempt's own folder, and that wrote nothing into it though their inputs were tagged.
func strays(j job.Job, a job.Attempt) []string {
	if len(a.Plain) > 0 {
		return nil
	}
	var out []string
	for _, x := range j.Expect {
		own := slices.ContainsFunc(j.OutputsOf(a.N), func(o job.Output) bool { return o.Node == x.Node && o.Source.Tagged() })
		if named, _ := namedOutside(j, a, x.Node); named && x.Custom && !x.Outside && !own && !slices.Contains(out, x.Class) {
			out = append(out, x.Class)
		}
	}
	return out
}

// noFiles is the end of an attempt whose worker reported success and of which
// nothing came. What it says depends on what is known: the history named files
// that stand elsewhere, custom nodes may not take the folder they were given, or
// the worker writes to another place altogether.
func (v View) noFiles(j job.Job, a job.Attempt) *job.Error {
	e := &job.Error{Code: "no_files", Class: job.Internal,
		Message: "the worker on " + a.Deployment + " reported success, but no file came to the share",
		Hint:    `check that its arguments have --output-directory on the same share: "qmtui workers list", then "qmtui doctor"`}
	classes := customClasses(j)
	if len(classes) > 0 || len(j.Expect) == 0 {
		classes = foreignClasses(j)
	}
	disputed := slices.IndexFunc(a.Files, func(p job.Path) bool { _, ok := v.Disputed[p]; return ok })
	found := v.found(j, a)
	switch {
	case disputed >= 0:
		return undecidedFile(a.Files[disputed], "another job may have written it as well")
	case found != nil:
		return found
	case len(a.Files) > 0:
		e.Transient = v.delivers(a.Deployment)
		d, differ := v.Deployments[a.Deployment], v.Differ[a.Deployment] != ""
		if (d.Losing || !e.Transient && !differ) && reportsOwnFile(j, a) {
			return lostRun(a, d.OwnOutput)
		}
		e.Message = fmt.Sprintf("the worker on %s reported %s, and no new %s came to the share", a.Deployment, count(len(a.Files), "file"), a.Files[0])
		e.Hint = `it writes elsewhere: check that its --output-directory is on the same share: "qmtui workers list", then "qmtui doctor --canary"`
	case len(classes) == 0 && len(j.Expect) == 0 && j.Unsure:
		e.Message = "the run succeeded, its history names no file, and no node of the prompt is known to save one"
		e.Hint = "add a save node such as SaveImage; one of another pack that does save is described with [[save_node]] in the configuration"
	case len(classes) > 0:
		e.NodeType = classes[0]
		e.Message = fmt.Sprintf("the run succeeded, and neither its history nor the share has a file of %s", strings.Join(classes, ", "))
		e.Hint = "if it saves files, describe its inputs with [[save_node]] in the configuration; if it only shows something, add a save node such as SaveImage"
		if v.learnable(j, a) {
			return &job.Error{Code: "saved_nothing", Class: job.Internal, Transient: true, NodeType: e.NodeType, Message: e.Message,
				Hint: "it is tried once more with the inputs of these nodes as they were written"}
		}
	}
	if why := v.Differ[a.Deployment]; why != "" {
		e.Message += "; " + why
		if e.Transient {
			return e
		}
		e.Hint, e.Transient = `give all replicas the same --output-directory: "qmtui workers list", then "qmtui doctor"`, true
	}
	return e
}

// delivers reports that a file of another job on the deployment was delivered
// lately: another replica than the one that writes elsewhere may take the job.
func (v View) delivers(deployment string) bool {
	return slices.ContainsFunc(v.Jobs, func(j *job.Job) bool {
		return slices.ContainsFunc(j.Outputs, func(o job.Output) bool {
			a, _ := j.Attempt(o.Attempt)
			return o.State == job.OutputStored && a.Deployment == deployment
		})
	})
}

// differ is how the replicas of deployments differ, by name.
func (l *loop) differ() map[string]string {
	var out map[string]string
	for _, d := range l.fleet.Deployments() {
		if d.Error != nil && d.Error.Code == "replicas_differ" {
			if out == nil {
				out = map[string]string{}
			}
			out[d.Name] = d.Error.Message
		}
	}
	return out
}

// learnedOf lists what was learned on a deployment, by class.
func (l *loop) learnedOf(deployment string) []job.Learned {
	var out []job.Learned
	for _, c := range slices.Sorted(maps.Keys(l.learned[deployment])) {
		out = append(out, l.learned[deployment][c])
	}
	return out
}
