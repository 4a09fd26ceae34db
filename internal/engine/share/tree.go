package share

import (
	"strings"
	"time"

	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// kind is why a tree is looked into.
type kind int

const (
	watched kind = iota // an attempt's folder that the engine asked for
	swept               // a folder below qm/ that the sweep found, until it is settled
	rest                // everything outside qm/
)

// tree is the memory of one folder that is looked into: an attempt's, or all
// that is outside them. The goroutine that looks owns it until its outcome
// has been taken; then the one of Run does.
type tree struct {
	kind kind
	base string // relative to the share: "qm/<prompt id>", or "" for the rest
	pace pace

	files   map[string]*file // by path relative to the share
	dirs    map[string]bool
	started bool              // the start marker was reported
	twice   bool              // that there is a second one was reported
	marked  time.Time         // of the folder of start markers, when it was listed
	blocked map[string]bool   // what is known as not looked at
	odd     map[job.Mark]int  // hostile and blocked places that were found
	cut     map[job.Mark]bool // it was reported how many there are

	force bool // look at every file once, whatever is remembered

	// What follows is the pace of looking; Run's goroutine alone touches it.
	paths    []job.Path // outside qm/, looked at as well
	flying   bool       // a look is under way
	hinted   bool       // another was asked for meanwhile
	failing  bool       // the last look failed, and that was logged
	interval time.Duration
	due      time.Time
	last     time.Time // when the last look began
	born     time.Time
}

func newTree(k kind, base string, p pace, now time.Time) *tree {
	return &tree{kind: k, base: base, pace: p, files: map[string]*file{}, dirs: map[string]bool{}, blocked: map[string]bool{}, odd: map[job.Mark]int{}, cut: map[job.Mark]bool{}, due: now, born: now}
}

// unsettled counts files that need more looks.
func (t *tree) unsettled() int {
	n := 0
	for _, f := range t.files {
		if !f.settled() {
			n++
		}
	}
	return n
}

// origin reads prompt id and node from a path relative to the share. Both are
// empty for a file outside qm/; the node is empty where no node's folder is.
func origin(path string) (promptID, node string) {
	rest, ok := strings.CutPrefix(path, comfy.Root+"/")
	if !ok {
		return "", ""
	}
	promptID, rest, ok = strings.Cut(rest, "/")
	if !ok {
		return "", "" // a file in qm/ itself
	}
	segment, _, ok := strings.Cut(rest, "/")
	if !ok {
		return promptID, ""
	}
	node, err := comfy.DecodeNode(segment)
	if err != nil {
		return promptID, ""
	}
	return promptID, node
}

// sighting makes the report of one mark.
func sighting(path string, o observation, m job.Mark, now time.Time) job.Sighting {
	id, node := origin(path)
	return job.Sighting{PromptID: id, Node: node, Path: job.Path(path), Size: o.size, Mark: m,
		At: now, Modified: o.modified, Reason: o.hostile}
}
