package main

import (
	"cmp"
	"time"

	"github.com/spf13/cobra"
)

func demoCommand(a *app) *cobra.Command {
	var o demoOptions
	var fleet fleetFlags
	var panel panelFlags
	c := &cobra.Command{
		Use: "demo", Short: "Show the whole system on this machine, with a simulated fleet", Args: takes(0, 0, ""),
		Long: `Runs a simulated serverless ComfyUI fleet, the manager and its users in this
process, then holds every file in the users' folders against what the fleet
wrote. Nothing to install, nothing leaves this machine. On a terminal it opens
the panel and ends when you leave; otherwise it ends by itself. It fails when an
output was lost, came twice or reached the wrong user.`,
		Example: `  qmtui demo
  qmtui demo --headless --users 20 --jobs 5 --replicas 4 --faults all --seed 1
  qmtui demo --dir /tmp/demo --faults half-file:0.5,duplicate --json`,
	}
	f := c.Flags()
	f.IntVar(&o.users, "users", 8, "users who submit")
	f.IntVar(&o.jobs, "jobs", 3, "jobs of each user")
	fleet.add(c, fleetFlags{replicas: 4, coldStart: 1500 * time.Millisecond, faults: "all", balance: "random", seed: 1})
	f.StringVar(&o.dir, "dir", "", "folder to play in, new or empty, kept afterwards (default: a temporary one)")
	f.BoolVar(&o.headless, "headless", false, "no panel: run to the end and print a summary")
	f.DurationVar(&o.timeout, "timeout", 5*time.Minute, "give up after that long")
	panel.add(c)
	o2 := jsonFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := cmp.Or(fleet.check(c), panel.check(c)); err != nil {
			return err
		}
		if o.users < 1 || o.users > 10_000 || o.jobs < 1 || o.jobs > 10_000 {
			return usage(c.CommandPath(), "--users and --jobs must be from 1 to 10000")
		}
		if o.timeout <= 0 {
			return usage(c.CommandPath(), "--timeout must be more than 0")
		}
		o.replicas, o.coldStart, o.faults, o.balance, o.seed = fleet.replicas, fleet.coldStart, fleet.faults, fleet.balance, fleet.seed
		o.json = *o2
		if !o.headless && !o.json && isTerminal(a.stdin) && isTerminal(a.stdout.Writer) {
			return demoPanel(c.Context(), o, panel, a.stdin, a.stdout.Writer)
		}
		return runDemo(c.Context(), o, a.stdout, a.stderr)
	}
	return c
}
