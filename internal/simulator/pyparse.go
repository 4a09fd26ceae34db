package simulator

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is where json.loads of Python gives up with a RecursionError
// (ComfyUI 0.8.0 answers 500, transcripts 14-crash/deep_json).
const maxDepth = 990

var errJSON = errors.New("malformed JSON")

type parser struct {
	text  string
	depth int
}

// loads is json.loads of Python: it keeps the order of keys and accepts NaN
// and Infinity. The error does not say where; ComfyUI does not either.
func loads(raw []byte) (any, error) {
	if !utf8.Valid(raw) {
		return nil, errJSON
	}
	p := &parser{text: strings.TrimPrefix(string(raw), "\ufeff")}
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	if p.space(); p.text != "" {
		return nil, errJSON
	}
	return v, nil
}

func (p *parser) space() { p.text = strings.TrimLeft(p.text, " \t\r\n") }

func (p *parser) take(token string) bool {
	rest, ok := strings.CutPrefix(p.text, token)
	if ok {
		p.text = rest
	}
	return ok
}

var constants = []struct {
	token string
	value any
}{
	{"null", nil}, {"true", true}, {"false", false},
	{"NaN", math.NaN()}, {"Infinity", math.Inf(1)}, {"-Infinity", math.Inf(-1)},
}

func (p *parser) value() (any, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errJSON
	}
	defer func() { p.depth-- }()
	p.space()
	for _, c := range constants {
		if p.take(c.token) {
			return c.value, nil
		}
	}
	switch {
	case p.take("{"):
		return p.object()
	case p.take("["):
		return p.list()
	case p.take(`"`):
		return p.string()
	}
	return p.number()
}

func (p *parser) object() (any, error) {
	o := dict()
	if p.space(); p.take("}") {
		return o, nil
	}
	for {
		if p.space(); !p.take(`"`) {
			return nil, errJSON
		}
		key, err := p.string()
		if err != nil {
			return nil, err
		}
		if p.space(); !p.take(":") {
			return nil, errJSON
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		o.set(key, v)
		if more, err := p.more("}"); !more {
			return o, err
		}
	}
}

func (p *parser) list() (any, error) {
	list := []any{}
	if p.space(); p.take("]") {
		return list, nil
	}
	for {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if more, err := p.more("]"); !more {
			return list, err
		}
	}
}

// more reads the comma before another element, or the closing bracket.
func (p *parser) more(closing string) (bool, error) {
	p.space()
	if p.take(",") {
		return true, nil
	}
	if p.take(closing) {
		return false, nil
	}
	return false, errJSON
}

var numberForm = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`)

func (p *parser) number() (any, error) {
	m := numberForm.FindString(p.text)
	if m == "" {
		return nil, errJSON
	}
	p.text = p.text[len(m):]
	if !strings.ContainsAny(m, ".eE") {
		if m == "-0" {
			m = "0"
		}
		return integer(m), nil
	}
	f, err := strconv.ParseFloat(m, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, errJSON
	}
	return f, nil
}

func (p *parser) string() (string, error) {
	var b strings.Builder
	for {
		i := strings.IndexAny(p.text, "\"\\")
		if i < 0 || strings.ContainsFunc(p.text[:i], func(r rune) bool { return r < ' ' }) {
			return "", errJSON
		}
		b.WriteString(p.text[:i])
		closing := p.text[i] == '"'
		p.text = p.text[i+1:]
		if closing {
			return b.String(), nil
		}
		if err := p.escape(&b); err != nil {
			return "", err
		}
	}
}

var simpleEscapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (p *parser) escape(b *strings.Builder) error {
	if p.text == "" {
		return errJSON
	}
	c := p.text[0]
	p.text = p.text[1:]
	if plain, ok := simpleEscapes[c]; ok {
		b.WriteByte(plain)
		return nil
	}
	if c != 'u' {
		return errJSON
	}
	r, err := p.hex()
	if err != nil {
		return err
	}
	if r >= 0xd800 && r < 0xdc00 && strings.HasPrefix(p.text, `\u`) {
		saved := p.text
		p.text = p.text[2:]
		low, err := p.hex()
		if err == nil && low >= 0xdc00 && low < 0xe000 {
			b.WriteRune(0x10000 + (r-0xd800)<<10 + (low - 0xdc00))
			return nil
		}
		p.text = saved
	}
	writeRune(b, r)
	return nil
}

func (p *parser) hex() (rune, error) {
	if len(p.text) < 4 {
		return 0, errJSON
	}
	n, err := strconv.ParseUint(p.text[:4], 16, 16)
	if err != nil {
		return 0, errJSON
	}
	p.text = p.text[4:]
	return rune(n), nil
}

// writeRune writes a lone surrogate as the three bytes nextRune reads back.
func writeRune(b *strings.Builder, r rune) {
	if r >= 0xd800 && r < 0xe000 {
		b.Write([]byte{0xe0 | byte(r>>12), 0x80 | byte(r>>6)&0xbf, 0x80 | byte(r)&0xbf})
		return
	}
	b.WriteRune(r)
}
