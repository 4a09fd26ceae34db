package ui

import (
	"slices"
	"strings"
)

// graph is the workflow: a line a node when folded, all of it otherwise.
func (d *jobDetail) graph(w int) []string {
	st := d.m.w.st
	if d.workflow == nil {
		return nil
	}
	nodes := readNodes(d.workflow)
	if !d.folded || len(nodes) == 0 {
		return d.m.pretty(d.workflow, w)
	}
	var lines []string
	for _, n := range nodes {
		s := st.Quiet.On(st.glyphs.fold+" "+fit(d.m.w.text(n.id), 5)) + st.Strong.On(fit(d.m.w.text(n.Class), 26)) + " " + st.Row.On(d.m.w.text(inputsLine(n)))
		lines = append(lines, fitStyled(s, w))
	}
	return lines
}

// inputsLine is a node's values in one line, links left out.
func inputsLine(n node) string {
	var parts []string
	names := make([]string, 0, len(n.Inputs))
	for name := range n.Inputs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if v := scalar(n.Inputs[name]); v != "" {
			parts = append(parts, name+"="+v)
		}
	}
	return strings.Join(parts, "  ")
}
