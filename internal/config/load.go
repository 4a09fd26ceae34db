package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// SystemFile is the last place that Load looks at.
const SystemFile = "/etc/qmtui/qmtui.toml"

const (
	localFile = "qmtui.toml"
	maxFile   = 256 << 10 // bytes of a configuration file
)

// Options say where Load looks. The zero value is what a command without flags wants.
type Options struct {
	Path     string   // looked at first; "" for none
	Explicit bool     // Path was asked for by name: it must exist, and no other file is looked at
	Env      []string // "NAME=value"; nil means the process's environment
	Flags    []Flag   // win over everything
	KnownEnv []string // other QMTUI_ names that the program uses; not reported as unknown
	Dir      string   // where relative paths begin; "" means the working folder
	System   string   // instead of SystemFile, for tests; "" means SystemFile
}

// Flag is a value that was given on the command line.
type Flag struct{ Name, Key, Value string } // "--listen", "server.listen", ":3000"

// loader gathers one configuration, and everything that is wrong with its text.
type loader struct {
	opt      Options
	env      environment
	cfg      Config
	src      Source
	problems Problems
}

// Load reads the first file there is of Options.Path, $QMTUI_CONFIG,
// ./qmtui.toml and /etc/qmtui/qmtui.toml, then the environment, then the flags.
// Without a file it understands the environment names of the site, and with
// none of these either it keeps everything under the state folder.
//
// The error is a Problems that lists every unknown key and wrong type at once;
// the Config must not be used then. Load does not judge the values: call
// Validate, and Source.Locate on what it returns. A key_env or key_file that
// gives nothing is in Source.Warnings, because clients need no keys.
func Load(opt Options) (Config, Source, error) {
	l := newLoader(opt)
	name, data, err := l.read()
	if err != nil {
		return l.cfg, l.src, err
	}
	return l.load(name, data)
}

func newLoader(opt Options) *loader {
	env := opt.Env
	if env == nil {
		env = os.Environ()
	}
	return &loader{opt: opt, env: newEnvironment(env), cfg: Default(), src: Source{origins: map[string]Origin{}}}
}

// load does everything after the file is in memory; name is "" when there is none.
func (l *loader) load(name string, data []byte) (Config, Source, error) {
	l.src.File = name
	if name != "" {
		l.file(data)
	} else {
		l.src.Site = l.site()
	}
	l.environ()
	l.flags()
	if name == "" && !l.src.Site {
		l.homeFolders()
	}
	l.finish()
	slices.SortStableFunc(l.problems, func(a, b *Problem) int { return cmp.Compare(a.Line, b.Line) })
	return l.cfg, l.src, l.problems.orNil()
}

// finish fills what follows from the rest: the secrets, the only deployment, the trusted header.
func (l *loader) finish() {
	l.activeDeployment()
	const header = "server.user_header"
	l.cfg.Server.headerSet = l.src.Of(header).Kind != FromDefault && l.cfg.Server.UserHeader != ""
	l.secrets()
}

// activeDeployment makes the first deployment that does not say otherwise the
// active one when none says that it is.
func (l *loader) activeDeployment() {
	if l.cfg.anyActive() {
		return
	}
	for i := range l.cfg.Deployments {
		if l.src.Of(deploymentKey(i)+".active").Kind == FromDefault {
			l.cfg.Deployments[i].Active = true
			return
		}
	}
}

// read finds the file. A file that is there but cannot be read is an error,
// never passed over for the next one.
func (l *loader) read() (string, []byte, error) {
	for _, c := range l.candidates() {
		data, err := readLimited(c.path, maxFile)
		switch {
		case err == nil:
			return c.path, data, nil
		case errors.Is(err, errOpen):
			return "", nil, Problems{{Code: CodeOpen, File: c.path, Message: "everybody may write to the configuration", Hint: "chmod o-w " + c.path + ", and look whether its content is still yours"}}
		case c.here && hidden(c.path):
			continue // of a service's user in /root, say
		case !errors.Is(err, fs.ErrNotExist):
			return "", nil, Problems{{Code: CodeUnreadable, File: c.path, Message: "cannot read the configuration: " + reason(err), Hint: c.hint}}
		case c.must:
			return "", nil, Problems{{Code: CodeMissing, File: c.path, Message: "there is no such file", Hint: c.hint}}
		}
	}
	return "", nil, nil
}

// hidden reports a path below a folder that this user may not look into.
func hidden(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrPermission)
}

type candidate struct {
	path string
	must bool
	hint string
	here bool // in the working folder, wherever that happens to be
}

func (l *loader) candidates() []candidate {
	var out []candidate
	add := func(path string, must bool, hint string) {
		here := path == localFile
		if path != "" && !filepath.IsAbs(path) && l.opt.Dir != "" {
			path = filepath.Join(l.opt.Dir, path)
		}
		if path != "" {
			out = append(out, candidate{path: path, must: must, hint: hint, here: here})
		}
	}
	add(l.opt.Path, l.opt.Explicit, "check --config")
	if l.opt.Explicit {
		return out
	}
	add(l.env.get(EnvFile), true, "check $"+EnvFile)
	add(localFile, false, "make it readable, or name another with --config")
	add(cmp.Or(l.opt.System, SystemFile), false, "make it readable for this user, or name another with --config")
	return out
}

func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o002 != 0 && runtime.GOOS != "windows" {
		return nil, errOpen
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, fmt.Errorf("it is larger than %d bytes", limit)
	}
	return data, err
}

// errOpen refuses a file that anybody could have written.
var errOpen = errors.New("everybody may write to it")

// reason is an error without the path that the message already has.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

func (l *loader) flags() {
	for _, f := range l.opt.Flags {
		l.setText(f.Key, f.Value, Origin{Kind: FromFlag, Name: f.Name})
	}
}

// setText sets a field by its key and remembers where the value came from.
func (l *loader) setText(key, text string, from Origin) {
	f, ok := l.cfg.find(key)
	if !ok {
		l.add(CodeUnknownKey, key, from, key+" is not a known key", "")
		return
	}
	l.setField(f, text, from)
}

func (l *loader) setField(f field, text string, from Origin) {
	if err := assignText(f.value, text); err != nil {
		l.add(CodeWrongType, f.key, from, f.key+": "+err.Error(), "")
		return
	}
	l.src.origins[f.key] = from
}

func (l *loader) add(code, key string, from Origin, message, hint string) {
	file, line := from.place(l.src.File)
	l.problems = append(l.problems, &Problem{code, key, file, line, message, hint})
}

// homeFolders moves the folders under the state folder, so that a first start
// without any configuration works.
func (l *loader) homeFolders() {
	dir, err := l.cfg.stateDir(l.env)
	if err != nil {
		return // Validate's and StateDir's business
	}
	for key, sub := range map[string]string{"share.outputs": "share/outputs", "users.outputs": "users"} {
		if l.src.Of(key).Kind == FromDefault {
			l.setText(key, filepath.Join(dir, sub), Origin{Kind: FromHome})
		}
	}
}

// secrets reads what key_env and key_file point to. One that came by QMTUI_ wins.
func (l *loader) secrets() {
	fs := l.cfg.fields()
	for _, f := range fs {
		if !f.isSecret() || f.value.String() != "" {
			continue
		}
		env, _ := byKey(fs, f.key+"_env")
		file, _ := byKey(fs, f.key+"_file")
		if s := l.env.get(env.value.String()); s != "" {
			f.value.SetString(strings.TrimSpace(s))
			l.src.origins[f.key] = Origin{Kind: FromEnv, Name: env.value.String()}
		} else if path := file.value.String(); filepath.IsAbs(path) {
			l.secretFile(f, path)
		}
	}
}

func (l *loader) secretFile(f field, path string) {
	data, err := readLimited(path, 64<<10)
	if errors.Is(err, errOpen) {
		l.problems = append(l.problems, &Problem{Code: CodeOpen, Key: f.key + "_file", File: path, Message: "everybody may write to the file of " + f.key + "_file", Hint: "chmod o-w " + path + ", and look whether the secret is still yours"})
		return
	}
	if err != nil {
		l.src.Warnings = append(l.src.Warnings, &Problem{Code: CodeSecretMissing, Key: f.key, File: path, Message: "cannot read " + f.key + "_file: " + reason(err), Hint: "make it readable for this user"})
		return
	}
	f.value.SetString(strings.TrimSpace(string(data)))
	l.src.origins[f.key] = Origin{Kind: FromFile, Name: path}
}
