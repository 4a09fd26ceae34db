package main

import (
	"bufio"
	"bytes"
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

	"github.com/comfyume/qmtui/assets"
	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/comfy"
	"github.com/comfyume/qmtui/internal/job"
)

// submitOptions are the flags of submit.
type submitOptions struct {
	user, priority, name, key, extra, deployment string
	wait, json, example                          bool
	timeout                                      time.Duration
}

func submitCommand(a *app) *cobra.Command {
	var o submitOptions
	c := &cobra.Command{
		Use: "submit FILE|-|--example", Short: "Submit a prompt, or that of a picture", Args: takes(0, 1, ""),
		Long: `Submits a prompt in API format (in ComfyUI: Workflow > Export (API)) from a file,
or from standard input with "-". It returns when the job is on disk.

A picture, video, sound or model that ComfyUI saved carries its prompt: give the
file itself (PNG, WebP, JPEG, EXR, MP4, WebM, MKV, FLAC, MP3, Opus, GLB, SVG,
safetensors). New outputs then carry its workflow as well, unless --extra says
otherwise. A file that carries only the workflow of the ComfyUI page is refused:
drag it onto the page and export the prompt there.

With --wait it follows the job to its end, also over restarts of the manager,
and prints where the outputs stand. Stopping it leaves the job alone, and so does
its own end: with 4 after --timeout, with 3 when the manager has not answered for
two minutes. "qmtui jobs show" tells afterwards what became of it.`,
		Example: `  qmtui submit --example --user user001 --wait      a picture that needs no model
  qmtui submit prompt.json --user user001
  qmtui submit prompt.json --user user001 --priority high --wait --timeout 30m
  qmtui submit ComfyUI_00001_.png --user user001
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
	f.DurationVar(&o.timeout, "timeout", 0, "with --wait: stop waiting after that long, and end with 4 (default: as long as the job takes)")
	f.BoolVar(&o.example, "example", false, "submit the built-in first-picture.json, which any ComfyUI can run: it needs no model")
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
		if o.example == (len(args) == 1) {
			return usage(c.CommandPath(), "give the FILE with the prompt, or --example")
		}
		return a.submit(c.Context(), append(args, assets.FirstPicture)[0], p, o)
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
	var prompt, extra []byte
	var err error
	if o.example {
		prompt, err = assets.Prompts.ReadFile("prompts/" + file)
	} else {
		prompt, extra, err = a.readPrompt(file)
	}
	if err != nil {
		return api.SubmitRequest{}, err
	}
	r := api.SubmitRequest{User: o.user, Workflow: prompt, Extra: extra, Priority: &p, Name: o.name, Deployment: o.deployment, Key: cmp.Or(o.key, uuid.NewString())}
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

// maxStdinFile bounds a picture or video on standard input in bytes, which has to be
// read as a whole; a file of that kind has no bound.
const maxStdinFile = 512 << 20

// readPrompt reads a prompt, or the one that a picture carries, and refuses what is not
// JSON, which could not be sent at all. Whether it is a good prompt is the manager's to
// say. extra is what goes along with the prompt of a picture.
func (a *app) readPrompt(file string) (prompt, extra []byte, err error) {
	name, in := "standard input", a.stdin
	var f *os.File
	if file != "-" {
		if f, err = os.Open(file); err != nil {
			return nil, nil, unreadable(file, err)
		}
		defer func() { _ = f.Close() }()
		name, in = file, f
	}
	buffered := bufio.NewReader(in)
	if head, _ := buffered.Peek(comfy.SniffLength); !comfy.Recognises(head) {
		raw, err := bounded(buffered, name)
		if err != nil {
			return nil, nil, err
		}
		prompt, err = validPrompt(raw)
		return prompt, nil, err
	}
	metadata, err := metadataOf(f, buffered, name)
	if err != nil {
		return nil, nil, err
	}
	prompt, workflow := comfy.PromptIn(metadata)
	switch {
	case prompt == nil && workflow != nil:
		return nil, nil, failed("ui_format", name+" carries only a workflow in ComfyUI's UI format, which only the page can run",
			"drag it onto the page of ComfyUI, use Workflow > Export (API) and submit that file")
	case prompt == nil:
		return nil, nil, failed("not_a_prompt", name+" carries no prompt: it was not saved by ComfyUI, or with --disable-metadata, or an editor took it out",
			"submit the file of Workflow > Export (API)")
	case len(prompt) > comfy.DefaultBytes:
		return nil, nil, tooLarge("the prompt in " + name)
	}
	if json.Valid(workflow) && len(workflow) <= comfy.DefaultBytes {
		if extra, err = json.Marshal(map[string]any{"extra_pnginfo": map[string]json.RawMessage{"workflow": workflow}}); err != nil {
			return nil, nil, err
		}
	}
	prompt, err = validPrompt(prompt)
	return prompt, extra, err
}

// metadataOf is what a file carries, of which only parts are read; without a file it is
// all of in.
func metadataOf(f *os.File, in io.Reader, name string) (map[string]string, error) {
	if f != nil {
		st, err := f.Stat()
		if err == nil && !st.Mode().IsRegular() {
			err = errors.New("it is no regular file")
		}
		var metadata map[string]string
		if err == nil {
			metadata, err = comfy.Metadata(f, st.Size(), name)
		}
		if err != nil {
			return nil, unreadable(name, err)
		}
		return metadata, nil
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxStdinFile+1))
	if err != nil {
		return nil, unreadable(name, err)
	}
	if len(raw) > maxStdinFile {
		return nil, failed("too_large", name+" has more than 512 MiB", "give the name of the file instead of -")
	}
	return comfy.Metadata(bytes.NewReader(raw), int64(len(raw)), name)
}

// validPrompt is raw as JSON: without what a prompt read from a picture may carry.
func validPrompt(raw []byte) ([]byte, error) {
	raw = comfy.CleanPrompt(raw)
	if json.Valid(raw) {
		return raw, nil
	}
	_, err := comfy.ParsePrompt(raw, comfy.Limits{})
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
		return nil, tooLarge(name)
	}
	return raw, nil
}

func tooLarge(name string) error {
	return failed("too_large", name+" has more than 10 MiB", "upload pictures as inputs instead of embedding them in the prompt")
}

func unreadable(name string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return failed("file_unreadable", fmt.Sprintf("cannot read %s: %v", name, err), "check the path")
}
