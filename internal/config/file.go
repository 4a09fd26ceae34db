package config

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// literalSecrets are keys that people write a secret into.
var literalSecrets = []string{"key", "api_key", "apikey", "token", "bearer", "authorization", "password", "secret", "client_secret", "session_key"}

// fileReader takes one decoded document into the loader.
type fileReader struct {
	*loader
	lines map[string]int
}

// file reads TOML. It goes on after a wrong key, so that all are reported.
func (l *loader) file(data []byte) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	var doc map[string]any
	if err := toml.Unmarshal(data, &doc); err != nil {
		l.syntax(err)
		return
	}
	r := fileReader{l, keyLines(data)}
	for _, name := range slices.Sorted(maps.Keys(doc)) {
		r.table(name, doc[name])
	}
}

func (l *loader) syntax(err error) {
	from := Origin{Kind: FromFile}
	var de *toml.DecodeError
	if errors.As(err, &de) {
		from.Line, _ = de.Position()
	}
	l.add(CodeSyntax, "", from, "this is not TOML: "+strings.TrimPrefix(err.Error(), "toml: "), "texts, times and sizes need quotes")
}

func (r fileReader) at(key string) Origin { return Origin{Kind: FromFile, Line: r.lines[key]} }

func (r fileReader) table(name string, raw any) {
	switch name {
	case "deployment":
		tables(r, name, raw, &r.cfg.Deployments, func() Deployment { return NewDeployment("") }, (*Deployment).fields)
		return
	case "save_node":
		tables(r, name, raw, &r.cfg.SaveNodes, NewSaveNode, (*SaveNode).fields)
		return
	}
	sections := r.cfg.sections()
	i := slices.IndexFunc(sections, func(s section) bool { return s.name == name })
	if i < 0 {
		r.unknownSection(name, raw, sections)
		return
	}
	r.section(sections[i].name, sections[i].fields(), raw)
}

func (r fileReader) unknownSection(name string, raw any, sections []section) {
	if _, isTable := raw.(map[string]any); !isTable {
		if _, isList := raw.([]any); !isList {
			r.unknown(name, "", name, nil)
			return
		}
	}
	var names []string
	for _, s := range sections {
		names = append(names, s.name)
	}
	r.add(CodeUnknownKey, name, r.at(name), fmt.Sprintf("[%s] is not a known section", cut(name)), "the nearest is ["+nearest(name, names)+"]")
}

func (r fileReader) section(prefix string, fs []field, raw any) {
	values, ok := raw.(map[string]any)
	if !ok {
		r.add(CodeWrongType, prefix, r.at(prefix), fmt.Sprintf("%s: expected a table, got %s", prefix, kindOf(raw)), "write ["+prefix+"] on a line of its own")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		r.value(prefix, name, fs, values[name])
	}
}

func (r fileReader) value(prefix, name string, fs []field, raw any) {
	key := prefix + "." + name
	if slices.Contains(literalSecrets, strings.ToLower(name)) {
		r.literalSecret(key, name, fs)
		return
	}
	f, ok := byName(fs, name)
	if !ok {
		r.unknown(key, prefix, name, fs)
		return
	}
	if err := assignTOML(f.value, raw); err != nil {
		r.add(CodeWrongType, key, r.at(key), key+": "+err.Error(), "")
		return
	}
	r.src.origins[key] = r.at(key)
}

func (r fileReader) literalSecret(key, name string, fs []field) {
	hint := "put it into a file or an environment variable"
	for _, f := range fs {
		if f.isSecret() {
			hint = fmt.Sprintf(`put it into an environment variable and write %s_env = "ITS_NAME", or into a file and write %s_file = "/path"`, f.name, f.name)
		}
	}
	r.add(CodeSecretInFile, key, r.at(key), cut(key)+" would be a secret in the configuration file", hint)
}

// unknown names the nearest key: of the same section when one is close, of
// another when that has one, else the least far of the same section.
func (r fileReader) unknown(key, prefix, name string, fs []field) {
	var names, keys []string
	for _, f := range fs {
		if !f.isSecret() {
			names = append(names, f.name)
		}
	}
	deployment, node := NewDeployment(""), NewSaveNode()
	for _, f := range slices.Concat(r.cfg.sectionFields(), deployment.fields(0), node.fields(0)) {
		keys = append(keys, f.section+"."+f.name)
	}
	r.add(CodeUnknownKey, key, r.at(key), cut(key)+" is not a known key", "the nearest is "+nearestKey(prefix, name, names, keys))
}

// tables reads a list of tables, each beginning with its defaults.
func tables[T any](r fileReader, name string, raw any, to *[]T, blank func() T, fields func(*T, int) []field) {
	items, ok := raw.([]any)
	if !ok {
		r.add(CodeWrongType, name, r.at(name), name+": expected a list of tables, got "+kindOf(raw), "write [["+name+"]] with two brackets")
		return
	}
	*to = nil
	for range items {
		*to = append(*to, blank())
	}
	for i, item := range items {
		r.section(fmt.Sprintf("%s[%d]", name, i), fields(&(*to)[i], i), item)
	}
}
