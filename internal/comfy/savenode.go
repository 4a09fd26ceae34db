package comfy

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"
)

//go:embed savenodes.toml
var savenodesTOML []byte

// SaveNode is what is known of a node class that saves files, or that looks as
// if it did. savenodes.toml holds one for each class and explains every field;
// an installation adds others in its configuration.
type SaveNode struct {
	Class string   `toml:"class"`
	Same  []string `toml:"same"` // other classes of the same inputs
	Pack  string   `toml:"pack"`
	Kind  Kind     `toml:"kind"`
	Ext   string   `toml:"ext"`

	Prefix string   `toml:"prefix"` // input of folders and the beginning of a name
	Folder string   `toml:"folder"` // input of a folder
	Path   string   `toml:"path"`   // input of folders and a whole name
	Name   string   `toml:"name"`   // input of a name that may have no slash
	Also   []string `toml:"also"`   // inputs whose text becomes part of the path

	Base        string  `toml:"base"`         // where a relative folder begins: "worker", else the output folder
	FolderOff   *string `toml:"folder_off"`   // value of Folder with which it writes into the output folder itself
	Redirect    string  `toml:"redirect"`     // a second input that sends files elsewhere
	RedirectOff *string `toml:"redirect_off"` // value of Redirect with which it does not
	Slash       bool    `toml:"slash"`        // a Folder that is ours alone must end in /

	OffWhen      []string       `toml:"off_when"`
	AnywhereWhen []string       `toml:"anywhere_when"`
	Defaults     map[string]any `toml:"defaults"` // of inputs that a prompt may leave out
	Place        *string        `toml:"place"`    // where it writes when no input leads it
	Optional     bool           `toml:"optional"` // it is no output node: it runs when another node needs it

	None      string `toml:"none"`      // what it does instead of saving
	Elsewhere string `toml:"elsewhere"` // where it writes to instead of the output folder
	Newer     string `toml:"newer"`     // Elsewhere holds for servers that have this class

	Metadata any      `toml:"metadata"` // true, false, or the input that decides
	Sidecars []string `toml:"sidecars"`
	Count    int      `toml:"count"` // files that it writes; 0 when it varies
	Batch    string   `toml:"batch"` // the input whose batch gives one file an item
	Note     string   `toml:"note"`
}

// SaveNodes are rows by class. A nil one is valid and empty.
type SaveNodes map[string]*SaveNode

// NewSaveNodes takes rows by their classes; of two for a class the later wins.
func NewSaveNodes(rows []SaveNode) SaveNodes {
	all := make(SaveNodes, len(rows))
	for i := range rows {
		all[rows[i].Class] = &rows[i]
		for _, class := range rows[i].Same {
			all[class] = &rows[i]
		}
	}
	return all
}

// SaveNodeRows are the rows that come with this program, in the order of the file.
func SaveNodeRows() []SaveNode {
	var file struct {
		Rows []SaveNode `toml:"save_node"`
	}
	dec := toml.NewDecoder(strings.NewReader(string(savenodesTOML)))
	if err := dec.DisallowUnknownFields().Decode(&file); err != nil {
		panic(fmt.Sprintf("savenodes.toml: %v", err)) // a test reads it
	}
	return file.Rows
}

var builtIn = sync.OnceValue(func() SaveNodes { return NewSaveNodes(SaveNodeRows()) })

// packCore is the pack of ComfyUI's own nodes.
const packCore = "ComfyUI"

// Workers is what is known of the servers that will run a prompt, beyond their
// object_info. The zero value knows what comes with this program.
type Workers struct {
	// SaveNodes are the installation's own rows; they win.
	SaveNodes SaveNodes
	// OutputDir is the output folder as the servers call it, an absolute path
	// with slashes; empty when nobody knows.
	OutputDir string
}

// For is the prompt as seen with what is known of the workers.
func (p *Prompt) For(w Workers) *Prompt {
	q := *p
	q.workers = w
	q.workers.OutputDir = strings.TrimRight(w.OutputDir, "/")
	return &q
}

// row finds what is known of a class.
func (p *Prompt) row(class string) (*SaveNode, bool) { return p.workers.SaveNodes.find(class) }

// find is the installation's own row of a class, else the one that comes with
// this program.
func (own SaveNodes) find(class string) (*SaveNode, bool) {
	if row, ok := own[class]; ok {
		return row, true
	}
	row, ok := builtIn()[class]
	return row, ok
}

// condition is "input = value", "input != value" or "input is text".
type condition struct {
	input, value string
	not, text    bool
}

func parseCondition(s string) (condition, bool) {
	if input, ok := strings.CutSuffix(s, " is text"); ok {
		return condition{input: strings.TrimSpace(input), text: true}, true
	}
	input, value, ok := strings.Cut(s, "=")
	input, not := strings.CutSuffix(strings.TrimSpace(input), "!")
	input = strings.TrimSpace(input)
	return condition{input: input, value: strings.TrimSpace(value), not: not}, ok && input != ""
}

// truth is an answer that a prompt alone may not give.
type truth int

const (
	no truth = iota
	maybe
	yes
)

// whether says if one of the conditions holds for a node.
func (p *Prompt) whether(conditions []string, n *node, row *SaveNode, info *ObjectInfo) truth {
	answer := no
	for _, s := range conditions {
		if c, ok := parseCondition(s); ok {
			answer = max(answer, p.holds(c, n, row, info))
		}
	}
	return answer
}

func (p *Prompt) holds(c condition, n *node, row *SaveNode, info *ObjectInfo) truth {
	value, has := n.inputs[c.input]
	from, slot, linked := LinkOf(value)
	if c.text {
		switch kind := p.typeOf(from, slot, info); {
		case !has || linked && isFile3D(kind):
			return no
		case !linked || kind == "STRING":
			return yes
		}
		return maybe
	}
	if linked {
		primitive := p.nodes[from]
		if primitive == nil || !strings.HasPrefix(primitive.class, "Primitive") {
			return maybe
		}
		value, has = primitive.inputs["value"]
	}
	if !has {
		value, has = row.Defaults[c.input]
	}
	if !has {
		return no
	}
	if strings.EqualFold(literalText(value), c.value) == c.not {
		return no
	}
	return yes
}

// literalText is a literal as a condition writes it.
func literalText(value any) string {
	if wrapped, ok := value.(map[string]any); ok && len(wrapped) == 1 {
		value = wrapped["__value__"]
	}
	return fmt.Sprint(value)
}

// typeOf is the type of an output, "" when nobody knows.
func (p *Prompt) typeOf(id string, slot int, info *ObjectInfo) string {
	n := p.nodes[id]
	if n == nil {
		return ""
	}
	if n.class == "MeshToFile3D" {
		return "FILE_3D_GLB"
	}
	class, _ := info.Class(n.class)
	if slot < 0 || slot >= len(class.Types) {
		return ""
	}
	return class.Types[slot]
}

func isFile3D(kind string) bool { return strings.HasPrefix(kind, "FILE_3D") }
