package comfy

import (
	"cmp"
	"fmt"
	"slices"
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
	// maxPathParts is the most parts of a path below a node's own folder, its file
	// name among them: the share is looked into as deep as that.
	maxPathParts = 16
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
	check := func(input string, what role, state prefixState, text string) {
		if fault, ok := s.faultOf(input, what, state, text); ok {
			out = append(out, fault)
		}
	}
	state, text := s.state, s.literal
	if fixed, ok := p.fixedText(s.link); ok && state == prefixLinked {
		state, text = prefixLiteral, p.ownText(s, fixed)
	}
	if s.main != "" {
		check(s.main, s.role, state, text)
	}
	if value, ok := prefixText(s.node.inputs[s.row.Name]); ok {
		check(s.row.Name, roleName, prefixLiteral, ownPrefix(slashes(value)))
	}
	for _, input := range s.row.Also {
		if value, ok := prefixText(s.node.inputs[input]); ok && climbs(value) {
			out = append(out, prefixFault{code: "prefix_escape", sentence: "it leads out of its folder with ..", hint: "take the .. out",
				input: input, value: s.node.inputs[input]})
		}
	}
	if len(out) == 0 && state == prefixLiteral && strings.Count(joined(text, s.name), "/") >= maxPathParts {
		out = append(out, prefixFault{code: "prefix_too_deep", sentence: fmt.Sprintf("it has more than %d folders, which are not looked into", maxPathParts-1),
			hint: "use fewer folders", input: s.main, value: s.node.inputs[s.main]})
	}
	return out
}

// climbs reports a text of several parts, of which one leads upwards.
func climbs(text string) bool {
	parts := strings.FieldsFunc(slashes(text), func(r rune) bool { return r == '/' || r == ',' || unicode.IsSpace(r) })
	return slices.Contains(parts, "..")
}

func (s save) faultOf(input string, what role, state prefixState, text string) (prefixFault, bool) {
	var fault prefixFault
	switch state {
	case prefixLiteral:
		fault = faultyPrefix(text, what, s.nameLimit(what))
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

// nameLimit is how many bytes the last part may have: all that fit where it is
// a folder or a whole name; of a prefix 244 for a .png, less for longer
// extensions and for unknown ones.
func (s save) nameLimit(what role) int {
	if what == roleFolder || what == rolePath {
		return maxName
	}
	limit := maxName - len(counterText) - len(cmp.Or(s.row.Ext, "safetensors"))
	if s.main == "prefix" {
		limit -= len(stepsText)
	}
	return limit
}

// prefixRules are tried in order; the first that is broken is told.
var prefixRules = []struct {
	broken func(text string, what role) bool
	fault  prefixFault
}{
	{func(s string, what role) bool { return what == rolePath && s == "" }, prefixFault{
		code: "prefix_empty", sentence: "it is empty, and names no file",
		hint: "give a file name"}},
	{func(s string, _ role) bool { return strings.ContainsFunc(s, unicode.IsControl) }, prefixFault{
		code: "prefix_control", sentence: "it contains a newline or another control character",
		hint: "use one line of ordinary text"}},
	{func(s string, _ role) bool { return isAbsolute(s) }, prefixFault{
		code: "prefix_absolute", sentence: "it is an absolute path",
		hint: "name a folder below your outputs, such as portraits/ComfyUI"}},
	{func(s string, _ role) bool { return hasPart(s, "..") }, prefixFault{
		code: "prefix_escape", sentence: "it leads out of its folder with ..",
		hint: "take the .. out"}},
	{func(s string, what role) bool {
		return what != roleFolder && (strings.HasSuffix(s, "/") || lastPart(s) == ".")
	}, prefixFault{
		code: "prefix_ends_in_slash", sentence: "it names a folder and no file, and the files would overwrite each other",
		hint: "put a file name behind it, such as portraits/ComfyUI"}},
	{func(s string, what role) bool { return what == rolePrefix && strings.Contains(s, "%batch_num%") }, prefixFault{
		code: "prefix_batch_num", sentence: "%batch_num% makes ComfyUI overwrite earlier files",
		hint: "take it out; files are numbered anyway"}},
	{func(s string, _ role) bool { return strings.EqualFold(firstPart(s), Root) }, prefixFault{
		code: "prefix_reserved", sentence: "the folder qm belongs to the queue manager",
		hint: "use another folder name"}},
}

func faultyPrefix(text string, what role, nameLimit int) prefixFault {
	for _, rule := range prefixRules {
		if rule.broken(text, what) {
			return rule.fault
		}
	}
	return tooLong(text, nameLimit)
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
