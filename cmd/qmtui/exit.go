package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
	"github.com/comfyume/qmtui/internal/job"
)

// The exit codes of the contract.
const (
	exitGood     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitNoDaemon = 3
	exitWaited   = 4
)

// waitTimeout is the code of an error that says that --timeout is over.
const waitTimeout = "wait_timeout"

// usageError says that the command line itself is wrong.
type usageError struct{ message, hint string }

func (e *usageError) Error() string { return "usage: " + e.message + "; " + e.hint }

// usage is a wrong use of a command, with its help as the next step.
func usage(command, format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...), fmt.Sprintf("see %q", command+" --help")}
}

// failed makes an error of the command line's own.
func failed(code, message, hint string) error {
	return &job.Error{Code: code, Class: job.Invalid, Message: message, Hint: hint}
}

// codeOf is the exit code of an error.
func codeOf(err error) int {
	var u *usageError
	switch {
	case err == nil:
		return exitGood
	case errors.As(err, &u):
		return exitUsage
	case errors.Is(err, api.ErrNoDaemon):
		return exitNoDaemon
	}
	switch job.AsError(err).Code {
	case managerGone:
		return exitNoDaemon
	case waitTimeout:
		return exitWaited
	}
	return exitFailed
}

// errorLines is an error as people read it, a line each; the first is the sentence.
func errorLines(err error) []string {
	var u *usageError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &u):
		return []string{u.Error()}
	case errors.Is(err, context.Canceled):
		return []string{"interrupted: the command was stopped before its end"}
	}
	if problems := config.ProblemsOf(err); problems != nil {
		return strings.Split(problems.Error(), "\n")
	}
	var e *job.Error
	if !errors.As(err, &e) {
		return []string{"failed: " + err.Error()}
	}
	return append([]string{e.Error()}, nodeLines(e.NodeErrors)...)
}

// nodeErrors is ComfyUI's node_errors as far as people read them.
type nodeErrors map[string]struct {
	Class  string `json:"class_type"`
	Errors []struct {
		Message string `json:"message"`
		Details string `json:"details"`
	} `json:"errors"`
}

// nodeLines lists what is wrong with each node, a line each.
func nodeLines(raw json.RawMessage) []string {
	var nodes nodeErrors
	if json.Unmarshal(raw, &nodes) != nil {
		return nil
	}
	var out []string
	for _, id := range sortedKeys(nodes) {
		for _, e := range nodes[id].Errors {
			line := fmt.Sprintf("  node %s (%s): %s", id, nodes[id].Class, e.Message)
			if e.Details != "" {
				line += ": " + e.Details
			}
			out = append(out, line)
		}
	}
	return out
}

// complain tells an error on stderr, and with --json as the one document when
// there was none. It returns the exit code.
func (a *app) complain(err error, asJSON bool) int {
	for i, line := range errorLines(err) {
		prefix := "qmtui: "
		if strings.HasPrefix(line, "  ") && i > 0 {
			prefix = ""
		}
		a.note("%s", prefix+printable(line))
	}
	if err != nil && asJSON && a.stdout.n == 0 {
		_ = writeJSON(a.stdout, errorDocument(err))
	}
	return codeOf(err)
}

// errorDocument is an error in the form that the HTTP contract has.
func errorDocument(err error) any {
	var u *usageError
	e := job.AsError(err)
	if p := config.ProblemsOf(err); len(p) > 0 {
		e = &job.Error{Code: p[0].Code, Class: job.Invalid, Message: strings.TrimPrefix(p[0].Error(), p[0].Code+": ")}
	} else if errors.As(err, &u) {
		e = &job.Error{Code: "usage", Class: job.Invalid, Message: u.message, Hint: u.hint}
	}
	return map[string]any{"error": api.FromError(e), "detail": api.Sentence(e)}
}
