package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// Submit sends one POST and says what came of it: a fact of kind Acknowledged,
// Refused (Error.Transient: it may be sent again later) or Unanswered. It
// waits at most s.Timeout; zero means for as long as ctx lasts.
//
// It sends a second POST in one case only: the first was refused with 400
// because the server lacks a node class that the tagging added, so certainly
// nothing ran, and the same prompt can be had without that class.
func (f *Fleet) Submit(ctx context.Context, s job.Submission) job.Fact {
	fact := job.Fact{Job: s.Job, Attempt: s.Attempt, PromptID: s.PromptID, Evidence: job.ByPlatform}
	at, err := f.site(s.Deployment)
	if err != nil {
		return f.notSent(fact, err)
	}
	p, err := comfy.ParsePrompt(s.Workflow, f.opts.Limits)
	if err != nil {
		return f.notSent(fact, refusal(err))
	}
	f.use(at)
	p = p.For(at.workers())
	at.firstList(ctx, p) // it may have been accepted before anybody knew the nodes
	if r := p.SavesNothing(at.knownNodes().Unsure()); r != nil {
		return f.notSent(fact, refusal(r))
	}
	receipt, err := at.submit(ctx, p, s)
	fact.At = f.opts.Now()
	if err != nil {
		fact = settle(fact, err, s.Timeout)
		if fact.Kind == job.Refused && missingClass(err) != "" && at.lacksAll(ctx) {
			fact.Error = &job.Error{Code: "no_nodes", Class: job.Unavailable, Transient: true,
				Message: "ComfyUI lists no nodes, so it refuses every prompt", Hint: "see in the worker's log why, and restart it"}
		}
	} else {
		nodes := at.knownNodes()
		outputs := p.Outputs(nodes)
		for id := range p.Strangers(nodes) {
			if !slices.ContainsFunc(outputs, func(o comfy.Output) bool { return o.Node == id }) {
				outputs = append(outputs, comfy.Output{Node: id}) // it may save
			}
		}
		fact = acknowledge(fact, receipt, outputs)
	}
	return f.hinted(fact)
}

// notSent is the fact of a prompt that never left.
func (f *Fleet) notSent(fact job.Fact, err error) job.Fact {
	fact.Kind, fact.At, fact.Evidence, fact.Error = job.Refused, f.opts.Now(), job.ByManager, job.AsError(err)
	return fact
}

// lacksAll reports a worker that has just refused a prompt for a class that it
// lacks, and that lists no class at all.
func (s *site) lacksAll(ctx context.Context) bool {
	s.mu.Lock()
	read := s.opts.Now().Sub(s.list.readAt) < justRead
	s.mu.Unlock()
	if read { // and it was not empty
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	if err := s.askNodes(ctx); err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.list.emptyAt.IsZero()
}

func (f *Fleet) use(s *site) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.used = s
}

// submit tags and sends. While it waits, nothing else is asked about that
// prompt: a second waiting request can make a platform start a second machine.
func (s *site) submit(ctx context.Context, p *comfy.Prompt, sub job.Submission) (comfy.Receipt, error) {
	p = p.Titled(s.knownNodes())
	req, err := s.tagged(p, sub)
	if err != nil {
		return comfy.Receipt{}, err
	}
	models := p.Models()
	s.departs(sub.PromptID, models)
	receipt, err := s.post(ctx, req, sub.Timeout, models)
	if s.learns(ctx, err) {
		if plain, tagErr := s.tagged(p, sub); tagErr == nil && !bytes.Equal(plain.Prompt, req.Prompt) {
			s.opts.Logger.Info("send again without the nodes that the server lacks", "job", sub.Job, "deployment", s.spec.Name, "prompt", sub.PromptID)
			receipt, err = s.post(ctx, plain, sub.Timeout, models)
		}
	}
	if s.arrives(sub.PromptID, err == nil) {
		s.stopLate(ctx, sub, err)
	}
	return receipt, err
}

// post sends once and measures a cold start of a machine that must load the models.
func (s *site) post(ctx context.Context, req comfy.Request, timeout time.Duration, models []string) (receipt comfy.Receipt, err error) {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	before, began := s.reading().state, s.opts.Now()
	err = s.ask("POST /prompt", func() error {
		var err error
		receipt, err = s.driver.Submit(ctx, req)
		return err
	})
	if outcomeKind(err) == answered {
		s.measureCold(before, began, s.opts.Now(), models)
	}
	return receipt, err
}

// stopLate interrupts a prompt that somebody wanted stopped while its POST waited.
func (s *site) stopLate(ctx context.Context, sub job.Submission, err error) {
	if err != nil && outcomeKind(err) != silent {
		return
	}
	if err := s.interrupt(ctx, sub.PromptID); err != nil {
		s.opts.Logger.Warn("interrupt after the answer", "job", sub.Job, "deployment", s.spec.Name, "prompt", sub.PromptID, "error", err)
	}
}

// acknowledge is the fact of a 200. The nodes that node_errors names will
// never write (comfyui.md, POST /prompt); the reason is kept as the error. When
// these are all of the user's own, only our start marker was left to accept:
// without it the answer would have been 400, and so it is taken.
func acknowledge(fact job.Fact, r comfy.Receipt, outputs []comfy.Output) job.Fact {
	fact.Kind, fact.Dropped = job.Acknowledged, droppedNodes(r.NodeErrors)
	switch {
	case len(fact.Dropped) > 0 && !slices.ContainsFunc(outputs, func(o comfy.Output) bool { return !slices.Contains(fact.Dropped, o.Node) }):
		fact.Kind = job.Refused
		fact.Error = blame(refusedForGood(&job.Error{Message: "ComfyUI found something wrong with every output of the prompt",
			NodeErrors: nodeErrors(r.NodeErrors)}), r.NodeErrors)
	case len(fact.Dropped) > 0:
		fact.Error = &job.Error{Code: "outputs_dropped", Class: job.Invalid,
			Message: fmt.Sprintf("ComfyUI runs the prompt without %d of its outputs", len(fact.Dropped)),
			Hint:    "see the errors of the nodes named", NodeErrors: nodeErrors(r.NodeErrors)}
	}
	return fact
}

// acknowledgeUnread is acknowledge without the prompt at hand: that something
// of the user's own is left to run is taken for granted.
func acknowledgeUnread(fact job.Fact, r comfy.Receipt) job.Fact {
	return acknowledge(fact, r, []comfy.Output{{}})
}

// droppedNodes are the outputs that depend on a faulty node, or that node
// itself when the server names none.
func droppedNodes(m map[string]comfy.NodeError) []string {
	set := map[string]bool{}
	for id, e := range m {
		for _, out := range e.DependentOutputs {
			set[out] = true
		}
		if len(e.DependentOutputs) == 0 {
			set[id] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// settle is the fact of a POST that brought no receipt.
func settle(fact job.Fact, err error, timeout time.Duration) job.Fact {
	var e *comfy.SubmitError
	if !errors.As(err, &e) {
		fact.Kind, fact.Error, fact.Evidence = job.Refused, job.AsError(err), job.ByManager
		return fact
	}
	fact.Error = submitError(e, timeout)
	fact.Kind = job.Refused
	if e.Class == comfy.NobodyKnows {
		fact.Kind = job.Unanswered
	}
	return fact
}
