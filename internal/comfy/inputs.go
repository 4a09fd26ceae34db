package comfy

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Base is the folder of a server that a name of a file is relative to.
type Base string

// The bases. A name without an annotation is relative to the input folder,
// also that of LoadImageOutput (0.8.0, folder_paths.get_annotated_filepath).
const (
	BaseInput  Base = "input"
	BaseOutput Base = "output"
	BaseTemp   Base = "temp"
)

// InputFile is a file that a node loads, as the prompt names it.
type InputFile struct {
	Node, Class, Input string
	// Part is the key within an input that is an object, such as "mask" of
	// Load3D's image; empty for an input that is the name itself.
	Part string
	// Name is the user's own, with its annotation; a staged one is undone.
	Name string
	// Base and Path are what Name says.
	Base Base
	Path string
	// Below is the folder that the node's class looks for its files in; empty
	// for the whole input folder.
	Below string
	// Noun is what ComfyUI calls it in an error: image, video, audio, latent, or "".
	Noun string
	// Needed says that an output node takes from the node, so that a server
	// would look for the file. Outputs are these output nodes.
	Needed  bool
	Outputs []string
	// Fault is why the name cannot be looked for; nil when it can.
	Fault *InputFault
}

// InputFault is why a file that a node loads cannot be had.
type InputFault struct {
	// Code is stable: input_computed, input_unnamed, input_name_refused, ...
	Code string
	// Sentence is for people, without node and input; Hint the next step.
	Sentence, Hint string
}

// InputFiles lists the files that nodes of the prompt load, by node, input and
// part: what info marks as an upload, and what ComfyUI's own nodes are known to
// load. Nodes that load whole folders are not among them, unless what they name
// is staged: that is refused, as it is in any other text of a node.
func (p *Prompt) InputFiles(info *ObjectInfo) []InputFile {
	var all []InputFile
	consumers := p.consumers()
	needed := p.neededFiles(consumers, info)
	for _, id := range p.order {
		n := p.nodes[id]
		load := loadersOf(n.class, info)
		for _, l := range load {
			for _, f := range n.files(l) {
				if f.Needed = needed[id]; len(all) < maxFaults { // nobody is told of more
					f.Outputs = p.outputsBehind(id, consumers)
				}
				all = append(all, f)
			}
		}
		all = append(all, n.stray(load)...)
	}
	return all
}

// stray are the texts of a node that name what is staged and are not undone:
// somebody else's files, for all that is known.
func (n *node) stray(load []loader) []InputFile {
	var all []InputFile
	files := make(map[string]bool, len(load))
	for _, l := range load {
		files[l.input] = true
	}
	for _, name := range slices.Sorted(maps.Keys(n.inputs)) {
		value := n.inputs[name]
		if wrapped, ok := value.(map[string]any); ok {
			value = wrapped["__value__"]
		}
		text, ok := value.(string)
		if !ok || files[name] || !namesStaged(text, folderLoaders[n.class] == name) {
			continue
		}
		all = append(all, InputFile{Node: n.id, Class: n.class, Input: name, Name: text, Base: BaseInput, Path: text, Fault: &faultStaged})
	}
	return all
}

// files reads what one input names: one file, or one for each part.
func (n *node) files(l loader) []InputFile {
	value, has := n.inputs[l.input]
	if !has {
		return nil // ComfyUI says so itself: a required input is missing
	}
	one := InputFile{Node: n.id, Class: n.class, Input: l.input, Below: l.below, Noun: l.noun}
	if l.parts == nil {
		return one.read(value, l)
	}
	object, ok := value.(map[string]any)
	if !ok {
		return one.read(value, loader{optional: true})
	}
	var all []InputFile
	for _, part := range l.parts {
		one.Part = part
		all = append(all, one.read(object[part], loader{optional: true})...)
	}
	return all
}

// read completes f by a value; none for a value that names no file of the user's.
func (f InputFile) read(value any, l loader) []InputFile {
	if wrapped, ok := value.(map[string]any); ok {
		value = wrapped["__value__"] // ComfyUI unwraps it before it looks
	}
	if _, _, linked := LinkOf(value); linked {
		f.Fault = &faultComputed
		return []InputFile{f}
	}
	text, ok := value.(string)
	switch {
	case !ok, l.optional && (strings.TrimSpace(text) == "" || text == "none"), hashForm.MatchString(text):
		return nil
	case l.text && (strings.Contains(text, "://") || strings.HasPrefix(text, "data:")):
		return nil // the node fetches or reads it itself
	case text == "":
		f.Fault = &faultUnnamed
		return []InputFile{f}
	}
	f.Name = ownFile(text)
	f.Base, f.Path = cutBase(f.Name)
	f.Fault = pathFault(f.Path)
	return []InputFile{f}
}

// cutBase reads a name such as "a.png [output]" exactly as ComfyUI does: the
// character before the bracket goes, whatever it is.
func cutBase(name string) (Base, string) {
	for _, b := range []Base{BaseOutput, BaseInput, BaseTemp} {
		if bare, ok := strings.CutSuffix(name, "["+string(b)+"]"); ok {
			_, n := utf8.DecodeLastRuneInString(bare)
			return b, bare[:len(bare)-n]
		}
	}
	return BaseInput, name
}

// neededFiles are the nodes that a server would run, for an output. A node of a
// class that nobody knows counts as an output when nobody takes from it.
func (p *Prompt) neededFiles(consumers map[string][]string, info *ObjectInfo) map[string]bool {
	var ends []string
	for id, n := range p.nodes {
		class, known := info.Class(n.class)
		guess := !known && !isCore(n.class) && len(loaders[n.class]) == 0 && len(consumers[id]) == 0
		if class.Output || isCoreOutput(n.class) || guess {
			ends = append(ends, id)
		}
	}
	return reach(ends, p.sources)
}

// StagedFile is the name under which the workers find a file that a node loads.
type StagedFile struct{ Node, Input, Part, Name string }

// stageFiles puts staged names into nodes; a staged name that came with the
// prompt and is not staged now becomes the user's own again.
func (p *Prompt) stageFiles(nodes map[string]any, staged []StagedFile, info *ObjectInfo) {
	all := slices.Clone(staged)
	for _, f := range p.InputFiles(info) {
		if f.Name == "" || slices.ContainsFunc(staged, func(s StagedFile) bool { return s.Node == f.Node && s.Input == f.Input && s.Part == f.Part }) {
			continue
		}
		all = append(all, StagedFile{f.Node, f.Input, f.Part, f.Name})
	}
	for _, s := range all {
		n := p.nodes[s.Node]
		if n == nil {
			continue
		}
		if s.Part == "" {
			setInput(nodes, n, s.Input, s.Name)
			continue
		}
		setPart(nodes, n, s)
	}
}

// setPart puts a name into an input that is an object.
func setPart(nodes map[string]any, n *node, s StagedFile) {
	object, _ := nodes[n.id].(map[string]any)
	inputs, _ := object["inputs"].(map[string]any)
	whole, ok := inputs[s.Input].(map[string]any)
	if !ok {
		return
	}
	whole = maps.Clone(whole)
	whole[s.Part] = s.Name
	setInput(nodes, n, s.Input, whole)
}
