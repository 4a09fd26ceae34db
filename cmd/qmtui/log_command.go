package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/comfyume/qmtui/internal/api"
)

func logCommand(a *app) *cobra.Command {
	return group("log", "See or change how much the manager logs", "  qmtui log level\n  qmtui log level debug\n  qmtui log level reset", logLevelCommand(a))
}

func logLevelCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "level [debug|info|warn|error|reset]", Short: "Tell the level of the manager's log, or change it while it runs", Args: takes(0, 1, "a level"),
		Long: `Tells the least that the manager logs. With a word it changes that, until the
manager ends or "reset" brings back what log.level says. The change itself is
logged, with who asked.`,
		Example:   "  qmtui log level debug\n  qmtui log level reset",
		ValidArgs: []string{"debug", "info", "warn", "error", "reset"},
	}
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, words []string) error {
		if len(words) == 0 {
			return a.logLevel(c.Context(), *asJSON, (*api.Client).LogLevel)
		}
		word := words[0]
		switch word {
		case "debug", "info", "warn", "error":
		case "reset":
			word = ""
		default:
			return usage(c.CommandPath(), "%q is not a level: use debug, info, warn, error or reset", word)
		}
		return a.logLevel(c.Context(), *asJSON, func(cl *api.Client, ctx context.Context) (api.LogLevel, error) { return cl.SetLogLevel(ctx, word) })
	}
	return c
}

// logLevel makes a call that answers with the level, and prints it.
func (a *app) logLevel(ctx context.Context, asJSON bool, call func(*api.Client, context.Context) (api.LogLevel, error)) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	l, err := call(c, ctx)
	switch {
	case err != nil:
		return err
	case asJSON:
		return writeJSON(a.stdout, l)
	case l.Level == l.Configured:
		a.printf("the manager logs from %s up, as configured\n", printable(l.Level))
	default:
		a.printf("the manager logs from %s up; log.level says %s\n", printable(l.Level), printable(l.Configured))
	}
	return nil
}
