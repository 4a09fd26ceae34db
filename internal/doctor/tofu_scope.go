package doctor

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// scope evaluates expressions of one module. What only a run could know is
// unknown, which is a value like any other.
type scope struct {
	names   map[string]cty.Value
	largest int // of the names, as bulk has it
}

// tofuFunctions are those that sites use to build names and command lines. Any
// other makes its expression unknown. None reads or writes anything.
var tofuFunctions = map[string]function.Function{
	"concat": stdlib.ConcatFunc, "flatten": stdlib.FlattenFunc, "format": stdlib.FormatFunc, "join": stdlib.JoinFunc, "lookup": stdlib.LookupFunc,
	"lower": stdlib.LowerFunc, "upper": stdlib.UpperFunc, "merge": stdlib.MergeFunc, "replace": stdlib.ReplaceFunc, "split": stdlib.SplitFunc,
	"trim": stdlib.TrimFunc, "trimspace": stdlib.TrimSpaceFunc, "trimsuffix": stdlib.TrimSuffixFunc, "trimprefix": stdlib.TrimPrefixFunc,
	"coalesce": stdlib.CoalesceFunc, "compact": stdlib.CompactFunc, "keys": stdlib.KeysFunc, "values": stdlib.ValuesFunc, "length": stdlib.LengthFunc,
	"max": stdlib.MaxFunc, "min": stdlib.MinFunc, "distinct": stdlib.DistinctFunc, "element": stdlib.ElementFunc, "range": stdlib.RangeFunc,
	"tostring": toFunction(cty.String), "tonumber": toFunction(cty.Number), "tobool": toFunction(cty.Bool),
	"toset": toFunction(cty.Set(cty.DynamicPseudoType)), "tolist": toFunction(cty.List(cty.DynamicPseudoType)), "tomap": toFunction(cty.Map(cty.DynamicPseudoType)),
	"jsonencode": stdlib.JSONEncodeFunc,
}

func toFunction(want cty.Type) function.Function { return stdlib.MakeToFunc(want) }

// newScope knows the variables, given or by default, and the locals.
func newScope(blocks hcl.Blocks, given map[string]cty.Value, dir string) *scope {
	s := &scope{names: map[string]cty.Value{"path": cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(dir), "root": cty.StringVal(dir), "cwd": cty.StringVal(dir)})}}
	vars, locals := map[string]cty.Value{}, hcl.Attributes{}
	for _, b := range blocks {
		attrs, _ := b.Body.JustAttributes()
		switch b.Type {
		case "variable":
			vars[b.Labels[0]] = s.variable(b.Labels[0], attrs, given)
		case "locals":
			maps.Copy(locals, attrs)
		}
	}
	s.know("var", vars)
	s.solve(locals)
	return s
}

func (s *scope) variable(name string, attrs hcl.Attributes, given map[string]cty.Value) cty.Value {
	if v, ok := given[name]; ok {
		return v
	}
	if a := attrs["default"]; a != nil {
		return s.value(a.Expr)
	}
	return cty.DynamicVal
}

// solve evaluates locals, which may use each other in any order: as often as
// there are locals is always enough.
func (s *scope) solve(locals hcl.Attributes) {
	values := map[string]cty.Value{}
	for name := range locals {
		values[name] = cty.DynamicVal
	}
	for range min(len(locals), 50) {
		s.know("local", values)
		for name, a := range locals {
			values[name] = s.value(a.Expr)
		}
	}
	s.know("local", values)
}

// know makes values known under a name: those that are too large for what
// people write become unknown.
func (s *scope) know(name string, values map[string]cty.Value) {
	for key, v := range values {
		n := bulk(v)
		if n > maxTofuBulk {
			values[key], n = cty.DynamicVal, 1
		}
		s.largest = max(s.largest, n)
	}
	s.names[name] = object(values)
}

func object(m map[string]cty.Value) cty.Value {
	if len(m) == 0 {
		return cty.EmptyObjectVal
	}
	return cty.ObjectVal(maps.Clone(m))
}

// value evaluates an expression. An object or a list is taken apart, so that
// one part that is not known does not hide the others.
func (s *scope) value(e hcl.Expression) cty.Value {
	switch x := e.(type) {
	case *hclsyntax.ObjectConsExpr:
		return s.objectValue(x)
	case *hclsyntax.TupleConsExpr:
		var parts []cty.Value
		for _, part := range x.Exprs {
			parts = append(parts, s.value(part))
		}
		return cty.TupleVal(parts)
	}
	return s.plain(e)
}

// plain evaluates at one go; what goes wrong, or panics in a library, is unknown.
func (s *scope) plain(e hcl.Expression) (v cty.Value) {
	defer func() {
		if recover() != nil {
			v = cty.DynamicVal
		}
	}()
	if s.tooDear(e) {
		return cty.DynamicVal
	}
	v, diags := e.Value(s.context(e))
	if diags.HasErrors() {
		return cty.DynamicVal
	}
	v, _ = v.UnmarkDeep()
	return v
}

func (s *scope) objectValue(x *hclsyntax.ObjectConsExpr) cty.Value {
	fields := map[string]cty.Value{}
	for _, item := range x.Items {
		if key := s.plain(item.KeyExpr); known1(key) && key.Type() == cty.String {
			fields[key.AsString()] = s.value(item.ValueExpr)
		}
	}
	return object(fields)
}

// context has an unknown value for every name that an expression uses and
// nobody knows: another resource, data, a provider's answer.
func (s *scope) context(e hcl.Expression) *hcl.EvalContext {
	names := maps.Clone(s.names)
	for _, t := range e.Variables() {
		if _, ok := names[t.RootName()]; !ok {
			names[t.RootName()] = cty.DynamicVal
		}
	}
	return &hcl.EvalContext{Variables: names, Functions: tofuFunctions}
}

// with is the scope with one more name.
func (s *scope) with(name string, v cty.Value) *scope {
	names := maps.Clone(s.names)
	names[name] = v
	return &scope{names, max(s.largest, bulk(v))}
}

// known1 reports a value that is there and known itself.
func known1(v cty.Value) bool { return v != cty.NilVal && v.IsKnown() && !v.IsNull() }

// text is an attribute as text; empty when it is missing or not known.
func (s *scope) text(attrs hcl.Attributes, name string) string {
	if a := attrs[name]; a != nil {
		return textOf(s.value(a.Expr))
	}
	return ""
}

// textOf is a known text, number or truth value as text; else empty.
func textOf(v cty.Value) string {
	if !known1(v) {
		return ""
	}
	t, err := convert.Convert(v, cty.String)
	if err != nil || !known1(t) {
		return ""
	}
	return t.AsString()
}

// instances are the copies of a resource or module that for_each and count
// make; one, with each and count unknown, when that is not known.
func (s *scope) instances(attrs hcl.Attributes) []*scope {
	switch each, count := attrs["for_each"], attrs["count"]; {
	case each != nil:
		return s.forEach(s.value(each.Expr))
	case count != nil:
		return s.counted(s.value(count.Expr))
	}
	return []*scope{s}
}

func (s *scope) forEach(v cty.Value) []*scope {
	if !known1(v) || !v.CanIterateElements() {
		return []*scope{s}
	}
	var out []*scope
	for it := v.ElementIterator(); it.Next() && len(out) < maxTofuCopies; {
		k, x := it.Element()
		if v.Type().IsSetType() {
			k = x
		}
		out = append(out, s.with("each", cty.ObjectVal(map[string]cty.Value{"key": k, "value": x})))
	}
	return out
}

func (s *scope) counted(v cty.Value) []*scope {
	if !known1(v) || v.Type() != cty.Number {
		return []*scope{s}
	}
	n, _ := v.AsBigFloat().Int64()
	var out []*scope
	for i := range min(n, maxTofuCopies) {
		out = append(out, s.with("count", cty.ObjectVal(map[string]cty.Value{"index": cty.NumberIntVal(i)})))
	}
	return out
}

// field walks into objects; a value that is not there is null.
func field(v cty.Value, names ...string) cty.Value {
	for _, name := range names {
		switch {
		case v == cty.NilVal || !v.IsKnown():
			return cty.DynamicVal
		case v.IsNull():
			return v
		case v.Type().IsObjectType() && v.Type().HasAttribute(name):
			v = v.GetAttr(name)
		case v.Type().IsMapType() && v.HasIndex(cty.StringVal(name)).True():
			v = v.Index(cty.StringVal(name))
		default:
			return cty.NullVal(cty.DynamicPseudoType)
		}
	}
	return v
}

// items are the elements of a list; known is false when the list is not.
func items(v cty.Value) (all []cty.Value, known bool) {
	if v == cty.NilVal || !v.IsKnown() {
		return nil, false
	}
	if v.IsNull() || !v.CanIterateElements() {
		return nil, true
	}
	for it := v.ElementIterator(); it.Next(); {
		_, x := it.Element()
		all = append(all, x)
	}
	return slices.Clip(all), true
}
