package main

import (
	"github.com/spf13/cobra"
)

func jobsCommand(a *app) *cobra.Command {
	return group("jobs", "List, show, cancel, retry or reorder jobs",
		`  qmtui jobs list --user user001 --since 2h
  qmtui jobs show 4f1c2a9b
  qmtui jobs cancel --user user001 --state queued --dry-run`,
		jobsListCommand(a), jobsShowCommand(a), jobsCancelCommand(a), jobsRetryCommand(a), jobsPriorityCommand(a))
}
