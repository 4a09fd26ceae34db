package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

func jobsShowCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "show ID", Short: "Show a job: what happened, on what evidence, and its outputs", Args: takes(1, 1, "the job's ID"),
		Long:    "Shows one job. ID is the id, or a part of it from its beginning or its end that\nfits one job only.",
		Example: "  qmtui jobs show 4f1c2a9b\n  qmtui jobs show 4f1c2a9b --json"}
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error { return a.showJob(c.Context(), args[0], *asJSON) }
	return c
}

func (a *app) showJob(ctx context.Context, id string, asJSON bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	j, err := findJob(ctx, c, id)
	if err != nil {
		return err
	}
	facts, err := c.Facts(ctx, j.ID)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(a.stdout, map[string]any{"job": j, "facts": facts})
	}
	now := time.Now()
	a.jobHead(j, now)
	a.jobError(j.ErrorDetail)
	a.jobAttempts(j, now)
	a.jobInputs(j)
	a.jobOutputs(j)
	for _, w := range j.Warnings {
		a.printf("warning     %s\n", printable(sentence(w.Code, w.Message, w.Hint)))
	}
	a.printf("\n")
	return a.timeline(facts, now)
}

func (a *app) jobHead(j api.Job, now time.Time) {
	a.field("job", string(j.ID))
	a.field("user", j.User)
	if j.By != "" {
		a.field("sender", j.By)
	}
	if j.Name != "" {
		a.field("name", j.Name)
	}
	a.field("state", stateLine(j))
	if j.Evidence != "" {
		a.field("evidence", fmt.Sprintf("%s, %s", j.Evidence, age(j.EvidenceAt.Time, now)))
	}
	a.field("priority", priorityName(j.Priority))
	a.field("submitted", stamp(j.Created.Time, now)+", "+age(j.Created.Time, now))
	if j.Asked != "" {
		a.field("asked for", j.Asked+", and no other deployment")
	}
	if j.Want == job.WantCancel && !j.State.Terminal() {
		a.field("wanted", "cancelled")
	}
}

// stateLine is the state and its sentence; that of an ended job begins with the state.
func stateLine(j api.Job) string {
	if state := j.State.String(); !strings.HasPrefix(j.Phase, state) {
		return state + ": " + j.Phase
	}
	return j.Phase
}

// field prints a line of the head.
func (a *app) field(name, value string) { a.printf("%-12s%s\n", name, printable(value)) }

// jobError prints why a job failed, with the node and the worker's traceback.
func (a *app) jobError(e *api.Error) {
	if e == nil {
		return
	}
	a.field("error", sentence(e.Code, e.Message, e.Hint))
	if e.Node != "" {
		a.field("node", e.Node+" "+e.NodeType)
	}
	for _, line := range nodeLines(e.NodeErrors) {
		a.printf("%s\n", printable(line))
	}
	for _, line := range e.Traceback {
		a.printf("  | %s\n", printable(line))
	}
}

func (a *app) jobAttempts(j api.Job, now time.Time) {
	for _, t := range j.Attempts {
		line := fmt.Sprintf("%d: %s", t.N, t.State)
		if t.Deployment != "" {
			line += ", " + t.Deployment
		}
		if t.PromptID != "" {
			line += ", prompt " + t.PromptID
		}
		if !t.Started.IsZero() && !t.Ended.IsZero() {
			line += ", ran " + length(t.Ended.Sub(t.Started.Time))
		}
		if !t.NotBefore.IsZero() && t.NotBefore.After(now) {
			line += ", not before " + stamp(t.NotBefore.Time, now)
		}
		if t.Error != nil && t.N < len(j.Attempts) {
			line += ", " + sentence(t.Error.Code, t.Error.Message, "")
		}
		a.field("attempt", line)
		if len(t.Plain) > 0 {
			a.field("", "sent with the inputs of "+strings.Join(t.Plain, ", ")+" as they were written")
		}
		if outside := t.Outside(); outside != "" {
			a.field("", "may write outside its own folder: "+outside)
		}
		if t.FileCount > 0 {
			a.field("", "its history named "+plural(t.FileCount, "file"))
		}
	}
}

func (a *app) jobInputs(j api.Job) {
	for _, in := range j.Inputs {
		a.field("input", fmt.Sprintf("%s, %s, node %s %s", in.Name, size(in.Size), in.Node, in.Input))
	}
}

func (a *app) jobOutputs(j api.Job) {
	for _, o := range j.Outputs {
		where := o.Source.String() + " on the share"
		if o.Path != "" {
			where = a.place(j.User, o.Path)
		}
		node := ""
		if o.Node != "" {
			node = ", node " + o.Node
		}
		line := fmt.Sprintf("%s %s, %s%s, by %s, id %s", o.State, where, size(o.Size), node, o.Evidence, o.ID)
		if o.Aside {
			line += ", put aside"
		}
		a.field("output", line)
	}
}

// timeline lists the facts with their time, evidence and age.
func (a *app) timeline(facts []api.Fact, now time.Time) error {
	t := newColumns("TIME", "AGE", "ATTEMPT", "FACT", "EVIDENCE", "WHAT")
	for _, f := range facts {
		attempt := "-"
		if f.Attempt > 0 {
			attempt = fmt.Sprint(f.Attempt)
		}
		by := string(f.Evidence)
		if f.Actor != "" {
			by += " " + f.Actor
		}
		t.add(stamp(f.At.Time, now), length(now.Sub(f.At.Time)), attempt, string(f.Kind), shorten(by, 30), f.Text)
	}
	return t.write(a.stdout)
}
