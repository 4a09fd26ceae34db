package config

import (
	"fmt"
	"reflect"
	"strings"
)

// field is one setting of one Config, with its tags.
type field struct {
	section string // "queue", "deployment"
	name    string // "max_depth"; for a secret the name it has in the environment
	key     string // "queue.max_depth", "deployment[0].url"
	value   reflect.Value
	tag     reflect.StructTag
}

var (
	secretType   = reflect.TypeFor[Secret]()
	durationType = reflect.TypeFor[Duration]()
	bytesType    = reflect.TypeFor[Bytes]()
	fileModeType = reflect.TypeFor[FileMode]()
)

func (f field) isSecret() bool { return f.value.Type() == secretType }

// allowsZero: the field says what its zero means, or zero is an ordinary value of its type.
func (f field) allowsZero() bool {
	_, said := f.tag.Lookup("zero")
	return said || f.value.Kind() == reflect.Bool || f.isSecret()
}

// fallback is the default as text; ok is false when the field has none.
func (f field) fallback() (string, bool) { return f.tag.Lookup("default") }

// setDefault panics on a wrong tag: a test builds every default.
func (f field) setDefault() {
	text, ok := f.fallback()
	if !ok {
		if f.value.Kind() == reflect.Slice {
			f.value.Set(reflect.MakeSlice(f.value.Type(), 0, 0))
		}
		return
	}
	if err := assignText(f.value, text); err != nil {
		panic(fmt.Sprintf("default of %s: %v", f.key, err))
	}
}

// structFields lists the fields of a section, secrets included, in order.
func structFields(section, prefix string, v reflect.Value) []field {
	var fs []field
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		name := sf.Tag.Get("toml")
		if s, ok := sf.Tag.Lookup("secret"); ok {
			name = s
		}
		if name == "" {
			continue
		}
		fs = append(fs, field{section, name, prefix + "." + name, v.Field(i), sf.Tag})
	}
	return fs
}

// section is one table of the file.
type section struct {
	name  string
	doc   string
	value reflect.Value // invalid for a list of tables
}

// sections lists the tables in the order of the struct.
func (c *Config) sections() []section {
	var out []section
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		s := section{name: sf.Tag.Get("toml"), doc: sf.Tag.Get("doc")}
		if sf.Type.Kind() == reflect.Struct {
			s.value = v.Field(i)
		}
		out = append(out, s)
	}
	return out
}

func (s section) fields() []field {
	if !s.value.IsValid() {
		return nil
	}
	return structFields(s.name, s.name, s.value)
}

// sectionFields lists every field outside of the lists of tables.
func (c *Config) sectionFields() []field {
	var fs []field
	for _, s := range c.sections() {
		fs = append(fs, s.fields()...)
	}
	return fs
}

func (d *Deployment) fields(i int) []field {
	return structFields("deployment", deploymentKey(i), reflect.ValueOf(d).Elem())
}

func deploymentKey(i int) string { return fmt.Sprintf("deployment[%d]", i) }

func (n *SaveNode) fields(i int) []field {
	return structFields("save_node", saveNodeKey(i), reflect.ValueOf(n).Elem())
}

func saveNodeKey(i int) string { return fmt.Sprintf("save_node[%d]", i) }

// fields lists every field of the configuration.
func (c *Config) fields() []field {
	fs := c.sectionFields()
	for i := range c.Deployments {
		fs = append(fs, c.Deployments[i].fields(i)...)
	}
	for i := range c.SaveNodes {
		fs = append(fs, c.SaveNodes[i].fields(i)...)
	}
	return fs
}

// find is the field with a key.
func (c *Config) find(key string) (field, bool) { return byKey(c.fields(), key) }

// OwnFiles lists by key the files that the configuration names and the manager
// reads: passwords, keys and secrets, whether they are there or not.
func (c Config) OwnFiles() map[string]string {
	out := map[string]string{}
	for _, f := range c.fields() {
		file := strings.HasSuffix(f.name, "_file") || f.key == "auth.htpasswd"
		if file && f.value.Kind() == reflect.String && f.value.String() != "" {
			out[f.key] = f.value.String()
		}
	}
	return out
}

func byKey(fs []field, key string) (field, bool) {
	for _, f := range fs {
		if f.key == key {
			return f, true
		}
	}
	return field{}, false
}

func byName(fs []field, name string) (field, bool) {
	for _, f := range fs {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

// envName is the environment name of a field outside of the deployments.
func (f field) envName() string { return EnvPrefix + strings.ToUpper(f.section+"_"+f.name) }
