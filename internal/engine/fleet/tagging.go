package fleet

import (
	"context"
	"errors"
	"regexp"
	"slices"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// addedClasses are the node classes that tagging may add to a prompt.
var addedClasses = []string{"EmptyImage", "SaveImage", "StringConcatenate", "StringReplace"}

// tagged makes the request of one attempt, fitted to what the server is known to have.
func (s *site) tagged(p *comfy.Prompt, sub job.Submission) (comfy.Request, error) {
	s.mu.Lock()
	nodes, noMarker := s.list.union, s.noMarker
	s.mu.Unlock()
	tag := comfy.Tag{
		PromptID: sub.PromptID, Prefix: s.opts.Tag.Prefix, Embed: s.opts.Tag.Metadata,
		Marker:   s.opts.Tag.Marker && !noMarker,
		Files:    staged(sub),
		Plain:    sub.Plain,
		Metadata: map[string]any{"job": string(sub.Job), "attempt": sub.Attempt, "prompt_id": sub.PromptID},
	}
	return p.For(s.workers()).Tagged(tag, sub.Extra, nodes)
}

// workers is what is known of who runs prompts there.
func (s *site) workers() comfy.Workers {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := comfy.Workers{SaveNodes: s.opts.SaveNodes}
	if s.system != nil {
		w.OutputDir = comfy.SystemStats{Argv: s.system.Argv}.OutputFolder()
	}
	return w
}

// staged are the names under which the workers find the inputs.
func staged(sub job.Submission) []comfy.StagedFile {
	var all []comfy.StagedFile
	for _, in := range sub.Inputs {
		f := comfy.InputFile{Base: comfy.Base(in.Base), Path: in.Path, Below: in.Below}
		all = append(all, comfy.StagedFile{Node: in.Node, Input: in.Input, Part: in.Part, Name: comfy.StagedName(f, sub.User, in.Sum)})
	}
	return all
}

// learns reports whether a refusal taught that the server lacks a class that
// we add. It is awake, having just answered, so it is asked what it has; when
// it does not say, the marker is left out from now on, but never a prefix.
func (s *site) learns(ctx context.Context, err error) bool {
	class := missingClass(err)
	if !slices.Contains(addedClasses, class) {
		return false
	}
	if s.askNodes(ctx) == nil {
		return true
	}
	if class == "StringConcatenate" || class == "StringReplace" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noMarker = true
	return true
}

var nonexistent = regexp.MustCompile(`\bnode '?([^\s']+)'? does not exist`)

// missingClass is the node class that a server refused a prompt for; "" for
// any other error. (ComfyUI 0.8.0, transcripts 03-prompt-errors, unknown_class;
// newer ones say missing_node_type and name the class in extra_info.)
func missingClass(err error) string {
	var e *comfy.SubmitError
	if !errors.As(err, &e) || e.Class != comfy.RefusedForGood {
		return ""
	}
	if e.Err.Type != "invalid_prompt" && e.Err.Type != "missing_node_type" {
		return ""
	}
	if class, ok := e.Err.ExtraInfo["class_type"].(string); ok {
		return class
	}
	if m := nonexistent.FindStringSubmatch(e.Err.Message); m != nil {
		return m[1]
	}
	return ""
}
