package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// Check reads a prompt as a deployment would, before anything is recorded: the
// one named, or the one that was submitted to last. If it has once listed its
// nodes, they are known; otherwise ComfyUI's own are. It asks only a deployment that is awake,
// for a few seconds, when its list speaks against the prompt. The error is a
// *job.Error of class Invalid or TooLarge.
func (f *Fleet) Check(deployment string, workflow, extra []byte) (job.Checked, error) {
	p, err := comfy.ParsePrompt(workflow, f.opts.Limits)
	if err != nil {
		return job.Checked{}, refusal(err)
	}
	s := f.byName[deployment]
	if s == nil {
		s = f.inUse()
	}
	info, workers := f.known(s)
	p = p.For(workers).Expanded(f.opts.Now().In(f.opts.Zone), info)
	var turned []string
	if f.opts.SavePreviews {
		p, turned = p.SavingPreviews(info)
	}
	info, doubts, err := f.compare(s, p)
	if err != nil {
		return job.Checked{}, refusal(err)
	}
	files, err := f.inputs(p.InputFiles(info))
	if err != nil {
		return job.Checked{}, err
	}
	scrubbed, err := comfy.Scrub(extra)
	if err != nil {
		return job.Checked{}, refusal(err)
	}
	canonical, err := p.MarshalJSON()
	if err != nil {
		return job.Checked{}, fmt.Errorf("write prompt: %w", err)
	}
	expect := expected(p.Outputs(info), f.opts.Tag.Prefix)
	return job.Checked{Workflow: canonical, Extra: scrubbed, Expect: expect, Places: p.Places(info, f.opts.Tag.Prefix), Unsure: p.Unsure(info), Strangers: p.Strangers(info),
		Models: p.Models(), Inputs: files, Warnings: append(doubts, f.warnings(expect, turned, p.Cautions(info))...)}, nil
}

// inputs are the files to be brought to the workers; none when that is not
// done. A name that could lead out of the user's folder is refused wherever it
// stands, one that nobody can look for only where a server would.
func (f *Fleet) inputs(files []comfy.InputFile) ([]job.Input, error) {
	if !f.opts.Inputs {
		return nil, nil
	}
	var all []job.Input
	var faulty []comfy.InputFile
	for _, x := range files {
		switch {
		case x.Fault == nil:
			all = append(all, job.Input{Node: x.Node, Class: x.Class, Input: x.Input, Part: x.Part, Name: x.Name, Base: string(x.Base),
				Path: x.Path, Below: x.Below, Noun: x.Noun, Needed: x.Needed, Outputs: x.Outputs})
		case x.Needed || x.Name != "":
			faulty = append(faulty, x)
		}
	}
	if r := comfy.RefuseInputs(faulty); r != nil {
		return nil, refusal(r)
	}
	return all, nil
}

// known is what a deployment has, nil when nobody asked it yet, and what is
// known of its workers; s may be nil.
func (f *Fleet) known(s *site) (*comfy.ObjectInfo, comfy.Workers) {
	if s == nil {
		return nil, comfy.Workers{SaveNodes: f.opts.SaveNodes}
	}
	return s.knownNodes(), s.workers()
}

// expected are the outputs as the engine wants them. Without tags none of them
// stands in the attempt's folder.
func expected(outputs []comfy.Output, tagged bool) []job.Expected {
	out := make([]job.Expected, 0, len(outputs))
	for _, o := range outputs {
		out = append(out, job.Expected{Node: o.Node, Class: o.Class, Prefix: o.Prefix, Count: o.Count, Custom: o.Custom, Outside: o.Outside || !tagged})
	}
	return out
}

func (f *Fleet) warnings(expect []job.Expected, turned []string, cautions []comfy.Caution) []job.Warning {
	var out []job.Warning
	if len(turned) > 0 {
		out = append(out, job.Warning{Code: "previews_saved", At: f.opts.Now(),
			Message: "the prompt only showed previews, so these nodes save what they show: " + strings.Join(turned, ", "),
			Hint:    "use save nodes, such as SaveImage, to choose the names"})
	}
	for _, c := range cautions {
		w := job.Warning{Code: "no_own_folder", At: f.opts.Now(), Message: c.Message, Hint: c.Hint}
		if c.Lost {
			w = job.Warning{Code: "writes_elsewhere", At: f.opts.Now(), Message: c.Message, Hint: c.Hint}
		}
		out = append(out, w)
	}
	if len(expect) == 0 {
		out = append(out, job.Warning{Code: "outputs_unknown", At: f.opts.Now(),
			Message: "nothing in the prompt tells which files will come, so quiet time decides when it is done",
			Hint:    "use a save node that has a filename_prefix"})
	}
	return out
}

// refusal turns a *comfy.Refusal into a *job.Error; ComfyUI's node_errors come along.
func refusal(err error) error {
	var r *comfy.Refusal
	if !errors.As(err, &r) {
		return fmt.Errorf("check prompt: %w", err)
	}
	e := &job.Error{Code: r.Code, Class: job.Invalid, Message: r.Message, Hint: r.Hint, NodeErrors: nodeErrors(r.NodeErrors)}
	if r.Status == http.StatusRequestEntityTooLarge {
		e.Class = job.TooLarge
	}
	return e
}

// nodeErrors writes them as ComfyUI does; nil when no node is to blame.
func nodeErrors(m map[string]comfy.NodeError) []byte {
	if len(m) == 0 {
		return nil
	}
	b, err := json.Marshal(m)
	if err != nil { // read from JSON, so it can be written
		return nil
	}
	return b
}
