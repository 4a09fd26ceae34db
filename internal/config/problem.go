package config

import (
	"errors"
	"fmt"
	"strings"
)

// Codes of Problem, for programs.
const (
	CodeMissing       = "config_missing"        // a file that was named does not exist
	CodeUnreadable    = "config_unreadable"     // a file cannot be read
	CodeOpen          = "file_open_to_all"      // everybody may write to a file that decides who gets in or holds a secret
	CodeSyntax        = "config_syntax"         // a file is not TOML, or an .env is not an .env
	CodeUnknownKey    = "unknown_key"           // a key or a QMTUI_ name that does not exist
	CodeWrongType     = "wrong_type"            // a value of another type or form
	CodeSecretInFile  = "secret_in_file"        // a literal secret
	CodeSecretMissing = "secret_missing"        // key_env or key_file gives nothing
	CodeValue         = "bad_value"             // not an allowed word, or out of bounds
	CodeRequired      = "required"              // empty, but must not be
	CodePath          = "bad_path"              // relative where absolute is needed, or the reverse
	CodeOverlap       = "folders_overlap"       // two folders are the same or one lies in the other
	CodeAddress       = "bad_address"           // no host and port, network or header name
	CodeURL           = "bad_url"               // no http or https address
	CodeOrder         = "timeouts_out_of_order" // a time that must be shorter than another is not
	CodeDuplicate     = "duplicate_deployment"  // two deployments with one name
	CodeActive        = "several_active"        // more than one active deployment
	CodeLogin         = "login_without_users"   // nobody could log in
	CodeSocketPath    = "socket_path_too_long"  // longer than a unix socket may be
	CodeNoHome        = "no_state_folder"       // no folder to keep the database in
	CodeNothing       = "nothing_to_import"     // no name of the site in an .env
)

// Problem is one thing that is wrong with the configuration.
type Problem struct {
	Code    string // one of the Code constants
	Key     string // the key, such as queue.max_depth or deployment[0].url; may be empty
	File    string // the file; empty when it is not known or the problem is not in a file
	Line    int    // the line in File, from 1; 0 when it is not known
	Message string // one sentence, without a full stop
	Hint    string // the next step; may be empty
}

// Error is "code: file:line: sentence; next step".
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Code + ": ")
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString("; " + p.Hint)
	}
	return b.String()
}

// Problems is everything that was found, at least one when it is an error.
type Problems []*Problem

// Error is one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find the first *Problem.
func (ps Problems) Unwrap() []error {
	errs := make([]error, len(ps))
	for i, p := range ps {
		errs[i] = p
	}
	return errs
}

// orNil keeps an empty list from becoming a non-nil error.
func (ps Problems) orNil() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// ProblemsOf lists the problems in an error of this package, nil for another error.
func ProblemsOf(err error) Problems {
	var ps Problems
	if errors.As(err, &ps) {
		return ps
	}
	var p *Problem
	if errors.As(err, &p) {
		return Problems{p}
	}
	return nil
}

// quoteShort quotes a value for a message, cut when it is long.
func quoteShort(s string) string {
	if r := []rune(s); len(r) > 40 {
		s = string(r[:40]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
