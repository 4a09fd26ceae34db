package comfy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxNodeFolder is the longest encoded node id in bytes: with "%", "." and the
// like three bytes each it still fits a folder name of 255.
const maxNodeFolder = 200

// Check refuses, before anything is sent, a prompt that no server would run,
// that would stop a worker, that would write nothing to the share, or that
// would write outside its own folder. The error is a *Refusal.
//
// With nil info only ComfyUI's own nodes are known, and a node of another
// class gets the benefit of the doubt; so it does with an Unsure one. With any
// other, MissingClasses and BadInputs are found too. Like ComfyUI it lets a
// prompt pass as long as one save node can run; Outputs then leaves the others out.
func (p *Prompt) Check(info *ObjectInfo) error {
	for _, check := range []func(*Prompt, *ObjectInfo) *Refusal{
		(*Prompt).MissingClasses, (*Prompt).checkIDs, (*Prompt).checkLinks, (*Prompt).checkCycle,
		(*Prompt).SavesNothing, (*Prompt).checkPrefixes, (*Prompt).BadInputs,
	} {
		if r := check(p, info); r != nil {
			return r
		}
	}
	return nil
}

// MissingClasses refuses classes that the server lacks, reachable or not, as
// ComfyUI does (03-prompt-errors/unknown_class_not_reachable); nil for none.
func (p *Prompt) MissingClasses(info *ObjectInfo) *Refusal {
	if info != nil && info.unsure {
		return nil
	}
	f := newFaults(p)
	for _, id := range p.order {
		if class := p.nodes[id].class; info.lacks(class) {
			f.add(id, *invalidNode(id, fmt.Sprintf("Cannot execute because node %s does not exist.", shorten(class))))
		}
	}
	r := f.refusal("unknown_class", "install the custom node on the workers, or take it out of the workflow")
	if r != nil {
		r.Err.Type = typeInvalid
	}
	return r
}

func (p *Prompt) checkIDs(*ObjectInfo) *Refusal {
	f := newFaults(p)
	for _, id := range p.order {
		if len(EncodeNode(id)) > maxNodeFolder {
			f.add(id, *invalidNode(id, "the node id is too long for a folder name"))
		}
	}
	return f.refusal("bad_node_id", "give the node a short id, such as a number")
}

// SavesNothing refuses a prompt after which nothing would stand on the share; nil
// for any other.
func (p *Prompt) SavesNothing(info *ObjectInfo) *Refusal {
	if p.mayWrite(info) || p.mayLack(info) {
		return nil
	}
	shown := p.silents(info)
	if len(shown) == 0 {
		return refuse("no_outputs", typeNoOutputs, "the prompt has no output node",
			"add a save node, such as SaveImage")
	}
	const most = 3
	var said []string
	for _, s := range shown[:min(len(shown), most)] {
		said = append(said, p.name(s.id)+" "+s.does)
	}
	if more := len(shown) - most; more > 0 {
		said = append(said, fmt.Sprintf("and %d more", more))
	}
	return refuse("previews_only", typeNoOutputs, "the prompt saves nothing that can be delivered: "+strings.Join(said, "; "),
		"add a save node for your kind of output, such as SaveImage for pictures")
}

// mayLack reports a class that an unsure list lacks: it may well write.
func (p *Prompt) mayLack(info *ObjectInfo) bool {
	return info != nil && info.unsure && slices.ContainsFunc(p.order, func(id string) bool {
		return info.lacks(p.nodes[id].class) && !isCore(p.nodes[id].class)
	})
}

// BadInputs refuses when no save node is left that the server would run,
// because of inputs that are missing or have values that it does not take; nil
// otherwise. It names the nearest choice where it can.
func (p *Prompt) BadInputs(info *ObjectInfo) *Refusal {
	if info != nil && info.unsure {
		info = nil
	}
	f := p.inputFaults(info)
	p.valueFaults(f, info, true)
	doomed := p.doomed(f)
	for _, id := range p.writers(info) {
		if !doomed[id] {
			return nil
		}
	}
	return f.refusal("bad_inputs", "correct the inputs named, then submit again")
}

// doomed marks every node that takes, at any distance, from a faulty one.
func (p *Prompt) doomed(f *faults) map[string]bool {
	var faulty []string
	for id := range f.byNode {
		faulty = append(faulty, id)
	}
	consumers := p.consumers()
	return reach(faulty, func(id string) []string { return consumers[id] })
}

// inputFaults finds what ComfyUI's validation would find in declared inputs:
// a required one missing, a list that is no link, a slot that is not there.
// Like ComfyUI it looks only at what an output node needs.
// Without info it knows only that ComfyUI's save nodes require their prefix.
func (p *Prompt) inputFaults(info *ObjectInfo) *faults {
	f := newFaults(p)
	for _, s := range p.saves(info) {
		if _, known := info.Class(s.node.class); !known && s.row.Pack == packCore && s.state == prefixMissing {
			f.add(s.node.id, missingInput(s.main))
		}
	}
	needed := reach(p.outputNodes(info), p.sources)
	for _, id := range p.order {
		class, known := info.Class(p.nodes[id].class)
		if known && needed[id] {
			p.declaredFaults(f, p.nodes[id], class, info)
		}
	}
	return f
}

func (p *Prompt) declaredFaults(f *faults, n *node, class Class, info *ObjectInfo) {
	for _, in := range class.Required {
		if !in.isDynamic() && !given(n, in.Name) {
			f.add(n.id, missingInput(in.Name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(n.inputs)) {
		if _, declared := class.input(name); !declared {
			continue
		}
		if err := p.linkFault(name, n.inputs[name], info); err != nil {
			f.add(n.id, *err)
		}
	}
}

// given reports an input under its name, or spread over "name.part" keys.
func given(n *node, name string) bool {
	if _, ok := n.inputs[name]; ok {
		return true
	}
	for key := range n.inputs {
		if strings.HasPrefix(key, name+".") {
			return true
		}
	}
	return false
}

func (p *Prompt) linkFault(name string, value any, info *ObjectInfo) *ComfyError {
	if _, isList := value.([]any); !isList {
		return nil
	}
	from, slot, ok := LinkOf(value)
	if !ok {
		return &ComfyError{
			Type: "bad_linked_input", Message: "Bad linked input, must be a length-2 list of [node_id, slot_index]",
			Details: name, ExtraInfo: ExtraInfo{"input_name": name, "received_value": brief(value)},
		}
	}
	source, known := p.nodes[from]
	if !known {
		return nil
	}
	if class, ok := info.Class(source.class); ok && class.Slots >= 0 && slot >= class.Slots {
		return &ComfyError{
			Type: "bad_linked_input", Message: "Linked output does not exist",
			Details:   fmt.Sprintf("%s links to output %d of node %q, which has %d", name, slot, shorten(from), class.Slots),
			ExtraInfo: ExtraInfo{"input_name": name, "linked_node": value},
		}
	}
	return nil
}

func missingInput(name string) ComfyError {
	return ComfyError{
		Type: "required_input_missing", Message: "Required input is missing",
		Details: name, ExtraInfo: ExtraInfo{"input_name": name},
	}
}
