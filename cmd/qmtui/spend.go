package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

func spendCommand(a *app) *cobra.Command {
	var days int
	var byUser bool
	c := &cobra.Command{Use: "spend", Short: "Show what the GPUs cost, by day, deployment and user", Args: takes(0, 0, ""),
		Long: `Shows what the GPUs cost as an estimate, in the currency of price_per_hour: from the
replicas that the platform listed, or from what answered, each in begun steps of ten
minutes. A user's share is their share of the GPU time that was measured.`,
		Example: "  qmtui spend\n  qmtui spend --days 7 --users\n  qmtui spend --days 32 --json"}
	c.Flags().IntVar(&days, "days", 1, "how many days, 1 to 32; 1 is today")
	c.Flags().BoolVar(&byUser, "users", false, "by user instead of by deployment")
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if days < 1 || days > 32 {
			return usage(c.CommandPath(), "--days is %d; use 1 to 32", days)
		}
		return a.spend(c.Context(), days, byUser, *asJSON)
	}
	return c
}

func (a *app) spend(ctx context.Context, days int, byUser, asJSON bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	all, err := c.Spend(ctx, days)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(a.stdout, map[string]any{"days": all})
	}
	t := deploymentSpend(all)
	if byUser {
		t = userSpend(all)
	}
	if len(t.rows) == 1 {
		a.printf("nothing was spent, as far as is known\n")
		return nil
	}
	return t.write(a.stdout)
}

// deploymentSpend is a row for each deployment and day, and one for the day.
func deploymentSpend(all []api.SpendDay) *columns {
	t := newColumns("DAY", "DEPLOYMENT", "BILLED", "COST", "CAP", "KNOWN FROM")
	for _, d := range all {
		for _, x := range d.Deployments {
			t.add(d.Day, x.Name, length(time.Duration(x.Billed*float64(time.Second))), money(x.Amount), budgetCap(x.Cap), knownFrom(x.Spent))
		}
		if len(d.Deployments) > 1 || d.Cap > 0 && len(d.Deployments) > 0 {
			t.add(d.Day, "all", "", money(d.Amount), budgetCap(d.Cap), "")
		}
	}
	return t
}

func userSpend(all []api.SpendDay) *columns {
	t := newColumns("DAY", "USER", "GPU TIME", "COST")
	for _, d := range all {
		for _, u := range d.Users {
			t.add(d.Day, u.User, length(time.Duration(u.GPUSeconds*float64(time.Second))), money(u.Amount))
		}
	}
	return t
}

// knownFrom says what a bill rests on.
func knownFrom(s job.Spent) string {
	switch s.Evidence {
	case job.ByPlatform:
		return "the platform's replicas"
	case job.ByTime:
		return "what answered: at least this much"
	}
	return "nothing: no replica was seen"
}

func money(amount float64) string { return fmt.Sprintf("%.2f", amount) }

func budgetCap(most float64) string {
	if most == 0 {
		return "-"
	}
	return money(most)
}
