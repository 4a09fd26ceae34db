package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// healthOptions are the flags of qmtui health.
type healthOptions struct {
	ready, asJSON bool
	within        time.Duration
}

func healthCommand(a *app) *cobra.Command {
	var o healthOptions
	c := &cobra.Command{Use: "health", Short: "Say whether the manager works (for HEALTHCHECK and scripts)", Args: takes(0, 0, ""),
		Long: `Asks the manager and ends with 0 when it works, 1 when it answers wrongly or too
late, 3 when there is none. What keeps it from its work, such as a share that is
away, is told and is no failure: a restart would not mend it. With --ready it is.`,
		Example: "  qmtui health\n  qmtui health --ready --json"}
	c.Flags().BoolVar(&o.ready, "ready", false, "fail also when something keeps it from its work")
	c.Flags().DurationVar(&o.within, "within", 5*time.Second, "how long to wait for the answer")
	c.Flags().BoolVar(&o.asJSON, "json", false, "print exactly one JSON document")
	c.RunE = func(c *cobra.Command, _ []string) error { return a.health(c.Context(), o) }
	return c
}

func (a *app) health(ctx context.Context, o healthOptions) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	within, stop := context.WithTimeout(ctx, o.within)
	defer stop()
	h, err := c.Health(within)
	if within.Err() != nil && ctx.Err() == nil {
		return &job.Error{Code: "no_answer_in_time", Class: job.Unavailable, Message: "the manager did not answer within " + length(o.within),
			Hint: "look at its log; a restart harms no job"}
	}
	if err != nil {
		return err
	}
	if o.asJSON {
		err = writeJSON(a.stdout, h)
	} else {
		a.showHealth(h)
	}
	if err == nil && o.ready && len(h.Reasons) > 0 {
		r := h.Reasons[0]
		return &job.Error{Code: r.Code, Class: job.Unavailable, Message: r.Message, Hint: r.Hint}
	}
	return err
}

func (a *app) showHealth(h api.Health) {
	a.printf("%s: version %s, up %s, %d pending, %d running\n", printable(h.Status), printable(h.Version),
		length(time.Duration(h.Uptime*float64(time.Second))), h.Pending, h.Running)
	for _, r := range h.Reasons {
		a.printf("%s\n", printable(sentence(r.Code, r.Message, r.Hint)))
	}
}
