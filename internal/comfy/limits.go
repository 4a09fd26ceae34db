package comfy

// Limits bounds what ParsePrompt accepts, so that a hostile workflow costs
// little. A zero or negative field means its default.
type Limits struct {
	// Bytes is the largest prompt in bytes of JSON. Default 10 MiB, the site's
	// own bound; ComfyUI itself refuses a body over 100 MiB.
	Bytes int64
	// Depth is how far objects and arrays may nest. Default 200. ComfyUI
	// answers 500 when Python's recursion limit is reached (14-crash/deep_json).
	Depth int
	// Nodes is the largest number of nodes. Default 5000.
	Nodes int
}

// Defaults of Limits.
const (
	DefaultBytes = 10 << 20
	DefaultDepth = 200
	DefaultNodes = 5000
)

func (l Limits) withDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = DefaultBytes
	}
	if l.Depth <= 0 {
		l.Depth = DefaultDepth
	}
	if l.Nodes <= 0 {
		l.Nodes = DefaultNodes
	}
	return l
}
