package config

import "fmt"

// Kind is what sort of place a value came from.
type Kind string

// Kinds of Origin.
const (
	FromDefault Kind = "default"
	FromHome    Kind = "state folder" // default of a start without any configuration
	FromFile    Kind = "file"
	FromEnv     Kind = "environment"
	FromFlag    Kind = "flag"
)

// Origin is where one value came from. The zero value is the default.
type Origin struct {
	Kind Kind
	Name string // of the variable or flag; of the file only when it is not Source.File
	Line int    // in the file, from 1
}

// String is short: "default", "file line 12", "$QMTUI_QUEUE_MODE", "--listen".
func (o Origin) String() string {
	switch o.Kind {
	case FromHome:
		return "default, in the state folder"
	case FromFile:
		if o.Name != "" {
			return o.Name
		}
		return fmt.Sprintf("file line %d", o.Line)
	case FromEnv:
		return "$" + o.Name
	case FromFlag:
		return o.Name
	}
	return "default"
}

// place is File and Line of a Problem about this value.
func (o Origin) place(file string) (string, int) {
	switch {
	case o.Kind == FromFile && o.Name == "":
		return file, o.Line
	case o.Kind == FromEnv || o.Kind == FromFlag || o.Kind == FromFile:
		return o.String(), 0
	}
	return "", 0
}

// Source says where the values of a Config came from.
type Source struct {
	File     string   // the file that was read; "" for none
	Site     bool     // no file, but environment names of the site
	Warnings Problems // what a server must know and a client need not

	origins map[string]Origin
}

// Of is where the value of a key such as "queue.mode" or "deployment[0].url" came from.
func (s Source) Of(key string) Origin {
	if o, ok := s.origins[key]; ok {
		return o
	}
	return Origin{Kind: FromDefault}
}

// Locate adds file and line (or the variable, or the flag) to the problems in
// an error of Validate. The error is returned, changed in place.
func (s Source) Locate(err error) error {
	for _, p := range ProblemsOf(err) {
		if p.File == "" {
			p.File, p.Line = s.Of(p.Key).place(s.File)
		}
	}
	return err
}
