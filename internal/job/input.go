package job

// Input is a file that a node of a job's prompt loads: as the prompt names it,
// and, once it was found, which bytes are meant. Those bytes are the job's,
// whatever becomes of the user's own file afterwards.
type Input struct {
	Node  string `json:"node"`
	Class string `json:"class"`
	Input string `json:"input"`          // of the node
	Part  string `json:"part,omitempty"` // the key within an input that is an object
	Name  string `json:"name"`           // the user's own, with its annotation
	// Base is the user's folder that Path is below: input, output or temp.
	Base string `json:"base"`
	Path string `json:"path"`
	// Below is the folder that the node's class looks for its files in; empty for any.
	Below string `json:"below,omitempty"`
	Noun  string `json:"noun,omitempty"` // what ComfyUI calls it in an error
	// Sum is the SHA-256 in hexadecimal digits and Size the bytes; empty and
	// zero before the file was found.
	Sum  string `json:"sha256"`
	Size int64  `json:"size"`

	// Needed says that a server would look for it, Outputs for which output nodes.
	Needed  bool     `json:"-"`
	Outputs []string `json:"-"`
}
