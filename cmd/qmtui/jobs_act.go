package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/api"
	"github.com/comfyume/qmtui/internal/job"
)

// actFlags are what cancel, retry and priority have in common.
type actFlags struct {
	filterFlags
	all, dryRun, json, yes bool
}

func (f *actFlags) add(c *cobra.Command) {
	f.filterFlags.add(c)
	c.Flags().BoolVar(&f.all, "all", false, "every job")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "only say what would be done")
	c.Flags().BoolVar(&f.json, "json", false, "print exactly one JSON document")
	c.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
}

func jobsCancelCommand(a *app) *cobra.Command {
	return actCommand(a, job.DoCancel, &cobra.Command{Use: "cancel [ID...]", Short: "Cancel jobs",
		Long:    "Cancels waiting jobs at once and asks the worker to stop running ones. Files that\nstill come are put aside, not lost.",
		Example: "  qmtui jobs cancel 4f1c2a9b\n  qmtui jobs cancel --user user001 --state queued --dry-run"})
}

func jobsRetryCommand(a *app) *cobra.Command {
	return actCommand(a, job.DoRetry, &cobra.Command{Use: "retry [ID...]", Short: "Try ended jobs again",
		Long:    "Gives ended jobs a further attempt, with a prompt id and a folder of its own.",
		Example: "  qmtui jobs retry 4f1c2a9b\n  qmtui jobs retry --state lost --since 1d"})
}

func actCommand(a *app, verb job.Verb, c *cobra.Command) *cobra.Command {
	var f actFlags
	f.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.act(c.Context(), c.CommandPath(), api.ActionRequest{Action: verb}, args, f)
	}
	return c
}

func jobsPriorityCommand(a *app) *cobra.Command {
	var f actFlags
	c := &cobra.Command{Use: "priority PRIORITY [ID...]", Short: "Change the priority of waiting jobs", Args: takes(1, -1, "the PRIORITY"),
		Long:    "Sets the priority: 0 or instructor, 1 or high, 2 or normal, 3 or low.",
		Example: "  qmtui jobs priority high 4f1c2a9b\n  qmtui jobs priority low --user user001"}
	f.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		p, err := parsePriority(args[0])
		if err != nil {
			return usage(c.CommandPath(), "%s", err)
		}
		return a.act(c.Context(), c.CommandPath(), api.ActionRequest{Action: job.DoPriority, Priority: &p}, args[1:], f)
	}
	return c
}

// act does something to the jobs that ids or filters pick.
func (a *app) act(ctx context.Context, command string, r api.ActionRequest, ids []string, f actFlags) error {
	filter, err := f.filter(command, time.Now())
	if err != nil {
		return err
	}
	if err := checkPick(command, ids, f); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	if r.IDs, err = findJobs(ctx, c, ids); err != nil {
		return err
	}
	if len(ids) == 0 && !f.all {
		r.Filter = &filter
	}
	r.All, r.DryRun = f.all, f.dryRun
	if !f.dryRun && !f.yes && isTerminal(a.stdin) {
		if r, err = a.ask(ctx, c, r); err != nil {
			return err
		}
	}
	report, err := c.Act(ctx, r)
	if err != nil {
		return err
	}
	return a.report(report, f.json)
}

// checkPick wants exactly one way of picking jobs.
func checkPick(command string, ids []string, f actFlags) error {
	filtered := f.user != "" || f.since != "" || f.match != "" || len(f.states) > 0
	switch {
	case len(ids) == 0 && !filtered && !f.all:
		return usage(command, "name the jobs: IDs, --user, --state, --since, --match, or --all")
	case len(ids) > 0 && (filtered || f.all), f.all && filtered:
		return usage(command, "IDs, filters and --all do not go together")
	}
	return nil
}

// ask shows what would be done to more than one job and asks. What is agreed
// to is done to these jobs and no others.
func (a *app) ask(ctx context.Context, c *api.Client, r api.ActionRequest) (api.ActionRequest, error) {
	try := r
	try.DryRun = true
	report, err := c.Act(ctx, try)
	if err != nil || report.Done <= 1 {
		return r, err
	}
	a.note("%s:", wouldDo(report))
	for _, res := range report.Results[:min(len(report.Results), 20)] {
		if res.Error == nil {
			a.note("  %s %s %s %s", shortID(res.ID), printable(res.Job.User), res.Job.State, printable(shorten(res.Job.Name, 40)))
		}
	}
	if !a.agreed("go on?") {
		return r, failed("not_agreed", "nothing was done", "answer y, or give --yes")
	}
	r.Filter, r.All, r.IDs = nil, false, nil
	for _, res := range report.Results {
		if res.Error == nil {
			r.IDs = append(r.IDs, res.ID)
		}
	}
	return r, nil
}

func wouldDo(r api.ActionReport) string {
	return fmt.Sprintf("this would %s %s", verbWord(r.Action), plural(r.Done, "job"))
}

func verbWord(v job.Verb) string {
	if v == job.DoPriority {
		return "change the priority of"
	}
	return string(v)
}

// agreed asks a question on stderr; only y or yes agrees.
func (a *app) agreed(question string) bool {
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	s := bufio.NewScanner(a.stdin)
	if !s.Scan() {
		return false
	}
	answer := strings.ToLower(strings.TrimSpace(s.Text()))
	return answer == "y" || answer == "yes"
}

// report tells what was done, job by job; a job that could not be served is a failure.
func (a *app) report(r api.ActionReport, asJSON bool) error {
	if asJSON {
		if err := writeJSON(a.stdout, r); err != nil {
			return err
		}
	} else {
		a.reportLines(r)
	}
	if r.Failed > 0 {
		if len(r.Results) == 1 {
			return r.Results[0].Error.Err()
		}
		return &job.Error{Code: "partly_failed", Class: job.Conflict, Message: fmt.Sprintf("%d of %s refused", r.Failed, plural(r.Matched, "job")),
			Hint: "the others are done; the reasons stand above"}
	}
	return nil
}

func (a *app) reportLines(r api.ActionReport) {
	word := map[job.Verb]string{job.DoCancel: "cancel", job.DoRetry: "retry", job.DoPriority: "priority"}[r.Action]
	done := "done"
	if r.DryRun {
		word, done = "would "+word, "would be done"
	}
	for _, res := range r.Results {
		if res.Error != nil {
			a.printf("%s  refused: %s\n", shortID(res.ID), printable(sentence(res.Error.Code, res.Error.Message, "")))
			continue
		}
		a.printf("%s  %s: %s, %s\n", shortID(res.ID), word, printable(res.Job.User), printable(stateLine(res.Job)))
	}
	if r.Matched != 1 {
		a.printf("%s matched, %d %s, %d refused\n", plural(r.Matched, "job"), r.Done, done, r.Failed)
	}
}
