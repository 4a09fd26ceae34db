package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// run runs one command line and returns its exit code. It may be called
// several times in one process.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: &counted{Writer: stdout}, stderr: stderr}
	root := rootCommand(a)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(a.stdout)
	root.SetErr(stderr)
	used, err := root.ExecuteContextC(ctx)
	return a.complain(asUsage(used, err), wantsJSON(used))
}

func rootCommand(a *app) *cobra.Command {
	var panel panelFlags
	root := &cobra.Command{
		Use:   "qmtui",
		Short: "Queue manager for ComfyUI on serverless GPUs",
		Long: `qmtui takes ComfyUI jobs of many users through a serverless GPU fleet and
puts every output into the right user's folder.

Exit codes: 0 good, 1 it failed, 2 wrong usage, 3 no manager to talk to, or it went
away and did not come back, 4 --timeout is over and what was waited for goes on.`,
		Example: `  qmtui                                             the panel
  qmtui demo                                        the whole system on this machine
  qmtui --daemon                                    the manager, without a screen
  qmtui submit prompt.json --user user001 --wait    one job, to its end`,
		SilenceErrors: true, SilenceUsage: true,
		Args: noCommand,
		RunE: func(c *cobra.Command, _ []string) error { return a.start(c, panel) },
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usage(c.CommandPath(), "%s", err) })
	root.PersistentFlags().StringVar(&a.configPath, "config", "", "configuration file (else $QMTUI_CONFIG, ./qmtui.toml, /etc/qmtui/qmtui.toml)")
	root.PersistentFlags().StringVar(&a.target, "server", "", "manager to talk to: a socket's path or an address (else $QMTUI_SERVER, else the configuration's socket)")
	root.Flags().Bool("daemon", false, "run the manager without a screen, as \"qmtui daemon\"")
	logFlags(root, a)
	panel.add(root)
	root.AddCommand(daemonCommand(a), demoCommand(a), simCommand(a), submitCommand(a), jobsCommand(a), queueCommand(a),
		outputsCommand(a), workersCommand(a), spendCommand(a), auditCommand(a), usersCommand(a), configCommand(a), dbCommand(a), doctorCommand(a), logCommand(a), healthCommand(a), versionCommand(a), manCommand(a), previewHelperCommand(a))
	return root
}

// start is qmtui without a command: the manager with --daemon, else the panel,
// or a look at the queue where there is no terminal.
func (a *app) start(c *cobra.Command, panel panelFlags) error {
	if err := panel.check(c); err != nil {
		return err
	}
	if on, _ := c.Flags().GetBool("daemon"); on {
		return a.daemon(c.Context())
	}
	if isTerminal(a.stdin) && isTerminal(a.stdout.Writer) {
		return a.panel(c.Context(), panel)
	}
	return a.glance(c.Context())
}

// noCommand refuses a word that is not a command, with the nearest ones.
func noCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if c.SuggestionsMinimumDistance <= 0 {
		c.SuggestionsMinimumDistance = 2
	}
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return usage(c.CommandPath(), "%q is not a command of %q, did you mean %q?", args[0], c.CommandPath(), near[0])
	}
	return usage(c.CommandPath(), "%q is not a command of %q", args[0], c.CommandPath())
}

// group is a command that only holds others.
func group(use, short, example string, members ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Example: example, Args: noCommand}
	c.RunE = func(c *cobra.Command, _ []string) error {
		var names []string
		for _, m := range members {
			names = append(names, m.Name())
		}
		return usage(c.CommandPath(), "%q needs one of: %s", c.CommandPath(), strings.Join(names, ", "))
	}
	c.AddCommand(members...)
	return c
}

// takes bounds the number of arguments, which are called what. most below zero
// means any number.
func takes(least, most int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usage(c.CommandPath(), "%s is missing", what)
		case most == 0 && len(args) > 0:
			return usage(c.CommandPath(), "%q takes no arguments, and got %q", c.CommandPath(), args[0])
		case most > 0 && len(args) > most:
			return usage(c.CommandPath(), "%q is one argument too many", args[most])
		}
		return nil
	}
}

// jsonFlag adds --json.
func jsonFlag(c *cobra.Command) *bool {
	return c.Flags().Bool("json", false, "print exactly one JSON document")
}

func wantsJSON(c *cobra.Command) bool {
	if c == nil || c.Flags().Lookup("json") == nil {
		return false
	}
	on, _ := c.Flags().GetBool("json")
	return on
}

// asUsage recognises the errors of the command line that cobra makes itself.
func asUsage(c *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	if rest, ok := strings.CutPrefix(err.Error(), "required flag(s) "); ok {
		return usage(c.CommandPath(), "--%s is missing", strings.ReplaceAll(strings.Trim(strings.TrimSuffix(rest, " not set"), `"`), `", "`, ", --"))
	}
	for _, start := range []string{"unknown command", "if any flags in the group", "at least one of the flags"} {
		if strings.HasPrefix(err.Error(), start) {
			return usage(c.CommandPath(), "%s", err)
		}
	}
	return err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// plural is "1 job" or "3 jobs".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
