package api

import (
	"path"
	"strings"

	"github.com/comfyume/qmtui/internal/job"
)

// View turns the vocabulary into wire types. It is a value, and its methods
// are pure. The zero value takes the user's folder for the page's own.
type View struct {
	// Subfolder is put before the subfolder of every output; "{user}" stands
	// for the user's name (users.subfolder of the configuration).
	Subfolder string
}

// FromJob is [View.Job] of the zero View.
func FromJob(j job.Job, s job.Standing) Job { return View{}.Job(j, s) }

// Job is j as callers see it; s is where it stands now.
func (v View) Job(j job.Job, s job.Standing) Job {
	a := j.Current()
	out := Job{
		ID: j.ID, User: j.User, Name: j.Name, Status: a.State.Status(), State: a.State, Priority: j.Priority,
		Created: Time{j.Submitted}, Started: Time{j.StartedAt()}, Completed: Time{j.EndedAt()}, Updated: Time{j.Updated},
		Worker: textOrNull(a.Deployment), Deployment: a.Deployment, PromptID: a.PromptID, Phase: s.Phase,
		Evidence: a.Evidence(), EvidenceAt: Time{a.LastEvidence()}, Metadata: j.Metadata,
		Want: j.Want, By: j.By, Asked: j.Spec.Deployment, Closed: j.Closed, Rev: j.Rev,
		Attempts: each(j.Attempts, attempt), Expected: each(j.Expect, expected), Inputs: each(j.Inputs, input),
		Outputs:  each(j.Outputs, func(o job.Output) Output { return v.Output(j, o) }),
		Warnings: each(j.Warnings, func(w job.Warning) job.Warning { return w }),
	}
	if s.Position >= 0 && a.State == job.Queued {
		out.Position = &s.Position
	}
	if s.Wait >= 0 && !a.State.Terminal() {
		out.Wait = &s.Wait
	}
	if e := j.Failure(); e != nil {
		sentence := Sentence(e)
		out.Error, out.ErrorDetail = &sentence, FromError(e)
	}
	out.Result = result(out)
	return out
}

// maxFiles bounds the list of the files that a history named.
const maxFiles = 100

// JobDetail is [View.Job] with what only the answer about a single job has.
func (v View) JobDetail(j job.Job, s job.Standing) Job {
	out := v.Job(j, s)
	for i, a := range j.Attempts {
		out.Attempts[i].Files = each(a.Files[:min(len(a.Files), maxFiles)], job.Path.String)
	}
	return out
}

// Orphan is o as callers see it; user finds whose a job is, empty when nobody
// knows.
func (v View) Orphan(o job.Orphan, user func(job.ID) string) Orphan {
	return Orphan{Orphan: o, Candidates: each(o.Candidates, func(id job.ID) Candidate { return Candidate{Job: id, User: user(id)} })}
}

// Output is o, an output of j, as callers see it.
func (v View) Output(j job.Job, o job.Output) Output {
	name, folder := path.Base(string(o.Source)), ""
	if o.Dest != "" {
		name, folder = path.Base(o.Dest), path.Dir(o.Dest)
	}
	medium, animated := mediumOf(j.ClassOf(o.Node), name)
	return Output{
		ID: o.ID, Node: o.Node, Filename: name, Subfolder: v.subfolder(j.User, folder), Type: "output", State: o.State,
		Size: o.Size, Checksum: o.Checksum, Evidence: o.Evidence, Attempt: o.Attempt,
		SeenAt: Time{o.SeenAt}, WholeAt: Time{o.WholeAt}, StoredAt: Time{o.StoredAt},
		Path: o.Dest, Source: o.Source, Aside: o.Aside,
		Medium: medium, Animated: animated, Text: o.Text,
	}
}

func (v View) subfolder(user, folder string) string {
	p := path.Join(strings.ReplaceAll(v.Subfolder, "{user}", user), folder)
	if p == "." {
		return ""
	}
	return p
}

func attempt(a job.Attempt) Attempt {
	return Attempt{
		N: a.N, State: a.State, PromptID: a.PromptID, Deployment: a.Deployment,
		Assigned: Time{a.When(job.Assigned)}, Accepted: Time{a.When(job.Acknowledged)},
		Started:   Time{a.When(job.Started, job.Seen, job.Whole, job.Stored, job.Finished)},
		Ended:     Time{a.EndedAt()},
		NotBefore: Time{a.NotBefore}, Automatic: a.Automatic,
		Evidence: a.Evidence(), EvidenceAt: Time{a.LastEvidence()},
		Error: FromError(a.Error), Dropped: each(a.Dropped, same), Plain: each(a.Plain, same), Places: each(a.Places, same),
		FileCount: len(a.Files),
	}
}

func expected(x job.Expected) Expected {
	return Expected{Node: x.Node, Class: x.Class, Prefix: x.Prefix, Count: x.Count, Outside: x.Outside}
}

func input(in job.Input) Input {
	name := in.Input
	if in.Part != "" {
		name += "." + in.Part
	}
	return Input{Node: in.Node, Class: in.Class, Input: name, Name: in.Name, Size: in.Size, Checksum: "sha256:" + in.Sum}
}

// result is what an ended job delivered; nil when that is nothing.
func result(j Job) *Result {
	if !j.State.Terminal() {
		return nil
	}
	var r Result
	for _, o := range j.Delivered() {
		r.Images = append(r.Images, ResultFile{o.Filename, o.Subfolder, o.Type})
	}
	if len(r.Images) == 0 {
		return nil
	}
	return &r
}

// each applies f to all; it never returns nil, so that JSON has [] and not null.
func each[A, B any](all []A, f func(A) B) []B {
	out := make([]B, 0, len(all))
	for _, a := range all {
		out = append(out, f(a))
	}
	return out
}

func same(s string) string { return s }

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
