package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// submitOptions are the flags of submit.
type submitOptions struct {
	user, priority, name, key, extra, deployment string
	wait, json                                   bool
	timeout                                      time.Duration
}

func submitCommand(a *app) *cobra.Command {
	var o submitOptions
	c := &cobra.Command{
		Use: "submit FILE|-", Short: "Submit a prompt", Args: takes(1, 1, "the FILE with the prompt"),
		Long: `Submits a prompt in API format (in ComfyUI: Workflow > Export (API)) from a file,
or from standard input with "-". It returns when the job is on disk.

With --wait it follows the job to its end, also over restarts of the manager,
and prints where the outputs stand. Stopping it leaves the job alone.`,
		Example: `  qmtui submit prompt.json --user user001
  qmtui submit prompt.json --user user001 --priority high --wait --timeout 30m
  cat prompt.json | qmtui submit - --user user001 --key scene-4-take-2 --json`,
	}
	f := c.Flags()
	f.StringVar(&o.user, "user", "", "whose job it is")
	f.StringVar(&o.priority, "priority", "2", "0 or instructor, 1 or high, 2 or normal, 3 or low")
	f.StringVar(&o.name, "name", "", "name for people (default: the file's)")
	f.StringVar(&o.key, "key", "", "idempotency key: the same key again gives the same job")
	f.StringVar(&o.extra, "extra", "", "JSON file with extra_data, such as the workflow to embed")
	f.StringVar(&o.deployment, "deployment", "", "render it there and nowhere else, for admins (default: the active one)")
	f.BoolVar(&o.wait, "wait", false, "wait for the end, and fail unless the job is done")
	f.DurationVar(&o.timeout, "timeout", 0, "with --wait: stop waiting after that long (default: never)")
	f.BoolVar(&o.json, "json", false, "print exactly one JSON document: the job")
	_ = c.MarkFlagRequired("user")
	c.RunE = func(c *cobra.Command, args []string) error {
		p, err := parsePriority(o.priority)
		if err != nil {
			return usage(c.CommandPath(), "--priority: %s", err)
		}
		if o.timeout < 0 || o.timeout > 0 && !o.wait {
			return usage(c.CommandPath(), "--timeout is for --wait, and more than 0")
		}
		return a.submit(c.Context(), args[0], p, o)
	}
	return c
}

func (a *app) submit(ctx context.Context, file string, p job.Priority, o submitOptions) error {
	r, err := a.request(file, p, o)
	if err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	j, repeated, err := c.Submit(ctx, r)
	if err != nil {
		return inDoubt(err, r.Key)
	}
	if o.wait {
		return a.wait(ctx, c, j, o)
	}
	if o.json {
		return writeJSON(a.stdout, j)
	}
	word := "submitted"
	if repeated {
		word = "known already"
	}
	a.printf("%s %s: %s\n", j.ID, word, printable(j.Phase))
	a.warn(j.Warnings)
	return nil
}

// inDoubt tells, when the answer got lost, how to ask again without making a
// second job of it.
func inDoubt(err error, key string) error {
	e := *job.AsError(err)
	if errors.Is(err, context.Canceled) {
		e = job.Error{Code: "connection_lost", Class: job.Unavailable, Message: "stopped before the manager had answered"}
	}
	if e.Code != "connection_lost" && e.Code != "timeout" {
		return err
	}
	e.Hint = "it may have arrived; submit again with --key " + key + " and the job will not be made twice"
	return &e
}

// warn tells warnings on stderr.
func (a *app) warn(ws []job.Warning) {
	for _, w := range ws {
		a.note("warning: %s", printable(sentence(w.Code, w.Message, w.Hint)))
	}
}

// sentence is "code: message; hint".
func sentence(code, message, hint string) string {
	return (&job.Error{Code: code, Message: message, Hint: hint}).Error()
}

// request reads the files and makes the request of them.
func (a *app) request(file string, p job.Priority, o submitOptions) (api.SubmitRequest, error) {
	raw, err := a.readPrompt(file)
	if err != nil {
		return api.SubmitRequest{}, err
	}
	r := api.SubmitRequest{User: o.user, Workflow: raw, Priority: &p, Name: o.name, Deployment: o.deployment, Key: cmp.Or(o.key, uuid.NewString())}
	if r.Name == "" && file != "-" {
		r.Name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	}
	if o.extra != "" {
		if r.Extra, err = readBounded(o.extra); err == nil && !json.Valid(r.Extra) {
			err = failed("bad_json", o.extra+" is not JSON", "give a JSON object with --extra")
		}
	}
	return r, err
}

// readPrompt reads a prompt and refuses what is not JSON, which could not be
// sent at all. Whether it is a good prompt is the manager's to say.
func (a *app) readPrompt(file string) ([]byte, error) {
	var raw []byte
	var err error
	if file == "-" {
		raw, err = bounded(a.stdin, "standard input")
	} else {
		raw, err = readBounded(file)
	}
	if err != nil || json.Valid(raw) {
		return raw, err
	}
	_, err = comfy.ParsePrompt(raw, comfy.Limits{})
	var r *comfy.Refusal
	if errors.As(err, &r) {
		return nil, failed(r.Code, r.Message, r.Hint)
	}
	return nil, failed("bad_json", "the prompt is not JSON", "in ComfyUI: Workflow > Export (API)")
}

func readBounded(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, unreadable(file, err)
	}
	defer func() { _ = f.Close() }()
	return bounded(f, file)
}

func bounded(r io.Reader, name string) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, comfy.DefaultBytes+1))
	if err != nil {
		return nil, unreadable(name, err)
	}
	if len(raw) > comfy.DefaultBytes {
		return nil, failed("too_large", name+" has more than 10 MiB", "upload pictures as inputs instead of embedding them in the prompt")
	}
	return raw, nil
}

func unreadable(name string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return failed("file_unreadable", fmt.Sprintf("cannot read %s: %v", name, err), "check the path")
}
