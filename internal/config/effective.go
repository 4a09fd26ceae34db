package config

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Effective is the whole configuration as TOML, each value with what it means
// and where it came from. Secrets are stars. Loading it in the same environment
// gives an equal Config.
func Effective(cfg Config, src Source) []byte {
	p := printer{src: src, all: true}
	p.line("# The configuration in effect. " + fileWord(src))
	return p.config(cfg)
}

func fileWord(src Source) string {
	switch {
	case src.File != "":
		return "File: " + src.File
	case src.Site:
		return "No file; environment names of the site."
	}
	return "No file."
}

// printer writes a configuration as TOML, everything or only what was set.
type printer struct {
	bytes.Buffer
	src Source
	all bool
}

func (p *printer) line(s string) { p.WriteString(s + "\n") }

func (p *printer) config(cfg Config) []byte {
	for _, s := range cfg.sections() {
		p.table("["+s.name+"]", s.doc, s.fields())
	}
	for i := range cfg.Deployments {
		p.table("[[deployment]]", "", cfg.Deployments[i].fields(i))
	}
	for i := range cfg.SaveNodes {
		p.table("[[save_node]]", "", cfg.SaveNodes[i].fields(i))
	}
	return p.Bytes()
}

func (p *printer) table(header, doc string, fs []field) {
	var chosen []field
	for _, f := range fs {
		if p.all || p.src.Of(f.key).Kind != FromDefault {
			chosen = append(chosen, f)
		}
	}
	if len(chosen) == 0 {
		return
	}
	p.line("")
	if doc != "" && p.all {
		p.comment(doc)
	}
	p.line(header)
	for _, f := range chosen {
		p.field(f)
	}
}

func (p *printer) field(f field) {
	from := p.src.Of(f.key)
	if f.isSecret() {
		if f.value.String() != "" {
			p.line("# " + f.name + ": " + mask + "  # from " + clean(from.String()))
		}
		return
	}
	if p.all {
		p.comment(f.describe())
	}
	assignment := f.name + " = " + literal(f)
	if _, written := f.tag.Lookup("written"); written && from.Kind == FromDefault {
		assignment = "# " + assignment // writing it down would mean something
	}
	p.line(assignment + "  # " + clean(from.String()))
}

// describe is the meaning of a field and its default.
func (f field) describe() string {
	s := f.meaning()
	if text, ok := f.fallback(); ok {
		s += " Default: " + text + "."
	}
	return s
}

// meaning is the doc of a field with its allowed words, its bounds and what its zero means.
func (f field) meaning() string {
	s := f.tag.Get("doc")
	if one, ok := f.tag.Lookup("one"); ok {
		s += " One of " + strings.ReplaceAll(one, ",", ", ") + "."
	}
	if zero, ok := f.tag.Lookup("zero"); ok {
		s += " " + zeroWord(f.value) + ": " + zero + "."
	}
	return s + f.limits()
}

func (f field) limits() string {
	low, high := f.tag.Get("min"), f.tag.Get("max")
	switch {
	case low != "" && high != "":
		return " From " + low + " to " + high + "."
	case low != "":
		return " At least " + low + "."
	case high != "":
		return " At most " + high + "."
	}
	return ""
}

// zeroWord is how zero is written for a field.
func zeroWord(v reflect.Value) string {
	switch {
	case v.Type() == durationType:
		return `"off"`
	case v.Kind() == reflect.String:
		return "Empty"
	case v.Kind() == reflect.Slice:
		return "Empty list"
	}
	return "0"
}

// comment wraps at about 100 letters.
func (p *printer) comment(s string) {
	line := "#"
	for word := range strings.FieldsSeq(s) {
		if len(line)+len(word) > 100 {
			p.line(line)
			line = "#"
		}
		line += " " + word
	}
	p.line(line)
}

// literal is a value as TOML. A value that may be a secret by mistake is masked.
func literal(f field) string {
	switch x := f.value.Interface().(type) {
	case fmt.Stringer:
		return quote(x.String())
	case string:
		return quote(masked(f.name, x))
	case []string:
		items := make([]string, len(x))
		for i, s := range x {
			items[i] = quote(s)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return fmt.Sprint(f.value.Interface())
}

func masked(name, s string) string {
	switch {
	case strings.HasSuffix(name, "_env") && s != "" && !variableName.MatchString(s):
		return mask
	case strings.HasSuffix(name, "url"):
		return maskURL(s)
	}
	return s
}

// quote is a TOML basic string; texts are UTF-8 when they come from Load.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// clean keeps a name from ending its comment.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
