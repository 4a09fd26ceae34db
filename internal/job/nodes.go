package job

import "time"

// NodeList is what the workers of a deployment listed of their nodes: classes,
// inputs and choices of models. The zero value: nothing is known.
type NodeList struct {
	Deployment string
	At         time.Time // when a whole list was last read
	// JSON has it as GET /object_info; nobody may change it, and it never changes:
	// the same bytes are the same list.
	JSON []byte
}
