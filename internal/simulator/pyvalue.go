package simulator

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ComfyUI is Python: it keeps the order of keys, accepts a bare NaN, writes
// 64.0 and 64 apart and escapes everything outside ASCII. Its answers, the
// metadata in its files and its error texts show all four, so the simulator
// keeps values the way Python does: nil, bool, integer, float64, string,
// []any and *object.

// integer is a JSON integer of any length, in its decimal digits.
type integer string

// object is a JSON object that remembers the order of its keys.
type object struct {
	keys   []string
	values map[string]any
}

// dict makes an object from key, value, key, value ...
func dict(pairs ...any) *object {
	o := &object{values: map[string]any{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		o.set(pairs[i].(string), pairs[i+1])
	}
	return o
}

func (o *object) set(key string, value any) {
	if _, has := o.values[key]; !has {
		o.keys = append(o.keys, key)
	}
	o.values[key] = value
}

func (o *object) get(key string) (any, bool) {
	v, ok := o.values[key]
	return v, ok
}

func (o *object) pop(key string) (any, bool) {
	v, ok := o.values[key]
	if ok {
		delete(o.values, key)
		o.keys = without(o.keys, key)
	}
	return v, ok
}

func (o *object) copy() *object {
	c := dict()
	for _, k := range o.keys {
		c.set(k, o.values[k])
	}
	return c
}

// dig follows keys through objects; nil when one is missing.
func dig(v any, keys ...string) any {
	for _, k := range keys {
		o, ok := v.(*object)
		if !ok {
			return nil
		}
		v = o.values[k]
	}
	return v
}

func without(keys []string, key string) []string {
	var kept []string
	for _, k := range keys {
		if k != key {
			kept = append(kept, k)
		}
	}
	return kept
}

func number(n int) integer { return integer(strconv.Itoa(n)) }

// floatText is repr(float) of Python: 64.0, 1e+16, nan.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// text is str(value) of Python.
func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return repr(v)
}

// repr is repr(value) of Python, as far as error texts show it.
func repr(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case integer:
		return string(v)
	case float64:
		return floatText(v)
	case string:
		return quoted(v)
	case []any:
		return "[" + joined(v, repr) + "]"
	case *object:
		return reprObject(v)
	}
	return ""
}

func quoted(s string) string {
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		return `"` + s + `"`
	}
	s = strings.ReplaceAll(s, `\`, `\\`)
	s = strings.ReplaceAll(s, "\n", `\n`)
	return "'" + strings.ReplaceAll(s, "'", `\'`) + "'"
}

func reprObject(o *object) string {
	parts := make([]string, len(o.keys))
	for i, k := range o.keys {
		parts[i] = quoted(k) + ": " + repr(o.values[k])
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func joined(values []any, form func(any) string) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = form(v)
	}
	return strings.Join(parts, ", ")
}

// dumps is json.dumps of Python with its defaults: a space after each comma
// and colon, ASCII only, NaN and Infinity bare.
func dumps(v any) string {
	var b strings.Builder
	dump(&b, v)
	return b.String()
}

func dump(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case integer:
		b.WriteString(string(v))
	case float64:
		b.WriteString(dumpedFloat(v))
	case string:
		dumpString(b, v)
	case []any:
		dumpList(b, v)
	case *object:
		dumpObject(b, v)
	}
}

func dumpedFloat(f float64) string {
	switch s := floatText(f); s {
	case "nan":
		return "NaN"
	case "inf":
		return "Infinity"
	case "-inf":
		return "-Infinity"
	default:
		return s
	}
}

func dumpList(b *strings.Builder, list []any) {
	b.WriteByte('[')
	for i, v := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		dump(b, v)
	}
	b.WriteByte(']')
}

func dumpObject(b *strings.Builder, o *object) {
	b.WriteByte('{')
	for i, k := range o.keys {
		if i > 0 {
			b.WriteString(", ")
		}
		dumpString(b, k)
		b.WriteString(": ")
		dump(b, o.values[k])
	}
	b.WriteByte('}')
}

const hexDigits = "0123456789abcdef"

var shortEscapes = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}

func dumpString(b *strings.Builder, s string) {
	b.WriteByte('"')
	for len(s) > 0 {
		r, n := nextRune(s)
		s = s[n:]
		switch {
		case shortEscapes[r] != "":
			b.WriteString(shortEscapes[r])
		case r >= ' ' && r < 0x7f:
			b.WriteByte(byte(r))
		case r > 0xffff:
			escape(b, 0xd800+(r-0x10000)>>10)
			escape(b, 0xdc00+(r-0x10000)&0x3ff)
		default:
			escape(b, r)
		}
	}
	b.WriteByte('"')
}

func escape(b *strings.Builder, r rune) {
	b.WriteString(`\u`)
	for shift := 12; shift >= 0; shift -= 4 {
		b.WriteByte(hexDigits[r>>shift&0xf])
	}
}

// nextRune reads a rune; a lone surrogate, which Python strings may hold, is
// kept in three bytes that are not valid UTF-8 and read back as itself.
func nextRune(s string) (rune, int) {
	if len(s) >= 3 && s[0] == 0xed && s[1] >= 0xa0 {
		return rune(s[0]&0xf)<<12 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f), 3
	}
	return utf8.DecodeRuneInString(s)
}
