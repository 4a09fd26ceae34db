package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/api"
)

func auditCommand(a *app) *cobra.Command {
	var since, match string
	var last int
	c := &cobra.Command{Use: "audit", Short: "Show who did what, people and rules alike", Args: takes(0, 0, ""),
		Long: `Shows what people did (cancel, retry, pause, assign, warm, choose a deployment, lift
a budget) and what rules did by themselves (by qmtui, via rule), newest first. The
newest 10,000 deeds are kept.`,
		Example: "  qmtui audit\n  qmtui audit --since 2h\n  qmtui audit --match rule --last 20 --json"}
	c.Flags().StringVar(&since, "since", "", "deeds within that time (2h, 3d) or since (2026-01-31, 14:30)")
	c.Flags().StringVar(&match, "match", "", "deeds with that text in any column")
	c.Flags().IntVar(&last, "last", 100, "at most that many, 1 to 10000")
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		from, err := parseSince(since, time.Now())
		switch {
		case err != nil:
			return usage(c.CommandPath(), "--since: %s", err)
		case last < 1 || last > 10_000:
			return usage(c.CommandPath(), "--last is %d; use 1 to 10000", last)
		}
		return a.audit(c.Context(), last, from, match, *asJSON)
	}
	return c
}

func (a *app) audit(ctx context.Context, last int, since time.Time, match string, asJSON bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	deeds, err := c.Audit(ctx, last, since, match)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(a.stdout, map[string]any{"deeds": deeds})
	}
	if len(deeds) == 0 {
		a.printf("nobody did anything, as far as is kept\n")
		return nil
	}
	return deedColumns(deeds).write(a.stdout)
}

func deedColumns(deeds []api.AuditEntry) *columns {
	t := newColumns("WHEN", "WHO", "VIA", "WHAT", "TO WHAT", "RESULT", "SHOWN")
	for _, e := range deeds {
		t.add(e.At.Local().Format("2006-01-02 15:04:05"), e.Actor, e.Via, e.Verb, e.Target, e.Result, e.Proof)
	}
	return t
}
