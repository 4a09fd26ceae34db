package comfy

import (
	"fmt"
	"strings"
	"unicode"
)

// Bounds of a prefix in bytes.
const (
	// maxName is the longest file name of every common file system.
	maxName = 255
	// maxPrefix is the longest prefix as a whole; with an output folder and an
	// attempt's folder before it, it stays well below Linux's 4096.
	maxPrefix = 2048
	// counterText is what ComfyUI puts between prefix and extension.
	counterText = "_00001_."
	// stepsText is what SaveLoRA puts there in addition, at most.
	stepsText = "_1000000000_steps"
)

// checkPrefixes refuses literal prefixes that would leave their folder, that
// fail at execution, or that overwrite (05-prefix). It looks at all of them.
func (p *Prompt) checkPrefixes(info *ObjectInfo) *Refusal {
	f := newFaults(p)
	code, hint := "", ""
	for _, s := range p.saves(info) {
		for _, fault := range s.prefixFaults(p) {
			f.say(s.node.id, fault.plain(), fault.asError())
			if code == "" {
				code, hint = fault.code, fault.hint
			}
		}
	}
	return f.refusal(code, hint)
}

// prefixFault is one rule that a prefix breaks.
type prefixFault struct {
	code, sentence, hint string
	input                string
	value                any
}

func (f prefixFault) asError() ComfyError {
	return ComfyError{
		Type: "custom_validation_failed", Message: "Custom validation failed for node",
		Details:   f.input + " - " + f.sentence,
		ExtraInfo: ExtraInfo{"input_name": f.input, "received_value": brief(f.value), "code": f.code},
	}
}

func (f prefixFault) plain() string {
	text, ok := f.value.(string)
	if !ok {
		return f.input + ": " + f.sentence
	}
	return fmt.Sprintf("%s %q: %s", f.input, shorten(text), f.sentence)
}

func (s save) prefixFaults(p *Prompt) []prefixFault {
	var out []prefixFault
	state, text := s.state, s.literal
	if fixed, ok := p.fixedText(s.link); ok && state == prefixLinked {
		state, text = prefixLiteral, fixed
	}
	if fault, ok := s.faultOf(s.input, state, text); ok {
		out = append(out, fault)
	}
	if value, has := s.node.inputs[s.also]; has {
		if text, ok := prefixText(value); ok {
			if fault, ok := s.faultOf(s.also, prefixLiteral, text); ok {
				out = append(out, fault)
			}
		}
	}
	return out
}

func (s save) faultOf(input string, state prefixState, text string) (prefixFault, bool) {
	var fault prefixFault
	switch state {
	case prefixLiteral:
		fault = faultyPrefix(text, s.nameLimit())
	case prefixFaulty:
		fault = prefixFault{code: "prefix_not_text", sentence: "it is neither text nor a link", hint: "give a text such as ComfyUI"}
	}
	fault.input, fault.value = input, s.node.inputs[input]
	return fault, fault.code != ""
}

// fixedText reads a linked text that stands in the prompt after all, in one of
// ComfyUI's primitive nodes. What other nodes compute is known to the worker
// only.
func (p *Prompt) fixedText(l link) (string, bool) {
	n := p.nodes[l.from]
	if n == nil || n.class != "PrimitiveString" && n.class != "PrimitiveStringMultiline" {
		return "", false
	}
	text, ok := n.inputs["value"].(string)
	return text, ok
}

// nameLimit is how many bytes the last part of a prefix may have: 244 for a
// .png, less for longer extensions and for unknown ones.
func (s save) nameLimit() int {
	ext := s.ext
	if ext == "" {
		ext = "safetensors"
	}
	limit := maxName - len(counterText) - len(ext)
	if s.input == "prefix" {
		limit -= len(stepsText)
	}
	return limit
}

// prefixRules are tried in order; the first that is broken is told.
var prefixRules = []struct {
	broken func(prefix string) bool
	fault  prefixFault
}{
	{func(s string) bool { return s == "" }, prefixFault{
		code: "prefix_empty", sentence: "it is empty, and the files would be called ._00001_ and overwrite each other",
		hint: "give a name such as ComfyUI"}},
	{func(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }, prefixFault{
		code: "prefix_control", sentence: "it contains a newline or another control character",
		hint: "use one line of ordinary text"}},
	{func(s string) bool { return strings.Contains(s, `\`) }, prefixFault{
		code: "prefix_backslash", sentence: "it contains a backslash, which is no folder separator on the workers",
		hint: "write folders with /"}},
	{isAbsolute, prefixFault{
		code: "prefix_absolute", sentence: "it is an absolute path",
		hint: "name a folder below your outputs, such as portraits/ComfyUI"}},
	{func(s string) bool { return hasPart(s, "..") }, prefixFault{
		code: "prefix_escape", sentence: "it leads out of its folder with ..",
		hint: "take the .. out"}},
	{func(s string) bool { return strings.HasSuffix(s, "/") || lastPart(s) == "." }, prefixFault{
		code: "prefix_ends_in_slash", sentence: "it names a folder and no file, and the files would overwrite each other",
		hint: "put a file name behind it, such as portraits/ComfyUI"}},
	{func(s string) bool { return strings.Contains(s, "%batch_num%") }, prefixFault{
		code: "prefix_batch_num", sentence: "%batch_num% makes ComfyUI overwrite earlier files",
		hint: "take it out; files are numbered anyway"}},
	{func(s string) bool { return strings.EqualFold(firstPart(s), Root) }, prefixFault{
		code: "prefix_reserved", sentence: "the folder qm belongs to the queue manager",
		hint: "use another folder name"}},
}

func faultyPrefix(prefix string, nameLimit int) prefixFault {
	for _, rule := range prefixRules {
		if rule.broken(prefix) {
			return rule.fault
		}
	}
	return tooLong(prefix, nameLimit)
}

func tooLong(prefix string, nameLimit int) prefixFault {
	fault := prefixFault{code: "prefix_too_long", hint: "shorten it"}
	if len(prefix) > maxPrefix {
		fault.sentence = fmt.Sprintf("it has %d bytes, more than %d", len(prefix), maxPrefix)
		return fault
	}
	parts := strings.Split(prefix, "/")
	for i, part := range parts {
		limit := maxName
		if i == len(parts)-1 {
			limit = nameLimit
		}
		if len(part) > limit {
			fault.sentence = fmt.Sprintf("a part of it has %d bytes, more than the %d that fit a file name", len(part), limit)
			return fault
		}
	}
	return prefixFault{}
}

func isAbsolute(s string) bool {
	drive := len(s) > 2 && s[1:3] == ":/" && (s[0]|0x20) >= 'a' && (s[0]|0x20) <= 'z'
	return strings.HasPrefix(s, "/") || drive
}

func hasPart(s, part string) bool {
	for _, p := range strings.Split(s, "/") {
		if p == part {
			return true
		}
	}
	return false
}

func lastPart(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }

// firstPart is the first part that is a name: ./qm/x and qm/x are one path.
func firstPart(s string) string {
	for _, p := range strings.Split(s, "/") {
		if p != "" && p != "." {
			return p
		}
	}
	return ""
}
