package comfy

import (
	"cmp"
	"encoding/json"
	"path"
	"slices"
	"strings"
)

// Output is a save node of a prompt: one that will write to the share.
type Output struct {
	// Node is its id and Class its class_type.
	Node, Class string
	// Prefix is the user's own text of the inputs that lead its files, folder
	// first, without what Tagged puts before it. Empty when Linked: then a node
	// gives the text while the prompt runs.
	Prefix string
	Linked bool
	// Count is how many files it will write, 0 when the graph does not tell.
	Count int
	// Custom says that the class is not ComfyUI's own, so that what is known of it
	// may not fit the installed version.
	Custom bool
	// Outside says that its files will not stand in a folder of its own.
	Outside bool
	// Kind and Ext (without dot, "" when it varies) are hints, not promises.
	Kind Kind
	Ext  string
}

// Outputs lists the save nodes that are sure to write to the share, by id.
// Previews, start markers and nodes that the server will reject or that nothing
// needs are not among them, nor is a node that an input computed in the graph
// may switch off. With nil info a node that no table has counts when it has a
// filename_prefix. An output node without any such input is not listed, since
// nothing tells whether it writes; nor is one whose files nothing but a history
// can tell, since nobody can wait for them.
func (p *Prompt) Outputs(info *ObjectInfo) []Output {
	counts := p.fileCounts(info)
	doomed := p.doomed(p.inputFaults(info))
	var out []Output
	for _, s := range p.saves(info) {
		if doomed[s.node.id] || !s.runs || s.off != no || s.state == prefixMissing {
			continue
		}
		if s.row.Place != nil && *s.row.Place == "" {
			continue // without a history that names it, its file is nobody's
		}
		o := Output{
			Node: s.node.id, Class: s.node.class, Linked: s.state == prefixLinked,
			Count: counts(s), Custom: s.row.Pack != packCore, Outside: !s.isolated(p), Kind: s.row.Kind, Ext: s.row.Ext,
		}
		if !o.Linked {
			o.Prefix = joined(s.literal, s.name)
		}
		out = append(out, o)
	}
	return out
}

// save is a node that writes, and what the inputs hold that lead its files.
type save struct {
	row     *SaveNode
	node    *node
	main    string // the input that gets a folder of ours in front; "" for none
	role    role
	state   prefixState
	literal string // the user's own text of it; of prefixAbsent, the server's default
	link    link   // of prefixLinked: where the user's text comes from
	// name is the user's own text of the name input; nameLink is set instead
	// where a node gives it.
	name        string
	nameLink    *link
	redirect    bool // the redirecting input is there, and is set to redirectOff
	redirectOff string
	off         truth // whether it is switched off
	anywhere    truth // whether it writes where nobody can say
	runs        bool  // it is an output node, or one needs it
}

// role is what an input that leads files holds.
type role int

const (
	rolePrefix role = iota // folders and the beginning of a name
	roleFolder             // folders
	rolePath               // folders and a whole name
	roleName               // a name
)

type prefixState int

const (
	prefixLiteral prefixState = iota
	prefixLinked
	prefixAbsent  // optional and left out: the server takes its default
	prefixMissing // required and left out: the server rejects the node
	prefixFaulty  // neither text nor a link
)

// saves lists the nodes that write or may write, by id, start markers left out.
func (p *Prompt) saves(info *ObjectInfo) []save {
	var out []save
	var needed map[string]bool
	for _, id := range p.order {
		n := p.nodes[id]
		row := p.saverOf(n, info)
		if row == nil || p.markers[id] {
			continue
		}
		s := save{row: row, node: n, off: p.whether(row.OffWhen, n, row, info)}
		if s.off == yes {
			continue
		}
		s.anywhere = p.whether(row.AnywhereWhen, n, row, info)
		s.runs = p.isOutput(n, info)
		if !s.runs {
			if needed == nil {
				needed = reach(p.outputNodes(info), p.sources)
			}
			s.runs = needed[id]
		}
		out = append(out, p.readInputs(s, info))
	}
	return out
}

// saverOf is what is known of how a node writes, nil when it does not: the
// tables know best, then the server.
func (p *Prompt) saverOf(n *node, info *ObjectInfo) *SaveNode {
	row, known := p.row(n.class)
	switch {
	case !known:
		return guessed(n, info)
	case row.None != "" || p.writesElsewhere(row, info):
		return nil
	}
	return row
}

// writesElsewhere: newer servers may write to another place than older ones. Of
// one that nobody asked the newer is assumed.
func (p *Prompt) writesElsewhere(row *SaveNode, info *ObjectInfo) bool {
	return row.Elsewhere != "" && (row.Newer == "" || !info.lacks(row.Newer))
}

// Names of inputs by which a class that no table has is understood. Where there
// is a folder, the prefix is taken for a plain name: many such nodes join the
// two and create only the folder.
var (
	prefixNames = []string{"filename_prefix", "save_prefix", "file_prefix", "file_name_prefix", "output_prefix", "image_prefix"}
	folderNames = []string{"output_path", "output_folder", "output_dir", "output_directory", "save_path", "save_folder", "save_dir",
		"save_directory", "foldername_prefix", "folder_name", "custom_path", "folder_path", "subfolder", "sub_folder",
		"subdirectory", "foldername", "folder", "directory", "dir", "path"}
	pathWords = []string{"path", "folder", "file", "name", "prefix", "save", "output", "dir"}
	saveWords = []string{"save", "export", "write", "output"}
)

// guessed reads how a class writes that no table has out of its inputs.
func guessed(n *node, info *ObjectInfo) *SaveNode {
	class, known := info.Class(n.class)
	if !known {
		if _, has := n.inputs["filename_prefix"]; !has || isCore(n.class) {
			return nil
		}
	}
	has := func(name string) bool {
		if !known {
			_, literal := prefixText(n.inputs[name])
			_, _, linked := LinkOf(n.inputs[name])
			return literal || linked || name == "filename_prefix"
		}
		in, ok := class.input(name)
		return ok && in.Type == "STRING"
	}
	first := func(names []string) string {
		if i := slices.IndexFunc(names, has); i >= 0 {
			return names[i]
		}
		return ""
	}
	row := &SaveNode{Class: n.class, Kind: KindOther, Prefix: first(prefixNames), Folder: first(folderNames), Optional: known && !class.Output}
	says := named(n.class, saveWords)
	if row.Prefix == "" && says && has("prefix") {
		row.Prefix = "prefix"
	}
	switch {
	case row.Prefix == "" && row.Folder == "", known && !class.Output && !(says && row.Prefix != ""):
		return nil
	case row.Prefix == "" && !says && row.Folder != "folder_name":
		return nil // it may as well read that folder
	case row.Folder != "":
		row.Name, row.Prefix = row.Prefix, ""
		for _, name := range []string{"filename", "file_name"} {
			if row.Name == "" && has(name) {
				row.Name = name
			}
		}
	}
	return row
}

// named reports a name that contains one of the words.
func named(name string, words []string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) })
}

// readInputs fills in what the inputs hold that lead the files.
func (p *Prompt) readInputs(s save, info *ObjectInfo) save {
	class, known := info.Class(s.node.class)
	inputs := []string{rolePrefix: s.row.Prefix, roleFolder: s.row.Folder, rolePath: s.row.Path}
	for _, what := range []role{roleFolder, rolePrefix, rolePath} { // another version of the node may lack one
		_, given := s.node.inputs[inputs[what]]
		if _, declared := class.input(inputs[what]); s.main == "" && inputs[what] != "" && (given || declared) {
			s.main, s.role = inputs[what], what
		}
	}
	if s.main == "" && !known {
		for _, what := range []role{rolePath, rolePrefix, roleFolder} {
			if inputs[what] != "" {
				s.main, s.role = inputs[what], what
			}
		}
	}
	if s.main == "" {
		return p.readName(s)
	}
	value, given := s.node.inputs[s.main]
	if from, slot, ok := LinkOf(value); ok {
		s.state, s.link = prefixLinked, p.ownLink(link{s.main, from, slot})
	} else if given {
		text, ok := prefixText(value)
		if s.literal = p.ownText(s, text); !ok {
			s.state = prefixFaulty
		}
	} else {
		s.state = prefixAbsent
		in, optional := class.optional(s.main)
		if !optional && (known || s.row.Pack == packCore) {
			s.state = prefixMissing
		}
		text, _ := s.row.Defaults[s.main].(string)
		if s.literal = p.ownText(s, cmp.Or(in.Default, text)); s.literal == "" && s.role == rolePath {
			s.literal = "ComfyUI"
		}
	}
	if _, given := s.node.inputs[s.row.Redirect]; given && s.role != roleFolder {
		if s.redirectOff, s.redirect = p.redirectOff(s.row, class); !s.redirect {
			s.anywhere = yes
		} else {
			text, ok := prefixText(s.node.inputs[s.row.Redirect])
			if ok && text != s.redirectOff && s.state == prefixLiteral {
				s.literal = joined(p.userFolder(text, "worker"), s.literal)
			}
		}
	}
	return p.readName(s)
}

// redirectOff is the value with which the second input of a node does not send
// files elsewhere: the row says it, or it is the output folder, which the
// workers name or which the class declares as its default.
func (p *Prompt) redirectOff(row *SaveNode, class Class) (string, bool) {
	if row.RedirectOff != nil {
		return *row.RedirectOff, true
	}
	in, _ := class.input(row.Redirect)
	text := cmp.Or(p.workers.OutputDir, in.Default)
	return text, isAbsolute(text)
}

// readName reads the name input. Folders in it become part of the folder, where
// there is one: the node would not create them.
func (p *Prompt) readName(s save) save {
	if s.row.Name == s.main {
		return s
	}
	value, given := s.node.inputs[s.row.Name]
	from, slot, linked := LinkOf(value)
	if linked {
		l := p.ownLink(link{s.row.Name, from, slot})
		s.nameLink = &l
	}
	text, _ := prefixText(value)
	if !given {
		text, _ = s.row.Defaults[s.row.Name].(string)
	}
	s.name = ownPrefix(slashes(text))
	if linked {
		s.name = ""
	} else if s.role == roleFolder && (s.state == prefixLiteral || s.state == prefixAbsent) && !isAbsolute(s.name) && !hasPart(s.name, "..") {
		folder, name := path.Split(s.name)
		s.literal, s.name = joined(s.literal, strings.TrimRight(folder, "/")), name
	}
	s.name = strings.ReplaceAll(s.name, "/", "_")
	if s.row.FolderOff != nil && !s.isolated(p) && s.state <= prefixAbsent {
		s.state, s.literal = prefixLiteral, "" // it will write into the output folder itself
	}
	return s
}

// ownText is the user's own part of the literal text of the main input.
func (p *Prompt) ownText(s save, text string) string {
	switch text = slashes(text); s.role {
	case roleFolder:
		return p.userFolder(text, s.row.Base)
	case rolePath:
		if s.row.Base == "" {
			return ownPrefix(text)
		}
		folder, name := path.Split(text)
		if name == "" {
			return text // names no file, and is refused
		}
		return joined(p.userFolder(folder, s.row.Base), name)
	}
	if text = ownPrefix(text); text == "" {
		text = "ComfyUI" // an empty one would make files that overwrite each other
	}
	return text
}

// slashes writes folders as the workers do; people on Windows write \.
func slashes(text string) string { return strings.ReplaceAll(text, `\`, "/") }

// userFolder is what of a folder is kept below ours: all of a relative one, and
// of an absolute one what lies below the workers' output folder, or below a
// folder of that name, else its last part.
func (p *Prompt) userFolder(text, base string) string {
	text = slashes(text)
	for range maxOwn {
		before := text
		if text = p.keptFolder(text, base); text == before {
			break
		}
	}
	return text
}

func (p *Prompt) keptFolder(text, base string) string {
	text = ownFolder(strings.TrimRight(text, "/"))
	if rest, ok := strings.CutPrefix(text+"/", p.workers.OutputDir+"/"); ok && p.workers.OutputDir != "" {
		return strings.Trim(rest, "/")
	}
	for strings.HasPrefix(text, "./") {
		text = strings.TrimPrefix(text, "./")
	}
	absolute := isAbsolute(text)
	if absolute || base == "worker" {
		for _, out := range []string{"output", "outputs"} {
			if _, rest, ok := strings.Cut("/"+text+"/", "/"+out+"/"); ok {
				return strings.Trim(rest, "/")
			}
		}
	}
	switch {
	case absolute && !hasPart(text, ".."):
		return path.Base("/" + strings.Trim(text[strings.IndexByte(text, '/'):], "/"))
	case text == "output" || text == "." || text == "none":
		return "" // what such nodes take for the output folder itself
	}
	return text
}

// joined puts a folder before a name; either may be empty.
func joined(folder, name string) string {
	if folder == "" || name == "" {
		return folder + name
	}
	return folder + "/" + name
}

// isolated reports whether Tagged can give the node a folder of its own.
func (s save) isolated(p *Prompt) bool {
	led := s.row.Redirect == "" || s.anywhere == no
	return led && s.main != "" && s.row.Place == nil && (s.row.Base == "" || p.workers.OutputDir != "")
}

// prefixText reads a literal prefix. Whole numbers become text on the server
// as well, and {"__value__": ...} is how newer pages wrap a literal.
func prefixText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), isWhole(v.String())
	case map[string]any:
		text, ok := v["__value__"].(string)
		return text, ok && len(v) == 1
	}
	return "", false
}

// isOutput reports a node that the server starts its run from, or may.
func (p *Prompt) isOutput(n *node, info *ObjectInfo) bool {
	if class, known := info.Class(n.class); known {
		return class.Output
	}
	if row, known := p.row(n.class); known {
		return !row.Optional
	}
	return !isCore(n.class) && !replacedClasses[n.class]
}

// outputNodes are all ids that the server starts its run from, or may.
func (p *Prompt) outputNodes(info *ObjectInfo) []string {
	var out []string
	for _, id := range p.order {
		if p.isOutput(p.nodes[id], info) {
			out = append(out, id)
		}
	}
	return out
}

// strangers lists output nodes of which nobody can say whether they write.
func (p *Prompt) strangers(info *ObjectInfo) []string {
	var out []string
	for _, id := range p.order {
		n := p.nodes[id]
		if _, known := p.row(n.class); !known && p.isOutput(n, info) && guessed(n, info) == nil {
			out = append(out, id)
		}
	}
	return out
}

// Unsure reports an output node of which nobody can say whether it writes.
func (p *Prompt) Unsure(info *ObjectInfo) bool { return len(p.strangers(info)) > 0 }

// Strangers are the classes, by node, of the nodes that no table has and that may
// write where nobody knows: output nodes of which nobody can say whether they
// write, and nodes that look as if they took a folder; nil for none. Without a list of nodes that has the
// class, one of the former from which others take is left out: most of these are no output nodes.
func (p *Prompt) Strangers(info *ObjectInfo) map[string]string {
	used := map[string]bool{}
	for _, id := range p.order {
		for _, from := range p.sources(id) {
			used[from] = true
		}
	}
	out := map[string]string{}
	for _, id := range p.strangers(info) {
		class := p.nodes[id].class
		if _, known := info.Class(class); !used[id] || known {
			out[id] = class
		}
	}
	for _, s := range p.saves(info) {
		if _, known := p.row(s.node.class); !known && s.runs {
			out[s.node.id] = s.node.class
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// Doubtful reports a prompt of which nobody can say whether it saves anything
// before the server has listed its nodes.
func (p *Prompt) Doubtful(info *ObjectInfo) bool {
	if info != nil {
		return false
	}
	versions := slices.ContainsFunc(p.order, func(id string) bool {
		row, known := p.row(p.nodes[id].class)
		return known && row.Newer != "" // older servers save what newer ones do not
	})
	return (versions || len(p.strangers(info)) > 0) &&
		!slices.ContainsFunc(p.saves(info), func(s save) bool { return s.runs })
}

// mayWrite reports whether a node writes or may. While the server has not listed
// its nodes, one that others take from is taken for no output node, unless its
// name or its inputs look as if it saved.
func (p *Prompt) mayWrite(info *ObjectInfo) bool {
	if info != nil || !p.Doubtful(info) {
		return len(p.writers(info)) > 0
	}
	consumers := p.consumers()
	return slices.ContainsFunc(p.strangers(info), func(id string) bool {
		n := p.nodes[id]
		return len(consumers[id]) == 0 || named(n.class, saveWords) || p.mayNamePath(n, info) && !named(n.class, []string{"load"})
	})
}

// writers are all ids that write or may.
func (p *Prompt) writers(info *ObjectInfo) []string {
	out := p.strangers(info)
	for _, s := range p.saves(info) {
		if s.runs {
			out = append(out, s.node.id)
		}
	}
	return out
}

// silent is a node that puts nothing on the share.
type silent struct {
	id, does  string // does continues a sentence: "shows pictures"
	elsewhere bool   // it writes to a place that is not the output folder
}

// silents lists the nodes that will run and are known to put nothing on the
// share, though it is what they look like.
func (p *Prompt) silents(info *ObjectInfo) []silent {
	var out []silent
	needed := reach(p.outputNodes(info), p.sources)
	for _, id := range p.order {
		n := p.nodes[id]
		row, known := p.row(n.class)
		if !known || p.markers[id] || !needed[id] || row.Elsewhere == "" && !p.isOutput(n, info) {
			continue
		}
		switch {
		case p.writesElsewhere(row, info):
			out = append(out, silent{id, row.Elsewhere, true})
		case row.None != "":
			out = append(out, silent{id: id, does: row.None})
		case p.whether(row.OffWhen, n, row, info) == yes:
			out = append(out, silent{id: id, does: "saves nothing as it is set (" + p.offBecause(n, row, info) + ")"})
		}
	}
	return out
}

func (p *Prompt) offBecause(n *node, row *SaveNode, info *ObjectInfo) string {
	for _, s := range row.OffWhen {
		if p.whether([]string{s}, n, row, info) == yes {
			return s
		}
	}
	return ""
}
