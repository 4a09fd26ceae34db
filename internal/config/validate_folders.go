package config

import (
	"path/filepath"
	"strings"
)

// path judges one path by its tag.
func (v *verdict) path(f field) {
	kind, ok := f.tag.Lookup("path")
	if !ok {
		return
	}
	p := f.value.String()
	switch {
	case strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }):
		v.add(CodePath, f.key, f.key+" has a control character: "+quoteShort(p), "write the path without it")
	case kind == "abs" && !filepath.IsAbs(p):
		v.add(CodePath, f.key, f.key+" is a relative path: "+quoteShort(p), "give it from the root, beginning with / (~ and variables are not understood)")
	case kind == "abs" && filepath.Clean(p) == "/":
		v.add(CodePath, f.key, f.key+" is the root folder", "give a folder or file below it")
	case kind == "local" && !filepath.IsLocal(p):
		v.add(CodePath, f.key, f.key+" leaves its folder: "+quoteShort(p), "give a relative path without ..")
	}
}

// folders refuses two folders of which one lies in the other: files would be
// delivered into the place they are looked for, or somebody else's be read.
// The state folder may hold the others, but not lie in them.
func (v *verdict) folders() {
	c := v.cfg
	named := []struct{ key, path string }{
		{"share.outputs", c.Share.Outputs},
		{"share.inputs", c.Share.Inputs},
		{"users.outputs", c.Users.Outputs},
		{"users.inputs", c.Users.Inputs},
	}
	for i, a := range named {
		for _, b := range named[i+1:] {
			v.apart(a.key, a.path, b.key, b.path)
		}
		if within(c.State.Dir, a.path) {
			v.add(CodeOverlap, "state.dir", "state.dir "+quoteShort(c.State.Dir)+" lies in "+a.key+" "+quoteShort(a.path), "keep the database on a local disk, outside of the outputs and inputs")
		}
	}
}

func (v *verdict) apart(aKey, a, bKey, b string) {
	const hint = "give each a folder of its own"
	switch {
	case !filepath.IsAbs(a) || !filepath.IsAbs(b):
	case filepath.Clean(a) == filepath.Clean(b):
		v.add(CodeOverlap, bKey, bKey+" and "+aKey+" are the same folder: "+quoteShort(a), hint)
	case within(a, b):
		v.add(CodeOverlap, aKey, aKey+" "+quoteShort(a)+" lies in "+bKey+" "+quoteShort(b), hint)
	case within(b, a):
		v.add(CodeOverlap, bKey, bKey+" "+quoteShort(b)+" lies in "+aKey+" "+quoteShort(a), hint)
	}
}

// within: inner is outer or below it, by name alone.
func within(inner, outer string) bool {
	if !filepath.IsAbs(inner) || !filepath.IsAbs(outer) {
		return false
	}
	rel, err := filepath.Rel(outer, inner)
	return err == nil && filepath.IsLocal(rel)
}
