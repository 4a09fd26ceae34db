package config

import (
	"fmt"
	"sort"

	"github.com/pelletier/go-toml/v2/unstable"
)

// maxParts of a dotted key are followed; no key of ours has more than two.
const maxParts = 3

// lineFinder notes on which line each key of a document stands.
type lineFinder struct {
	starts []int // offset of each line
	arrays map[string]int
	lines  map[string]int
}

// keyLines maps "queue.mode" and "deployment[0].url" to lines from 1. The
// document must have been decoded without an error before.
func keyLines(data []byte) map[string]int {
	f := lineFinder{starts: lineStarts(data), arrays: map[string]int{}, lines: map[string]int{}}
	var p unstable.Parser
	p.Reset(data)
	prefix := ""
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table:
			prefix = f.header(e)
		case unstable.ArrayTable:
			prefix = f.arrayHeader(e)
		case unstable.KeyValue:
			f.keyValue(prefix, e, 0)
		}
	}
	return f.lines
}

func lineStarts(data []byte) []int {
	starts := []int{0}
	for i, b := range data {
		if b == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

func (f lineFinder) note(path string, key *unstable.Node) {
	if _, ok := f.lines[path]; !ok {
		f.lines[path] = sort.SearchInts(f.starts, int(key.Raw.Offset)+1)
	}
}

func (f lineFinder) path(prefix string, keys unstable.Iterator) string {
	for n := 0; keys.Next() && n < maxParts; n++ {
		k := keys.Node()
		prefix = join(prefix, string(k.Data))
		f.note(prefix, k)
		prefix = f.element(prefix)
	}
	return prefix
}

// element is the path of the last table of an array, or the path itself.
func (f lineFinder) element(path string) string {
	if n := f.arrays[path]; n > 0 {
		return fmt.Sprintf("%s[%d]", path, n-1)
	}
	return path
}

func (f lineFinder) header(e *unstable.Node) string { return f.path("", e.Key()) }

func (f lineFinder) arrayHeader(e *unstable.Node) string {
	prefix, last := "", (*unstable.Node)(nil)
	keys := e.Key()
	for n := 0; keys.Next() && n < maxParts; n++ {
		if last != nil {
			f.note(prefix, last)
			prefix = f.element(prefix)
		}
		last = keys.Node()
		prefix = join(prefix, string(last.Data))
	}
	f.note(prefix, last)
	path := fmt.Sprintf("%s[%d]", prefix, f.arrays[prefix])
	f.arrays[prefix]++
	f.note(path, last)
	return path
}

// keyValue goes two tables deep, which is as deep as a configuration is.
func (f lineFinder) keyValue(prefix string, e *unstable.Node, depth int) {
	path := f.path(prefix, e.Key())
	if depth < 2 {
		f.inside(path, e.Value(), e, depth)
	}
}

func (f lineFinder) inside(path string, value, e *unstable.Node, depth int) {
	switch value.Kind {
	case unstable.InlineTable:
		for kids := value.Children(); kids.Next(); {
			f.keyValue(path, kids.Node(), depth+1)
		}
	case unstable.Array:
		i := 0
		for kids := value.Children(); kids.Next(); i++ {
			if kids.Node().Kind == unstable.InlineTable {
				f.inside(fmt.Sprintf("%s[%d]", path, i), kids.Node(), e, depth)
			}
		}
	}
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}
