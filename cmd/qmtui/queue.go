package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

func queueCommand(a *app) *cobra.Command {
	return group("queue", "See, pause, resume or drain the queue",
		"  qmtui queue status\n  qmtui queue pause\n  qmtui queue resume",
		queueStatusCommand(a),
		modeCommand(a, "pause", "Take jobs, but submit none to the GPUs", job.ModePaused),
		resumeCommand(a),
		modeCommand(a, "drain", "Take no new jobs, finish the ones there are", job.ModeDraining),
		acceptShareCommand(a))
}

func acceptShareCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "accept-share", Short: "Take the file system that is mounted now for the share, after it was changed on purpose",
		Args: takes(0, 0, ""), Example: "  qmtui queue accept-share"}
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return a.queueCall(c.Context(), *asJSON, (*api.Client).AcceptShare)
	}
	return c
}

func queueStatusCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "status", Short: "Show the queue at a glance", Args: takes(0, 0, ""), Example: "  qmtui queue status\n  qmtui queue status --json"}
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return a.queueCall(c.Context(), *asJSON, (*api.Client).QueueStatus)
	}
	return c
}

func modeCommand(a *app, use, short string, m job.Mode) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: takes(0, 0, ""), Example: "  qmtui queue " + use}
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return a.queueCall(c.Context(), *asJSON, func(cl *api.Client, ctx context.Context) (api.QueueStatus, error) { return cl.SetMode(ctx, m) })
	}
	return c
}

func resumeCommand(a *app) *cobra.Command {
	var over bool
	c := modeCommand(a, "resume", "Run normally again", job.ModeRunning)
	c.Long = `Ends a pause or a drain. It does not end a budget's: with --over-budget jobs are sent
beyond today's budgets until midnight, which costs money; the warning stays, with your name.`
	c.Example += "\n  qmtui queue resume --over-budget"
	c.Flags().BoolVar(&over, "over-budget", false, "spend beyond today's budgets until midnight, knowingly")
	resume := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if !over {
			return resume(c, args)
		}
		return a.queueCall(c.Context(), wantsJSON(c), func(cl *api.Client, ctx context.Context) (api.QueueStatus, error) {
			if s, err := cl.LiftBudget(ctx); err != nil {
				return s, err
			}
			return cl.SetMode(ctx, job.ModeRunning)
		})
	}
	return c
}

// queueCall makes a call that answers with the queue's status, and prints it.
func (a *app) queueCall(ctx context.Context, asJSON bool, call func(*api.Client, context.Context) (api.QueueStatus, error)) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := call(c, ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(a.stdout, s)
	}
	a.showQueue(s, time.Now())
	return nil
}

// showQueue prints the queue at a glance.
func (a *app) showQueue(s api.QueueStatus, now time.Time) {
	a.printf("queue     %s, %s, up %s\n", s.Mode, s.Scheduling, length(now.Sub(s.Started.Time)))
	a.printf("jobs      %d pending, %d running, %d completed, %d failed, %d cancelled\n", s.Pending, s.Running, s.Completed, s.Failed, s.Cancelled)
	a.printf("depth     %d of %d\n", s.Depth, s.MaxDepth)
	active := s.Active
	if active == "" {
		active = "no active deployment"
	}
	a.printf("gpu       %s, %d of %d in flight%s\n", printable(active), s.Occupied(), s.Capacity, api.BesideSlots(s.NoSlot, s.Elsewhere))
	switch {
	case s.Stopped != nil:
		a.printf("wait      %s%s\n", printable(s.Stopped.Message), since(s.Stopped.Since, now))
		try := "one is sent to try it at " + s.Stopped.Next.Local().Format("15:04:05")
		if s.Stopped.Trying {
			try = "another one tries it now"
		}
		a.printf("waiting   %s; %s\n", plural(s.Stopped.Waiting, "job"), try)
	case s.Wait == nil || *s.Wait < 0:
	case *s.Wait < 1:
		a.printf("wait      none: a job submitted now is sent at once\n")
	default:
		a.printf("wait      about %s for a job submitted now\n", length(time.Duration(*s.Wait*float64(time.Second))))
	}
	if s.Exclusive > 0 {
		a.printf("turns     %s for another job, or for an orphan, at the same place\n", plural(s.Exclusive, "job")+map[bool]string{true: " waits", false: " wait"}[s.Exclusive == 1])
	}
	a.printf("share     %s\n", printable(shareLine(s.Share, now)))
	a.printf("orphans   %d\n", s.Orphans)
	for _, w := range s.Warnings {
		a.printf("warning   %s\n", printable(sentence(w.Code, w.Message, w.Hint)+since(w.At, now)))
	}
}

// since is " (since 15:04)"; empty for a zero time.
func since(t, now time.Time) string {
	layout := "15:04"
	switch {
	case t.IsZero():
		return ""
	case now.Sub(t) >= 24*time.Hour:
		layout = "2006-01-02 15:04"
	}
	return " (since " + t.Local().Format(layout) + ")"
}

func shareLine(s job.ShareStatus, now time.Time) string {
	if s.Error != nil {
		return s.Path + ", " + s.Error.Error()
	}
	line := fmt.Sprintf("%s, %s, %s free, watched by %s", s.Path, s.FSType, size(s.Free), s.Watch)
	if !s.LookedAt.IsZero() {
		line += ", looked " + age(s.LookedAt, now)
	}
	if s.ReadOnly {
		line += ", read-only"
	}
	return line
}
