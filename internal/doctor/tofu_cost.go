package doctor

import (
	"math"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Bounds on what evaluating foreign files may take: a few lines can ask for
// more than any machine has.
const (
	maxTofuBulk = 4 << 10 // of one local or variable
	maxTofuWork = 4 << 20 // of one expression
	mostRange   = 1024    // elements that the function range gives
)

// bulk is about how much a value holds: its letters and elements. It stops
// counting at what is too much.
func bulk(v cty.Value) int {
	n := 1
	switch {
	case v == cty.NilVal || !v.IsKnown() || v.IsNull() || v.IsMarked():
	case v.Type() == cty.String:
		n += len(v.AsString())
	case v.CanIterateElements():
		for it := v.ElementIterator(); it.Next() && n <= maxTofuBulk; {
			k, x := it.Element()
			n += bulk(k) + bulk(x)
		}
	}
	return n
}

// tooDear reports an expression that could need too much: every name in it as
// large as the largest, for each element of every loop around it.
func (s *scope) tooDear(e hcl.Expression) bool {
	work := float64(len(e.Variables())+1) * float64(s.largest+1)
	rounds := float64(max(mostRange, s.largest))
	return work*math.Pow(rounds, float64(max(0, loops(e)-1))) > maxTofuWork
}

// loops counts how deep loops stand in loops.
func loops(e hcl.Expression) int {
	if node, ok := e.(hclsyntax.Node); ok {
		return loopsIn(node)
	}
	raw, _ := e.Value(nil) // of the JSON form, whose texts are templates
	deepest := 0
	eachText(raw, func(text string) {
		if t, diags := hclsyntax.ParseTemplate([]byte(text), "", hcl.InitialPos); !diags.HasErrors() {
			deepest = max(deepest, loopsIn(t))
		}
	})
	return deepest
}

func eachText(v cty.Value, do func(string)) {
	switch {
	case !known1(v):
	case v.Type() == cty.String:
		do(v.AsString())
	case v.CanIterateElements():
		for it := v.ElementIterator(); it.Next(); {
			_, x := it.Element()
			eachText(x, do)
		}
	}
}

func loopsIn(n hclsyntax.Node) int {
	w := &loopWalker{}
	_ = hclsyntax.Walk(n, w) // it has no errors of its own
	return w.deepest
}

type loopWalker struct{ depth, deepest int }

func (w *loopWalker) Enter(n hclsyntax.Node) hcl.Diagnostics {
	switch n.(type) {
	case *hclsyntax.ForExpr, *hclsyntax.SplatExpr:
		w.depth++
		w.deepest = max(w.deepest, w.depth)
	}
	return nil
}

func (w *loopWalker) Exit(n hclsyntax.Node) hcl.Diagnostics {
	switch n.(type) {
	case *hclsyntax.ForExpr, *hclsyntax.SplatExpr:
		w.depth--
	}
	return nil
}
