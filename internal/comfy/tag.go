package comfy

import (
	"encoding/json"
	"fmt"
	"image/png"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
)

// MetadataKey is the key of extra_pnginfo under which Tag.Metadata goes, and
// so the name of the tag in every file format that carries metadata.
const MetadataKey = "qm"

// Tag says how to mark an attempt's prompt. The three switches are independent;
// with all of them off only secrets are taken out.
type Tag struct {
	// PromptID is the attempt's id: 1 to 64 of a-z, A-Z, 0-9 and '-'. Newer
	// servers accept only a canonical lower-case UUID.
	PromptID string
	// Metadata goes under MetadataKey. Nil is written as {}.
	Metadata map[string]any
	// Prefix puts every save node's files into Folder(PromptID)/<node>/.
	Prefix bool
	// Plain lists node classes that keep the user's own inputs all the same.
	Plain []string
	// Embed writes Metadata into extra_data.extra_pnginfo.
	Embed bool
	// Marker adds a 1x1 picture under Folder(PromptID)/_started, which a
	// worker writes first of all (20-30 ms after acceptance).
	Marker bool
	// Files are the names under which the workers find the files that nodes
	// load. The pictures' own prompt keeps the user's names, where the format
	// lets it: see taggedExtra.
	Files []StagedFile
}

// Request is the body of POST /prompt. It has no number and no front: a
// repeated number stops a worker, and order is the queue manager's business.
// ClientID, when set, must be text of our own making.
type Request struct {
	Prompt    json.RawMessage `json:"prompt"`
	PromptID  string          `json:"prompt_id"`
	ClientID  string          `json:"client_id,omitempty"`
	ExtraData json.RawMessage `json:"extra_data,omitempty"`
}

// attemptInput is an input that no class declares, with the attempt's id. A
// server takes no notice of it but in the key of its cache: without it, a node
// whose inputs are those of an earlier prompt would not run, and write nothing.
// An own folder does as much.
const attemptInput = Root + "_attempt"

var promptIDForm = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)

// Tagged makes the request for one attempt: the prompt with its prefixes,
// extra (the user's extra_data, or nothing) scrubbed and with the metadata, and
// the start marker unless the server lacks its nodes. p is not changed, and
// equal arguments give equal bytes. Check p first: Tagged does not.
func (p *Prompt) Tagged(t Tag, extra json.RawMessage, info *ObjectInfo) (Request, error) {
	if !promptIDForm.MatchString(t.PromptID) {
		return Request{}, fmt.Errorf("tag prompt: %q is not a prompt id", t.PromptID)
	}
	nodes := p.objects()
	p.tagSaves(nodes, t, info)
	p.stageFiles(nodes, t.Files, info)
	p.dropMarkers(nodes)
	if t.Marker && !info.lacks("EmptyImage") && !info.lacks("SaveImage") {
		addMarker(nodes, t.PromptID)
	}
	prompt, err := encode(nodes)
	if err != nil {
		return Request{}, fmt.Errorf("tag prompt: %w", err)
	}
	data, err := p.taggedExtra(t, extra)
	if err != nil {
		return Request{}, fmt.Errorf("tag prompt: %w", err)
	}
	return Request{Prompt: prompt, PromptID: t.PromptID, ExtraData: data}, nil
}

// tagSaves gives every save node a folder of its own, where it can have one. In
// what is left of the others the tags of an earlier attempt are taken off, into
// whose folder nobody may write.
func (p *Prompt) tagSaves(nodes map[string]any, t Tag, info *ObjectInfo) {
	p.dropHelpers(nodes, info)
	for _, id := range p.strangers(info) {
		if n := p.nodes[id]; p.mayNamePath(n, info) {
			setInput(nodes, n, attemptInput, t.PromptID)
		}
	}
	for _, s := range p.saves(info) {
		plain := !t.Prefix || slices.Contains(t.Plain, s.node.class)
		if !plain && s.isolated(p) {
			p.tagName(nodes, s, info)
			p.tagSave(nodes, s, Folder(t.PromptID)+"/"+EncodeNode(s.node.id), info)
			continue
		}
		setInput(nodes, s.node, attemptInput, t.PromptID)
		if !plain {
			p.tagName(nodes, s, info)
			if s.row.FolderOff != nil && s.main != "" { // then it writes into the output folder itself
				setInput(nodes, s.node, s.main, *s.row.FolderOff)
				continue
			}
		}
		value := s.node.inputs[s.main]
		from, slot, linked := LinkOf(value)
		switch text, ok := prefixText(value); {
		case linked:
			own := p.ownLink(link{s.main, from, slot})
			setInput(nodes, s.node, s.main, linkValue(own.from, own.slot))
		case s.main != "" && ok && (s.role == roleFolder || s.row.Base != "") && ownFolder(slashes(text)) != text:
			setInput(nodes, s.node, s.main, ownFolder(slashes(text)))
		case s.main != "" && ok && s.role != roleFolder && p.ownText(s, text) != text:
			setInput(nodes, s.node, s.main, p.ownText(s, text))
		}
	}
}

// tagSave puts folder before the user's own text of the main input.
func (p *Prompt) tagSave(nodes map[string]any, s save, folder string, info *ObjectInfo) {
	if s.row.Base != "" {
		folder = p.workers.OutputDir + "/" + folder
	}
	switch {
	case s.state == prefixLiteral && s.role == roleFolder && s.literal == "" && s.row.Slash:
		setInput(nodes, s.node, s.main, folder+"/")
	case s.state == prefixLiteral, s.state == prefixAbsent:
		setInput(nodes, s.node, s.main, joined(folder, s.literal))
	case s.state == prefixLinked:
		setInput(nodes, s.node, s.main, linkedPrefix(nodes, s, folder, info))
	}
	if s.redirect {
		setInput(nodes, s.node, s.row.Redirect, s.redirectOff)
	}
}

// tagName keeps slashes out of the name: the node would not create the folders,
// and they could lead out of its own.
func (p *Prompt) tagName(nodes map[string]any, s save, info *ObjectInfo) {
	if s.row.Name == s.main {
		return
	}
	value := s.node.inputs[s.row.Name]
	switch text, ok := prefixText(value); {
	case s.nameLink != nil && info.lacks("StringReplace"):
		setInput(nodes, s.node, s.row.Name, "ComfyUI")
	case s.nameLink != nil:
		id := freeID(nodes, Root+"-name-"+EncodeNode(s.node.id))
		nodes[id] = newObject("StringReplace", map[string]any{
			"string": linkValue(s.nameLink.from, s.nameLink.slot), "find": "/", "replace": "_",
		})
		setInput(nodes, s.node, s.row.Name, linkValue(id, 0))
	case ok && s.row.Name != "":
		if s.name != text {
			setInput(nodes, s.node, s.row.Name, s.name)
		}
	}
}

// linkedPrefix joins folder and the linked text on the server, and takes out
// of the text what could lead out of the folder again: into that of another
// attempt, and so to another user. Where the server has no string nodes (before
// 2025) the user's name is given up for a plain one: a file with another name
// is found, one in a shared folder may be overwritten.
func linkedPrefix(nodes map[string]any, s save, folder string, info *ObjectInfo) any {
	if info.lacks("StringConcatenate") || info.lacks("StringReplace") {
		if s.role == roleFolder {
			return folder
		}
		return folder + "/ComfyUI"
	}
	tame := freeID(nodes, Root+"-tame-"+EncodeNode(s.node.id))
	nodes[tame] = newObject("StringReplace", map[string]any{
		"string": linkValue(s.link.from, s.link.slot), "find": climb, "replace": "_",
	})
	id := freeID(nodes, Root+"-prefix-"+EncodeNode(s.node.id))
	nodes[id] = newObject("StringConcatenate", map[string]any{
		"string_a": folder, "string_b": linkValue(tame, 0), "delimiter": "/",
	})
	return linkValue(id, 0)
}

// climb is what leads a path upwards.
const climb = ".."

// setInput puts a changed copy of a node into nodes. What was changed of it
// before stays changed.
func setInput(nodes map[string]any, n *node, input string, value any) {
	object, inputs := n.object(), maps.Clone(n.inputs)
	if before, ok := nodes[n.id].(map[string]any); ok {
		if changed, ok := before["inputs"].(map[string]any); ok {
			inputs = maps.Clone(changed)
		}
	}
	inputs[input] = value
	object["inputs"] = inputs
	nodes[n.id] = object
}

// dropMarkers takes out start markers that came with the user's prompt.
func (p *Prompt) dropMarkers(nodes map[string]any) {
	for id := range p.markers {
		delete(nodes, id)
	}
}

// addMarker adds the pair that says "a worker has begun". Its prefix is the
// attempt's own, so no cache can swallow it.
func addMarker(nodes map[string]any, promptID string) {
	image := freeID(nodes, Root+"-started-image")
	nodes[image] = newObject("EmptyImage", map[string]any{
		"width": 1, "height": 1, "batch_size": 1, "color": 0,
	})
	nodes[freeID(nodes, Root+"-started")] = newObject("SaveImage", map[string]any{
		"images": linkValue(image, 0), "filename_prefix": Folder(promptID) + "/" + StartedFolder + "/s",
	})
}

var markerName = regexp.MustCompile(`(?i)\bs_\d+_?\b.*\.png$`)

// IsStartMarker reports whether a file with the metadata of an attempt is the
// picture that Tag.Marker adds, wherever somebody moved or copied it. The metadata
// are the same for all nodes of a prompt, so that its size and name must tell.
func IsStartMarker(r io.ReaderAt, name string) bool {
	if !markerName.MatchString(name) {
		return false
	}
	c, err := png.DecodeConfig(io.NewSectionReader(r, 0, 64))
	return err == nil && c.Width == 1 && c.Height == 1
}

func newObject(class string, inputs map[string]any) map[string]any {
	return map[string]any{"class_type": class, "inputs": inputs}
}

// freeID is wanted, or wanted with the first number that nobody uses.
func freeID(nodes map[string]any, wanted string) string {
	id := wanted
	for n := 2; nodes[id] != nil; n++ {
		id = wanted + "-" + strconv.Itoa(n)
	}
	return id
}

// taggedExtra is the user's extra_data, scrubbed, with our metadata in it. Our
// key wins over the user's, who may have sent back a file of ours. Where files
// are staged the user's own prompt goes along: PNG readers, the page among
// them, take the last of two entries of one name.
func (p *Prompt) taggedExtra(t Tag, extra json.RawMessage) (json.RawMessage, error) {
	data, err := scrubbed(extra)
	if err != nil {
		return nil, err
	}
	if data == nil {
		data = map[string]any{}
	}
	if t.Embed {
		info, _ := data["extra_pnginfo"].(map[string]any)
		if info == nil {
			info = map[string]any{}
		}
		info[MetadataKey] = t.Metadata
		if t.Metadata == nil {
			info[MetadataKey] = map[string]any{}
		}
		if _, own := info["prompt"]; len(t.Files) > 0 && !own {
			info["prompt"] = p.objects()
		}
		data["extra_pnginfo"] = info
	}
	if len(data) == 0 {
		return nil, nil
	}
	return encode(data)
}
