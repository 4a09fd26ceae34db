package engine

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/job"
)

// plain are the node classes of a job that go to a deployment as the user wrote
// them: those that were seen to save nothing otherwise, there or at the job's
// last attempt.
func (v View) plain(j job.Job, deployment string) []string {
	var out []string
	for _, x := range j.Expect {
		if x.Custom && v.Learned[deployment][x.Class].Plain && !slices.Contains(out, x.Class) {
			out = append(out, x.Class)
		}
	}
	if n := len(j.Attempts); len(out) == 0 && n > 1 {
		if e := j.Attempts[n-2].Error; e != nil && e.Code == savedNothing {
			out = customClasses(j)
		}
	}
	slices.Sort(out)
	return out
}

func customClasses(j job.Job) []string {
	var out []string
	for _, x := range j.Expect {
		if x.Custom && !slices.Contains(out, x.Class) {
			out = append(out, x.Class)
		}
	}
	slices.Sort(out)
	return out
}

// foreignClasses are the classes of a job's nodes that write or may write and that
// are not ComfyUI's own, sorted, each once.
func foreignClasses(j job.Job) []string {
	all := slices.AppendSeq(customClasses(j), maps.Values(j.Strangers))
	slices.Sort(all)
	return slices.Compact(all)
}

// mayWriteAnywhere reports a job with a node of a class of which no run on the
// deployment has shown that it writes nothing outside its attempt's folder.
func (v View) mayWriteAnywhere(j job.Job, deployment string) bool {
	for _, class := range j.Strangers {
		if l, known := v.Learned[deployment][class]; !known || l.Plain || l.Outside {
			return true
		}
	}
	return false
}

// places are where an attempt of the job may write outside its own folder on
// that deployment when these classes are sent as the user wrote them; nil for nowhere. Where that
// is anywhere, the user's own texts stand beside as what a file's path may begin with.
func (v View) places(j job.Job, deployment string, plain []string) []string {
	if len(plain) == 0 && !v.mayWriteAnywhere(j, deployment) {
		return j.Places
	}
	out := slices.Clone(j.Places)
	if !slices.Contains(out, "") {
		out = slices.Insert(out, 0, "")
	}
	for _, x := range j.Expect {
		prefix := strings.ToLower(x.Prefix)
		if i := strings.IndexAny(prefix, "%[{<$*?"); i >= 0 {
			prefix = prefix[:i] // nodes put other text there
		}
		if slices.Contains(plain, x.Class) && prefix != "" && !slices.Contains(out, prefix) {
			out = append(out, prefix)
		}
	}
	return out
}

// firstLook is for how many quiet periods the share must be in sight before it
// is known what earlier jobs left there.
const firstLook = 5

// holder is an attempt that another must not be sent beside, where both may
// write to the same place.
type holder struct {
	job    job.ID
	places []string
	files  []job.Path // outside the attempts' own folders, that a history names
	// writing says that it may still write, before that it may have written before
	// the share could be seen, then anywhere when unsure.
	writing, before, unsure bool
}

// overlaps reports that the attempt and one with these places may write the same file.
func (h holder) overlaps(places []string) bool {
	return job.Overlap(h.places, places) || slices.ContainsFunc(h.files, func(p job.Path) bool { return writesTo(places, p) })
}

// holders are all such attempts. It is asked once for all jobs that wait.
func (v View) holders() []holder {
	var out []holder
	unseen := v.Sighted.IsZero() || v.age(v.Sighted) < firstLook*v.Policy.Settle
	for _, k := range v.Jobs {
		for _, a := range k.Attempts {
			h := holder{job: k.ID, places: a.Places, files: outside(a), before: unseen && a.When(job.Assigned).Before(v.Sighted)}
			h.unsure = k.Unsure && h.before
			if a.PromptID == "" || h.places == nil && len(h.files) == 0 && !h.unsure {
				continue
			}
			h.writing = v.writing(*k, a) && !v.silentStranger(*k, a)
			if h.writing || h.before {
				out = append(out, h)
			}
		}
	}
	return out
}

// waitsFor says, for people, why the job must not be sent yet: another writes to
// a place where this one would write too, or a file stands there that an admin
// has to decide about and that it would overwrite. Two of them are never in
// flight at once, and the next is not sent before the files of the last are
// stored or given up. Empty when nothing is in the way.
func (v View) waitsFor(j job.Job, places []string, holders []holder) string {
	if places == nil {
		return ""
	}
	if why := v.wouldOverwrite(j, places); why != "" {
		return why
	}
	for _, h := range holders {
		switch overlap := h.overlaps(places); {
		case h.job == j.ID:
		case overlap && h.writing:
			return "waiting for job " + string(h.job) + ", which may write to the same place"
		case h.before && (overlap || h.unsure):
			return "waiting until the share is known, where job " + string(h.job) + " may have written to the same place"
		}
	}
	return ""
}

// unrelatedHold is for how long a file that an admin decides about keeps jobs waiting
// that may write anywhere, though nothing says that they write such files: were it
// longer, one such file would stop every job with an unknown node.
const unrelatedHold = time.Minute

// wouldOverwrite says, for people, which file stands where the job would write
// and is not with any user yet; empty for none.
func (v View) wouldOverwrite(j job.Job, places []string) string {
	exact := slices.DeleteFunc(slices.Clone(places), func(place string) bool { return place == "" })
	classes := foreignClasses(j)
	for p, d := range v.Disputed {
		hold := unrelatedHold
		if writesTo(exact, p) || slices.ContainsFunc(classes, func(c string) bool { return slices.Contains(d.Classes, c) }) {
			hold = v.Policy.LateWindow
		}
		if writesTo(places, p) && v.age(d.Since) < hold {
			return "waiting until " + p.String() + " on the share is assigned or discarded, which this job may overwrite"
		}
	}
	for p := range v.Undecided {
		if writesTo(places, p) {
			return "waiting until it is known whose " + p.String() + " on the share is, which this job may overwrite"
		}
	}
	return ""
}

// reserveAfter is how long a job waits for others that may write to the same
// place before no later one of these is sent any more: one that may write
// anywhere would wait for ever while others overlap each other in time.
const reserveAfter = 2 * time.Minute

// reservation is a job whose turn it is at these places.
type reservation struct {
	job    *job.Job
	places []string
}

// goesBefore reports that another job has to let the reservation's job pass.
func (r *reservation) goesBefore(j *job.Job, places []string) bool {
	return r != nil && r.job.ID != j.ID && r.job.Submitted.Before(j.Submitted) && job.Overlap(r.places, places)
}

// reserved is the oldest job that could be sent to the slot, and that only
// attempts in flight have kept waiting for longer than reserveAfter; nil for none.
func (v View) reserved(s Slot, holders []holder) *reservation {
	running := map[string]int{}
	for _, j := range v.Jobs {
		if j.State().InFlight() {
			running[j.User]++
		}
	}
	for _, j := range v.Jobs {
		if j.State() != job.Queued || j.Want == job.WantCancel || v.age(j.Submitted) < reserveAfter || running[j.User] >= v.Policy.MaxRunning || !v.ready(j) || !s.takes(j) {
			continue
		}
		places := v.places(*j, s.Deployment, v.plain(*j, s.Deployment))
		if places != nil && v.wouldOverwrite(*j, places) == "" && v.waitsFor(*j, places, holders) != "" {
			return &reservation{j, places}
		}
	}
	return nil
}

// silentStranger reports an attempt that is exclusive only because nobody knows
// a class of its nodes, and that has been silent for so long that its slot is
// free, and for unknownAccepted at least: most such classes write nothing, and its replica may be gone. Should it
// write after all, nobody is given what another may have written.
func (v View) silentStranger(j job.Job, a job.Attempt) bool {
	since, silent := v.silentSince(j)
	if j.Places != nil || a.Plain != nil || a.N != j.Current().N || !silent || v.age(since) < unknownAccepted || !v.slotFree(j) {
		return false
	}
	for _, class := range j.Strangers {
		if _, known := v.Learned[a.Deployment][class]; known {
			return false
		}
	}
	return true
}

// writing reports an attempt that may still write, or whose files are not all
// with their user yet. A worker may finish what was cancelled or given up, and
// write again what it seems to have completed, so that attempts of which no
// history was heard count for a while.
func (v View) writing(j job.Job, a job.Attempt) bool {
	switch {
	case a.PromptID == "":
		return false
	case a.State < job.Rendered, a.State == job.Rendered && v.awaited(j, a):
		return true
	case slices.ContainsFunc(j.OutputsOf(a.N), func(o job.Output) bool {
		return !o.Source.Tagged() && (!o.State.Settled() || v.Copying[o.ID]) // nobody else writes into its own folder
	}):
		return true
	}
	hold := v.Policy.missingGrace()
	switch missing := func(p job.Path) bool {
		return !slices.ContainsFunc(j.Outputs, func(o job.Output) bool { return o.Source == p })
	}; {
	case slices.ContainsFunc(outside(a), missing): // named, and still to come
	case a.Heard() && len(foreignClasses(j)) == 0: // its history names all that it wrote
		hold = 0
	case a.Heard(): // what it wrote beside what its history names is still to be seen
		hold = v.Policy.Settle
	case a.State == job.Failed:
		hold = 0
	case a.State == job.Done:
		hold = openPause * v.Policy.Settle
	}
	return v.age(latest(latest(a.EndedAt(), endOf(a)), v.Traces[a.PromptID].Moved)) < hold
}

// awaited reports an attempt whose run has ended and that has files to come: a
// share that is only scanned shows them late.
func (v View) awaited(j job.Job, a job.Attempt) bool {
	t := tally(j, a.N, v.Traces[a.PromptID])
	return t.Short || t.There == 0 && slices.Contains(a.Places, "")
}

// exclusiveWaits says of waiting jobs why they take turns with others.
func (v View) exclusiveWaits() map[job.ID]string {
	out, holders := map[job.ID]string{}, v.holders()
	for _, j := range v.Jobs {
		if j.State() != job.Queued || j.Places == nil && len(j.Strangers) == 0 && len(v.Learned) == 0 {
			continue
		}
		for name := range v.Deployments {
			if places := v.places(*j, name, v.plain(*j, name)); places != nil {
				if why := v.waitsFor(*j, places, holders); why != "" {
					out[j.ID] = why
				}
			}
		}
	}
	return out
}
