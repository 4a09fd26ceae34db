package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/config"
)

// What the environment says to clients.
const (
	envServer = config.EnvPrefix + "SERVER" // the manager to talk to when --server does not
	envToken  = config.EnvPrefix + "TOKEN"  // the token to show to a manager that is not on a socket
)

// systemFile is the last configuration file that is looked for. Tests put
// another in its place: they must not read this machine's.
var systemFile = config.SystemFile

// app is one run of the command line: its streams and the flags that every
// command has. Only the goroutine of the command uses it.
type app struct {
	stdin  io.Reader
	stdout *counted
	stderr io.Writer

	configPath string // --config
	target     string // --server
	flags      []config.Flag

	loaded bool // cfg and src are filled
	cfg    config.Config
	src    config.Source
}

// counted counts what was written, so that an error knows whether the one
// document of --json is out already.
type counted struct {
	io.Writer
	n int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.n += int64(n)
	return n, err
}

// config loads the configuration at the first call.
func (a *app) config() (config.Config, config.Source, error) {
	if a.loaded {
		return a.cfg, a.src, nil
	}
	cfg, src, err := a.loadConfig()
	if err != nil {
		return cfg, src, err
	}
	a.cfg, a.src, a.loaded = cfg, src, true
	return cfg, src, nil
}

func (a *app) loadConfig() (config.Config, config.Source, error) {
	return config.Load(config.Options{Path: a.configPath, Explicit: a.configPath != "", Flags: a.flags, KnownEnv: []string{envServer, envToken}, System: systemFile})
}

// client speaks to the manager of --server, else of the configuration's socket.
func (a *app) client() (*api.Client, error) {
	target := cmp.Or(a.target, os.Getenv(envServer))
	if target == "" {
		cfg, _, err := a.config()
		if err != nil {
			return nil, err
		}
		if target, err = cfg.SocketPath(nil); err != nil {
			return nil, err
		}
	}
	target, err := absoluteSocket(target)
	if err != nil {
		return nil, err
	}
	c, err := api.Dial(target)
	if token := os.Getenv(envToken); err == nil && token != "" && !filepath.IsAbs(c.Target()) {
		c = c.Bearer(token)
	}
	return c, err
}

// absoluteSocket completes a relative path of a socket, which would otherwise
// be taken for a host.
func absoluteSocket(target string) (string, error) {
	relative := strings.HasPrefix(target, "./") || strings.HasPrefix(target, "../") || strings.HasSuffix(target, ".sock") && !strings.Contains(target, ":")
	if !relative {
		return target, nil
	}
	return filepath.Abs(target)
}

// local reports that the manager is the one of this machine's configuration,
// so that its folders are our folders.
func (a *app) local() bool { return a.target == "" && os.Getenv(envServer) == "" && a.loaded }

// printf writes to stdout.
func (a *app) printf(format string, args ...any) { fmt.Fprintf(a.stdout, format, args...) }

// note writes a sentence that is not the command's result to stderr.
func (a *app) note(format string, args ...any) { fmt.Fprintf(a.stderr, format+"\n", args...) }

// writeJSON writes v as the one document of --json.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// isTerminal reports whether a stream is one.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
