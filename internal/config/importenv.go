package config

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ImportEnv turns an .env of the site into a configuration file. Secrets are
// not copied: the file names the variables that hold them, and a warning says
// so. What it cannot use is in the warnings too. The error is a *Problem: the
// text is no .env, or none of its names is the site's.
func ImportEnv(r io.Reader) (file []byte, warnings []string, err error) {
	pairs, warnings, err := readDotEnv(io.LimitReader(r, maxFile))
	if err != nil {
		return nil, nil, err
	}
	l := newLoader(Options{Env: pairs})
	l.env = newEnvironment(pairs)
	if !l.site() {
		return nil, nil, &Problem{Code: CodeNothing, Message: "there is none of the names that can be imported", Hint: "see the table in docs/configuration.md"}
	}
	l.finish()
	warnings = append(warnings, l.importWarnings()...)
	p := printer{src: l.src}
	p.line("# Made by qmtui config import-env. What is not here has its default; see qmtui config show.")
	return p.config(l.cfg), warnings, nil
}

func (l *loader) importWarnings() []string {
	var out []string
	problems := append(l.problems, ProblemsOf(l.src.Locate(l.cfg.Validate()))...)
	for _, p := range problems {
		out = append(out, p.Error())
	}
	for _, name := range []string{siteKey, siteSecret} {
		if l.env[name] != "" {
			out = append(out, name+" was not copied: keep it in the environment of qmtui, the file names it")
		}
	}
	if names := l.notImported(); len(names) > 0 {
		out = append(out, "not used: "+strings.Join(names, ", "))
	}
	return out
}

func (l *loader) notImported() []string {
	var names []string
	for name := range l.env {
		_, known := siteKeys[name]
		if !known && !slices.Contains([]string{siteActive, siteKey, siteSecret, siteMode, siteTimeout, siteEndpoint}, name) && !strings.HasPrefix(name, siteEndpoint+"_") {
			names = append(names, clean(name))
		}
	}
	slices.Sort(names)
	return names
}

// readDotEnv reads NAME=value lines as compose does: an optional export,
// quotes around the value, # comments. Variables inside are not replaced.
func readDotEnv(r io.Reader) (pairs, warnings []string, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxFile)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, raw, ok := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "export ")), "=")
		name = strings.TrimSpace(name)
		if !ok || !variableName.MatchString(name) {
			return nil, nil, &Problem{Code: CodeSyntax, Line: n, Message: fmt.Sprintf("line %d is not NAME=value", n), Hint: "give the .env file of the site"}
		}
		value, literal := unquote(raw)
		if !literal && strings.Contains(value, "$") {
			warnings = append(warnings, fmt.Sprintf("line %d: %s refers to another variable, which was not replaced", n, name))
		}
		pairs = append(pairs, name+"="+value)
	}
	if err := lines.Err(); err != nil {
		return nil, nil, &Problem{Code: CodeSyntax, Message: "cannot read the .env: " + err.Error()}
	}
	return pairs, warnings, nil
}

// unquote also says whether the value was in single quotes, where $ is an ordinary letter.
func unquote(raw string) (value string, literal bool) {
	raw = strings.TrimSpace(raw)
	for _, q := range []string{`"`, `'`} {
		if rest, ok := strings.CutPrefix(raw, q); ok {
			if value, _, ok := strings.Cut(rest, q); ok {
				return value, q == `'`
			}
		}
	}
	if i := strings.Index(raw, " #"); i >= 0 {
		raw = strings.TrimSpace(raw[:i])
	}
	return raw, false
}
