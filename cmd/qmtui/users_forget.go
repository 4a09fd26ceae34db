package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

type forgetFlags struct{ dryRun, yes, json bool }

func usersForgetCommand(a *app) *cobra.Command {
	var f forgetFlags
	c := &cobra.Command{Use: "forget USER", Short: "Remove what the manager keeps of a user", Args: takes(1, 1, "the USER"),
		Long: `Removes the user's ended jobs with their prompts and events, the inputs that were
brought to the workers, and the tokens. Where the name must stay for sums and
records to be right (spending, audit, jobs of others), a pseudonym takes its place.
Delivered files and the password are not touched: it says where they are. A user
with open jobs is refused. Nothing of it can be undone; cut short, repeat it.`,
		Example: "  qmtui users forget user001 --dry-run\n  qmtui users forget user001\n  qmtui users forget user001 --yes --json"}
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "only say what would be done")
	c.Flags().BoolVar(&f.json, "json", false, "print exactly one JSON document")
	c.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
	c.RunE = func(c *cobra.Command, args []string) error { return a.forgetUser(c.Context(), args[0], f) }
	return c
}

func (a *app) forgetUser(ctx context.Context, user string, f forgetFlags) error {
	if err := job.CheckUser(user); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	if !f.dryRun && !f.yes {
		would, err := c.ForgetUser(ctx, api.ForgetRequest{User: user, DryRun: true})
		if err != nil {
			return err
		}
		for _, line := range forgottenLines(would) {
			a.note("%s", line)
		}
		if !isTerminal(a.stdin) {
			return failed("not_agreed", "nothing was removed, because nobody could be asked", "give --yes")
		}
		if !a.agreed("this cannot be undone; go on?") {
			return failed("not_agreed", "nothing was removed", "answer y, or give --yes")
		}
	}
	done, err := c.ForgetUser(ctx, api.ForgetRequest{User: user, DryRun: f.dryRun})
	if err != nil {
		return err
	}
	if f.json {
		return writeJSON(a.stdout, done)
	}
	a.printf("%s\n", strings.Join(forgottenLines(done), "\n"))
	return nil
}

// forgottenLines say what is removed, what has the pseudonym, and
// what is left to do.
func forgottenLines(f api.Forgotten) []string {
	would, pseudonym := "", f.Pseudonym
	if f.DryRun {
		would, pseudonym = "would be ", "a pseudonym"
	}
	lines := []string{
		fmt.Sprintf("%sremoved: %s, %s, %s", would, plural(f.Jobs, "job"), plural(f.StagedInputs, "staged input"), plural(f.Tokens, "token")),
		fmt.Sprintf("%snamed %s: %s of others, %s, %s, and the spending", would, pseudonym, plural(f.OtherJobs, "job"),
			plural(f.Audit, "action")+" in the audit log", plural(f.Orphans, "orphan")),
		"not touched:",
	}
	for _, u := range f.Untouched {
		line := "  " + u.What
		if u.Path != "" {
			line += ", " + printable(u.Path)
		}
		if u.What == deliveredFiles && f.Outputs > 0 {
			line += fmt.Sprintf(" (%s, %s, of these jobs)", plural(f.Outputs, "file"), size(f.Bytes))
		}
		lines = append(lines, line+": "+printable(u.Next))
	}
	return lines
}
