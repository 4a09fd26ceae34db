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

func workersCommand(a *app) *cobra.Command {
	return group("workers", "List deployments, choose, warm or check one",
		"  qmtui workers list\n  qmtui workers use h200-spot\n  qmtui workers warm h200-spot",
		workersListCommand(a), useCommand(a), warmCommand(a), checkCommand(a))
}

func workersListCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List deployments, with what is known of them and from when", Args: takes(0, 0, ""),
		Long:    "Lists what is known. It asks no deployment, so it wakes none. Below the table stand\nattempts that give no sign, and what runs showed of node classes that qmtui does not know.",
		Example: "  qmtui workers list\n  qmtui workers list --json"}
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error { return a.listWorkers(c.Context(), *asJSON) }
	return c
}

func (a *app) listWorkers(ctx context.Context, asJSON bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	workers, err := c.Workers(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(a.stdout, map[string]any{"workers": workers})
	}
	if len(workers) == 0 {
		a.printf("no deployments; name one in the configuration, see \"qmtui config show\"\n")
		return nil
	}
	t, now := newColumns("NAME", "ACTIVE", "IN FLIGHT", "PRICE/H", "TODAY", "COLD", "WARM", "STATE"), time.Now()
	for _, w := range workers {
		t.add(w.Name, yesNo(w.Active), fmt.Sprintf("%d of %d%s", w.InFlight-w.NoSlot, w.Capacity, api.BesideSlots(w.NoSlot, 0)), price(w.PricePerHour), today(w), cold(w), timing(w.Warm), workerState(w, now))
	}
	if err := t.write(a.stdout); err != nil {
		return err
	}
	for _, w := range workers {
		if text := api.SilentText(w); text != "" {
			a.printf("%s: %s\n", printable(w.Name), text)
		}
		for _, l := range w.Learned {
			a.printf("%s: %s\n", printable(w.Name), printable(api.LearnedText(l)))
		}
	}
	return nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func price(perHour float64) string {
	if perHour == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", perHour)
}

// today is what a deployment cost so far today.
func today(w api.Worker) string {
	if w.PricePerHour == 0 {
		return "-"
	}
	return money(w.Today.Amount)
}

// cold is how long a cold start usually takes: "2m (1m to 5m)".
func cold(w api.Worker) string {
	if w.Usual.Count == 0 || w.Usual.Low == w.Usual.High {
		return timing(w.Cold)
	}
	at := func(s float64) string { return length(time.Duration(s * float64(time.Second))) }
	return at(w.Usual.Mid) + " (" + at(w.Usual.Low) + " to " + at(w.Usual.High) + ")"
}

// timing is the median of measured times.
func timing(t job.Timing) string {
	if t.Count == 0 {
		return "-"
	}
	return length(time.Duration(t.P50 * float64(time.Second)))
}

// workerState is what is known of a deployment, with the evidence and its age.
func workerState(w api.Worker, now time.Time) string {
	s := string(w.State)
	if w.Because != "" {
		s += ": " + w.Because
	}
	if !w.At.IsZero() {
		s += " (" + strings.TrimPrefix(string(w.Evidence)+", "+age(w.At, now), ", ") + ")"
	}
	if w.Held != nil {
		s += "; one replica held since " + w.Held.Since.Local().Format("15:04")
	}
	if w.Rules != "" {
		s += "; " + w.Rules
	}
	if w.Error != nil {
		s += ", " + w.Error.Error()
	}
	return s
}

func useCommand(a *app) *cobra.Command {
	c := &cobra.Command{Use: "use NAME", Short: "Send jobs to that deployment from now on", Args: takes(1, 1, "the deployment's NAME"), Example: "  qmtui workers use h200-spot"}
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.workerCall(c.Context(), args[0], *asJSON, (*api.Client).ActivateWorker)
	}
	return c
}

func warmCommand(a *app) *cobra.Command {
	return wakingCommand(a, &cobra.Command{Use: "warm NAME", Short: "Wake a deployment, which costs money",
		Long:    "Wakes a deployment and waits until it answers. It says first what that may cost.",
		Example: "  qmtui workers warm h200-spot\n  qmtui workers warm h200-spot --yes"},
		func(api.Worker) bool { return true }, (*api.Client).WarmWorker)
}

func checkCommand(a *app) *cobra.Command {
	return wakingCommand(a, &cobra.Command{Use: "check NAME", Short: "Ask a deployment how it is, which wakes a sleeping one",
		Long:    "Asks a deployment for its state. A request wakes one that scaled to zero, so it says\nfirst what that may cost, unless it is warm.",
		Example: "  qmtui workers check h200-spot"},
		mayWake, (*api.Client).CheckWorker)
}

// mayWake reports that asking may start a machine that costs money.
func mayWake(w api.Worker) bool { return w.ScaleToZero && w.State != job.WarmthWarm }

// wakingCommand makes a command that may cost money: it asks first.
func wakingCommand(a *app, c *cobra.Command, costs func(api.Worker) bool, do func(*api.Client, context.Context, string) (api.Worker, error)) *cobra.Command {
	var yes bool
	var timeout time.Duration
	c.Args = takes(1, 1, "the deployment's NAME")
	c.Flags().DurationVar(&timeout, "timeout", 20*time.Minute, "stop waiting for the answer after that long, and end with 4")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if !yes {
			if err := a.agreeToCost(c.Context(), args[0], costs); err != nil {
				return err
			}
		}
		ctx, cancel := context.WithTimeout(c.Context(), timeout)
		defer cancel()
		err := a.workerCall(ctx, args[0], *asJSON, do)
		if err != nil && ctx.Err() != nil && c.Context().Err() == nil {
			return &job.Error{Code: waitTimeout, Class: job.Unavailable, Message: fmt.Sprintf("%s did not answer within %s; its machine may go on starting, which costs money", args[0], timeout),
				Hint: `look with "qmtui workers list"`}
		}
		return err
	}
	return c
}

// agreeToCost says what waking a deployment may cost, and asks. Where nobody
// can be asked, the answer is no.
func (a *app) agreeToCost(ctx context.Context, name string, costs func(api.Worker) bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	w, err := findWorker(ctx, c, name)
	if err != nil || !costs(w) {
		return err
	}
	a.note("%s", printable(costSentence(w)))
	if !isTerminal(a.stdin) {
		return failed("not_agreed", "nothing was woken, because nobody could be asked", "give --yes")
	}
	if !a.agreed("go on?") {
		return failed("not_agreed", "nothing was woken", "answer y, or give --yes")
	}
	return nil
}

func findWorker(ctx context.Context, c *api.Client, name string) (api.Worker, error) {
	workers, err := c.Workers(ctx)
	if err != nil {
		return api.Worker{}, err
	}
	for _, w := range workers {
		if w.Name == name {
			return w, nil
		}
	}
	return api.Worker{}, &job.Error{Code: "worker_not_found", Class: job.NotFound, Message: fmt.Sprintf("there is no deployment %q", name), Hint: `list them with "qmtui workers list"`}
}

// costSentence says what waking a deployment may cost. The platform bills in
// steps of ten minutes (field.md, Facts about the platform).
func costSentence(w api.Worker) string {
	s := fmt.Sprintf("%s is %s; waking it starts a machine that is paid for", w.Name, w.State)
	switch w.State {
	case job.WarmthWarm:
		s = w.Name + " is warm; asking it keeps a machine running that is paid for"
	case job.WarmthUnknown:
		s = w.Name + " may be asleep; waking it starts a machine that is paid for"
	}
	if w.PricePerHour > 0 {
		s += fmt.Sprintf(": %.2f an hour, billed in steps of 10 minutes, so at least %.2f", w.PricePerHour, w.PricePerHour/6)
	} else {
		s += ", at a price that the configuration does not know, billed in steps of 10 minutes"
	}
	if w.Cold.Count > 0 {
		s += ", and it takes about " + timing(w.Cold)
	}
	return s
}

// workerCall makes a call about one deployment and prints what it is then.
func (a *app) workerCall(ctx context.Context, name string, asJSON bool, do func(*api.Client, context.Context, string) (api.Worker, error)) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	w, err := do(c, ctx, name)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(a.stdout, w)
	}
	line := w.Name
	if w.Active {
		line += " (active)"
	}
	a.printf("%s: %s\n", printable(line), printable(workerState(w, time.Now())))
	a.system(w.System)
	if !w.NodesAt.IsZero() {
		a.printf("  %d node classes, as listed %s ago\n", w.Nodes, time.Since(w.NodesAt).Round(time.Second))
	}
	return nil
}

// system prints what a deployment said of itself.
func (a *app) system(s *job.System) {
	if s == nil {
		return
	}
	a.printf("  ComfyUI %s\n", printable(s.Version))
	if s.OutputDirectory == "" {
		a.printf("  warning: it runs without --output-directory, so its outputs stay on the container's own disk and vanish\n")
	} else {
		a.printf("  outputs in %s\n", printable(s.OutputDirectory))
	}
	for _, d := range s.Devices {
		a.printf("  %s, %s of %s free\n", printable(d.Name), size(d.VRAMFree), size(d.VRAMTotal))
	}
}
