package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

func outputsCommand(a *app) *cobra.Command {
	return group("outputs", "List and fetch outputs, settle orphans",
		`  qmtui outputs list --user user001
  qmtui outputs get 3b9f21c07a44d1e6
  qmtui outputs orphans
  qmtui outputs assign 3b9f21c07a44d1e6 --user user001`,
		outputsListCommand(a), orphansCommand(a), assignCommand(a), unassignCommand(a), discardCommand(a), getCommand(a))
}

func outputsListCommand(a *app) *cobra.Command {
	var user string
	var q api.OutputQuery
	c := &cobra.Command{Use: "list", Short: "List a user's outputs, newest job first", Args: takes(0, 0, ""),
		Example: "  qmtui outputs list --user user001\n  qmtui outputs list --user user001 --state whole --json"}
	c.Flags().StringVar(&user, "user", "", "whose outputs")
	c.Flags().StringVar(&q.State, "state", "", "only outputs that are seen, whole, stored, abandoned or vanished")
	c.Flags().IntVar(&q.Limit, "limit", 100, "about that many: a job's outputs come together")
	_ = c.MarkFlagRequired("user")
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if q.Limit < 1 || q.Limit > 1000 {
			return usage(c.CommandPath(), "--limit must be from 1 to 1000")
		}
		return a.listOutputs(c.Context(), user, q, *asJSON)
	}
	return c
}

func (a *app) listOutputs(ctx context.Context, user string, q api.OutputQuery, asJSON bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	page, err := c.UserOutputs(ctx, user, q)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(a.stdout, map[string]any{"outputs": page.Items, "more": page.Next != ""})
	}
	if len(page.Items) == 0 {
		a.printf("no outputs\n")
		return nil
	}
	t, now := newColumns("ID", "STATE", "SIZE", "AGE", "JOB", "NODE", "FILE"), time.Now()
	for _, o := range page.Items {
		t.add(string(o.ID), o.State.String(), size(o.Size), length(now.Sub(o.SeenAt.Time)), shortID(o.Job), o.Node, outputName(o))
	}
	if err := t.write(a.stdout); err != nil {
		return err
	}
	if page.Next != "" {
		a.printf("there are more; see --limit\n")
	}
	return nil
}

// outputName is a file below the user's folder, or on the share as long as it
// has no place there.
func outputName(o api.UserOutput) string {
	if o.Path != "" {
		return o.Path
	}
	return o.Source.String() + " (on the share)"
}

func orphansCommand(a *app) *cobra.Command {
	var state string
	c := &cobra.Command{Use: "orphans", Short: "List files on the share that nothing attributes to a job", Args: takes(0, 0, ""),
		Long:    "Lists orphans. What matches nothing is shown and never guessed: assign it to a user,\nor discard it. WHY names the jobs that may have written it; the other users\nsuggested had jobs running at that time.",
		Example: "  qmtui outputs orphans\n  qmtui outputs orphans --state all --json"}
	c.Flags().StringVar(&state, "state", job.OrphanOpen, "open, assigned, discarded or all")
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if !slices.Contains([]string{job.OrphanOpen, job.OrphanAssigned, job.OrphanDiscarded, "all"}, state) {
			return usage(c.CommandPath(), "--state: %q is not open, assigned, discarded or all", state)
		}
		return a.listOrphans(c.Context(), strings.TrimPrefix(state, "all"), *asJSON)
	}
	return c
}

func (a *app) listOrphans(ctx context.Context, state string, asJSON bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	orphans, err := c.Orphans(ctx, state)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(a.stdout, map[string]any{"orphans": orphans})
	}
	if len(orphans) == 0 {
		a.printf("no orphans\n")
		return nil
	}
	t, now := newColumns("ID", "STATE", "SIZE", "AGE", "USER", "PATH", "WHY"), time.Now()
	for _, o := range orphans {
		t.add(string(o.ID), o.State, size(o.Size), length(now.Sub(o.SeenAt)), orphanUser(o), o.Path.String(), orphanReason(o))
	}
	return t.write(a.stdout)
}

// orphanUser is who got it, or who is suggested.
func orphanUser(o api.Orphan) string {
	switch {
	case o.User != "":
		return o.User
	case len(o.Suggest) > 0:
		return shorten(strings.Join(o.Suggest, ", "), 40) + "?"
	}
	return "-"
}

// orphanReason is why nothing attributes it, and the jobs that may have written
// it; or the job whose file it turned out to be.
func orphanReason(o api.Orphan) string {
	if o.Job != "" {
		return "it is a file of job " + shortID(o.Job) + ", by " + o.By
	}
	if names := o.MayBeOf(shortID); names != "" {
		return o.Reason + "; " + names
	}
	return o.Reason
}

func assignCommand(a *app) *cobra.Command {
	var user string
	c := &cobra.Command{Use: "assign ID --user U", Short: "Give an orphan to a user", Args: takes(1, 1, "the orphan's ID"),
		Example: "  qmtui outputs assign 3b9f21c07a44d1e6 --user user001"}
	c.Flags().StringVar(&user, "user", "", "who gets the file")
	_ = c.MarkFlagRequired("user")
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.settle(c.Context(), args[0], *asJSON, func(ctx context.Context, cl *api.Client, id job.OutputID) (api.Orphan, error) {
			return cl.AssignOrphan(ctx, id, user)
		})
	}
	return c
}

func unassignCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "unassign ID", Short: "Undo the assignment of an orphan", Args: takes(1, 1, "the orphan's ID"),
		Long:    "Removes the copy from the user's folder and lists the orphan again. A copy that was\nchanged stays, and so does one that the share no longer holds.",
		Example: "  qmtui outputs unassign 3b9f21c07a44d1e6"}
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.settle(c.Context(), args[0], *asJSON, func(ctx context.Context, cl *api.Client, id job.OutputID) (api.Orphan, error) {
			return cl.UnassignOrphan(ctx, id)
		})
	}
	return c
}

func discardCommand(a *app) *cobra.Command {
	var reason string
	c := &cobra.Command{Use: "discard ID", Short: "Give an orphan to nobody, and remove it from the share", Args: takes(1, 1, "the orphan's ID"),
		Long:    "Takes an orphan off the list and removes the file from the share, where that can be\nwritten. This cannot be undone.",
		Example: "  qmtui outputs discard 3b9f21c07a44d1e6 --reason \"a test of last week\""}
	c.Flags().StringVar(&reason, "reason", "", "why, for the record")
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.settle(c.Context(), args[0], *asJSON, func(ctx context.Context, cl *api.Client, id job.OutputID) (api.Orphan, error) {
			return cl.DiscardOrphan(ctx, id, reason)
		})
	}
	return c
}

// settle assigns or discards the orphan whose id begins with text.
func (a *app) settle(ctx context.Context, text string, asJSON bool, do func(context.Context, *api.Client, job.OutputID) (api.Orphan, error)) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	id, err := findOrphan(ctx, c, text)
	if err != nil {
		return err
	}
	o, err := do(ctx, c, id)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(a.stdout, o)
	}
	a.printf("%s\n", printable(settled(o)))
	return nil
}

func settled(o api.Orphan) string {
	if o.State == job.OrphanOpen {
		return o.Path.String() + " is an orphan again, and the user's copy is removed"
	}
	s := fmt.Sprintf("%s is %s", o.Path, o.State)
	if o.User != "" {
		s += " to " + o.User
	}
	if o.Dest != "" {
		s += ", as " + o.Dest
	}
	return s
}

// findOrphan finds the one orphan whose id begins with text.
func findOrphan(ctx context.Context, c *api.Client, text string) (job.OutputID, error) {
	orphans, err := c.Orphans(ctx, "")
	if err != nil {
		return "", err
	}
	var found []job.OutputID
	for _, o := range orphans {
		if text != "" && strings.HasPrefix(string(o.ID), text) {
			found = append(found, o.ID)
		}
	}
	switch len(found) {
	case 0:
		return job.OutputID(text), job.ErrNoOrphan
	case 1:
		return found[0], nil
	}
	return "", failed("ambiguous_id", fmt.Sprintf("%q fits %d orphans", text, len(found)), "give more of the id")
}
