package engine

import (
	"slices"
	"strings"

	"github.com/comfyume/qmtui/internal/job"
)

// settleOutputs judges files that the share cannot judge alone: a format that
// does not tell its end is whole once its attempt has ended; a file that is
// still half when nobody will write any more is given up, until it is seen to
// have become whole after all.
func settleOutputs(v View, j job.Job) []job.Fact {
	var facts []job.Fact
	for _, o := range j.Outputs {
		a, _ := j.Attempt(o.Attempt)
		switch t := v.Traces[a.PromptID]; {
		case (o.State == job.OutputSeen || o.State == job.OutputAbandoned) && t.settled(o, a) && a.State >= job.Rendered:
			facts = append(facts, v.outputFact(j, o, job.Whole, job.ByTime))
		case o.State == job.OutputSeen && v.nobodyWrites(j, a):
			facts = append(facts, v.outputFact(j, o, job.Abandoned, job.ByTime), v.note(j, "half_file",
				"the file "+o.Source.String()+" never became whole", "what there is of it stays on the share"))
		}
	}
	return facts
}

// settled reports a file of a format that does not tell its end, and that was
// quiet. An empty one is what a killed replica leaves, so that it counts only
// when a history tells that the run went well, and no second replica has run
// the same prompt: the history may be that of the other one.
func (t Trace) settled(o job.Output, a job.Attempt) bool {
	size, quiet := t.Settling[o.ID]
	return quiet && (size > 0 || a.Heard() && a.When(job.Broke).IsZero() && len(t.Starts) < 2)
}

// nobodyWrites reports whether an attempt's files can be expected not to grow any more.
func (v View) nobodyWrites(j job.Job, a job.Attempt) bool {
	if v.blind() || v.age(v.Traces[a.PromptID].Moved) < v.Policy.missingGrace() {
		return false
	}
	if a.State == job.Rendered {
		return v.age(a.When(job.Finished)) >= v.Policy.missingGrace()
	}
	return a.State.Terminal() && v.age(a.EndedAt()) >= v.Policy.LateWindow
}

func (v View) outputFact(j job.Job, o job.Output, k job.Kind, e job.Evidence) job.Fact {
	f := v.fact(j, o.Attempt, k, e)
	f.Output = &job.Output{ID: o.ID, Node: o.Node, Source: o.Source, Size: o.Size, Modified: o.Modified, Evidence: o.Evidence}
	return f
}

// Tally compares what an attempt should write with what is there.
type Tally struct {
	Expected int  // files whose number is known from the graph
	There    int  // files of any node that are whole, settling or stored
	Stored   int  // of these, the ones delivered
	Short    bool // some expected file is not there
	Open     bool // some node writes a number of files that the graph does not tell
	Half     int  // files that are there and not whole
	Broken   int  // files that never became complete, or vanished
}

// ownFile reports a file that is the attempt's by its path, when a history of it
// names it: none in the folder of another attempt.
func ownFile(a job.Attempt, p job.Path) bool {
	return !p.Tagged() || strings.HasPrefix(string(p), "qm/"+a.PromptID+"/")
}

// tally counts attempt n of j; files that settled count as there. A file that a
// history names and that nobody saw is missing like an expected one. Outside its own
// folder a file does not tell which node wrote it, so it may be anyone's that
// is missing.
func tally(j job.Job, n int, trace Trace) Tally {
	var t Tally
	there, anyNode := map[string]int{}, 0
	a, _ := j.Attempt(n)
	for _, o := range j.Outputs {
		if o.Attempt != n {
			continue
		}
		switch {
		case o.State == job.OutputSeen && !trace.settled(o, a):
			t.Half++
		case o.State == job.OutputAbandoned, o.State == job.OutputVanished:
			t.Broken++
		case o.State == job.OutputStored:
			t.Stored++
			fallthrough
		case o.State == job.OutputWhole, o.State == job.OutputSeen:
			t.There++
			there[o.Node]++
			if o.Node == "" && o.Evidence != job.ByPrefix {
				anyNode++
			}
		}
	}
	missing := 0
	for _, x := range j.Expect {
		if slices.Contains(a.Dropped, x.Node) {
			continue
		}
		t.Expected += x.Count
		t.Open = t.Open || x.Count == 0
		missing += max(0, max(1, x.Count)-there[x.Node])
	}
	t.Short = missing > anyNode || slices.ContainsFunc(a.Files, func(p job.Path) bool {
		return ownFile(a, p) && !slices.ContainsFunc(j.Outputs, func(o job.Output) bool { return o.Source == p })
	})
	return t
}
